// Checks of a chart that neither the types nor XState make: how charts are written here, so that a
// reader sees the protocol in them, and mistakes that would show only when a rare state is entered.
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { matchingTransitions } from './event-descriptor.ts';
import { actionsOf, refusalsOf, transitionsOf } from './refusals.ts';
import { allNodes, ancestorsBelow, childStates, nodeText } from './state-tree.ts';
import { historyDefault } from './transition-plan.ts';

export type MachineProblemCode =
  /** The initial state does not exist. */
  | 'INITIAL'
  /** A state says nothing of itself. */
  | 'DESCRIPTION'
  /** The root does not say what becomes of unexpected events. */
  | 'WILDCARD'
  /** A delay is a bare number or a function in the chart, not a name. */
  | 'DELAY'
  /** A delayed event without an id, which nothing can cancel. */
  | 'TIMER_ID'
  /** A function in the chart where a name should be. */
  | 'INLINE'
  /** No sequence of transitions leads there. */
  | 'UNREACHABLE'
  /** The done event of a state falls to a wildcard. */
  | 'DONE'
  /** A name that is not provided, or something that the compiled engine cannot run. */
  | 'REFUSED';

export interface MachineProblem {
  readonly code: MachineProblemCode;
  readonly text: string;
}

/** Finds what is wrong with a machine; an empty list when nothing is. */
export function lintMachine(machine: AnyStateMachine): MachineProblem[] {
  const nodes = allNodes(machine);
  const initial = nodes.flatMap(initialProblems);
  // Without initial states there is no telling what else holds.
  if (initial.length > 0) return initial;
  const reached = reachableNodes(machine.root);
  return [
    ...(machine.root.transitions.has('*') ? [] : [problem('WILDCARD', machine.root, 'has no "*"')]),
    ...nodes.flatMap((node) => [
      ...stateProblems(node),
      ...(reached.has(node) ? [] : [problem('UNREACHABLE', node, 'cannot be reached')]),
      ...delayProblems(node),
      ...inlineProblems(node),
    ]),
    ...refusalsOf(machine).map((text): MachineProblem => ({ code: 'REFUSED', text })),
  ];
}

function problem(code: MachineProblemCode, node: AnyStateNode, text: string): MachineProblem {
  return { code, text: `${nodeText(node)} ${text}` };
}

function initialProblems(node: AnyStateNode): MachineProblem[] {
  if (node.type !== 'compound') return [];
  try {
    return node.initial.target.length > 0 ? [] : [problem('INITIAL', node, 'has no initial state')];
  } catch (error) {
    return [problem('INITIAL', node, (error as Error).message)];
  }
}

function stateProblems(node: AnyStateNode): MachineProblem[] {
  const problems: MachineProblem[] = [];
  if (node.parent !== undefined && !node.description) {
    problems.push(problem('DESCRIPTION', node, 'has no description'));
  }
  if (node.parent !== undefined && childStates(node).some((child) => child.type === 'final')) {
    const [taken] = [node, ...ancestorsBelow(node)].flatMap((each) => {
      return matchingTransitions(each, `xstate.done.state.${node.id}`);
    });
    const acts = taken !== undefined && (taken.target !== undefined || taken.actions.length > 0);
    if (acts && taken.eventType.endsWith('*')) {
      problems.push(problem('DONE', node, `is done, which "${taken.eventType}" takes: say onDone`));
    }
  }
  return problems;
}

/** What XState's action creators leave on the functions that delay events. */
interface Delayed {
  readonly type?: string;
  readonly event?: { readonly type?: string };
  readonly sendId?: unknown;
  readonly id?: unknown;
  readonly delay?: unknown;
}

function delayProblems(node: AnyStateNode): MachineProblem[] {
  const numbers = node.after.filter(({ delay }) => typeof delay !== 'string');
  const problems = numbers.map(({ delay }) => problem('DELAY', node, `waits for a bare ${delay}`));
  for (const action of actionsOf(node)) {
    const resolved = resolve(node, action);
    if (resolved?.type !== 'xstate.raise' || resolved.delay === undefined) continue;
    if (isOfAfter(resolved)) continue;
    const what = `delays ${resolved.event?.type ?? 'an event'}`;
    if (typeof resolved.delay !== 'string')
      problems.push(problem('DELAY', node, `${what} by no name`));
    if (resolved.id === undefined)
      problems.push(problem('TIMER_ID', node, `${what} without an id`));
  }
  return problems;
}

function resolve(node: AnyStateNode, action: unknown): Delayed | undefined {
  if (typeof action === 'function') return action as Delayed;
  const name = typeof action === 'string' ? action : (action as { readonly type: string }).type;
  return node.machine.implementations.actions[name] as Delayed | undefined;
}

/** True for the actions that XState itself adds to states with `after`. */
function isOfAfter({ event, sendId }: Delayed): boolean {
  return (event?.type ?? String(sendId)).startsWith('xstate.after.');
}

function inlineProblems(node: AnyStateNode): MachineProblem[] {
  const actions = actionsOf(node).filter((action) => {
    return typeof action === 'function' && !isOfAfter(action as Delayed);
  });
  // Combinations of named guards are functions too.
  const guards = transitionsOf(node).filter(({ guard }) => {
    return typeof guard === 'function' && !('check' in guard);
  });
  return [
    ...actions.map(() => problem('INLINE', node, 'has an action without a name')),
    ...guards.map(({ eventType }) => problem('INLINE', node, `guards ${eventType} without a name`)),
  ];
}

/** The nodes that some sequence of transitions enters, if every guard may pass. */
function reachableNodes(root: AnyStateNode): Set<AnyStateNode> {
  const reached = new Set<AnyStateNode>();
  const visit = (node: AnyStateNode): void => {
    if (reached.has(node)) return;
    reached.add(node);
    if (node.parent !== undefined) visit(node.parent);
    if (node.type === 'compound') visit(node.initial.target[0]);
    if (node.type === 'parallel') for (const child of childStates(node)) visit(child);
    if (node.type === 'history') for (const target of historyDefault(node)) visit(target);
    for (const { target } of transitionsOf(node)) for (const each of target ?? []) visit(each);
  };
  visit(root);
  return reached;
}
