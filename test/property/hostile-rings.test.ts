// Rings that make no sense: whatever the bytes, a device says BAD_DESCRIPTOR and asks for a reset, a
// driver stops at the element that is none of its own, and neither throws.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Chain,
  type FetchOptions,
  type FetchPlan,
  fetchPlan,
  QueueEngine,
  type QueueOwner,
} from '../../devices/common/index.ts';
import type { DmaPort } from '../../platform/contracts/index.ts';
import { randomStream } from '../../platform/kernel/index.ts';
import type { Memory, Node } from '../../platform/node/index.ts';
import {
  AVAIL,
  DESC,
  DESC_F_INDIRECT,
  DESC_F_NEXT,
  DESC_F_WRITE,
  DESC_SIZE,
  F,
  PACKED_DESC,
  PACKED_F_AVAIL,
  PackedDriverRing,
  packedRingAreas,
  REAP_BROKEN,
  REAP_NONE,
  type RingAreas,
  SplitDriverRing,
  STATUS,
  splitRingAreas,
} from '../../platform/virtio/index.ts';
import { DeviceBench } from '../support/device-bench.ts';
import { FakeDma } from '../support/fake-dma.ts';
import { testNodes } from '../support/test-nodes.ts';

const SEED = 1;
const SIZE = 8;
const NEXT = DESC_F_NEXT;
const WRITE = DESC_F_WRITE;
const INDIRECT = DESC_F_INDIRECT;

/** A device that reads ahead whatever it can. */
const GREEDY: FetchOptions = { availPrefetch: 64, descriptorBurst: 4096, descriptorCache: 65536 };

/** A device side that takes chains and gives them back, over a ring that a test writes by hand. */
class Victim implements QueueOwner {
  readonly name = 'victim';
  readonly index = 0;
  readonly node: Node;
  readonly memory: Memory;
  readonly dma: DmaPort;
  readonly fetch: FetchPlan;
  readonly driverFeatures: bigint;
  readonly areas: RingAreas;
  readonly engine: QueueEngine;
  readonly accepted: Chain[] = [];
  broken = 0;

  constructor(features = 0n, fetch: FetchOptions = {}) {
    const { kernel, linux, storage } = testNodes();
    this.node = storage;
    this.fetch = fetchPlan(storage.costs, fetch);
    this.memory = linux.memory;
    this.driverFeatures = features;
    this.dma = new FakeDma({
      kernel,
      node: storage.index,
      memory: this.memory,
      refuse: ({ address, length }) => (this.memory.contains(address, length) ? null : 'outside'),
    });
    const packed = (features & F.RING_PACKED) !== 0n;
    const start = this.memory.allocate(4096, 4096);
    this.areas = packed ? packedRingAreas(start, SIZE) : splitRingAreas(start, SIZE);
    this.engine = new QueueEngine(this, 0);
    const { descriptor, driver, device } = this.areas;
    this.engine.setup = {
      index: 0,
      size: SIZE,
      descriptorArea: descriptor,
      driverArea: driver,
      deviceArea: device,
    };
    this.engine.start();
  }

  accept(_queue: QueueEngine, chain: Chain): void {
    this.accepted.push(chain);
  }

  keeps(): number {
    return 0;
  }

  queueQuiet(): void {}

  queueBroken(): void {
    this.broken++;
  }

  notifyUsed(): void {}

  /** Writes a descriptor of the split format, in the ring or in a table at `table`. */
  descriptor(
    index: number,
    flags: number,
    next = 0,
    more: { table?: number; length?: number } = {},
  ) {
    const { table = this.areas.descriptor, length = 16 } = more;
    const at = table + DESC_SIZE * index;
    this.memory.writeU64(at + DESC.address, this.areas.descriptor);
    this.memory.writeU32(at + DESC.length, length);
    this.memory.writeU16(at + DESC.flags, flags);
    this.memory.writeU16(at + DESC.next, next);
  }

  available(...heads: number[]): void {
    heads.forEach((head, i) => {
      this.memory.writeU16(this.areas.driver + AVAIL.ring + 2 * i, head);
    });
    this.memory.writeU16(this.areas.driver + AVAIL.index, heads.length);
    this.look();
  }

