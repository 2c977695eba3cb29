// How much memory moves for the accesses of one transaction when it moves whole lines: each line that any of
// them touches, once. Lines of one byte are the bytes themselves, those of several accesses once.
import { doubled } from '../kernel/index.ts';

export class LineTally {
  readonly #line: number;
  /** Ranges of lines in ascending order, apart from one another: first, and first beyond. */
  #starts = new Float64Array(16);
  #ends = new Float64Array(16);
  #count = 0;

  /** `line` is in bytes. */
  constructor(line: number) {
    this.#line = line;
  }

  clear(): void {
    this.#count = 0;
  }

  /** Bytes of all lines so far. */
  get bytes(): number {
    let lines = 0;
    for (let i = 0; i < this.#count; i++) lines += this.#ends[i] - this.#starts[i];
    return lines * this.#line;
  }

  /** Adds an access. Those in ascending order, as most are, only look at the last range. */
  add(address: number, length: number): void {
    if (length === 0) return;
    const start = Math.floor(address / this.#line);
    const end = Math.floor((address + length - 1) / this.#line) + 1;
    let at = this.#count;
    while (at > 0 && this.#starts[at - 1] > start) at--;
    if (at > 0 && this.#ends[at - 1] >= start) {
      at--;
      if (this.#ends[at] >= end) return;
      this.#ends[at] = end;
    } else {
      this.#insert(at, start, end);
    }
    this.#absorb(at);
  }

  #insert(at: number, start: number, end: number): void {
    if (this.#count === this.#starts.length) {
      this.#starts = doubled(this.#starts);
      this.#ends = doubled(this.#ends);
    }
    this.#starts.copyWithin(at + 1, at, this.#count);
    this.#ends.copyWithin(at + 1, at, this.#count);
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#count++;
  }

  /** Joins the ranges that one now reaches to it. */
  #absorb(at: number): void {
    let next = at + 1;
    while (next < this.#count && this.#starts[next] <= this.#ends[at]) {
      this.#ends[at] = Math.max(this.#ends[at], this.#ends[next++]);
    }
    if (next === at + 1) return;
    this.#starts.copyWithin(at + 1, next, this.#count);
    this.#ends.copyWithin(at + 1, next, this.#count);
    this.#count -= next - at - 1;
  }
}
