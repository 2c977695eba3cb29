// Descriptors of a split ring that a queue has read and may use for the chains to come. It holds whole
// bursts, each at its place in a copy of the table; what is no longer held must be read again.
//
//   burst:       0         1         2
//   index:   0 1 2 3 | 4 5 6 7 | 8 9 …        64 B, in a table that begins at a line

import { copyBytes } from '../../platform/node/index.ts';
import { DESC_SIZE } from '../../platform/virtio/index.ts';

const ABSENT = 0;
/** Asked for in the read under way. */
const ASKED = 1;
const HELD = 2;

export class DescriptorCache {
  /** The copy of the table; only bursts that are held may be looked at. */
  readonly bytes: Uint8Array;
  readonly #size: number;
  readonly #perBurst: number;
  /** Descriptors by which the table begins after the start of a burst. */
  readonly #skew: number;
  readonly #state: Uint8Array;
  /** Bursts that are held, oldest first. */
  readonly #order: number[] = [];
  readonly #burstsMax: number;

  constructor(options: {
    /** Descriptors of the table, and its address. */
    readonly size: number;
    readonly address: number;
    /** Bytes of a burst, and of all that are kept. */
    readonly burst: number;
    readonly capacity: number;
  }) {
    const { size, address, burst, capacity } = options;
    this.#size = size;
    this.#perBurst = burst / DESC_SIZE;
    this.#skew = Math.floor(address / DESC_SIZE) % this.#perBurst;
    this.#burstsMax = Math.floor(capacity / burst);
    this.bytes = new Uint8Array(size * DESC_SIZE);
    this.#state = new Uint8Array(this.burstOf(size - 1) + 1);
  }

  burstOf(index: number): number {
    return Math.floor((index + this.#skew) / this.#perBurst);
  }

  /** First descriptor of a burst. */
  startOf(burst: number): number {
    return Math.max(0, burst * this.#perBurst - this.#skew);
  }

  /** Descriptors of the table that a burst has. */
  countIn(burst: number): number {
    const end = Math.min(this.#size, (burst + 1) * this.#perBurst - this.#skew);
    return end - this.startOf(burst);
  }

  holds(burst: number): boolean {
    return this.#state[burst] === HELD;
  }

  /** A burst is needed. Returns true for one that has to be read, and is not yet asked for. */
  ask(burst: number): boolean {
    if (this.#state[burst] !== ABSENT) return false;
    this.#state[burst] = ASKED;
    return true;
  }

  /** Takes a burst that was asked for, unless it was taken before. Returns the bytes it is long. */
  take(burst: number, source: Uint8Array, at: number): number {
    if (this.#state[burst] !== ASKED) return 0;
    this.#state[burst] = HELD;
    this.#order.push(burst);
    const length = DESC_SIZE * this.countIn(burst);
    copyBytes(source, at, this.bytes, DESC_SIZE * this.startOf(burst), length);
    return length;
  }

  /** Lets go of the oldest bursts beyond what may be kept. */
  trim(): void {
    while (this.#order.length > this.#burstsMax) this.#state[this.#order.shift()!] = ABSENT;
  }

  clear(): void {
    this.#state.fill(ABSENT);
    this.#order.length = 0;
  }
}
