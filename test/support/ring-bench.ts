// One virtqueue with both its sides, and a reference model between them that knows who owns each buffer.
// Every buffer is a piece of memory of its own; whoever touches one that is not theirs is caught.
import { expect } from 'vitest';
import {
  type Chain,
  type FetchOptions,
  type FetchPlan,
  fetchPlan,
  QueueEngine,
  type QueueOwner,
} from '../../devices/common/index.ts';
import type { DmaPort } from '../../platform/contracts/index.ts';
import type { RandomStream } from '../../platform/kernel/index.ts';
import type { Memory, Node } from '../../platform/node/index.ts';
import {
  DESC_SIZE,
  type DriverRing,
  F,
  PackedDriverRing,
  packedRingAreas,
  REAP_NONE,
  SplitDriverRing,
  splitRingAreas,
} from '../../platform/virtio/index.ts';
import { type DmaAccess, FakeDma } from './fake-dma.ts';
import { testNodes } from './test-nodes.ts';

export interface RingBenchOptions {
  readonly packed: boolean;
  readonly eventIndex: boolean;
  readonly indirect: boolean;
  readonly size: number;
  readonly fetch?: FetchOptions;
}

/** Most segments of an indirect table. */
const TABLE_SEGMENTS = 5;

type Owner = 'driver' | 'device' | 'gone';

interface Segment {
  readonly address: number;
  readonly length: number;
  readonly writable: boolean;
}

/** A buffer of the model: a chain from its `add` to its `reap`. */
interface Buffer {
  readonly id: number;
  readonly segments: readonly Segment[];
  owner: Owner;
  /** What the device will say that it wrote; -1 before it is through. */
  written: number;
}

export class RingBench implements QueueOwner {
  readonly name = 'bench';
  readonly index = 0;
  readonly node: Node;
  readonly memory: Memory;
  readonly dma: DmaPort;
  readonly fake: FakeDma;
  readonly fetch: FetchPlan;
  readonly driverFeatures: bigint;
  readonly ring: DriverRing;
  readonly engine: QueueEngine;
  /** The device gave the queue up. */
  broken = false;
  signals = 0;
  notifications = 0;
  added = 0;
  reaped = 0;
  readonly #random: RandomStream;
  /** Added and not yet fetched by the device, in order. */
  readonly #available: Buffer[] = [];
  /** With the device: its chain and the model's buffer. */
  readonly #serving: { chain: Chain; buffer: Buffer }[] = [];
  /** By the ring's name, from add to reap. */
  readonly #byName = new Map<number, Buffer>();
  readonly #byAddress = new Map<number, Buffer>();
  #reaping = false;

