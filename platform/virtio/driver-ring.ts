// The driver's side of a virtqueue as drivers see it, whatever its format.
import type { BufferMapping } from '../contracts/index.ts';
import { assert } from '../errors.ts';
import { doubled } from '../kernel/index.ts';

/** `reap` found nothing new. */
export const REAP_NONE = -1;
/** `reap` found an element that names no chain of ours: the device has broken the ring. */
export const REAP_BROKEN = -2;

/** Where the three parts of a queue lie in the driver's memory. */
export interface RingAreas {
  readonly descriptor: number;
  readonly driver: number;
  readonly device: number;
  /** Bytes from the descriptor area's start to the end of the last part. */
  readonly length: number;
}

export interface DriverRing {
  readonly size: number;
  readonly areas: RingAreas;
  /** Descriptors that are free. */
  readonly freeCount: number;
  /** Bytes the device wrote into the chain that `reap` returned last. */
  readonly usedLength: number;
  /** Where the next chain will go, as NOTIFICATION_DATA carries it (virtio 1.4 §2.9). */
  readonly nextOffset: number;
  /** True when `reap` would find something. */
  readonly hasUsed: boolean;
  /** Chains that the device has not returned, oldest first; none unless the ring keeps them. */
  readonly outstanding: readonly KeptChain[];
  /** True when a chain of so many segments can be added now. */
  hasRoom(segments: number): boolean;
  /** Appends a segment to the chain being built. Readable segments come before writable ones. */
  addSegment(busAddress: number, length: number, deviceWrites: boolean): void;
  /** Makes the built chain available; the number returned names it until it is reaped. */
  commit(): number;
  /** Chains are built as ever, but made available to the device only by `release`. */
  hold(): void;
  /** Makes available what was built since `hold`. */
  release(): void;
  /** True when chains were added since the last call and the device wants to hear of them. */
  takeNotify(): boolean;
  /** Puts the buffers of the chain that `reap` would return out of the device's reach, ahead of it. */
  unmapUsed(): void;
  /** Takes one used chain: its name, REAP_NONE or REAP_BROKEN. Sets `usedLength`. */
  reap(): number;
  /** The device has let go of the queue: what it has not returned is out of its reach. */
  abandon(): void;
  /** Asks the device not to signal used buffers; it may still do so. */
  disableInterrupts(): void;
  /** Asks for signals again. Returns true when used buffers came in meanwhile. */
  enableInterrupts(): boolean;
}

export interface DriverRingOptions {
  readonly eventIndex: boolean;
  /** Place of a table of indirect descriptors for each chain, or null for none. */
  readonly indirect: IndirectTables | null;
  /** IN_ORDER: chains come back in the order of their going, several of them perhaps by one element. */
  readonly inOrder?: boolean;
  /** Keep what chains are made of until they come back, so that they can be made available anew. */
  readonly keepsChains?: boolean;
  /** Maps the segments of chains while the device has them. */
  readonly mapping?: BufferMapping | null;
}

/** Memory for indirect tables: one a ring descriptor, each for `segmentsMax` segments. */
export interface IndirectTables {
  /** Address in own RAM. */
  readonly address: number;
  readonly busAddress: number;
  readonly segmentsMax: number;
}

/** True when the event index lies among the indexes passed from `from` to `to` (§2.7.7.1). */
export function needsEvent(event: number, from: number, to: number): boolean {
  return ((to - event - 1) & 0xffff) < ((to - from) & 0xffff);
}

export function alignUp(address: number, alignment: number): number {
  return Math.ceil(address / alignment) * alignment;
}

/**
 * What a driver keeps under IN_ORDER: the chains that are with the device, oldest first. The device may
 * return a batch of them by an element that names the last one only (virtio 1.4 §2.7.9, §2.8.8).
 */
export class InOrderChains {
  /** The last chain of the batch that is being taken, or -1. */
  batchEnd = -1;
  readonly #names: Int32Array;
  #oldest = 0;
  #count = 0;

  constructor(size: number) {
    this.#names = new Int32Array(size);
  }

  get oldest(): number {
    return this.#names[this.#oldest];
  }

  push(name: number): void {
    this.#names[(this.#oldest + this.#count++) % this.#names.length] = name;
  }

