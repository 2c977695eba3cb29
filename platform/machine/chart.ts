// What users of charts see, and what an engine has to provide. A chart is one running statechart: it
// takes events, keeps a context, and answers with effects, which are plain data.
import type {
  AnyStateMachine,
  ContextFrom,
  EmittedFrom,
  EventFrom,
  EventObject,
  InputFrom,
} from 'xstate';

/** One running statechart. */
export interface Chart<Context, Event> {
  /** Name within the node, as given to `ChartHost.start`. */
  readonly name: string;
  /** Number of the chart on its node, in the order of `start`. */
  readonly index: number;
  /**
   * Enters the initial state and performs its effects. Call it once, when everything the effects
   * reach is in place. Throws RunError CHART.
   */
  begin(): void;
  /**
   * Processes one event: the whole step first, then its effects in order. An event sent while the
   * chart is in a step or performs effects, or before `begin`, waits its turn. A chart that is done
   * or stopped ignores it. Throws RunError CHART.
   */
  send(event: Event): void;
  /** Never changes in place: a step that assigns makes a new object. */
  readonly context: Context;
  /** Active leaves in definition order, e.g. `running.polling` or `link.up,queue.idle`. */
  readonly state: string;
  /** True when the state at this dotted path is active. */
  matches(path: string): boolean;
  /** True when a final state of the root was reached. */
  readonly done: boolean;
  /** Ends the chart: cancels its timers and drops waiting events. No exit actions are run. */
  stop(): void;
}

/** A chart of whatever kind, for lists. */
export type AnyChart = Chart<unknown, never>;

/** How a chart of this machine is started. */
export type ChartOptions<Machine extends AnyStateMachine> = {
  /** Unique name within the node, used in messages and traces. */
  readonly name: string;
  /** Called for each effect after the step that emitted it. */
  perform(effect: EmittedFrom<Machine>): void;
} & (undefined extends InputFrom<Machine>
  ? { readonly input?: InputFrom<Machine> }
  : { readonly input: InputFrom<Machine> });

/** The chart that `ChartHost.start` makes of a machine. */
export type ChartOf<Machine extends AnyStateMachine> = Chart<
  ContextFrom<Machine>,
  EventFrom<Machine>
>;

/** A pending timer of a chart. It is reused after it fired or was cancelled. */
export interface ChartTimer {
  /** What the engine wants back when the timer fires. */
  payload: unknown;
}

/** What an engine asks of the chart that it runs in. */
export interface ChartPort {
  /** Appends an effect to the outbox of the step. */
  emit(effect: unknown): void;
  /** Appends effects that are the same every time, so that the list itself can be kept. */
  emitAll(effects: readonly unknown[]): void;
  /** Starts a timer of `delay` ps. Infinity makes one that never fires. */
  startTimer(payload: unknown, delay: number): ChartTimer;
  cancelTimer(timer: ChartTimer): void;
}

/** The inside of one chart, as an engine provides it. Its methods are never entered twice. */
export interface ChartInstance {
  /** Enters the initial state. */
  begin(): void;
  /** Processes one event to the end of its step. Throws what the chart's functions throw. */
  step(event: EventObject): void;
  /** Processes the event of a timer that fired. */
  fire(payload: unknown): void;
  readonly context: unknown;
  readonly state: string;
  matches(path: string): boolean;
  readonly done: boolean;
  /** Type of the event of the current or last step, for messages. */
  readonly eventType: string;
}

/** A way to run machines. */
export interface ChartEngine {
  readonly name: EngineName;
  /** Makes an instance that has not begun. Throws RunError CHART for what it cannot run. */
  create(machine: AnyStateMachine, port: ChartPort, input: unknown): ChartInstance;
}

export type EngineName = 'compiled' | 'xstate';
