// Segments of a DMA transaction as they are gathered, before it starts. Arrays grow and are used again.
import { doubled } from '../kernel/index.ts';
import { copyBytes } from '../node/index.ts';

/** Segments of up to so many bytes are copied when they are gathered. */
const SHORT = 64;

export class Segments {
  count = 0;
  /** Bytes of all segments. */
  bytes = 0;
  addresses = new Float64Array(8);
  lengths = new Float64Array(8);
  /** For writes: where the bytes of each segment are. */
  readonly #sources: Uint8Array[] = [];
  #sourceOffsets = new Float64Array(8);
  /** Copies of short segments: used elements and the like, whose bytes are soon something else. */
  #short = new Uint8Array(512);
  #shortUsed = 0;

  add(address: number, length: number): void {
    if (this.count === this.addresses.length) this.#grow();
    this.addresses[this.count] = address;
    this.lengths[this.count++] = length;
    this.bytes += length;
  }

  addSource(address: number, source: Uint8Array, offset: number, length: number): void {
    this.add(address, length);
    const at = this.count - 1;
    const isShort = length <= SHORT;
    this.#sources[at] = isShort ? this.#keep(source, offset, length) : source;
    this.#sourceOffsets[at] = isShort ? this.#shortUsed - length : offset;
  }

  /** For writes: puts the bytes of all segments one after the other. */
  copySources(target: Uint8Array, start: number): void {
    let at = start;
    for (let i = 0; i < this.count; i++) {
      copyBytes(this.#sources[i], this.#sourceOffsets[i], target, at, this.lengths[i]);
      at += this.lengths[i];
    }
  }

  clear(): void {
    this.count = 0;
    this.bytes = 0;
    this.#shortUsed = 0;
  }

  #keep(source: Uint8Array, offset: number, length: number): Uint8Array {
    if (this.#shortUsed + length > this.#short.length) {
      // Segments gathered before keep the array they were copied to.
      this.#short = new Uint8Array(this.#short.length * 2);
      this.#shortUsed = 0;
    }
    copyBytes(source, offset, this.#short, this.#shortUsed, length);
    this.#shortUsed += length;
    return this.#short;
  }

  #grow(): void {
    this.addresses = doubled(this.addresses);
    this.lengths = doubled(this.lengths);
    this.#sourceOffsets = doubled(this.#sourceOffsets);
  }
}
