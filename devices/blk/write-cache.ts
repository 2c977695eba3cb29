// A volatile write cache in front of a backing. The backing always holds the newest bytes; beside it
// the cache keeps what the medium itself holds of each sector that is not yet durable. A flush forgets
// those old sectors, a loss of power brings them back.
import type { RandomStream } from '../../platform/kernel/index.ts';
import type { Backing } from '../../platform/memory/index.ts';
import { SECTOR_SIZE } from '../../platform/virtio/index.ts';

export class WriteCache {
  readonly #backing: Backing;
  readonly #size: number;
  /** Sectors whose newest bytes are in the cache only, with the bytes on the medium. */
  readonly #old = new Map<number, Uint8Array>();
  readonly #free: Uint8Array[] = [];
  /** Bytes that writes under way will need. */
  #reserved = 0;

  constructor(backing: Backing, size: number) {
    this.#backing = backing;
    this.#size = size;
  }

  /** Bytes that the next flush has to make durable. */
  get bytes(): number {
    return this.#old.size * SECTOR_SIZE;
  }

  /** Takes room for a write. Returns false when the write must go to the medium at once. */
  reserve(length: number): boolean {
    if (this.bytes + this.#reserved + length > this.#size) return false;
    this.#reserved += length;
    return true;
  }

  /** The write with this reservation is about to change the backing: keeps what it will cover. */
  fill(offset: number, length: number): void {
    this.#reserved -= length;
    for (let at = offset; at < offset + length; at += SECTOR_SIZE) {
      if (this.#old.has(at)) continue;
      const old = this.#free.pop() ?? new Uint8Array(SECTOR_SIZE);
      this.#backing.read(at, old, 0, SECTOR_SIZE);
      this.#old.set(at, old);
    }
  }

  /** The write with this reservation will not be made. */
  unreserve(length: number): void {
    this.#reserved -= length;
  }

  /** The backing was changed past the cache: what it holds there is durable. */
  bypass(offset: number, length: number): void {
    if (length > this.bytes) {
      for (const at of this.#old.keys()) {
        if (at >= offset && at < offset + length) this.#drop(at);
      }
      return;
    }
    for (let at = offset; at < offset + length; at += SECTOR_SIZE) this.#drop(at);
  }

  /** Everything is durable now. */
  flush(): void {
    for (const at of this.#old.keys()) this.#drop(at);
  }

  /**
   * The power is gone. Of each sector either the old bytes come back, or it was written to the medium in
   * time; nobody can tell before. Returns how many sectors were lost.
   */
  losePower(random: RandomStream): number {
    let lost = 0;
    for (const [at, old] of this.#old) {
      const survives = random.ratio(1, 2) || at >= this.#backing.size;
      if (survives) continue;
      this.#backing.write(at, old, 0, SECTOR_SIZE);
      lost++;
    }
    this.flush();
    return lost;
  }

  #drop(at: number): void {
    const old = this.#old.get(at);
    if (old === undefined) return;
    this.#old.delete(at);
    this.#free.push(old);
  }
}
