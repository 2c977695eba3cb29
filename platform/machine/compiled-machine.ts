// A machine turned into tables, shared by all its charts. For each set of active states that was seen,
// a configuration; for each combination of transitions taken from it, a microstep: the operations and
// the next configuration. Everything is made when first needed.
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { Configuration, type Microstep, type MicrostepSource } from './configuration.ts';
import { compileAction, doneOperation, Kind, type Operation, TimerIds } from './operation.ts';
import { checkCompilable } from './refusals.ts';
import { checkActive, childStates } from './state-tree.ts';
import {
  type History,
  planInitial,
  planTransitions,
  type Route,
  type TransitionPlan,
} from './transition-plan.ts';

/** Configurations kept per machine. A chart that sees more runs on, but slower. */
const CONFIGURATIONS_MAX = 65_536;

const compiled = new WeakMap<AnyStateMachine, CompiledMachine>();

/** The tables of a machine. Throws RunError CHART, with the reasons, for what cannot be compiled. */
export function compileMachine(machine: AnyStateMachine): CompiledMachine {
  let tables = compiled.get(machine);
  if (tables === undefined) {
    checkCompilable(machine);
    compiled.set(machine, (tables = new CompiledMachine(machine)));
  }
  return tables;
}

export class CompiledMachine implements MicrostepSource {
  readonly machine: AnyStateMachine;
  readonly timers = new TimerIds();
  /** The entry into the initial state. */
  readonly initial: Microstep;
  readonly #operations = new Map<unknown, Operation>();
  readonly #configurations = new Map<string, Configuration>();

  constructor(machine: AnyStateMachine) {
    this.machine = machine;
    this.initial = this.#assemble(planInitial(machine.root), [], null);
  }

  /** What taking these transitions does from this configuration. */
  microstep(from: Configuration, transitions: readonly AnyTransitionDefinition[]): Microstep {
    const plan = planTransitions(transitions, from.nodes, from.history);
    const actions = plan.taken.flatMap((transition) => transition.actions);
    return this.#assemble(plan, actions, from);
  }

  /** Resolves one action of this machine. */
  operation(action: unknown): Operation {
    let operation = this.#operations.get(action);
    if (operation === undefined) {
      operation = compileAction(this.machine, this.timers, action);
      this.#operations.set(action, operation);
    }
    return operation;
  }

  #assemble(
    plan: TransitionPlan<Route>,
    actions: readonly unknown[],
    from: Configuration | null,
  ): Microstep {
    const operations: Operation[] = [];
    const perform = (list: readonly unknown[]): void => {
      for (const action of list) operations.push(this.operation(action));
    };
    for (const node of plan.exits) perform(node.exit);
    perform(actions);
    const active = new Set(plan.kept);
    const completed = new Set<AnyStateNode>();
    let finishes = false;
    for (const node of plan.entries) {
      active.add(node);
      perform(node.entry);
      if (plan.defaults.has(node)) perform(node.initial.actions);
      if (node.type === 'final' && completes(node, active, completed, operations)) finishes = true;
    }
    if (finishes) {
      for (const node of [...active].sort((a, b) => b.order - a.order)) perform(node.exit);
    }
    const effects = fixedEffects(operations);
    // XState keeps the old order of the nodes when the set is the same, even if some were re-entered.
    if (from !== null && plan.history === from.history && sameNodes(from.nodes, active)) {
      return { operations, effects, next: from, finishes, changes: finishes };
    }
    const next = this.#configuration([...active], plan.history);
    return { operations, effects, next, finishes, changes: true };
  }

  /** The one configuration of these nodes, in this order, with this history. */
  #configuration(nodes: readonly AnyStateNode[], history: History): Configuration {
    const remembered = [...history].map(([node, list]) => `${node.order}:${orders(list)}`).sort();
    const key = `${orders(nodes)};${remembered.join(';')}`;
    let configuration = this.#configurations.get(key);
    if (configuration === undefined) {
      checkActive(nodes);
      configuration = new Configuration(this, nodes, history);
      if (this.#configurations.size < CONFIGURATIONS_MAX) {
        this.#configurations.set(key, configuration);
      }
    }
    return configuration;
  }
}

function fixedEffects(operations: readonly Operation[]): readonly unknown[] | null {
  const isFixed = ({ kind, paramsOf }: Operation): boolean => {
    return kind === Kind.emit && paramsOf === null;
  };
  return operations.every(isFixed) ? operations.map(({ value }) => value) : null;
}

function orders(nodes: readonly AnyStateNode[]): string {
  return nodes.map((node) => node.order).join();
}

function sameNodes(nodes: readonly AnyStateNode[], set: ReadonlySet<AnyStateNode>): boolean {
  return nodes.length === set.size && nodes.every((node) => set.has(node));
}

/** Adds the done events that entering a final state raises. Returns true when the root is done. */
function completes(
  node: AnyStateNode,
  active: ReadonlySet<AnyStateNode>,
  completed: Set<AnyStateNode>,
  operations: Operation[],
): boolean {
  const { parent } = node;
  if (parent?.type === 'compound') operations.push(doneOperation(parent, node.output));
  let above = parent?.type === 'parallel' ? parent : parent?.parent;
  while (above?.type === 'parallel' && !completed.has(above) && isFinal(above, active)) {
    completed.add(above);
    operations.push(doneOperation(above, undefined));
    above = above.parent;
  }
  return above === undefined;
}

function isFinal(node: AnyStateNode, active: ReadonlySet<AnyStateNode>): boolean {
  const children = childStates(node);
  if (node.type === 'parallel') return children.every((child) => isFinal(child, active));
  if (node.type === 'compound') {
    return children.some((child) => child.type === 'final' && active.has(child));
  }
  return node.type === 'final';
}
