// A 4-ary heap of slots, ordered by the (time, key) of their records.
import type { EventQueue } from './event-queue.ts';

export class SlotHeap {
  size = 0;
  readonly #records: EventQueue;
  #slots = new Int32Array(64);

  constructor(records: EventQueue) {
    this.#records = records;
  }

  push(slot: number): void {
    if (this.size === this.#slots.length) {
      const larger = new Int32Array(this.size * 2);
      larger.set(this.#slots);
      this.#slots = larger;
    }
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
    if (this.size > 0) this.#siftDown(0, slot);
  }

  /** Takes out every slot for which `isKept` is false. */
  filter(isKept: (slot: number) => boolean): void {
    const slots = this.#slots;
    let kept = 0;
    for (let i = 0; i < this.size; i++) {
      if (isKept(slots[i])) slots[kept++] = slots[i];
    }
    this.size = kept;
    for (let i = (kept - 2) >> 2; i >= 0; i--) this.#siftDown(i, slots[i]);
  }

  #siftDown(from: number, slot: number): void {
    const records = this.#records;
    const slots = this.#slots;
    const size = this.size;
    let hole = from;
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
