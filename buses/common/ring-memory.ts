// How one end of a bus gets at the bytes of a message ring: they lie in its own node's memory, or in its
// peer's. A read stalls the core that makes it, as a load that misses the cache does; a write is posted.
import type { DmaClient, DmaPort } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import { type CpuClient, copyBytes, type Node } from '../../platform/node/index.ts';

/** Bytes that a coherent access moves at a time. */
const CACHE_LINE = 64;
/** No cost besides the access. */
export const NO_COST = -1;

export interface RingReader {
  /** What was read, on the core that asked; valid only during the call. */
  ringRead(tag: number, bytes: Uint8Array): void;
  /** The memory may not be reached any more. */
  ringRefused(): void;
}

/** The memory of rings, for one reader that reads one thing at a time. */
export interface RingMemory {
  /**
   * Called by work on a core: keeps the core until the bytes are there and the time of the timing
   * constant `cost` has passed, then calls the reader on it.
   */
  read(offset: number, length: number, reader: RingReader, tag: number, cost: number): void;
  write(offset: number, source: Uint8Array, length: number): void;
}

/** Rings in the end's own memory. The peer has written what is read here, so each line is a miss. */
export class OwnRingMemory implements RingMemory, CpuClient {
  readonly #node: Node;
  readonly #base: number;
  readonly #lineLatency: number;
  readonly #bytes: Uint8Array;
  #reader: RingReader | null = null;
  #tag = 0;

  /** `lineLatency` is the id of a timing constant, `readMax` the most bytes of one read. */
  constructor(node: Node, base: number, lineLatency: number, readMax: number) {
    this.#node = node;
    this.#base = base;
    this.#lineLatency = lineLatency;
    this.#bytes = new Uint8Array(readMax);
  }

  read(offset: number, length: number, reader: RingReader, tag: number, cost: number): void {
    assert(this.#reader === null, 'one read of a ring is under way at a time');
    this.#reader = reader;
    this.#tag = tag;
    const node = this.#node;
    const lines = Math.ceil(length / CACHE_LINE);
    const stall = node.chargeTimes(this.#lineLatency, lines);
    const total = cost === NO_COST ? stall : stall + node.charge(cost);
    node.cpu.resume(node.cpu.hold(), total, this, offset, length);
  }

  write(offset: number, source: Uint8Array, length: number): void {
    this.#node.memory.copyIn(this.#base + offset, source, 0, length);
  }

  deliver(offset: number, length: number): void {
    const reader = this.#reader!;
    this.#reader = null;
    this.#node.memory.copyOut(this.#base + offset, this.#bytes, 0, length);
    reader.ringRead(this.#tag, this.#bytes);
  }
}

const READ = 0;
const REFUSED = 1;

/** Rings in the peer's memory, reached by transactions of a DMA port. */
export class PeerRingMemory implements RingMemory, DmaClient, CpuClient {
  readonly #node: Node;
  readonly #port: DmaPort;
  readonly #base: number;
  readonly #bytes: Uint8Array;
  #reader: RingReader | null = null;
  #tag = 0;
  #cost = NO_COST;
  #core = -1;

  /** `base` is the bus address of offset 0. */
  constructor(node: Node, port: DmaPort, base: number, readMax: number) {
    this.#node = node;
    this.#port = port;
    this.#base = base;
    this.#bytes = new Uint8Array(readMax);
  }

  read(offset: number, length: number, reader: RingReader, tag: number, cost: number): void {
    assert(this.#reader === null, 'one read of a ring is under way at a time');
    this.#reader = reader;
    this.#tag = tag;
    this.#cost = cost;
    this.#core = this.#node.cpu.hold();
    this.#port.readSegment(this.#base + offset, length);
    this.#port.read(this, READ);
  }

  write(offset: number, source: Uint8Array, length: number): void {
    this.#port.writeSegment(this.#base + offset, source, 0, length);
    this.#port.write(this, REFUSED);
  }

  readDone(_tag: number, bytes: Uint8Array, length: number): void {
    copyBytes(bytes, 0, this.#bytes, 0, length);
    this.#resume(READ);
  }

  refused(tag: number): void {
    if (tag === READ) this.#resume(REFUSED);
  }

  deliver(step: number): void {
    const reader = this.#reader!;
    this.#reader = null;
    if (step === READ) reader.ringRead(this.#tag, this.#bytes);
    else reader.ringRefused();
  }

  #resume(step: number): void {
    const node = this.#node;
    const cost = this.#cost === NO_COST ? 0 : node.charge(this.#cost);
    node.cpu.resume(this.#core, cost, this, step);
  }
}
