// The rings of a driver in the memory that it shares with its device: how large, where each lies, and
// making them, at first and again after a reset. Indirect tables lie behind their ring.
import type { DriverTransport, QueueSetup } from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';
import {
  DESC_SIZE,
  type DriverRing,
  F,
  PackedDriverRing,
  packedRingAreas,
  QUEUE_SIZE_MAX,
  type RingAreas,
  type SegmentList,
  SplitDriverRing,
  splitRingAreas,
} from '../../platform/virtio/index.ts';

/** Segments of an indirect table unless the driver says otherwise. */
export const SEGMENTS_DEFAULT = 4;

export interface RingSetOptions {
  readonly node: Node;
  readonly transport: DriverTransport;
  /** Largest size of a queue, when the driver wants less than the device has. */
  readonly sizeMax?: number;
  /** Most segments of a chain that may lie in an indirect table. */
  readonly segmentsMax: number;
  /** With RING_RESET, rings keep what chains are made of; see `DriverTraits`. */
  readonly keepsChains?: boolean;
  /** Buffers of chains are mapped as the transport wants it; otherwise they are like rings. */
  readonly mapsBuffers?: boolean;
}

/** A chain, and what the driver has given it to remember. */
export interface TaggedChain {
  readonly tag: number;
  readonly segments: SegmentList;
}

export class RingSet {
  rings: DriverRing[] = [];
  readonly #options: RingSetOptions;
  /** Entries of each planned queue. */
  readonly sizes: number[] = [];
  readonly #starts: number[] = [];
  /** How often each ring was made anew. */
  readonly #epochs: number[] = [];
  #uses: Int32Array[] = [];
  /** By queue and name of a chain, what the driver has given it to remember. */
  readonly #tags: Float64Array[] = [];
  #features = 0n;

  constructor(options: RingSetOptions) {
    this.#options = options;
  }

  /** Begins anew under these features. */
  plan(features: bigint): void {
    this.#features = features;
    this.sizes.length = 0;
  }

  /** Plans a queue, of the largest size that device, driver and format allow. */
  add(index: number, sizeMax: number): void {
    const size = Math.min(sizeMax, this.#options.sizeMax ?? QUEUE_SIZE_MAX);
    this.sizes[index] = this.#has(F.RING_PACKED) ? size : 2 ** Math.floor(Math.log2(size));
  }

  /** Bytes of all rings and their indirect tables, each from a 64-byte line of its own. */
  get bytes(): number {
    return this.sizes.reduce((sum, size) => sum + this.#bytesOf(size), 0);
  }

  /** Makes all rings, from this address in own RAM on. */
  place(address: number): void {
    let at = address;
    this.rings = [];
    for (const [index, size] of this.sizes.entries()) {
      this.#starts[index] = at;
      this.make(index);
      at += this.#bytesOf(size);
    }
  }

  /** Makes one ring, empty, at its place. */
  make(index: number): void {
    const size = this.sizes[index];
    this.rings[index] = this.#makeRing(this.#starts[index], size);
    // A packed ring's chains are named by buffer ids, which are below the size as well.
    this.#uses[index] = new Int32Array(size);
    this.#tags[index] = new Float64Array(size);
    this.#epochs[index] = (this.#epochs[index] ?? -1) + 1;
  }

  /** Names the present making of a ring, so that work for an earlier one is known as such. */
  epochOf(index: number): number {
    return this.#epochs[index];
  }

  /** Makes the chain that was built on a ring available, with a tag; returns its name. */
  commit(index: number, tag: number): number {
    const head = this.rings[index].commit();
    this.#tags[index][head] = tag;
    return head;
  }

  tagOf(index: number, head: number): number {
    return this.#tags[index][head];
  }

  /**
   * Makes a ring anew. Returns the chains that the device had not returned, with their tags, oldest
   * first, if the ring has kept them.
   */
  remake(index: number): readonly TaggedChain[] {
    const tags = this.#tags[index];
    const { outstanding } = this.rings[index];
    this.rings[index].abandon();
    this.make(index);
    return outstanding.map(({ name, segments }) => ({ tag: tags[name], segments }));
  }

  /** Makes a chain available as it was on an earlier ring; returns its name. */
  repeat(index: number, { tag, segments }: TaggedChain): number {
    const ring = this.rings[index];
    for (let i = 0; i < segments.count; i++) {
      ring.addSegment(segments.addresses[i], segments.lengths[i], segments.writable[i] === 1);
    }
    return this.commit(index, tag);
  }

  /** What is committed from now on becomes available by `release`. */
  hold(): void {
    for (const ring of this.rings) ring.hold();
  }

  release(): void {
    for (const ring of this.rings) ring.release();
  }

  /** Counts this use of a chain's head; see MilestoneLog for what the count is good for. */
  countUse(index: number, head: number): number {
    return this.#uses[index][head]++;
  }

  /** The use of a chain's head that was counted last. */
  lastUse(index: number, head: number): number {
    return this.#uses[index][head] - 1;
  }

  /** What the device is told of a ring. */
  setup(index: number): QueueSetup {
    const { areas, size } = this.rings[index];
    const { transport } = this.#options;
    return {
      index,
      size,
      descriptorArea: transport.busAddress(areas.descriptor),
      driverArea: transport.busAddress(areas.driver),
      deviceArea: transport.busAddress(areas.device),
    };
  }

  #makeRing(start: number, size: number): DriverRing {
    const { node, transport, segmentsMax, mapsBuffers } = this.#options;
    const { memory } = node;
    const table = start + lines(this.#areas(0, size).length);
    const indirect = this.#has(F.INDIRECT_DESC)
      ? { address: table, busAddress: transport.busAddress(table), segmentsMax }
      : null;
    const inOrder = this.#has(F.IN_ORDER);
    const keepsChains = this.#options.keepsChains === true && this.#has(F.RING_RESET);
    const mapping = mapsBuffers === true ? (transport.mapping ?? null) : null;
    const options = { eventIndex: this.#has(F.EVENT_IDX), indirect, inOrder, keepsChains, mapping };
    return this.#has(F.RING_PACKED)
      ? new PackedDriverRing(memory, start, size, options)
      : new SplitDriverRing(memory, start, size, options);
  }

  #bytesOf(size: number): number {
    return lines(this.#areas(0, size).length) + this.#tableBytes(size);
  }

  #areas(start: number, size: number): RingAreas {
    return this.#has(F.RING_PACKED) ? packedRingAreas(start, size) : splitRingAreas(start, size);
  }

  #tableBytes(size: number): number {
    const { segmentsMax } = this.#options;
    return this.#has(F.INDIRECT_DESC) ? lines(size * segmentsMax * DESC_SIZE) : 0;
  }

  #has(feature: bigint): boolean {
    return (this.#features & feature) !== 0n;
  }
}

function lines(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
