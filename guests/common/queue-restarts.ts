// What a driver keeps while one of its queues is reset: that nothing may be added to the ring, the chains to
// be made available again, and work that waits.
import type { TaggedChain } from './ring-set.ts';

/** A step of the driver's work, as its CPU would deliver it. */
interface ParkedWork {
  readonly queue: number;
  readonly step: number;
  readonly a: number;
}

export class QueueRestarts {
  /** Chains that the ring of the queue that is reset had, to be made available again. */
  repeats: readonly TaggedChain[] = [];
  readonly #stopped = new Set<number>();
  #parked: ParkedWork[] = [];

  isStopped(queue: number): boolean {
    return this.#stopped.size > 0 && this.#stopped.has(queue);
  }

  stop(queue: number): void {
    this.#stopped.add(queue);
  }

  /** Keeps work for a queue that is stopped; false for others. */
  parks(queue: number, step: number, a: number): boolean {
    const stopped = this.isStopped(queue);
    if (stopped) this.#parked.push({ queue, step, a });
    return stopped;
  }

  /** The queue is in use again. Returns the work that has waited for it. */
  end(queue: number): readonly ParkedWork[] {
    this.repeats = [];
    this.#stopped.delete(queue);
    const ready = this.#parked.filter((work) => work.queue === queue);
    this.#parked = this.#parked.filter((work) => work.queue !== queue);
    return ready;
  }

  clear(): void {
    this.repeats = [];
    this.#stopped.clear();
    this.#parked = [];
  }
}
