// The hold model: a fixed number of events is pending, and each, when delivered, schedules itself
// again after a pseudo-random delay. It measures an event kernel and nothing else.
import {
  CalendarQueue,
  type Component,
  type ComponentId,
  type EventQueue,
  Kernel,
  randomStream,
} from '../../platform/kernel/index.ts';

/** Delays in ps, as a function of a draw of 32 bits. All have a mean of 5,000 to 15,000. */
export const INCREMENTS = {
  uniform: (draw: number) => 1 + (draw % 10_000),
  exponential: (draw: number) => Math.ceil(-Math.log((draw + 1) / 2 ** 32) * 5000),
  bimodal: (draw: number) => (draw % 10 === 0 ? 100_000 + (draw % 100_000) : 1 + (draw % 100)),
  tied: (draw: number) => 1000 * (1 + (draw % 8)),
} as const;
export type IncrementName = keyof typeof INCREMENTS;

export interface HoldOptions {
  readonly pending: number;
  readonly increments?: IncrementName;
  /** One component for each event, or one for all of them (the default). */
  readonly ownComponents?: boolean;
  readonly queue?: EventQueue;
}

/** Drawn beforehand, as the peers do it: the generator is not what is measured. */
const DRAWS = 4096;
const SEED = 1;

class Shared {
  readonly delays: Int32Array;
  draw = 0;
  left = 0;

  constructor(increments: IncrementName) {
    const random = randomStream(SEED, increments);
    this.delays = Int32Array.from({ length: DRAWS }, () => INCREMENTS[increments](random.next()));
  }
}

class Holder implements Component {
  readonly id: ComponentId;
  readonly #kernel: Kernel;
  readonly #shared: Shared;

  constructor(kernel: Kernel, shared: Shared) {
    this.#kernel = kernel;
    this.#shared = shared;
    this.id = kernel.add(0, this);
  }

  deliver(kind: number, a: number, b: number): void {
    const shared = this.#shared;
    if (--shared.left === 0) this.#kernel.stop();
    const delay = shared.delays[shared.draw++ & (DRAWS - 1)];
    this.#kernel.post(this.id, delay, kind, a, b);
  }
}

export class HoldModel {
  readonly kernel: Kernel;
  readonly #shared: Shared;

  constructor(options: HoldOptions) {
    const { pending, increments = 'uniform', ownComponents = false } = options;
    const { queue = new CalendarQueue() } = options;
    this.kernel = new Kernel(1, null, queue);
    this.#shared = new Shared(increments);
    let holder = new Holder(this.kernel, this.#shared);
    for (let i = 0; i < pending; i++) {
      if (ownComponents && i > 0) holder = new Holder(this.kernel, this.#shared);
      this.kernel.schedule(holder.id, this.#shared.delays[i & (DRAWS - 1)], 1, i);
    }
  }

  /** Delivers this many events. */
  run(events: number): void {
    this.#shared.left = events;
    this.kernel.runUntil(Infinity);
  }
}