  look(): void {
    this.engine.available();
    this.node.kernel.runUntil(this.node.kernel.now + 100_000_000);
  }

  get codes(): string[] {
    return this.node.violations.described.map(({ code }) => code);
  }
}

describe('a split ring with', () => {
  const cases: [string, bigint, (victim: Victim) => void][] = [
    [
      'a descriptor that is its own next',
      0n,
      (victim) => {
        victim.descriptor(0, NEXT, 0);
        victim.available(0);
      },
    ],
    [
      'two descriptors that follow each other for ever',
      0n,
      (victim) => {
        victim.descriptor(1, NEXT, 6);
        victim.descriptor(6, NEXT, 1);
        victim.available(1);
      },
    ],
    [
      'a next descriptor beyond the queue',
      0n,
      (victim) => {
        victim.descriptor(0, NEXT, SIZE);
        victim.available(0);
      },
    ],
    ['a head beyond the queue', 0n, (victim) => victim.available(SIZE)],
    [
      'an available index that jumps by more than the queue',
      0n,
      (victim) => {
        victim.memory.writeU16(victim.areas.driver + AVAIL.index, SIZE + 1);
        victim.look();
      },
    ],
    [
      'an available index that goes back',
      0n,
      (victim) => {
        victim.memory.writeU16(victim.areas.driver + AVAIL.index, 0xffff);
        victim.look();
      },
    ],
    [
      'a readable descriptor after a writable one',
      0n,
      (victim) => {
        victim.descriptor(0, WRITE | NEXT, 1);
        victim.descriptor(1, 0);
        victim.available(0);
      },
    ],
    [
      'an indirect descriptor that was not negotiated',
      0n,
      (victim) => {
        victim.descriptor(0, INDIRECT);
        victim.available(0);
      },
    ],
    [
      'an indirect table of no whole descriptors',
      F.INDIRECT_DESC,
      (victim) => {
        victim.descriptor(0, INDIRECT, 0, { length: DESC_SIZE + 1 });
        victim.available(0);
      },
    ],
    [
      'an empty indirect table',
      F.INDIRECT_DESC,
      (victim) => {
        victim.descriptor(0, INDIRECT, 0, { length: 0 });
        victim.available(0);
      },
    ],
    [
      'an indirect table larger than the queue',
      F.INDIRECT_DESC,
      (victim) => {
        victim.descriptor(0, INDIRECT, 0, { length: DESC_SIZE * (SIZE + 1) });
        victim.available(0);
      },
    ],
    [
      'a table and a next descriptor',
      F.INDIRECT_DESC,
      (victim) => {
        victim.descriptor(0, INDIRECT | NEXT, 1);
        victim.available(0);
      },
    ],
    [
      'a table in a table',
      F.INDIRECT_DESC,
      (victim) => {
        victim.descriptor(0, INDIRECT);
        victim.available(0);
      },
    ],
    [
      'a next descriptor beyond its table',
      F.INDIRECT_DESC,
      (victim) => {
        const table = victim.memory.allocate(64, 16);
        victim.descriptor(0, NEXT, 2, { table });
        victim.memory.writeU64(victim.areas.descriptor, table);
        victim.descriptor(1, INDIRECT, 0, { length: 2 * DESC_SIZE });
        victim.memory.writeU64(victim.areas.descriptor + DESC_SIZE, table);
        victim.available(1);
      },
    ],
    [
      'a table that goes round',
      F.INDIRECT_DESC,
      (victim) => {
        const table = victim.memory.allocate(64, 16);
        victim.descriptor(0, NEXT, 1, { table });
        victim.descriptor(1, NEXT, 0, { table });
        victim.descriptor(1, INDIRECT, 0, { length: 2 * DESC_SIZE });
        victim.memory.writeU64(victim.areas.descriptor + DESC_SIZE, table);
        victim.available(1);
      },
    ],
  ];

  const prefetching = cases.map(
    ([name, features, prepare]) => [`${name}, fetched ahead,`, features, prepare, GREEDY] as const,
  );
  it.each([...cases.map((row) => [...row, {}] as const), ...prefetching])(
    '%s is BAD_DESCRIPTOR and the end of the queue',
    (_, features, prepare, fetch) => {
      const victim = new Victim(features, fetch);
      prepare(victim);
      expect(victim.codes).toEqual(['BAD_DESCRIPTOR']);
      expect([victim.broken, victim.accepted.length]).toEqual([1, 0]);
      // Nothing is read any more, whatever is made available.
      victim.available(0, 1, 2);
      expect(victim.codes.length).toBe(1);
    },
  );

  it('a table at an address that may not be read is a DMA fault', () => {
    const victim = new Victim(F.INDIRECT_DESC);
    victim.descriptor(0, INDIRECT);
    victim.memory.writeU64(victim.areas.descriptor, 16);
    victim.available(0);
    expect([victim.codes, victim.broken]).toEqual([['DMA_FAULT'], 1]);
  });

  it('a chain as long as the queue is taken', () => {
    const victim = new Victim();
    for (let i = 0; i < SIZE; i++) victim.descriptor(i, i < SIZE - 1 ? NEXT : 0, i + 1);
    victim.available(0);
    expect([victim.codes, victim.accepted[0].count]).toEqual([[], SIZE]);
  });
});

