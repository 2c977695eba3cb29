// What a device's queue reads ahead of its need, read by read; and that nothing it has read too early is
// ever used.
import { describe, expect, it } from 'vitest';
import { DataReads } from '../../devices/common/data-reads.ts';
import {
  Chain,
  type FetchOptions,
  fetchPlan,
  type QueueReads,
} from '../../devices/common/index.ts';
import type { DmaClient, DmaPort } from '../../platform/contracts/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { DEVICE_FETCH } from '../../platform/timing/index.ts';
import { AVAIL, DESC_F_NEXT, DESC_F_WRITE, F } from '../../platform/virtio/index.ts';
import { HandRing } from '../support/hand-ring.ts';
import { memoryDisk, topologyOf } from '../support/scenarios.ts';
import { testNodes } from '../support/test-nodes.ts';

const NONE: FetchOptions = { availPrefetch: 0, descriptorBurst: 16, descriptorCache: 0 };

/** Reads of the ring since the last call, as offsets in the part that they lie in, and lengths. */
function readsOf(ring: HandRing): string[] {
  const { descriptor, driver, device } = ring.areas;
  return ring.dma.accesses
    .splice(0)
    .filter(({ write }) => !write)
    .map(({ address, length }) => {
      if (address >= device) return `device ${address - device}+${length}`;
      if (address >= driver) return `driver ${address - driver}+${length}`;
      return `descriptors ${address - descriptor}+${length}`;
    });
}

/** A ring with a descriptor of 4 bytes at each place, each a chain by itself. */
function ringOf(fetch: FetchOptions, features = 0n): HandRing {
  const ring = new HandRing(features, fetch);
  for (let i = 0; i < ring.size; i++) ring.descriptor(i, { length: 4 + i, flags: DESC_F_WRITE });
  return ring;
}

const heads = (ring: HandRing) => ring.taken().map(({ head }) => head);
const counts = ({ index, entries, descriptors, tables }: QueueReads) => [
  index,
  entries,
  descriptors,
  tables,
];

