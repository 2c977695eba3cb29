// What a step does, one record per action, resolved from XState's actions when a transition is first
// taken. Records of one shape and a kind keep the loop that runs them fast.
import type { AnyStateMachine, AnyStateNode, EventObject } from 'xstate';
import { fault } from './chart-fault.ts';

export const Kind = {
  /** Emits `value`. */
  emit: 0,
  /** Emits what `call` returns. */
  emitCall: 1,
  /** Merges what `call` returns into the context. */
  assignCall: 2,
  /** Assigns `keys` from `sources`, which are values or functions. */
  assignKeys: 3,
  /** Raises `value` in this step. */
  raise: 4,
  /** Raises what `call` returns, now or after `delay`. */
  raiseCall: 5,
  /** Starts a timer for `value` after `delay`. */
  timer: 6,
  /** Cancels the timer named `timer`, or what `call` returns. */
  cancel: 7,
  /** Calls an action function for what it does outside. */
  custom: 8,
  /** Runs the actions that `call` enqueues. */
  enqueue: 9,
  /** Raises the done event `value.type` with the output of a final state. */
  done: 10,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

// Users' functions come with the types of their machine, which are erased here.
// biome-ignore lint/suspicious/noExplicitAny: guards and actions of any machine.
export type UserFunction = (args: any, params?: any) => any;

/** One resolved action. */
export class Operation {
  readonly kind: Kind;
  call: UserFunction | null = null;
  value: EventObject | null = null;
  params: unknown = undefined;
  /** Computes the parameters when they depend on context or event. */
  paramsOf: UserFunction | null = null;
  keys: readonly string[] = [];
  sources: readonly unknown[] = [];
  delay: unknown = undefined;
  /** Number of the timer's id within the machine, or -1. */
  timer = -1;

  constructor(kind: Kind) {
    this.kind = kind;
  }
}

/** Numbers for the ids of delayed events. */
export class TimerIds {
  readonly #numbers = new Map<string, number>();

  numberOf(id: unknown): number {
    if (typeof id !== 'string') return -1;
    let number = this.#numbers.get(id);
    if (number === undefined) this.#numbers.set(id, (number = this.#numbers.size));
    return number;
  }
}

/** An action as a machine's configuration holds it: a name, a name with parameters, a function. */
type ActionReference =
  | string
  | { readonly type: string; readonly params?: unknown }
  | (UserFunction & BuiltIn);

/** What XState's action creators leave on the functions they return. */
interface BuiltIn {
  readonly resolve?: unknown;
  readonly type?: string;
  readonly assignment?: unknown;
  readonly event?: unknown;
  readonly id?: unknown;
  readonly delay?: unknown;
  readonly sendId?: unknown;
  readonly collect?: UserFunction;
}

/** Resolves one action of a machine. Throws RunError CHART for what cannot be compiled. */
export function compileAction(
  machine: AnyStateMachine,
  timers: TimerIds,
  reference: unknown,
): Operation {
  const action = reference as ActionReference;
  const name = typeof action === 'string' ? action : action.type;
  const implementation =
    typeof action === 'function' ? action : machine.implementations.actions[name as string];
  if (typeof implementation !== 'function') throw fault(machine, `action ${name} is not provided`);
  const operation = compileFunction(machine, timers, implementation as UserFunction & BuiltIn);
  if (typeof action === 'object' && 'params' in action) {
    if (typeof action.params === 'function') operation.paramsOf = action.params as UserFunction;
    else operation.params = action.params;
  }
  return operation;
}

function compileFunction(
  machine: AnyStateMachine,
  timers: TimerIds,
  action: UserFunction & BuiltIn,
): Operation {
  if (!('resolve' in action)) return withCall(Kind.custom, action);
  switch (action.type) {
    case 'xstate.emit':
      return typeof action.event === 'function'
        ? withCall(Kind.emitCall, action.event as UserFunction)
        : withValue(Kind.emit, action.event as EventObject);
    case 'xstate.assign':
      return compileAssign(action.assignment);
    case 'xstate.raise':
      return compileRaise(machine, timers, action);
    case 'xstate.cancel':
      return compileCancel(timers, action.sendId);
    case 'xstate.enqueueActions':
      return withCall(Kind.enqueue, action.collect!);
    default:
      throw fault(machine, `action ${action.type} cannot be compiled`);
  }
}

function compileAssign(assignment: unknown): Operation {
  if (typeof assignment === 'function')
    return withCall(Kind.assignCall, assignment as UserFunction);
  const operation = new Operation(Kind.assignKeys);
  operation.keys = Object.keys(assignment as object);
  operation.sources = Object.values(assignment as object);
  return operation;
}

function compileRaise(machine: AnyStateMachine, timers: TimerIds, action: BuiltIn): Operation {
  const { event, id, delay } = action;
  if (typeof event === 'string') {
    throw fault(machine, `raise needs an event object, not the name ${event}`);
  }
  const isCall = typeof event === 'function';
  const operation = new Operation(
    isCall ? Kind.raiseCall : delay === undefined ? Kind.raise : Kind.timer,
  );
  if (isCall) operation.call = event as UserFunction;
  else operation.value = event as EventObject;
  operation.delay = delay;
  operation.timer = timers.numberOf(id);
  if (typeof delay === 'string') {
    operation.delay = machine.implementations.delays[delay];
    if (operation.delay === undefined) throw fault(machine, `delay ${delay} is not provided`);
  }
  return operation;
}

function compileCancel(timers: TimerIds, id: unknown): Operation {
  if (typeof id === 'function') return withCall(Kind.cancel, id as UserFunction);
  const operation = new Operation(Kind.cancel);
  operation.timer = timers.numberOf(id);
  return operation;
}

/** The operation that raises the done event of `node`, with the output of a final state. */
export function doneOperation(node: AnyStateNode, output: unknown): Operation {
  const event = { type: `xstate.done.state.${node.id}`, output };
  const operation = withValue(Kind.done, event);
  if (typeof output === 'function') operation.call = output as UserFunction;
  return operation;
}

function withCall(kind: Kind, call: UserFunction): Operation {
  const operation = new Operation(kind);
  operation.call = call;
  return operation;
}

function withValue(kind: Kind, value: EventObject): Operation {
  const operation = new Operation(kind);
  operation.value = value;
  return operation;
}
