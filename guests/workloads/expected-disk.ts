// What a disk must contain: the image and every write since. A disk with a volatile cache may lose writes
// that no flush has covered when it fails; each of their sectors may then hold any version since the last
// flush, until it is read or written again.
import type { Backing } from '../../platform/memory/index.ts';
import { SECTOR_SIZE } from '../../platform/virtio/index.ts';

/** Contents that a block once had and that a failure may bring back; null when nobody knows them. */
interface Version {
  readonly bytes: Uint8Array | null;
  /** The write, by number, that has covered it. */
  readonly coveredBy: number;
}

export interface ExpectedDiskOptions {
  /** The disk as it is before the first write. */
  readonly backing: Backing;
  readonly blockSize: number;
  /** Completed writes are volatile until they are flushed. */
  readonly volatile: boolean;
}

export class ExpectedDisk {
  readonly #backing: Backing;
  readonly #blockSize: number;
  readonly #volatile: boolean;
  /** Versions that may come back, by block; only while the cache is volatile. */
  readonly #versions = new Map<number, Version[]>();
  /** What each block may contain, where that is not known for sure. */
  readonly #candidates = new Map<number, readonly Uint8Array[]>();
  /** Blocks that may contain anything. */
  readonly #unknown = new Set<number>();
  /** Writes completed so far; and how many had been when each flush under way was submitted. */
  #writes = 0;
  readonly #flushes = new Map<number, number>();

  constructor({ backing, blockSize, volatile }: ExpectedDiskOptions) {
    this.#backing = backing;
    this.#blockSize = blockSize;
    this.#volatile = volatile;
  }

  /** A write of a block has been completed. */
  written(block: number, bytes: Uint8Array): void {
    this.#writes++;
    if (this.#volatile) this.#keepVersions(block);
    this.#candidates.delete(block);
    this.#unknown.delete(block);
    this.#backing.write(block * this.#blockSize, bytes, 0, this.#blockSize);
  }

  /** A write of a block may have been done, or not, sector by sector. */
  uncertain(block: number, bytes: Uint8Array): void {
    const known = this.#candidates.get(block) ?? [this.#newest(block)];
    this.#candidates.set(block, [...known, bytes]);
  }

  /** A block was discarded: it may contain anything until it is written again. */
  discarded(block: number): void {
    this.#versions.delete(block);
    this.#candidates.delete(block);
    this.#unknown.add(block);
  }

  /** The flush of this slot is submitted: it covers the writes completed by now. */
  flushing(slot: number): void {
    this.#flushes.set(slot, this.#writes);
  }

  /** The flush of this slot has succeeded: what its writes have covered does not come back. */
  flushed(slot: number): void {
    const covered = this.#flushes.get(slot) ?? 0;
    this.#flushes.delete(slot);
    for (const [block, versions] of this.#versions) {
      const left = versions.filter(({ coveredBy }) => coveredBy > covered);
      if (left.length > 0) this.#versions.set(block, left);
      else this.#versions.delete(block);
    }
  }

  /**
   * The disk has failed and is back. It may have lost what was not flushed, or not, and may still lose it
   * when it fails again: the versions are kept until a flush covers them.
   */
  failed(): void {
    for (const [block, versions] of this.#versions) {
      const older = versions.map(({ bytes }) => bytes);
      const newest = this.#newest(block);
      if (older.includes(null)) this.#unknown.add(block);
      else this.#candidates.set(block, [newest, ...(older as Uint8Array[])]);
      versions.push({ bytes: newest, coveredBy: this.#writes });
    }
  }

  /** The disk has another size. */
  resize(capacity: number): void {
    this.#backing.resize(capacity);
  }

  /** True when nothing can be said of a block. */
  isUnknown(block: number): boolean {
    return this.#unknown.has(block);
  }

  /** True when a block may contain these bytes, which are known to be its contents from now on. */
  matches(block: number, bytes: Uint8Array, words: Int32Array): boolean {
    const offset = block * this.#blockSize;
    const candidates = this.#candidates.get(block);
    if (candidates === undefined) return this.#backing.equals(offset, words, this.#blockSize);
    for (let at = 0; at < this.#blockSize; at += SECTOR_SIZE) {
      if (!candidates.some((candidate) => sectorsAreEqual(candidate, bytes, at))) return false;
    }
    this.#candidates.delete(block);
    this.#backing.write(offset, bytes, 0, this.#blockSize);
    return true;
  }

  #newest(block: number): Uint8Array {
    const bytes = new Uint8Array(this.#blockSize);
    this.#backing.read(block * this.#blockSize, bytes, 0, this.#blockSize);
    return bytes;
  }

  /** Keeps what a write covers, since it may come back. */
  #keepVersions(block: number): void {
    const known = this.#candidates.get(block) ?? [this.#newest(block)];
    const covered = this.#unknown.has(block) ? [null] : known;
    const versions = covered.map((bytes) => ({ bytes, coveredBy: this.#writes }));
    this.#versions.set(block, [...(this.#versions.get(block) ?? []), ...versions]);
  }
}

function sectorsAreEqual(a: Uint8Array, b: Uint8Array, at: number): boolean {
  for (let i = at; i < at + SECTOR_SIZE; i++) if (a[i] !== b[i]) return false;
  return true;
}
