// Which block a request goes to: in sequence or at random, but never one that a request is under way
// on, so that what a read must return is always known.
import type { RandomStream } from '../../platform/kernel/index.ts';

export class BlockPicker {
  #count: number;
  readonly #random: RandomStream | null;
  #busy: Uint8Array;
  #next = 0;

  /** `random` is null for sequential access. */
  constructor(count: number, random: RandomStream | null) {
    this.#count = count;
    this.#random = random;
    this.#busy = new Uint8Array(count);
  }

  /** Takes a free block. There are more blocks than requests at a time. */
  take(): number {
    let block = this.#random === null ? this.#next : this.#random.below(this.#count);
    while (this.#busy[block] === 1) block = block + 1 === this.#count ? 0 : block + 1;
    this.#next = block + 1 === this.#count ? 0 : block + 1;
    this.#busy[block] = 1;
    return block;
  }

  /** There are so many blocks from now on, still more than requests at a time. */
  resize(count: number): void {
    const busy = new Uint8Array(Math.max(count, this.#busy.length));
    busy.set(this.#busy);
    this.#busy = busy;
    this.#count = count;
    if (this.#next >= count) this.#next = 0;
  }

  release(block: number): void {
    this.#busy[block] = 0;
  }
}
