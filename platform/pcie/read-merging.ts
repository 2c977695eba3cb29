// Joins the segments of one DMA read that touch, overlap, or begin in the burst in which another ends, so
// that they travel as one read request. What comes back is put in the order that was asked for.
//
//   asked:    A ▒▒▒▒      B ▒▒▒▒     C ▒▒         C ends in the burst in which B begins
//   read:     A ▒▒▒▒      C ▒▒░▒▒▒▒ B             ░ is read along and left out
import type { Segments } from '../memory/index.ts';
import { copyBytes } from '../node/index.ts';

export class ReadMerging {
  /** Bytes that were asked for. */
  length = 0;
  #count = 0;
  // Of each segment that was asked for: its length, its run, and where its bytes are in what is read.
  #lengths = new Float64Array(0);
  #runs = new Int32Array(0);
  #places = new Float64Array(0);
  /** Segments in the order of their addresses. */
  #sorted = new Int32Array(0);
  // Of each run of joined segments: where it begins and ends, and where it is in what is read.
  #starts = new Float64Array(0);
  #ends = new Float64Array(0);
  #offsets = new Float64Array(0);
  #bytes = new Uint8Array(256);

  /**
   * Adds to `merged` what is to be read for `asked`. Returns false, and adds nothing, when no two segments
   * are joined. Runs are read in the order of what was first asked for in each: of a ring the index, say,
   * comes no later than its entries.
   */
  merge(asked: Segments, burst: number, merged: Segments): boolean {
    const { count, addresses, lengths } = asked;
    if (this.#lengths.length < count) this.#reserve(count);
    this.#sort(addresses, count);
    if (this.#formRuns(asked, burst) === count) return false;
    this.#count = count;
    this.length = asked.bytes;
    for (let i = 0; i < count; i++) {
      const run = this.#runs[i];
      if (this.#offsets[run] < 0) {
        this.#offsets[run] = merged.bytes;
        merged.add(this.#starts[run], this.#ends[run] - this.#starts[run]);
      }
      this.#lengths[i] = lengths[i];
      this.#places[i] = this.#offsets[run] + addresses[i] - this.#starts[run];
    }
    return true;
  }

  /** The bytes that were asked for, in that order, out of those that were read. */
  spread(read: Uint8Array): Uint8Array {
    if (this.#bytes.length < this.length) {
      this.#bytes = new Uint8Array(2 ** Math.ceil(Math.log2(this.length)));
    }
    let at = 0;
    for (let i = 0; i < this.#count; i++) {
      copyBytes(read, this.#places[i], this.#bytes, at, this.#lengths[i]);
      at += this.#lengths[i];
    }
    return this.#bytes;
  }

  /** Returns how many runs the sorted segments make. */
  #formRuns({ count, addresses, lengths }: Segments, burst: number): number {
    let run = -1;
    for (let i = 0; i < count; i++) {
      const segment = this.#sorted[i];
      const start = addresses[segment];
      const end = start + lengths[segment];
      const joins =
        run >= 0 &&
        (start <= this.#ends[run] ||
          Math.floor(start / burst) === Math.floor((this.#ends[run] - 1) / burst));
      if (joins) {
        this.#ends[run] = Math.max(this.#ends[run], end);
      } else {
        this.#starts[++run] = start;
        this.#ends[run] = end;
        this.#offsets[run] = -1;
      }
      this.#runs[segment] = run;
    }
    return run + 1;
  }

  /** Sorts by insertion: segments are few, or nearly in order. */
  #sort(addresses: Float64Array, count: number): void {
    for (let i = 0; i < count; i++) {
      let at = i;
      while (at > 0 && addresses[this.#sorted[at - 1]] > addresses[i]) {
        this.#sorted[at] = this.#sorted[--at];
      }
      this.#sorted[at] = i;
    }
  }

  #reserve(count: number): void {
    const capacity = 2 ** Math.ceil(Math.log2(count));
    this.#lengths = new Float64Array(capacity);
    this.#runs = new Int32Array(capacity);
    this.#places = new Float64Array(capacity);
    this.#sorted = new Int32Array(capacity);
    this.#starts = new Float64Array(capacity);
    this.#ends = new Float64Array(capacity);
    this.#offsets = new Float64Array(capacity);
  }
}