describe('a split ring', () => {
  it('is read step by step when nothing is read ahead', () => {
    const ring = ringOf(NONE);
    ring.makeAvailable(0, 1);
    expect(readsOf(ring)).toEqual([
      'driver 0+4',
      'driver 4+4',
      'descriptors 0+16',
      'descriptors 16+16',
      // Nothing more has come.
      'driver 0+4',
    ]);
    expect(counts(ring.engine.reads)).toEqual([2, 1, 1, 0]);
    // 4 + 4 + 32 + 4.
    expect(ring.engine.reads.ringBytes).toBe(44);
  });

  it('needs no read of entries that came with the index', () => {
    const ring = ringOf({ ...NONE, availPrefetch: 4 });
    ring.makeAvailable(5, 2);
    expect(readsOf(ring)).toEqual([
      'driver 0+4',
      'driver 4+8',
      'descriptors 80+16',
      'descriptors 32+16',
      // The next four, in vain.
      'driver 0+4',
      'driver 8+8',
    ]);
    expect(heads(ring)).toEqual([5, 2]);
    expect(counts(ring.engine.reads)).toEqual([2, 0, 1, 0]);
  });

  it('has the entries read that did not come with the index, and goes round with it', () => {
    const ring = ringOf({ ...NONE, availPrefetch: 4 });
    ring.makeAvailable(0, 1, 2, 3, 4, 5);
    expect(readsOf(ring).slice(0, 3)).toEqual(['driver 0+4', 'driver 4+8', 'driver 12+4']);
    for (let i = 0; i < 6; i++) ring.complete(i, 4);
    readsOf(ring);
    // Places 6 and 7, then 0 and 1.
    ring.makeAvailable(6, 7, 0);
    expect(readsOf(ring).slice(0, 3)).toEqual(['driver 0+4', 'driver 16+4', 'driver 4+4']);
    expect(heads(ring)).toEqual([6, 7, 0]);
    expect(ring.codes).toEqual([]);
  });

  it('does not look at entries that are beyond the index', () => {
    const ring = ringOf({ ...NONE, availPrefetch: 8 });
    for (let i = 1; i < ring.size; i++) {
      ring.memory.writeU16(ring.areas.driver + AVAIL.ring + 2 * i, 0xffff);
    }
    ring.makeAvailable(3);
    expect([heads(ring), ring.codes]).toEqual([[3], []]);
  });

  it('has the event index before the entries that were read along', () => {
    const ring = ringOf({ ...NONE, availPrefetch: 2 }, F.EVENT_IDX);
    ring.makeAvailable(1);
    expect(readsOf(ring).slice(0, 3)).toEqual(['driver 0+4', 'driver 20+2', 'driver 4+4']);
    expect(heads(ring)).toEqual([1]);
  });

  it.each([
    [16, ['descriptors 16+16', 'descriptors 80+16']],
    [64, ['descriptors 16+48', 'descriptors 80+48']],
    [256, ['descriptors 16+112', 'descriptors 80+48']],
  ])('reads descriptors to the end of a burst of %i bytes', (descriptorBurst, expected) => {
    const ring = ringOf({ ...NONE, descriptorBurst });
    ring.makeAvailable(1, 5);
    expect(readsOf(ring).slice(2, 4)).toEqual(expected);
    expect(ring.taken().map(({ writable }) => writable[0])).toEqual([5, 9]);
  });

  it('fetches no more chains in one go than it may', () => {
    const ring = ringOf({ ...NONE, batch: 2 });
    ring.makeAvailable(0, 1, 2, 3, 4);
    expect(counts(ring.engine.reads)).toEqual([4, 3, 3, 0]);
    expect(heads(ring)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('descriptors that a queue keeps', () => {
  const keeping = { batch: 1, descriptorBurst: 64, descriptorCache: 128 } as const;

  it('serve the chains that were available when they were read', () => {
    const ring = ringOf(keeping);
    ring.makeAvailable(1, 3, 0, 5);
    // One look and one entry for each chain, but whole bursts of descriptors, each once.
    expect(counts(ring.engine.reads)).toEqual([5, 4, 2, 0]);
    const descriptors = readsOf(ring).filter((read) => read.startsWith('descriptors'));
    expect(descriptors).toEqual(['descriptors 0+64', 'descriptors 64+64']);
    expect(ring.taken().map(({ writable }) => writable[0])).toEqual([5, 7, 4, 9]);
  });

  it('are read once for all chains of a batch', () => {
    const ring = ringOf({ ...keeping, batch: 32 });
    ring.descriptor(2, { length: 40, flags: DESC_F_NEXT, next: 6 });
    ring.makeAvailable(2, 1, 3);
    const descriptors = readsOf(ring).filter((read) => read.startsWith('descriptors'));
    expect(descriptors).toEqual(['descriptors 0+64', 'descriptors 64+64']);
    expect(ring.taken()[0]).toEqual({ head: 2, readable: [40], writable: [10] });
  });

  it('are read again for a chain that came later, for the driver has written it since', () => {
    const ring = ringOf(keeping);
    ring.makeAvailable(0, 1);
    ring.descriptor(2, { length: 99, flags: DESC_F_WRITE });
    ring.makeAvailable(2);
    ring.complete(0, 4);
    ring.descriptor(0, { length: 77, flags: DESC_F_WRITE });
    ring.makeAvailable(0);
    expect(ring.taken().flatMap(({ writable }) => writable)).toEqual([5, 99, 77]);
    expect(ring.engine.reads.descriptors).toBe(3);
  });

  it('are no more than it has room for', () => {
    const ring = ringOf({ ...keeping, descriptorCache: 64 });
    ring.makeAvailable(0, 4, 1, 5);
    expect(ring.engine.reads.descriptors).toBe(4);
    const roomy = ringOf(keeping);
    roomy.makeAvailable(0, 4, 1, 5);
    expect(roomy.engine.reads.descriptors).toBe(2);
  });
});

describe('a packed ring', () => {
  const packed = (fetch: FetchOptions, available: number) => {
    const ring = new HandRing(F.RING_PACKED, fetch);
    for (let index = 0; index < available; index++) {
      ring.packedDescriptor(index, { id: index, length: 4, flags: DESC_F_WRITE });
    }
    ring.look();
    return ring;
  };

  it.each([
    [16, ['descriptors 0+16', 'descriptors 16+32']],
    [64, ['descriptors 0+64']],
    [128, ['descriptors 0+128']],
  ])('is read in bursts of %i bytes, ever more of them', (descriptorBurst, expected) => {
    const ring = packed({ descriptorBurst }, 2);
    const descriptors = readsOf(ring).filter((read) => read.startsWith('descriptors'));
    // The last look finds nothing at the place after them.
    expect(descriptors.slice(0, -1)).toEqual(expected);
    expect(heads(ring)).toEqual([0, 1]);
  });

  it('keeps descriptors that a full batch had no room for, as long as they were available', () => {
    const ring = packed({ batch: 1, descriptorBurst: 128, descriptorCache: 128 }, 3);
    expect(heads(ring)).toEqual([0, 1, 2]);
    // The first brings three; the place after them was not available then, and is looked at anew.
    expect(counts(ring.engine.reads)).toEqual([2, 0, 2, 0]);
    ring.packedDescriptor(3, { id: 3, length: 4, flags: DESC_F_WRITE });
    ring.look();
    expect(heads(ring)).toEqual([0, 1, 2, 3]);
    const forgetful = packed({ batch: 1, descriptorBurst: 128, descriptorCache: 0 }, 3);
    expect(counts(forgetful.engine.reads)).toEqual([0, 0, 4, 0]);
  });
});

describe('reads of data', () => {
  it('are started in order, no more at a time than may be', () => {
    const started: number[] = [];
    const port = { readSegment: () => {}, read: (_: DmaClient, tag: number) => started.push(tag) };
    const reads = new DataReads(2, () => port as unknown as DmaPort);
    const chain = new Chain();
    chain.begin(0);
    chain.add(0, 16, false);
    for (let tag = 0; tag < 4; tag++) reads.read(chain, {} as DmaClient, tag, 16);
    expect(started).toEqual([0, 1]);
    reads.ended();
    expect(started).toEqual([0, 1, 2]);
    reads.forget();
    reads.read(chain, {} as DmaClient, 9, 16);
    expect([started, reads.count]).toEqual([[0, 1, 2, 9], 4]);
  });
});

describe('what a scenario says of a device', () => {
  const problemsOf = (fetch: Readonly<Record<string, unknown>>) => {
    try {
      topologyOf({ devices: { disk0: memoryDisk(0, { fetch }) } });
      return [];
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error;
      return error.problems.map(({ code, expected, nearest }) => [code, expected ?? nearest]);
    }
  };

  it.each([
    [{ descriptorBurst: '64B', descriptorCache: '1KiB', batch: 1, dataReads: 4 }, []],
    [{ descriptorBurst: '96B' }, [['OUT_OF_RANGE', 'at least 16B, at most 4KiB, a power of two']]],
    [{ descriptorBurst: '8B' }, [['OUT_OF_RANGE', 'at least 16B, at most 4KiB, a power of two']]],
    [{ batch: 0 }, [['OUT_OF_RANGE', 'at least 1']]],
    [{ bach: 2 }, [['UNKNOWN_KEY', `one of ${Object.keys(DEVICE_FETCH).join(', ')}`]]],
  ])('is checked: %j', (fetch, expected) => {
    expect(problemsOf(fetch)).toEqual(expected);
  });
});

it("takes a device's own values before those of the profile", () => {
  const { storage } = testNodes({
    timing: { 'device.batch': 7, 'device.descriptorBurst': '256B' },
  });
  expect(fetchPlan(storage.costs, { batch: 3 })).toEqual({
    batch: 3,
    availPrefetch: 0,
    descriptorBurst: 256,
    descriptorCache: 0,
    dataReads: 32768,
  });
});
