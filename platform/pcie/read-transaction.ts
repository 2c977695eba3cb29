// A read of a card's DMA engine while it is under way: what is left to ask for, and where the answers go.
import type { DmaClient, DmaFault } from '../contracts/index.ts';
import { Segments } from '../memory/index.ts';
import { copyBytes } from '../node/index.ts';
import type { PcieFunction } from './function.ts';
import { ReadMerging } from './read-merging.ts';

/** Whoever reads: a function's port, and what it has gathered. */
interface Reader {
  readonly owner: PcieFunction;
  readonly untilTheEnd: boolean;
  readonly segments: Segments;
}

/** A read under way. Its arrays are used again by later ones. */
export class ReadTransaction {
  client: DmaClient | null = null;
  tag = 0;
  functionId = 0;
  untilTheEnd = false;
  /** Bytes that the client asked for, and those that are read for it. */
  asked = 0;
  total = 0;
  /** Bytes whose completion has not come. */
  left = 0;
  /** Bytes that have been asked for. */
  issued = 0;
  fault: DmaFault | null = null;
  /** Where its causes wait for a tag, or -1. */
  ticket = -1;
  buffer = new Uint8Array(256);
  readonly #segments = new Segments();
  readonly #merging = new ReadMerging();
  #isMerged = false;
  #segment = 0;
  #offset = 0;

  begin(port: Reader, client: DmaClient, tag: number, burst: number): void {
    const { segments } = port;
    this.functionId = port.owner.id;
    this.untilTheEnd = port.untilTheEnd;
    this.client = client;
    this.tag = tag;
    this.issued = 0;
    this.fault = null;
    this.ticket = -1;
    this.#segment = 0;
    this.#offset = 0;
    this.#segments.clear();
    this.asked = segments.bytes;
    this.#isMerged =
      burst > 0 && segments.count > 1 && this.#merging.merge(segments, burst, this.#segments);
    if (!this.#isMerged) this.#take(segments);
    this.total = this.#segments.bytes;
    this.left = this.total;
    if (this.buffer.length < this.total) {
      this.buffer = new Uint8Array(2 ** Math.ceil(Math.log2(this.total)));
    }
  }

  get allIssued(): boolean {
    return this.#segment >= this.#segments.count;
  }

  /** Address of the next byte to ask for. */
  get address(): number {
    return this.#segments.addresses[this.#segment] + this.#offset;
  }

  get leftInSegment(): number {
    return this.#segments.lengths[this.#segment] - this.#offset;
  }

  advance(length: number): void {
    this.issued += length;
    this.#offset += length;
    if (this.#offset < this.#segments.lengths[this.#segment]) return;
    this.#segment++;
    this.#offset = 0;
  }

  take(bytes: Uint8Array, offset: number, length: number): void {
    copyBytes(bytes, 0, this.buffer, offset, length);
  }

  /** The bytes that were read, as the client asked for them. */
  asOrdered(read: Uint8Array): Uint8Array {
    return this.#isMerged ? this.#merging.spread(read) : read;
  }

  /** Nothing more is asked for. */
  fail(fault: DmaFault): void {
    this.fault ??= fault;
    this.left -= this.total - this.issued;
    this.issued = this.total;
    this.#segment = this.#segments.count;
  }

  #take({ count, addresses, lengths }: Segments): void {
    for (let i = 0; i < count; i++) this.#segments.add(addresses[i], lengths[i]);
  }
}