  /** Takes the oldest chain, and ends the batch when it is its last. */
  shift(): number {
    const name = this.#names[this.#oldest];
    this.#oldest = (this.#oldest + 1) % this.#names.length;
    this.#count--;
    if (name === this.batchEnd) this.batchEnd = -1;
    return name;
  }
}

/** Segments of a chain as they are gathered by `addSegment`. */
export class SegmentList {
  count = 0;
  addresses = new Float64Array(16);
  lengths = new Float64Array(16);
  writable = new Uint8Array(16);

  /** Bytes that the device may write. */
  get writableBytes(): number {
    let sum = 0;
    for (let i = 0; i < this.count; i++) if (this.writable[i] === 1) sum += this.lengths[i];
    return sum;
  }

  add(address: number, length: number, writable: boolean): void {
    if (this.count === this.addresses.length) this.#grow();
    const readableFirst = writable || this.count === 0 || this.writable[this.count - 1] === 0;
    assert(readableFirst, 'readable segments come before writable ones');
    this.addresses[this.count] = address;
    this.lengths[this.count] = length;
    this.writable[this.count++] = writable ? 1 : 0;
  }

  #grow(): void {
    this.addresses = doubled(this.addresses);
    this.lengths = doubled(this.lengths);
    this.writable = doubled(this.writable);
  }
}

/** A chain that the device has not returned. */
export interface KeptChain {
  readonly name: number;
  readonly segments: SegmentList;
}

/** What the chains of a ring are made of, by name, while the device has them. */
export class KeptChains {
  readonly #segments: (SegmentList | null)[];
  /** Order in which the chains were made available; -1 for those that the device does not have. */
  readonly #order: Float64Array;
  readonly #mapping: BufferMapping | null;
  /** 1 for chains whose buffers are mapped. */
  readonly #mapped: Uint8Array;
  #count = 0;

  constructor(size: number, mapping: BufferMapping | null) {
    this.#mapping = mapping;
    this.#mapped = new Uint8Array(size);
    this.#segments = new Array<SegmentList | null>(size).fill(null);
    this.#order = new Float64Array(size).fill(-1);
  }

  /** Keeps the segments of a chain. Returns an empty list for those of the next one. */
  keep(name: number, segments: SegmentList): SegmentList {
    const spare = this.#segments[name] ?? new SegmentList();
    this.#map(name, segments);
    this.#segments[name] = segments;
    this.#order[name] = this.#count++;
    spare.count = 0;
    return spare;
  }

  drop(name: number): void {
    this.#order[name] = -1;
    this.unmap(name);
  }

  /** None of them will come back. */
  abandon(): void {
    for (const { name } of this.all) this.unmap(name);
  }

  /** Has the buffers of a chain unmapped, unless they are already. */
  unmap(name: number): void {
    if (this.#mapping === null || this.#mapped[name] === 0) return;
    this.#mapped[name] = 0;
    const { count, addresses, lengths } = this.#segments[name]!;
    for (let i = 0; i < count; i++) this.#mapping.unmap(addresses[i], lengths[i]);
  }

  #map(name: number, { count, addresses, lengths }: SegmentList): void {
    if (this.#mapping === null) return;
    this.#mapped[name] = 1;
    for (let i = 0; i < count; i++) this.#mapping.map(addresses[i], lengths[i]);
  }

  /** All chains, oldest first. */
  get all(): KeptChain[] {
    const names = [...this.#order.keys()].filter((name) => this.#order[name] >= 0);
    names.sort((a, b) => this.#order[a] - this.#order[b]);
    return names.map((name) => ({ name, segments: this.#segments[name]! }));
  }
}

/** What a ring keeps of its chains, if its options ask for that. */
export function keptChains(size: number, options: DriverRingOptions): KeptChains | null {
  const { keepsChains = false, mapping = null } = options;
  return keepsChains || mapping !== null ? new KeptChains(size, mapping) : null;
}

/** Asserts that a ring can have this size. */
export function checkQueueSize(size: number, powerOfTwo: boolean): void {
  const shape = !powerOfTwo || (size & (size - 1)) === 0;
  assert(size > 0 && size <= 32768 && shape, 'the queue size is not one that the format allows');
}
