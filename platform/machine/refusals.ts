// What the compiled engine cannot run, found when a machine is loaded and named one by one.
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { fault } from './chart-fault.ts';
import { compileGuard } from './guard.ts';
import { compileAction, TimerIds } from './operation.ts';
import { allNodes, nodeText } from './state-tree.ts';

/** Throws RunError CHART that lists everything in the machine that cannot be compiled. */
export function checkCompilable(machine: AnyStateMachine): void {
  const reasons = refusalsOf(machine);
  if (reasons.length > 0) throw fault(machine, `cannot be compiled: ${reasons.join('; ')}`);
}

/** The reasons why a machine cannot be compiled, with the state each is in. */
export function refusalsOf(machine: AnyStateMachine): string[] {
  const timers = new TimerIds();
  return allNodes(machine).flatMap((node) => {
    const reasons = structureRefusals(node);
    const attempt = (compile: () => void): void => {
      try {
        compile();
      } catch (error) {
        reasons.push((error as Error).message.replace(`machine ${machine.id}: `, ''));
      }
    };
    for (const action of actionsOf(node)) attempt(() => compileAction(machine, timers, action));
    for (const { guard } of transitionsOf(node)) attempt(() => compileGuard(machine, [], guard));
    return [...new Set(reasons)].map((reason) => `${reason} (in ${nodeText(node)})`);
  });
}

function structureRefusals(node: AnyStateNode): string[] {
  const reasons: string[] = [];
  if (node.invoke.length > 0) reasons.push(`invoke of ${node.invoke[0].src}`);
  if ((node.config as { readonly route?: unknown }).route !== undefined) reasons.push('route');
  // Such keys come first in any object, whatever the order of definition.
  if (/^\d+$/.test(node.key) && node.parent !== undefined) reasons.push('a number as state name');
  return reasons;
}

/** All transitions that leave from a node, eventless ones included. */
export function transitionsOf(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...node.transitions.values(), node.always ?? []].flat();
}

/** All actions of a node: entry, exit, of its transitions and its initial transition. */
export function actionsOf(node: AnyStateNode): unknown[] {
  return [
    ...node.entry,
    ...node.exit,
    ...transitionsOf(node).flatMap((transition) => transition.actions),
    ...(node.type === 'compound' ? node.initial.actions : []),
  ];
}
