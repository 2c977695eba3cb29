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

/** An access of the owner's to memory that it has given away for a while, or for good. */
export interface RefusedAccess {
  readonly address: number;
  readonly length: number;
  readonly write: boolean;
  /** Why: who has it, and how. */
  readonly reason: string;
}

interface Withheld {
  readonly start: number;
  readonly end: number;
  readonly reason: string;
}

export class Memory {
  readonly base = RAM_BASE;
  readonly size: number;
  readonly #owner: string;
  readonly #chunks: (Uint8Array | undefined)[] = [];
  /** Sorted by address, never touching one another. */
  readonly #free: FreeRange[];

  /** `owner` is how errors call the node, and where its scenario describes it. */
  /** What the owner may not reach. */
  #withheld: readonly Withheld[] = [];
  /** What refused accesses reach instead: reads bring zeroes, writes go nowhere. */
  #nowhere: Uint8Array | null = null;
  /** Told of accesses of the owner's that are refused. */
  refused: (access: RefusedAccess) => void = () => {};

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
    return this.#own(address, 1, false)[(address - this.base) & CHUNK_MASK];
  }

  writeU8(address: number, value: number): void {
    this.#own(address, 1, true)[(address - this.base) & CHUNK_MASK] = value;
  }

  /** Reads a little-endian 16-bit number; the address must be 2-aligned. */
  readU16(address: number): number {
    const chunk = this.#own(address, 2, false);
    const at = (address - this.base) & CHUNK_MASK;
    return chunk[at] | (chunk[at + 1] << 8);
  }

  writeU16(address: number, value: number): void {
    const chunk = this.#own(address, 2, true);
    const at = (address - this.base) & CHUNK_MASK;
    chunk[at] = value;
    chunk[at + 1] = value >>> 8;
  }

  /** Reads a little-endian 32-bit number; the address must be 4-aligned. */
  readU32(address: number): number {
    const chunk = this.#own(address, 4, false);
    const at = (address - this.base) & CHUNK_MASK;
    return (chunk[at] | (chunk[at + 1] << 8) | (chunk[at + 2] << 16) | (chunk[at + 3] << 24)) >>> 0;
  }

  writeU32(address: number, value: number): void {
    const chunk = this.#own(address, 4, true);
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

  /** Copies out of memory into `target` from `offset`; for the owner, unless a borrower is served. */
  copyOut(
    address: number,
    target: Uint8Array,
    offset: number,
    length: number,
    forOwner = true,
  ): void {
    let from = address;
    let to = offset;
    let left = length;
    while (left > 0) {
      const at = (from - this.base) & CHUNK_MASK;
      const step = Math.min(left, CHUNK_SIZE - at);
      const chunk = forOwner ? this.#own(from, step, false) : this.#chunk(from, step);
      copyBytes(chunk, at, target, to, step);
      from += step;
      to += step;
      left -= step;
    }
  }

  /** Copies from `source` at `offset` into memory; for the owner, unless a borrower is served. */
  copyIn(
    address: number,
    source: Uint8Array,
    offset: number,
    length: number,
    forOwner = true,
  ): void {
    let from = offset;
    let to = address;
    let left = length;
    while (left > 0) {
      const at = (to - this.base) & CHUNK_MASK;
      const step = Math.min(left, CHUNK_SIZE - at);
      const chunk = forOwner ? this.#own(to, step, true) : this.#chunk(to, step);
      copyBytes(source, from, chunk, at, step);
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
      this.#own(to, step, true).fill(value, at, at + step);
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

  /** Bytes that nobody has; not all in one piece. */
  get freeBytes(): number {
    return this.#free.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** Says who needs more memory, and how much might do: what comes later is not known. */
  #tooLittle(length: number): string {
    let enough = 2 * this.size;
    while (enough - this.size < length) enough *= 2;
    const [has, left, needs, better] = [this.size, this.freeBytes, length, enough].map((bytes) =>
      writeQuantity(bytes, 'size'),
    );
    return (
      `${this.#owner} has too little memory: of its ${has}, ${left} are free, and ${needs} in one ` +
      `piece are needed; try memory: ${better}`
    );
  }

  /** Takes a range out of the owner's reach: each access is refused and reported. */
  withhold(address: number, length: number, reason: string): void {
    this.#withheld = [...this.#withheld, { start: address, end: address + length, reason }];
  }

  /** Gives a range that begins here back to its owner. */
  restore(address: number): void {
    this.#withheld = this.#withheld.filter(({ start }) => start !== address);
  }

  #mergeFree(i: number): void {
    const range = this.#free[i];
    const next = this.#free[i + 1];
    if (next !== undefined && range.end === next.start) {
      range.end = next.end;
      this.#free.splice(i + 1, 1);
    }
  }

  /** The chunk of an access by the owner. */
  #own(address: number, length: number, write: boolean): Uint8Array {
    return this.#withheld.length === 0
      ? this.#chunk(address, length)
      : this.#guarded(address, length, write);
  }

  #guarded(address: number, length: number, write: boolean): Uint8Array {
    const end = address + length;
    const held = this.#withheld.find((range) => address < range.end && range.start < end);
    if (held === undefined) return this.#chunk(address, length);
    this.refused({ address, length, write, reason: held.reason });
    this.#nowhere ??= new Uint8Array(CHUNK_SIZE);
    return this.#nowhere.fill(0);
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
