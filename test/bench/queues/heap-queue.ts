// A 4-ary heap with its times and keys in typed arrays of its own, so that sifting touches one small
// region of memory. One of the candidates for the kernel's queue, kept for comparison.
import { doubled, EventQueue, Layout } from '../../../platform/kernel/index.ts';

const { FLOATS_SHIFT, KEY, NO_SLOT } = Layout;

export class HeapQueue extends EventQueue {
  #size = 0;
  #times = new Float64Array(64);
  #keys = new Float64Array(64);
  #slots = new Int32Array(64);

  get size(): number {
    return this.#size;
  }

  push(slot: number): void {
    if (this.#size === this.#times.length) this.#grow();
    const time = this.floats[slot << FLOATS_SHIFT];
    const key = this.floats[(slot << FLOATS_SHIFT) | KEY];
    const times = this.#times;
    const keys = this.#keys;
    const slots = this.#slots;
    let hole = this.#size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      const parentTime = times[parent];
      if (parentTime < time || (parentTime === time && keys[parent] < key)) break;
      times[hole] = parentTime;
      keys[hole] = keys[parent];
      slots[hole] = slots[parent];
      hole = parent;
    }
    times[hole] = time;
    keys[hole] = key;
    slots[hole] = slot;
  }

  first(): number {
    return this.#size === 0 ? NO_SLOT : this.#slots[0];
  }

  removeFirst(): void {
    const last = --this.#size;
    this.#siftDown(this.#times[last], this.#keys[last], this.#slots[last]);
  }

  protected compact(): void {
    const slots = this.#slots.slice(0, this.#size);
    this.#size = 0;
    for (const slot of slots) {
      if (this.isCancelled(slot)) this.drop(slot);
      else this.push(slot);
    }
  }

  #siftDown(time: number, key: number, slot: number): void {
    const times = this.#times;
    const keys = this.#keys;
    const slots = this.#slots;
    const size = this.#size;
    let hole = 0;
    for (;;) {
      const first = (hole << 2) + 1;
      if (first >= size) break;
      const end = first + 4 < size ? first + 4 : size;
      let best = first;
      let bestTime = times[first];
      for (let child = first + 1; child < end; child++) {
        const childTime = times[child];
        if (childTime < bestTime || (childTime === bestTime && keys[child] < keys[best])) {
          best = child;
          bestTime = childTime;
        }
      }
      if (time < bestTime || (time === bestTime && key < keys[best])) break;
      times[hole] = bestTime;
      keys[hole] = keys[best];
      slots[hole] = slots[best];
      hole = best;
    }
    times[hole] = time;
    keys[hole] = key;
    slots[hole] = slot;
  }

  #grow(): void {
    this.#times = doubled(this.#times);
    this.#keys = doubled(this.#keys);
    this.#slots = doubled(this.#slots);
  }
}
