// A hierarchical timing wheel: nine levels of 64 slots, the lowest of one picosecond, so that a slot
// of it holds events of one instant. One of the candidates for the kernel's queue.
import { doubled, EventQueue, Layout } from '../../../platform/kernel/index.ts';

const { FLOATS_SHIFT, KEY, NO_SLOT } = Layout;
const LEVEL_BITS = 6;
const LEVEL_SLOTS = 64;
const LEVELS = 9;
/** Times are split here: five levels are in the low part, four in the high part. */
const LOW_BITS = 30;
const LOW_SPAN = 2 ** LOW_BITS;
const LOW_LEVELS = LOW_BITS / LEVEL_BITS;

export class WheelQueue extends EventQueue {
  readonly #heads = new Int32Array(LEVELS * LEVEL_SLOTS).fill(NO_SLOT);
  /** A bit for each list that is not empty; two words a level. */
  readonly #occupied = new Int32Array(LEVELS * 2);
  #inWheel = 0;
  #low = 0;
  #high = 0;
  /** Everything before is in the run or early. */
  #openedEnd = 0;
  // Events of the instant that is opened, and earlier ones; the first at the end.
  #run = new Int32Array(64);
  #runCount = 0;

  get size(): number {
    return this.#inWheel + this.#runCount;
  }

  push(slot: number): void {
    const time = this.floats[slot << FLOATS_SHIFT];
    if (time < this.#openedEnd) this.#insert(slot);
    else this.#link(slot, time);
  }

  first(): number {
    if (this.#runCount === 0 && !this.#advance()) return NO_SLOT;
    return this.#run[this.#runCount - 1];
  }

  removeFirst(): void {
    this.#runCount--;
  }

  protected compact(): void {
    const slots = [...this.#run.subarray(0, this.#runCount)];
    for (let i = 0; i < this.#heads.length; i++) {
      for (let slot = this.#heads[i]; slot !== NO_SLOT; slot = this.links[slot]) slots.push(slot);
    }
    this.#heads.fill(NO_SLOT);
    this.#occupied.fill(0);
    this.#inWheel = this.#runCount = 0;
    for (const slot of slots) {
      if (this.isCancelled(slot)) this.drop(slot);
      else this.push(slot);
    }
  }

  /** Takes a list of one instant into the run, which is empty. */
  #openList(first: number): void {
    const { floats, links } = this;
    let isSorted = true;
    for (let slot = first; slot !== NO_SLOT; slot = links[slot]) {
      if (this.#runCount === this.#run.length) this.#run = doubled(this.#run);
      const last = this.#runCount - 1;
      if (last >= 0 && this.precedes(this.#run[last], slot)) isSorted = false;
      this.#run[this.#runCount++] = slot;
    }
    this.#inWheel -= this.#runCount;
    if (isSorted) return;
    const key = (slot: number) => floats[(slot << FLOATS_SHIFT) | KEY];
    this.#run.subarray(0, this.#runCount).sort((one, other) => key(other) - key(one));
  }

  #insert(slot: number): void {
    if (this.#runCount === this.#run.length) this.#run = doubled(this.#run);
    const run = this.#run;
    let hole = this.#runCount++;
    while (hole > 0 && this.precedes(run[hole - 1], slot)) {
      run[hole] = run[hole - 1];
      hole--;
    }
    run[hole] = slot;
  }

  /** Puts an event into the level of the highest digit in which it differs from the present. */
  #link(slot: number, time: number): void {
    const high = Math.floor(time / LOW_SPAN);
    const low = time - high * LOW_SPAN;
    let level = 0;
    let digit = 0;
    if (high !== this.#high) {
      const part = Math.floor((31 - Math.clz32(high ^ this.#high)) / LEVEL_BITS);
      level = LOW_LEVELS + part;
      digit = (high >> (part * LEVEL_BITS)) & 63;
    } else if (low !== this.#low) {
      level = Math.floor((31 - Math.clz32(low ^ this.#low)) / LEVEL_BITS);
      digit = (low >> (level * LEVEL_BITS)) & 63;
    } else {
      digit = low & 63;
    }
    const index = level * LEVEL_SLOTS + digit;
    this.links[slot] = this.#heads[index];
    this.#heads[index] = slot;
    this.#occupied[index >> 5] |= 1 << index;
    this.#inWheel++;
  }

  /** Opens the next instant that has events, cascading lists of higher levels on the way. */
  #advance(): boolean {
    if (this.#inWheel === 0) return false;
    for (;;) {
      let index = 0;
      while (this.#occupied[index] === 0) index++;
      const bits = this.#occupied[index];
      const bit = 31 - Math.clz32(bits & -bits);
      this.#occupied[index] &= ~(1 << bit);
      const list = (index << 5) | bit;
      let slot = this.#heads[list];
      this.#heads[list] = NO_SLOT;
      const level = list >> LEVEL_BITS;
      this.#moveTo(level, list & 63);
      if (level === 0) {
        this.#openedEnd = this.#high * LOW_SPAN + this.#low + 1;
        this.#openList(slot);
        return true;
      }
      while (slot !== NO_SLOT) {
        const next = this.links[slot];
        this.#inWheel--;
        this.#link(slot, this.floats[slot << FLOATS_SHIFT]);
        slot = next;
      }
    }
  }

  /** Sets the digit of this level, and clears the lower ones. */
  #moveTo(level: number, digit: number): void {
    if (level >= LOW_LEVELS) {
      const shift = (level - LOW_LEVELS) * LEVEL_BITS;
      this.#high = (((this.#high >> shift) & ~63) | digit) << shift;
      this.#low = 0;
    } else {
      const shift = level * LEVEL_BITS;
      this.#low = (((this.#low >> shift) & ~63) | digit) << shift;
    }
  }
}
