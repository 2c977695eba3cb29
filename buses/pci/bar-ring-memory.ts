// Message rings that lie in a BAR of the card, as a core of the host gets at them: each load stalls it for
// a round trip; stores are posted, a line of 64 bytes at a time (the BAR is mapped write-combining).
import { assert } from '../../platform/errors.ts';
import { type CpuClient, copyBytes, type Node } from '../../platform/node/index.ts';
import type { LoadClient, RootPort } from '../../platform/pcie/index.ts';
import { NO_COST, type RingMemory, type RingReader } from '../common/index.ts';

/** Bytes that write combining puts into one packet, if they lie in one line. */
const LINE = 64;

export interface BarRingMemoryOptions {
  readonly node: Node;
  readonly port: RootPort;
  /** Address of offset 0. */
  readonly base: number;
  /** Most bytes of one load. */
  readonly loadWidth: number;
  /** Most bytes of one read. */
  readonly readMax: number;
}

export class BarRingMemory implements RingMemory, LoadClient, CpuClient {
  readonly #options: BarRingMemoryOptions;
  readonly #bytes: Uint8Array;
  #reader: RingReader | null = null;
  #tag = 0;
  #cost = NO_COST;
  #address = 0;
  #length = 0;
  #done = 0;

  constructor(options: BarRingMemoryOptions) {
    this.#options = options;
    this.#bytes = new Uint8Array(options.readMax);
  }

  read(offset: number, length: number, reader: RingReader, tag: number, cost: number): void {
    assert(this.#reader === null, 'one read of a ring is under way at a time');
    this.#reader = reader;
    this.#tag = tag;
    this.#cost = cost;
    this.#address = this.#options.base + offset;
    this.#length = length;
    this.#done = 0;
    this.#next();
  }

  write(offset: number, source: Uint8Array, length: number): void {
    const { port, base } = this.#options;
    for (let done = 0; done < length; ) {
      const address = base + offset + done;
      const step = Math.min(length - done, LINE - (address % LINE));
      port.store(address, source, done, step);
      done += step;
    }
  }

  loaded(_tag: number, bytes: Uint8Array, length: number): void {
    copyBytes(bytes, 0, this.#bytes, this.#done, length);
    this.#done += length;
    if (this.#done < this.#length) return this.#next();
    if (this.#cost === NO_COST) return this.deliver();
    const { node } = this.#options;
    node.cpu.resume(node.cpu.hold(), node.charge(this.#cost), this, 0);
  }

  deliver(): void {
    const reader = this.#reader!;
    this.#reader = null;
    reader.ringRead(this.#tag, this.#bytes);
  }

  #next(): void {
    const { port, loadWidth } = this.#options;
    const address = this.#address + this.#done;
    const step = Math.min(this.#length - this.#done, loadWidth - (address % loadWidth));
    port.load(address, step, this, 0);
  }
}
