// Runs one machine on both engines side by side, with the same random events and pauses, and expects
// the same states, contexts, effects, timers and digests after every step.
import { inspect } from 'node:util';
import { expect } from 'vitest';
import type { AnyStateMachine, EventObject } from 'xstate';
import { RunError } from '../../platform/errors.ts';
import { Kernel, type RandomStream, randomStream } from '../../platform/kernel/index.ts';
import {
  type AnyChart,
  ChartHost,
  type EngineName,
  ImpossibleStates,
} from '../../platform/machine/index.ts';

/** An event to send, or a function that makes one. */
export type EventSource = EventObject | ((random: RandomStream) => EventObject);

export interface EquivalenceOptions {
  readonly steps: number;
  readonly seed: number;
  readonly input?: unknown;
  /** Where action functions of the machine write what they did, to be compared as well. */
  readonly journal?: unknown[];
}

/** What a check went through, so that a test can see that it was worth something. */
export interface EquivalenceReport {
  /** Different values of `Chart.state` seen. */
  readonly states: ReadonlySet<string>;
  readonly effects: number;
  readonly timersFired: number;
  /** The run ended early, with an error. */
  readonly failed: boolean;
}

interface Observation {
  readonly failure: string | null;
  readonly state: string;
  readonly context: unknown;
  readonly effects: readonly unknown[];
  readonly journal: readonly unknown[];
  readonly nextTimer: number;
  readonly done: boolean;
}

/** Checks one machine; `steps` events or pauses are drawn from `seed`. */
export function equivalenceCheck(
  machine: AnyStateMachine,
  events: readonly EventSource[],
  options: EquivalenceOptions,
): EquivalenceReport {
  const { steps, seed } = options;
  const random = randomStream(seed, `equivalence of ${machine.id}`);
  const reference = new Subject('xstate', machine, options);
  const compiled = new Subject('compiled', machine, options);
  const report = { states: new Set<string>(), effects: 0, timersFired: 0, failed: false };
  let what = 'begin';
  for (let step = 0; ; step++) {
    // XState may pass through impossible states where the compiled engine stops.
    report.failed = compiled.isImpossible;
    if (report.failed) return report;
    const expected = reference.observe();
    expect(compiled.observe(), `${machine.id}, seed ${seed}, step ${step}: ${what}`).toEqual(
      expected,
    );
    report.states.add(expected.state);
    report.effects += expected.effects.length;
    report.failed = expected.failure !== null;
    if (report.failed || step === steps) break;
    const action = drawAction(random, events, expected.nextTimer);
    what = inspect(action);
    reference.act(action);
    compiled.act(action);
  }
  expect(compiled.digest()).toEqual(reference.digest());
  report.timersFired = reference.kernel.events;
  return report;
}

type Action = { readonly send: EventObject } | { readonly waitUntil: number };

/** Mostly an event; sometimes the next timer, or a moment before it. */
function drawAction(
  random: RandomStream,
  events: readonly EventSource[],
  nextTimer: number,
): Action {
  if (nextTimer < Infinity && random.ratio(1, 3)) {
    return { waitUntil: nextTimer - (random.ratio(1, 4) ? 1 : 0) };
  }
  const source = events[random.below(events.length)];
  return { send: typeof source === 'function' ? source(random) : source };
}

/** The machine on one engine, on a kernel of its own. */
class Subject {
  readonly kernel = new Kernel(1);
  readonly #chart: AnyChart;
  readonly #journal: unknown[];
  #journalled: unknown[] = [];
  #effects: unknown[] = [];
  #failure: string | null = null;
  isImpossible = false;

  constructor(engine: EngineName, machine: AnyStateMachine, options: EquivalenceOptions) {
    this.#journal = options.journal ?? [];
    const host = new ChartHost(this.kernel, 0, 'node', engine);
    this.#chart = host.start(machine, {
      name: 'chart',
      input: options.input,
      perform: (effect: unknown) => this.#effects.push({ at: this.kernel.now, effect }),
    });
    this.#attempt(() => this.#chart.begin());
  }

  act(action: Action): void {
    this.#attempt(() => {
      if ('send' in action) {
        this.#chart.send(action.send as never);
      } else {
        this.kernel.runUntil(action.waitUntil + 1);
        this.kernel.now = action.waitUntil;
      }
    });
  }

  observe(): Observation {
    const effects = this.#effects;
    this.#effects = [];
    const failed = this.#failure !== null;
    return {
      failure: this.#failure,
      // After an error in the very first step there is no state to speak of.
      state: failed ? '' : this.#chart.state,
      context: failed ? null : structuredClone(this.#chart.context),
      effects,
      // How far a failing step came is not part of the promise.
      journal: failed ? [] : this.#journalled,
      nextTimer: failed ? 0 : this.kernel.nextTime(),
      done: !failed && this.#chart.done,
    };
  }

  digest(): readonly number[] {
    return this.kernel.digestOf(0);
  }

  #attempt(action: () => void): void {
    const start = this.#journal.length;
    try {
      action();
    } catch (error) {
      if (!(error instanceof RunError)) throw error;
      this.#failure = error.code;
      this.isImpossible = error.cause instanceof ImpossibleStates;
    }
    this.#journalled = this.#journal.slice(start);
  }
}
