// One chart with everything that must be the same on every engine: the outbox of effects, the queue of
// events that arrive in the middle of a step, the timers and the error report.
import type { AnyStateMachine, EventObject } from 'xstate';
import { assert, RunError } from '../errors.ts';
import { type EventHandle, formatTime, type Kernel, NO_EVENT } from '../kernel/index.ts';
import type { Chart, ChartEngine, ChartInstance, ChartPort, ChartTimer } from './chart.ts';
import { REENTRANT_EVENTS_MAX } from './limits.ts';

/** What a chart knows of the node it lives on. */
export interface ChartPlace {
  readonly kernel: Kernel;
  readonly nodeName: string;
  readonly engine: ChartEngine;
  /** Is told of every step when set. */
  readonly observer: ChartObserver | null;
  /** Schedules the kernel event that calls `timerFired(ordinal)` on the chart of this index. */
  schedule(delay: number, chartIndex: number, ordinal: number): EventHandle;
  takeTimer(): HostedTimer;
  giveTimer(timer: HostedTimer): void;
}

/** Watches the steps of all charts of a node, for traces and coverage. */
export interface ChartObserver {
  /** Called after each step, before its effects are performed. */
  stepped(chart: Chart<unknown, never>, eventType: string, before: string): void;
}

/** A timer record; the host keeps a pool of them. */
export class HostedTimer implements ChartTimer {
  payload: unknown = null;
  ordinal = 0;
  handle: EventHandle = NO_EVENT;
}

/** Stands for all timers with an infinite delay. */
const NEVER = new HostedTimer();

export interface HostedChartOptions {
  readonly name: string;
  readonly input?: unknown;
  perform(effect: unknown): void;
}

export class HostedChart implements Chart<unknown, EventObject>, ChartPort {
  readonly name: string;
  readonly index: number;
  readonly #place: ChartPlace;
  readonly #options: HostedChartOptions;
  readonly #instance: ChartInstance;
  /** Effects of the step: a list of the engine's when those are all, otherwise the outbox. */
  #effects: readonly unknown[] | null = null;
  readonly #outbox: unknown[] = [];
  #outboxSize = 0;
  /** Events that came while the chart was busy. */
  readonly #waiting: EventObject[] = [];
  /** In a step, performing its effects, not begun, or closed: an event cannot be processed now. */
  #busy = true;
  #begun = false;
  /** Done, stopped or failed: events are ignored for ever. */
  #closed = false;
  readonly #timers: HostedTimer[] = [];
  #timersStarted = 0;

  constructor(
    place: ChartPlace,
    index: number,
    machine: AnyStateMachine,
    options: HostedChartOptions,
  ) {
    this.name = options.name;
    this.index = index;
    this.#place = place;
    this.#options = options;
    this.#instance = place.engine.create(machine, this, options.input);
  }