/** Makes a descriptor of the packed format available, in the first round of the ring. */
function writePacked(victim: Victim, index: number, flags: number): void {
  const at = victim.areas.descriptor + DESC_SIZE * index;
  victim.memory.writeU64(at, victim.areas.descriptor);
  victim.memory.writeU32(at + PACKED_DESC.length, 16);
  victim.memory.writeU16(at + PACKED_DESC.id, index);
  victim.memory.writeU16(at + PACKED_DESC.flags, flags | PACKED_F_AVAIL);
}

describe('a packed ring with', () => {
  it.each([
    ['a chain that fills the ring and goes on', () => NEXT],
    ['a readable descriptor after a writable one', (i: number) => (i === 0 ? WRITE | NEXT : 0)],
    ['an indirect descriptor that was not negotiated', () => INDIRECT],
  ])('%s is BAD_DESCRIPTOR and the end of the queue', (_, flagsOf) => {
    const victim = new Victim(F.RING_PACKED);
    for (let i = 0; i < SIZE; i++) writePacked(victim, i, flagsOf(i));
    victim.look();
    expect(victim.codes).toEqual(['BAD_DESCRIPTOR']);
    expect([victim.broken, victim.accepted.length]).toEqual([1, 0]);
  });
});

/** Bytes with many small numbers among them, which come nearer to making sense. */
const byte = fc.oneof(fc.constant(0), fc.nat(9), fc.nat(255));

/** As the profile has it, all that can be, and one chain at a time of what is kept. */
const fetch = fc.constantFrom({}, GREEDY, { ...GREEDY, batch: 1, availPrefetch: 2 });

