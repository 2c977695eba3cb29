// A node's RAM: real bytes at real addresses, in chunks that exist once they are touched, and a
// first-fit allocator over the whole of it. Only the owner calls this; another node's accesses
// arrive as timed packets at a bus, which checks them before it comes here.
import { assert, RunError } from '../errors.ts';
import { writeQuantity } from '../timing/index.ts';

/** Where RAM begins in a node's address space, as on the Arm `virt` platforms. */
export const RAM_BASE = 0x4000_0000;
/** Bytes of a page, the unit of sharing. */
export const PAGE_SIZE = 4096;

const CHUNK_SHIFT = 16;
const CHUNK_SIZE = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_SIZE - 1;
const TWO_32 = 4294967296;

interface FreeRange {
  start: number;
  end: number;
}

export class Memory {
  readonly base = RAM_BASE;
  readonly size: number;
  readonly #owner: string;
  readonly #chunks: (Uint8Array | undefined)[] = [];
  /** Sorted by address, never touching one another. */
  readonly #free: FreeRange[];

  /** `owner` is how errors call the node, and where its scenario describes it. */
  constructor(size: number, owner = 'the node') {
    assert(size > 0, 'memory is not empty');
    this.size = size;
    this.#owner = owner;
    this.#free = [{ start: this.base, end: this.base + size }];
  }

  contains(address: number, length: number): boolean {
    return address >= this.base && address + length <= this.base + this.size;
  }

  readU8(address: number): number {
    return this.#chunk(address, 1)[(address - this.base) & CHUNK_MASK];
  }

  writeU8(address: number, value: number): void {
    this.#chunk(address, 1)[(address - this.base) & CHUNK_MASK] = value;
  }

  /** Reads a little-endian 16-bit number; the address must be 2-aligned. */
  readU16(address: number): number {
    const chunk = this.#chunk(address, 2);
    const at = (address - this.base) & CHUNK_MASK;
    return chunk[at] | (chunk[at + 1] << 8);
  }

  writeU16(address: number, value: number): void {
    const chunk = this.#chunk(address, 2);
    const at = (address - this.base) & CHUNK_MASK;
    chunk[at] = value;
    chunk[at + 1] = value >>> 8;
  }

  /** Reads a little-endian 32-bit number; the address must be 4-aligned. */
  readU32(address: number): number {
    const chunk = this.#chunk(address, 4);
    const at = (address - this.base) & CHUNK_MASK;
    return (chunk[at] | (chunk[at + 1] << 8) | (chunk[at + 2] << 16) | (chunk[at + 3] << 24)) >>> 0;
  }

  writeU32(address: number, value: number): void {
    const chunk = this.#chunk(address, 4);
    const at = (address - this.base) & CHUNK_MASK;
    chunk[at] = value;
    chunk[at + 1] = value >>> 8;
    chunk[at + 2] = value >>> 16;
    chunk[at + 3] = value >>> 24;
  }

  /** Writes a number below 2^53 as a little-endian 64-bit field. */
  writeU64(address: number, value: number): void {
    this.writeU32(address, value % TWO_32);
    this.writeU32(address + 4, Math.floor(value / TWO_32));
  }

  /** Copies out of memory into `target` from `offset`. */
  copyOut(address: number, target: Uint8Array, offset: number, length: number): void {
    let from = address;
    let to = offset;
    let left = length;
    while (left > 0) {
      const at = (from - this.base) & CHUNK_MASK;
      const step = Math.min(left, CHUNK_SIZE - at);
      copyBytes(this.#chunk(from, step), at, target, to, step);
      from += step;
      to += step;
      left -= step;
    }
  }

  /** Copies from `source` at `offset` into memory. */
  copyIn(address: number, source: Uint8Array, offset: number, length: number): void {
    let from = offset;
    let to = address;
    let left = length;
    while (left > 0) {
      const at = (to - this.base) & CHUNK_MASK;
      const step = Math.min(left, CHUNK_SIZE - at);
      copyBytes(source, from, this.#chunk(to, step), at, step);
      from += step;
      to += step;
      left -= step;
    }
  }

  /** Fills a range with one byte value. */
  fill(address: number, length: number, value: number): void {
    let to = address;
    let left = length;
    while (left > 0) {
      const at = (to - this.base) & CHUNK_MASK;
      const step = Math.min(left, CHUNK_SIZE - at);
      this.#chunk(to, step).fill(value, at, at + step);
      to += step;
      left -= step;
    }
  }

  /** Takes a range of zeroed bytes. Throws RunError MEMORY when no free range is large enough. */
  allocate(length: number, alignment = 16): number {
    assert(length > 0 && alignment > 0, 'an allocation has a length and an alignment');
    for (let i = 0; i < this.#free.length; i++) {
      const range = this.#free[i];
      const start = Math.ceil(range.start / alignment) * alignment;
      const end = start + length;
      if (end > range.end) continue;
      const rest = { start: end, end: range.end };
      if (start > range.start) {
        range.end = start;
        if (rest.start < rest.end) this.#free.splice(i + 1, 0, rest);
      } else if (rest.start < rest.end) {
        this.#free[i] = rest;
      } else {
        this.#free.splice(i, 1);
      }
      this.fill(start, length, 0);
      return start;
    }
    throw new RunError('MEMORY', this.#tooLittle(length));
  }

  /** Gives a range back. Freeing what is already free is our bug. */
  free(address: number, length: number): void {
    const end = address + length;
    let i = 0;
    while (i < this.#free.length && this.#free[i].start < address) i++;
    const before = this.#free[i - 1];
    const after = this.#free[i];
    assert(before === undefined || before.end <= address, 'a range is freed twice');
    assert(after === undefined || after.start >= end, 'a range is freed twice');
    this.#free.splice(i, 0, { start: address, end });
    this.#mergeFree(i);
    if (i > 0) this.#mergeFree(i - 1);
  }

  /** Says who needs more memory, and how much might do: what comes later is not known. */
  #tooLittle(length: number): string {
    const free = this.#free.reduce((sum, { start, end }) => sum + end - start, 0);
    let enough = 2 * this.size;
    while (enough - this.size < length) enough *= 2;
    const [has, left, needs, better] = [this.size, free, length, enough].map((bytes) =>
      writeQuantity(bytes, 'size'),
    );
    return (
      `${this.#owner} has too little memory: of its ${has}, ${left} are free, and ${needs} in one ` +
      `piece are needed; try memory: ${better}`
    );
  }

  #mergeFree(i: number): void {
    const range = this.#free[i];
    const next = this.#free[i + 1];
    if (next !== undefined && range.end === next.start) {
      range.end = next.end;
      this.#free.splice(i + 1, 1);
    }
  }

  #chunk(address: number, length: number): Uint8Array {
    const offset = address - this.base;
    if (!(offset >= 0 && offset + length <= this.size)) outside(address, length);
    const index = Math.floor(offset / CHUNK_SIZE);
    return this.#chunks[index] ?? (this.#chunks[index] = new Uint8Array(CHUNK_SIZE));
  }
}

/** Copies without making a view for short runs, where the view would cost more than the bytes. */
export function copyBytes(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  length: number,
): void {
  if (length <= 64) {
    for (let i = 0; i < length; i++) target[to + i] = source[from + i];
  } else {
    target.set(source.subarray(from, from + length), to);
  }
}

function outside(address: number, length: number): never {
  throw new RunError(
    'MEMORY',
    `access of ${length} bytes at 0x${address.toString(16)} is outside the node's memory`,
  );
}