  get context(): unknown {
    assert(this.#begun, `chart ${this.name} has not begun`);
    return this.#instance.context;
  }

  get state(): string {
    assert(this.#begun, `chart ${this.name} has not begun`);
    return this.#instance.state;
  }

  get done(): boolean {
    return this.#begun && this.#instance.done;
  }

  matches(path: string): boolean {
    assert(this.#begun, `chart ${this.name} has not begun`);
    return this.#instance.matches(path);
  }

  begin(): void {
    assert(!this.#begun, `chart ${this.name} is begun twice`);
    this.#begun = true;
    try {
      this.#instance.begin();
    } catch (error) {
      this.#fail(error);
    }
    this.#settle('');
    this.#next();
  }

  send(event: EventObject): void {
    if (this.#busy) {
      if (!this.#closed) this.#waiting.push(event);
      return;
    }
    this.#busy = true;
    this.#step(event);
    this.#next();
  }

  stop(): void {
    this.#busy = true;
    this.#closed = true;
    this.#waiting.length = 0;
    this.#cancelAllTimers();
  }

  emit(effect: unknown): void {
    if (this.#effects !== null) this.#moveToOutbox();
    this.#outbox[this.#outboxSize++] = effect;
  }

  emitAll(effects: readonly unknown[]): void {
    if (this.#effects === null && this.#outboxSize === 0) {
      this.#effects = effects;
    } else {
      for (const effect of effects) this.emit(effect);
    }
  }

  startTimer(payload: unknown, delay: number): HostedTimer {
    const ordinal = this.#timersStarted++;
    if (delay === Infinity) return NEVER;
    if (!(delay >= 0 && Number.isInteger(delay))) {
      throw new RangeError(`a delay of ${delay} is not a whole number of picoseconds`);
    }
    const timer = this.#place.takeTimer();
    timer.payload = payload;
    timer.ordinal = ordinal;
    timer.handle = this.#place.schedule(delay, this.index, ordinal);
    this.#timers.push(timer);
    return timer;
  }

  cancelTimer(timer: HostedTimer): void {
    if (timer === NEVER) return;
    const position = this.#timers.indexOf(timer);
    // A timer that fired is gone already.
    if (position < 0) return;
    this.#place.kernel.cancel(timer.handle);
    this.#removeTimer(position);
  }

  /** Called by the host when the timer of this ordinal is due. */
  timerFired(ordinal: number): void {
    const timers = this.#timers;
    let position = 0;
    while (timers[position].ordinal !== ordinal) position++;
    const { payload } = timers[position];
    this.#removeTimer(position);
    assert(!this.#busy, `a timer of chart ${this.name} fired within a step`);
    this.#busy = true;
    const before = this.#place.observer === null ? '' : this.state;
    try {
      this.#instance.fire(payload);
    } catch (error) {
      this.#fail(error);
    }
    this.#settle(before);
    this.#next();
  }

  #step(event: EventObject): void {
    const before = this.#place.observer === null ? '' : this.state;
    try {
      this.#instance.step(event);
    } catch (error) {
      this.#fail(error);
    }
    this.#settle(before);
  }

  /** What follows every step: the end of a chart that is done, and the effects. */
  #settle(before: string): void {
    const { observer } = this.#place;
    if (observer !== null) observer.stepped(this, this.#instance.eventType, before);
    if (this.#instance.done) this.#closed = true;
    if (this.#closed && this.#timers.length > 0) this.#cancelAllTimers();
    const effects = this.#effects;
    if (effects !== null) {
      this.#effects = null;
      for (let i = 0; i < effects.length; i++) this.#options.perform(effects[i]);
      return;
    }
    if (this.#outboxSize > 0) this.#performOutbox();
  }

  #moveToOutbox(): void {
    const effects = this.#effects!;
    this.#effects = null;
    for (const effect of effects) this.#outbox[this.#outboxSize++] = effect;
  }

  #performOutbox(): void {
    const size = this.#outboxSize;
    this.#outboxSize = 0;
    const outbox = this.#outbox;
    for (let i = 0; i < size; i++) {
      const effect = outbox[i];
      outbox[i] = undefined;
      this.#options.perform(effect);
    }
  }

  /** Processes the events that came meanwhile, then opens the chart again. */
  #next(): void {
    const waiting = this.#waiting;
    if (waiting.length > 0) {
      for (let i = 0; i < waiting.length && !this.#closed; i++) {
        if (i === REENTRANT_EVENTS_MAX) this.#livelock(waiting[i].type);
        this.#step(waiting[i]);
      }
      waiting.length = 0;
    }
    if (!this.#closed) this.#busy = false;
  }

  #removeTimer(position: number): void {
    const timers = this.#timers;
    const timer = timers[position];
    const last = timers.pop()!;
    if (last !== timer) timers[position] = last;
    timer.payload = null;
    this.#place.giveTimer(timer);
  }

  #cancelAllTimers(): void {
    const timers = this.#timers;
    for (const timer of timers) this.#place.kernel.cancel(timer.handle);
    while (timers.length > 0) this.#removeTimer(timers.length - 1);
  }

  #fail(cause: unknown): never {
    this.#closed = true;
    // Raised by the kernel while a timer was started; it says all there is to say.
    if (cause instanceof RunError) throw cause;
    const { nodeName, kernel } = this.#place;
    const text = cause instanceof Error ? cause.message : String(cause);
    const error = new RunError(
      'CHART',
      `chart ${this.name} of node ${nodeName} failed in state ${this.state || '(root)'} on event ` +
        `${this.#instance.eventType} at ${formatTime(kernel.now)}: ${text}`,
    );
    error.cause = cause;
    throw error;
  }

  #livelock(eventType: string): never {
    this.#closed = true;
    throw new RunError(
      'LIVELOCK',
      `effects of chart ${this.name} of node ${this.#place.nodeName} sent it more than ` +
        `${REENTRANT_EVENTS_MAX} events in a row at ${formatTime(this.#place.kernel.now)}; ` +
        `the last was ${eventType} in state ${this.state}`,
    );
  }
}
