// One DMA transaction of a device under Xen while it is gathered, or waits for a hypercall: its segments,
// and for a write their bytes.
import type { DmaClient, DmaPort } from '../../platform/contracts/index.ts';
import { copyBytes, PAGE_SIZE } from '../../platform/node/index.ts';

/** Segments of up to so many bytes are copied when they are gathered. */
const SHORT_SEGMENT = 64;

export class GrantTransaction {
  count = 0;
  /** Bytes of all segments. */
  length = 0;
  readonly addresses: number[] = [];
  readonly lengths: number[] = [];
  client!: DmaClient;
  tag = 0;
  write = false;
  /** Where the bytes of each segment are; null for those that were copied to `#bytes`. */
  readonly #sources: (Uint8Array | null)[] = [];
  readonly #offsets: number[] = [];
  #bytes = new Uint8Array(256);
  #kept = 0;

  add(address: number, length: number): void {
    this.addresses[this.count] = address;
    this.lengths[this.count] = length;
    this.#sources[this.count] = null;
    this.#offsets[this.count++] = 0;
    this.length += length;
  }

  addBytes(address: number, source: Uint8Array, offset: number, length: number): void {
    this.add(address, length);
    const last = this.count - 1;
    this.#sources[last] = source;
    this.#offsets[last] = offset;
    if (length <= SHORT_SEGMENT) this.#keep(last);
  }

  begin(client: DmaClient, tag: number, write: boolean): void {
    this.client = client;
    this.tag = tag;
    this.write = write;
  }

  /** The transaction has to wait: bytes of others are copied, for they may change. */
  keepBytes(): void {
    if (this.write) for (let i = 0; i < this.count; i++) this.#keep(i);
  }

  /** How many pieces it has when pages part them. */
  pieceCount(): number {
    let pieces = 0;
    for (let i = 0; i < this.count; i++) {
      const from = this.addresses[i] % PAGE_SIZE;
      pieces += Math.ceil((from + this.lengths[i]) / PAGE_SIZE);
    }
    return pieces;
  }

  /** Hands each page's piece of each segment to a port. */
  passPieces(port: DmaPort): void {
    for (let i = 0; i < this.count; i++) {
      const source = this.#sources[i] ?? this.#bytes;
      for (let done = 0; done < this.lengths[i]; ) {
        const address = this.addresses[i] + done;
        const piece = Math.min(this.lengths[i] - done, PAGE_SIZE - (address % PAGE_SIZE));
        if (this.write) port.writeSegment(address, source, this.#offsets[i] + done, piece);
        else port.readSegment(address, piece);
        done += piece;
      }
    }
  }

  clear(): void {
    this.#sources.fill(null, 0, this.count);
    this.count = 0;
    this.length = 0;
    this.#kept = 0;
  }

  #keep(segment: number): void {
    const source = this.#sources[segment];
    if (source === null) return;
    const length = this.lengths[segment];
    if (this.#kept + length > this.#bytes.length) this.#grow(this.#kept + length);
    copyBytes(source, this.#offsets[segment], this.#bytes, this.#kept, length);
    this.#sources[segment] = null;
    this.#offsets[segment] = this.#kept;
    this.#kept += length;
  }

  #grow(least: number): void {
    const larger = new Uint8Array(Math.max(least, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#kept));
    this.#bytes = larger;
  }
}
