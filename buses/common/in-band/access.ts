// One access of a device to its driver's memory: the chunks that it is made of, and what has come back.
import type { DmaClient } from '../../../platform/contracts/index.ts';
import { doubled } from '../../../platform/kernel/index.ts';
import { copyBytes } from '../../../platform/node/index.ts';

const CHUNKS_START = 64;

/** Reused for one access after another. */
export class Access {
  client: DmaClient | null = null;
  /** The client's number for it. */
  tag = 0;
  write = false;
  /** Chunks that it is made of, those of them that were sent, and those that were answered. */
  count = 0;
  sent = 0;
  answered = 0;
  /** Its client has been told that it was refused; some answers are still to come. */
  failed = false;
  /** Data, of all chunks and of those answered. */
  bytes = new Uint8Array(CHUNKS_START);
  length = 0;
  arrived = 0;
  /** When it was last heard of, ps. */
  heardAt = 0;
  /** Of each chunk. */
  addresses = new Float64Array(CHUNKS_START);
  lengths = new Uint16Array(CHUNKS_START);

  clear(): void {
    this.count = 0;
    this.sent = 0;
    this.answered = 0;
    this.failed = false;
    this.length = 0;
    this.arrived = 0;
  }

  /** Adds a segment in chunks of at most so many bytes. */
  addSegment(address: number, length: number, chunkMax: number): void {
    let done = 0;
    // A segment of no bytes is asked for nevertheless: its address may be refused.
    do {
      if (this.count === this.lengths.length) this.#growChunks();
      this.addresses[this.count] = address + done;
      this.lengths[this.count++] = Math.min(chunkMax, length - done);
      done += chunkMax;
    } while (done < length);
    this.length += length;
    if (this.length > this.bytes.length) this.#growBytes();
  }

  /** Adds the data of a segment that was added last. */
  addData(source: Uint8Array, offset: number, length: number): void {
    copyBytes(source, offset, this.bytes, this.length - length, length);
  }

  /** Takes the data of a chunk, from a message. Returns false when it is not the chunk that comes next. */
  takeChunk(sequence: number, source: Uint8Array, offset: number, length: number): boolean {
    if (sequence !== this.answered || length !== this.lengths[sequence]) return false;
    copyBytes(source, offset, this.bytes, this.arrived, length);
    this.arrived += length;
    return true;
  }

  #growChunks(): void {
    this.addresses = doubled(this.addresses);
    this.lengths = doubled(this.lengths);
  }

  #growBytes(): void {
    const bytes = new Uint8Array(Math.max(this.length, this.bytes.length * 2));
    bytes.set(this.bytes);
    this.bytes = bytes;
  }
}