describe('any bytes in a ring', () => {
  const formats = [
    0n,
    F.RING_PACKED,
    F.INDIRECT_DESC | F.EVENT_IDX,
    F.RING_PACKED | F.INDIRECT_DESC,
  ];

  it.each(formats)(
    `with features %s make a device stop at the worst (seed ${SEED})`,
    (features) => {
      const packed = (features & F.RING_PACKED) !== 0n;
      let broken = 0;
      let taken = 0;
      // A ring of eight chains that are in order, and some bytes of it changed.
      const changes = fc.array(
        fc.tuple(fc.nat(packed ? 127 : 200), fc.oneof(fc.nat(9), fc.nat(255))),
        {
          maxLength: 12,
        },
      );
      fc.assert(
        fc.property(changes, fc.nat(SIZE), fetch, (bytes, count, plan) => {
          const victim = new Victim(features, plan);
          const { memory, areas } = victim;
          for (let i = 0; i < SIZE; i++) {
            if (packed) writePacked(victim, i, i % 2 === 0 ? 0 : WRITE);
            else victim.descriptor(i, i % 2 === 0 ? 0 : WRITE);
            if (!packed) memory.writeU16(areas.driver + AVAIL.ring + 2 * i, i);
          }
          for (const [at, value] of bytes) memory.writeU8(areas.descriptor + at, value);
          if (!packed) memory.writeU16(areas.driver + AVAIL.index, count);
          for (let round = 0; round < 3; round++) {
            victim.look();
            for (const chain of victim.accepted.splice(0)) {
              taken++;
              if (victim.broken === 0) victim.engine.complete(chain, 0);
            }
          }
          const known = ['BAD_DESCRIPTOR', 'DMA_FAULT'];
          expect(victim.codes.filter((code) => !known.includes(code))).toEqual([]);
          expect(victim.broken).toBe(victim.codes.length > 0 ? 1 : 0);
          broken += victim.broken;
        }),
        { seed: SEED, numRuns: 600 },
      );
      // Both happened: rings that still made sense and rings that did not.
      expect(Math.min(broken, taken)).toBeGreaterThan(4);
    },
  );

  it.each([
    ['split', SplitDriverRing, splitRingAreas],
    ['packed', PackedDriverRing, packedRingAreas],
  ])(`let a %s driver ring return only its own chains (seed ${SEED})`, (format, Ring, areasOf) => {
    const content = fc.array(byte, { minLength: 300, maxLength: 300 });
    fc.assert(
      fc.property(content, fc.nat(6), (bytes, count) => {
        const { linux } = testNodes();
        const { memory } = linux;
        const start = memory.allocate(areasOf(0, SIZE).length, 16);
        const ring = new Ring(memory, start, SIZE);
        const outstanding = new Set<number>();
        for (let i = 0; i < count; i++) {
          ring.addSegment(start, 1, true);
          outstanding.add(ring.commit());
        }
        // What a device may write: the device area, in the packed format the descriptors.
        const { device, descriptor, length } = ring.areas;
        const from = format === 'split' ? device : descriptor;
        memory.copyIn(from, Uint8Array.from(bytes), 0, Math.min(300, start + length - from));
        for (let i = 0; i < 100; i++) {
          const name = ring.reap();
          if (name === REAP_NONE || name === REAP_BROKEN) break;
          expect(outstanding.delete(name)).toBe(true);
        }
        expect(ring.freeCount).toBeLessThanOrEqual(SIZE);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });
});

describe('any requests in a ring', () => {
  it.each(['blk', 'rng'])(
    `of a %s device make it stop at the worst, and it starts again (seed ${SEED})`,
    (type) => {
      const noise = fc.record({ seed: fc.nat(2 ** 31), chains: fc.integer({ min: 1, max: 12 }) });
      fc.assert(
        fc.property(noise, ({ seed, chains }) => {
          const { memory, refuse } = boundedMemory();
          const bench = new DeviceBench(type, { refuse });
          memory.current = bench.guest.memory;
          bench.start();
          const random = randomStream(seed, 'requests');
          for (let i = 0; i < chains; i++) {
            const content = Array.from({ length: random.below(40) }, () => random.below(12));
            const readable = random.below(3) === 0 ? [] : [content];
            const writable = Array.from({ length: random.below(4) }, () => random.below(600));
            if (readable.length + writable.length > 0) bench.send(0, readable, writable);
          }
          // Sometimes an address leads nowhere.
          const { descriptor } = bench.rings[0].areas;
          if (random.below(2) === 0) bench.guest.memory.writeU32(descriptor + 4, random.next());
          bench.device.available(0, 0);
          bench.run();
          const broken = (bench.device.status & STATUS.DEVICE_NEEDS_RESET) !== 0;
          expect(broken || bench.returned.length > 0).toBe(true);
          expect(bench.device.setStatus(0)).toBe(0);
          expect(bench.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
        }),
        { seed: SEED, numRuns: 60 },
      );
    },
  );
});

/** Refuses what is no memory of the guest, which is known only later. */
function boundedMemory() {
  const memory: { current: Memory | null } = { current: null };
  const refuse = ({ address, length }: { address: number; length: number }) =>
    memory.current === null || memory.current.contains(address, length) ? null : 'outside';
  return { memory, refuse };
}
