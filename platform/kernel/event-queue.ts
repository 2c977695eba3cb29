// The event queue: a 4-ary heap of event slots, ordered by (time, key). Both live in typed arrays of
// the queue itself, so that sifting touches one small region of memory and no objects.

/** A priority queue of integer slots by (time, key). Keys are unique, so the order is total. */
export interface EventQueue {
  readonly size: number;
  push(time: number, key: number, slot: number): void;
  /** Time of the first entry, or Infinity when empty. */
  peekTime(): number;
  /** Removes the first entry and returns its slot; its time and key stay in `poppedTime/Key`. */
  pop(): number;
  readonly poppedTime: number;
  readonly poppedKey: number;
}

export class HeapQueue implements EventQueue {
  size = 0;
  poppedTime = 0;
  poppedKey = 0;
  #times = new Float64Array(256);
  #keys = new Float64Array(256);
  #slots = new Int32Array(256);

  peekTime(): number {
    return this.size === 0 ? Infinity : this.#times[0];
  }

  push(time: number, key: number, slot: number): void {
    if (this.size === this.#times.length) this.#grow();
    const times = this.#times;
    const keys = this.#keys;
    const slots = this.#slots;
    let hole = this.size++;
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

  pop(): number {
    const times = this.#times;
    const keys = this.#keys;
    const slots = this.#slots;
    const result = slots[0];
    this.poppedTime = times[0];
    this.poppedKey = keys[0];
    const last = --this.size;
    const time = times[last];
    const key = keys[last];
    const slot = slots[last];
    let hole = 0;
    for (;;) {
      const first = hole * 4 + 1;
      if (first >= last) break;
      const end = Math.min(first + 4, last);
      let best = first;
      for (let child = first + 1; child < end; child++) {
        if (
          times[child] < times[best] ||
          (times[child] === times[best] && keys[child] < keys[best])
        ) {
          best = child;
        }
      }
      if (time < times[best] || (time === times[best] && key < keys[best])) break;
      times[hole] = times[best];
      keys[hole] = keys[best];
      slots[hole] = slots[best];
      hole = best;
    }
    times[hole] = time;
    keys[hole] = key;
    slots[hole] = slot;
    return result;
  }

  #grow(): void {
    const capacity = this.#times.length * 2;
    const times = new Float64Array(capacity);
    times.set(this.#times);
    this.#times = times;
    const keys = new Float64Array(capacity);
    keys.set(this.#keys);
    this.#keys = keys;
    const slots = new Int32Array(capacity);
    slots.set(this.#slots);
    this.#slots = slots;
  }
}