  constructor(options: RingBenchOptions, random: RandomStream) {
    const { size, packed, eventIndex, indirect, fetch = {} } = options;
    const { kernel, linux, storage } = testNodes({ linux: { memory: '64MiB' } });
    this.node = storage;
    this.fetch = fetchPlan(storage.costs, fetch);
    this.memory = linux.memory;
    this.#random = random;
    this.fake = new FakeDma({
      kernel,
      node: storage.index,
      memory: this.memory,
      refuse: ({ address, length }) => (this.memory.contains(address, length) ? null : 'outside'),
      watch: (access) => this.#watch(access),
    });
    this.dma = this.fake;
    this.driverFeatures =
      (packed ? F.RING_PACKED : 0n) |
      (eventIndex ? F.EVENT_IDX : 0n) |
      (indirect ? F.INDIRECT_DESC : 0n);
    const areas = packed ? packedRingAreas(0, size) : splitRingAreas(0, size);
    const start = this.memory.allocate(areas.length, 4096);
    const ringOptions = { eventIndex, indirect: indirect ? this.#tables(size) : null };
    const Ring = packed ? PackedDriverRing : SplitDriverRing;
    this.ring = new Ring(this.memory, start, size, ringOptions);
    this.engine = new QueueEngine(this, 0);
    const { descriptor, driver, device } = this.ring.areas;
    this.engine.setup = {
      index: 0,
      size,
      descriptorArea: descriptor,
      driverArea: driver,
      deviceArea: device,
    };
    this.engine.start();
  }

  /** Driver: makes a buffer available, if the ring has room. Returns false when it has none. */
  add(readable: number, writable: number): boolean {
    if (!this.ring.hasRoom(readable + writable)) return false;
    const segments: Segment[] = [];
    for (let i = 0; i < readable + writable; i++) {
      const length = 1 + this.#random.below(64);
      const address = this.memory.allocate(length);
      segments.push({ address, length, writable: i >= readable });
      this.ring.addSegment(address, length, i >= readable);
    }
    const name = this.ring.commit();
    check(!this.#byName.has(name), 'a name is given to two chains');
    const buffer: Buffer = { id: this.added++, segments, owner: 'device', written: -1 };
    this.#byName.set(name, buffer);
    this.#available.push(buffer);
    for (const { address } of segments) this.#byAddress.set(address, buffer);
    return true;
  }

  /** Driver: notifies the device, if it wants to be. */
  kick(): void {
    if (!this.ring.takeNotify()) return;
    this.notifications++;
    this.engine.available();
  }

  /** Device: is through with one of its chains, in whatever order. Returns false when it has none. */
  complete(): boolean {
    if (this.#serving.length === 0) return false;
    const at = this.#random.below(this.#serving.length);
    const [{ chain, buffer }] = this.#serving.splice(at, 1);
    const writable = buffer.segments.filter((segment) => segment.writable);
    const first = writable[0];
    // It writes its mark into the first writable segment, or nothing.
    buffer.written = first === undefined ? 0 : first.length;
    if (first !== undefined) {
      const mark = new Uint8Array(first.length).fill(buffer.id & 0xff);
      this.dma.writeSegment(first.address, mark, 0, first.length);
    }
    check(this.engine.complete(chain, buffer.written), 'the ring refuses a used chain');
    return true;
  }

  /** Driver: takes back all that was used, as after an interrupt, and asks for interrupts again. */
  reap(): void {
    this.ring.disableInterrupts();
    do {
      while (this.#reapOne());
    } while (this.ring.enableInterrupts());
    this.#reaping = false;
  }

  /** Lets a number of events happen. */
  step(events: number): void {
    const { kernel } = this.node;
    for (let i = 0; i < events; i++) {
      const next = kernel.nextTime();
      if (next === Infinity) break;
      kernel.runUntil(next + 1);
    }
    if (this.#reaping) this.reap();
  }

  /** Runs until nothing is under way: what was added must have come back, by signals alone. */
  drain(): void {
    this.kick();
    do {
      this.step(1000);
      this.kick();
    } while (this.complete() || this.node.kernel.nextTime() < Infinity);
    expect(this.#available).toEqual([]);
    expect([...this.#byName.values()].map(({ id }) => id)).toEqual([]);
    expect(this.ring.freeCount).toBe(this.ring.size);
    expect(this.reaped).toBe(this.added);
    expect(this.node.violations.described).toEqual([]);
  }

  accept(_queue: QueueEngine, chain: Chain): void {
    const buffer = this.#available.shift();
    check(buffer !== undefined, 'a chain that was not made available');
    check(chain.count === buffer.segments.length, 'a chain of another length');
    buffer.segments.forEach(({ address, length, writable }, i) => {
      check(address === chain.addresses[i] && length === chain.lengths[i], 'another segment');
      check(writable === i >= chain.readableCount, 'a segment of the other direction');
    });
    this.#serving.push({ chain, buffer });
  }

  keeps(): number {
    return 0;
  }

  queueQuiet(): void {}

  queueBroken(): void {
    this.broken = true;
  }

  notifyUsed(): void {
    this.signals++;
    this.#reaping = true;
  }

  #reapOne(): boolean {
    const name = this.ring.reap();
    if (name === REAP_NONE) return false;
    const buffer = this.#byName.get(name);
    check(buffer !== undefined, 'a chain came back unasked');
    const { id, segments, owner, written } = buffer;
    check(owner === 'device' && this.ring.usedLength === written, 'a chain came back too early');
    const first = segments.find((segment) => segment.writable);
    const mark = first === undefined ? id & 0xff : this.memory.readU8(first.address);
    check(mark === (id & 0xff), 'a chain came back without its data');
    buffer.owner = 'gone';
    this.#byName.delete(name);
    for (const { address, length } of segments) {
      this.#byAddress.delete(address);
      this.memory.free(address, length);
    }
    this.reaped++;
    return true;
  }

  /** An access to a buffer must be the device's to make. */
  #watch({ address, write }: DmaAccess): void {
    const buffer = this.#byAddress.get(address);
    if (buffer === undefined) return;
    check(buffer.owner === 'device', 'a buffer is touched that is not the device’s');
    const segment = buffer.segments.find((candidate) => candidate.address === address);
    check(segment!.writable === write, 'a segment is accessed the wrong way');
  }

  #tables(size: number) {
    const address = this.memory.allocate(size * TABLE_SEGMENTS * DESC_SIZE, 64);
    return { address, busAddress: address, segmentsMax: TABLE_SEGMENTS };
  }
}

/** Like `expect`, but cheap enough to be called for every segment. */
function check(condition: boolean, text: string): asserts condition {
  if (!condition) throw new Error(text);
}
