// A ring that a test writes by hand, descriptor by descriptor, with a device's queue engine on it that keeps
// what it takes until the test completes it.
import {
  type Chain,
  type FetchOptions,
  type FetchPlan,
  fetchPlan,
  QueueEngine,
  type QueueOwner,
} from '../../devices/common/index.ts';
import type { Memory, Node } from '../../platform/node/index.ts';
import {
  AVAIL,
  DESC,
  DESC_F_WRITE,
  DESC_SIZE,
  F,
  PACKED_DESC,
  PACKED_F_AVAIL,
  packedRingAreas,
  type RingAreas,
  splitRingAreas,
} from '../../platform/virtio/index.ts';
import { FakeDma } from './fake-dma.ts';
import { testNodes } from './test-nodes.ts';

const SIZE = 8;
/** Bytes of each buffer that a descriptor refers to by default. */
const BUFFER = 256;

interface Descriptor {
  readonly length: number;
  readonly flags?: number;
  readonly next?: number;
  /** By default a buffer of the descriptor's own. */
  readonly address?: number;
}

/** What the device has taken: lengths of the segments. */
export interface Taken {
  readonly head: number;
  readonly readable: readonly number[];
  readonly writable: readonly number[];
}

export class HandRing implements QueueOwner {
  readonly name = 'hand';
  readonly index = 0;
  readonly size = SIZE;
  readonly node: Node;
  readonly memory: Memory;
  readonly dma: FakeDma;
  readonly fetch: FetchPlan;
  readonly driverFeatures: bigint;
  readonly areas: RingAreas;
  readonly engine: QueueEngine;
  broken = 0;
  signals = 0;
  readonly #chains: Chain[] = [];
  readonly #buffers: number;
  #available = 0;

  constructor(features = 0n, fetch: FetchOptions = {}) {
    const { kernel, linux, storage } = testNodes();
    this.node = storage;
    this.fetch = fetchPlan(storage.costs, fetch);
    this.memory = linux.memory;
    this.driverFeatures = features;
    this.dma = new FakeDma({ kernel, node: storage.index, memory: this.memory });
    const start = this.memory.allocate(4096, 4096);
    const packed = (features & F.RING_PACKED) !== 0n;
    this.areas = packed ? packedRingAreas(start, SIZE) : splitRingAreas(start, SIZE);
    this.#buffers = this.memory.allocate(SIZE * BUFFER, 64);
    this.engine = new QueueEngine(this, 0);
    const { descriptor, driver, device } = this.areas;
    const place = { descriptorArea: descriptor, driverArea: driver, deviceArea: device };
    this.engine.setup = { index: 0, size: SIZE, ...place };
    this.engine.start();
  }

  /** Address of the buffer that a descriptor of the ring has by default. */
  buffer(index: number): number {
    return this.#buffers + BUFFER * index;
  }

  /** Writes a descriptor of the split format. */
  descriptor(index: number, value: Descriptor): void {
    this.#write(this.areas.descriptor, index, { address: this.buffer(index), ...value });
  }

  /** Makes a table of descriptors, linked in their order; returns its address. */
  table(rows: readonly { readonly length: number; readonly writable?: boolean }[]): number {
    const table = this.memory.allocate(DESC_SIZE * rows.length, 16);
    for (const [i, { length, writable = false }] of rows.entries()) {
      const last = i === rows.length - 1;
      const flags = (writable ? DESC_F_WRITE : 0) | (last ? 0 : 1);
      this.#write(table, i, { address: this.buffer(i), length, flags, next: last ? 0 : i + 1 });
    }
    return table;
  }

  /** Writes a descriptor of the packed format, of the first lap, available or not. */
  packedDescriptor(
    index: number,
    value: {
      readonly id: number;
      readonly length: number;
      readonly flags: number;
      readonly available?: boolean;
    },
  ): void {
    const at = this.areas.descriptor + DESC_SIZE * index;
    const { id, length, flags, available = true } = value;
    this.memory.writeU64(at + PACKED_DESC.address, this.buffer(index));
    this.memory.writeU32(at + PACKED_DESC.length, length);
    this.memory.writeU16(at + PACKED_DESC.id, id);
    this.memory.writeU16(at + PACKED_DESC.flags, flags | (available ? PACKED_F_AVAIL : 0));
  }

  /** Split: puts heads into the available ring and notifies once. */
  makeAvailable(...heads: readonly number[]): void {
    const { driver } = this.areas;
    for (const head of heads) {
      this.memory.writeU16(driver + AVAIL.ring + 2 * (this.#available % SIZE), head);
      this.#available = (this.#available + 1) & 0xffff;
    }
    this.memory.writeU16(driver + AVAIL.index, this.#available);
    this.look();
  }

  /** Split: one writable buffer goes to the device and comes back; returns the signals for it. */
  roundTrip(): number {
    const before = this.signals;
    this.descriptor(0, { length: 4, flags: DESC_F_WRITE });
    this.makeAvailable(0);
    this.complete(0, 4);
    return this.signals - before;
  }

  /** Notifies, and lets the device do what it has to. */
  look(): void {
    this.engine.available();
    this.#run();
  }

  /** Returns the chain that was taken as number `index` of those not returned. */
  complete(index: number, written: number): void {
    const [chain] = this.#chains.splice(index, 1, null as never);
    this.engine.complete(chain, written);
    if (this.#chains.every((left) => left === null)) this.#chains.length = 0;
    this.#run();
  }

  /** What the device has and has not returned. */
  taken(): Taken[] {
    const left = this.#chains.filter((chain) => chain !== null);
    return left.map(({ head, count, readableCount, lengths }) => ({
      head,
      readable: [...lengths.subarray(0, readableCount)],
      writable: [...lengths.subarray(readableCount, count)],
    }));
  }

  get codes(): string[] {
    return this.node.violations.described.map(({ code }) => code);
  }

  accept(_queue: QueueEngine, chain: Chain): void {
    this.#chains.push(chain);
  }

  keeps(): number {
    return 0;
  }

  queueQuiet(): void {}

  queueBroken(): void {
    this.broken++;
  }

  notifyUsed(): void {
    this.signals++;
  }

  #run(): void {
    this.node.kernel.runUntil(this.node.kernel.now + 100_000_000);
  }

  #write(table: number, index: number, value: Descriptor & { readonly address: number }): void {
    const { address, length, flags = 0, next = 0 } = value;
    const at = table + DESC_SIZE * index;
    this.memory.writeU64(at + DESC.address, address);
    this.memory.writeU32(at + DESC.length, length);
    this.memory.writeU16(at + DESC.flags, flags);
    this.memory.writeU16(at + DESC.next, next);
  }
}
