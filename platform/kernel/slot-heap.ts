// A 4-ary heap of slots, ordered by the (time, key) of their records.
import { doubled } from './doubled.ts';
import type { EventQueue } from './event-queue.ts';

export class SlotHeap {
  size = 0;
  readonly #records: EventQueue;
  #slots = new Int32Array(64);

  constructor(records: EventQueue) {
    this.#records = records;
  }

  push(slot: number): void {
    if (this.size === this.#slots.length) this.#slots = doubled(this.#slots);
    const records = this.#records;
    const slots = this.#slots;
    let hole = this.size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      if (records.precedes(slots[parent], slot)) break;
      slots[hole] = slots[parent];
      hole = parent;
    }
    slots[hole] = slot;
  }

  /** The first slot in order. The heap must not be empty. */
  first(): number {
    return this.#slots[0];
  }

  /** Takes out the first slot. */
  removeFirst(): void {
    const slot = this.#slots[--this.size];
    if (this.size > 0) this.#siftDown(slot);
  }

  #siftDown(slot: number): void {
    const records = this.#records;
    const slots = this.#slots;
    const size = this.size;
    let hole = 0;
    for (;;) {
      const first = (hole << 2) + 1;
      if (first >= size) break;
      const end = Math.min(first + 4, size);
      let best = slots[first];
      let bestAt = first;
      for (let child = first + 1; child < end; child++) {
        if (records.precedes(slots[child], best)) {
          best = slots[child];
          bestAt = child;
        }
      }
      if (records.precedes(slot, best)) break;
      slots[hole] = best;
      hole = bestAt;
    }
    slots[hole] = slot;
  }
}
