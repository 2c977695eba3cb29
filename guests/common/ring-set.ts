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
  type RingAreas,
  SplitDriverRing,
  splitRingAreas,
} from '../../platform/virtio/index.ts';

export interface RingSetOptions {
  readonly node: Node;
  readonly transport: DriverTransport;
  /** Queue size that the driver would like; the device's limit may be lower. */
  readonly sizeWanted: number;
  /** Most segments of a chain that may lie in an indirect table. */
  readonly segmentsMax: number;
}

export class RingSet {
  rings: DriverRing[] = [];
  readonly #options: RingSetOptions;
  readonly #sizes: number[] = [];
  readonly #starts: number[] = [];
  /** How often each ring was made anew. */
  readonly #epochs: number[] = [];
  #uses: Int32Array[] = [];
  #features = 0n;

  constructor(options: RingSetOptions) {
    this.#options = options;
  }

  /** Begins anew under these features. */
  plan(features: bigint): void {
    this.#features = features;
    this.#sizes.length = 0;
  }

  /** Plans a queue: of the size that is wanted, or the largest that device and format allow. */
  add(index: number, sizeMax: number): void {
    const size = Math.min(sizeMax, this.#options.sizeWanted);
    this.#sizes[index] = this.#has(F.RING_PACKED) ? size : 2 ** Math.floor(Math.log2(size));
  }

  /** Bytes of all rings and their indirect tables, each from a 64-byte line of its own. */
  get bytes(): number {
    return this.#sizes.reduce((sum, size) => sum + this.#bytesOf(size), 0);
  }

  /** Makes all rings, from this address in own RAM on. */
  place(address: number): void {
    let at = address;
    this.rings = [];
    for (const [index, size] of this.#sizes.entries()) {
      this.#starts[index] = at;
      this.make(index);
      at += this.#bytesOf(size);
    }
  }

  /** Makes one ring, empty, at its place. */
  make(index: number): void {
    const size = this.#sizes[index];
    this.rings[index] = this.#makeRing(this.#starts[index], size);
    // A packed ring's chains are named by buffer ids, which are below the size as well.
    this.#uses[index] = new Int32Array(size);
    this.#epochs[index] = (this.#epochs[index] ?? -1) + 1;
  }

  /** Names the present making of a ring, so that work for an earlier one is known as such. */
  epochOf(index: number): number {
    return this.#epochs[index];
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
    const { node, transport, segmentsMax } = this.#options;
    const { memory } = node;
    const table = start + lines(this.#areas(0, size).length);
    const indirect = this.#has(F.INDIRECT_DESC)
      ? { address: table, busAddress: transport.busAddress(table), segmentsMax }
      : null;
    const inOrder = this.#has(F.IN_ORDER);
    const options = { eventIndex: this.#has(F.EVENT_IDX), indirect, inOrder };
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
