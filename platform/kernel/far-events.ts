// The events of a calendar queue that lie beyond its window, in no order.
import { doubled } from './doubled.ts';
import { type EventQueue, Layout } from './event-queue.ts';

const { FLOATS_SHIFT } = Layout;

export class FarEvents {
  count = 0;
  /** Time of the first of them; Infinity when there is none. */
  first = Infinity;
  readonly #records: EventQueue;
  #slots = new Int32Array(64);

  constructor(records: EventQueue) {
    this.#records = records;
  }

  push(slot: number): void {
    const time = this.#records.floats[slot << FLOATS_SHIFT];
    if (this.count === this.#slots.length) this.#slots = doubled(this.#slots);
    this.#slots[this.count++] = slot;
    if (time < this.first) this.first = time;
  }

  /** Gives those before `end`, where the window ends now, back to the queue. */
  admit(end: number): void {
    const records = this.#records;
    const { floats } = records;
    const slots = this.#slots;
    const { count } = this;
    this.clear();
    for (let i = 0; i < count; i++) {
      const slot = slots[i];
      if (floats[slot << FLOATS_SHIFT] < end) records.push(slot);
      else this.push(slot);
    }
  }

  /** All of them; valid until another one is pushed. */
  all(): Int32Array {
    return this.#slots.subarray(0, this.count);
  }

  clear(): void {
    this.count = 0;
    this.first = Infinity;
  }
}
