// Regions of shared memory over every way of a bus to have them: what a core loads and stores is in the RAM of the
// device's node, nothing else is reached, and access ends with a reset and with the device.
import { describe, expect, it } from 'vitest';
import { DMA_DATA } from '../../buses/common/index.ts';
import { REGION_WRITE } from '../../buses/common/shared-memory.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';
import { DMA_COMPLETION, MEMORY_STORE } from '../../platform/pcie/packets.ts';
import { BUS_CASES, carriesDevice } from '../contract/cases.ts';
import { RegionBench } from '../support/region-bench.ts';

const MICROSECOND = 1_000_000;
/** One case for each type of bus that carries regions, and functions that a device model makes believe. */
const BUSES = Object.keys(BUS_CASES).filter((bus, index, all) => {
  const { type } = BUS_CASES[bus];
  const first = all.findIndex((other) => BUS_CASES[other].type === type);
  const counts = index === first || bus === 'virtio-pci of a device model';
  return counts && carriesDevice(bus, 'pmem');
});
/** Arbitrary. */
const PATTERN = Array.from({ length: 200 }, (_, i) => (7 * i + 1) % 256);

/** A bus whose workload is through. */
function quiet(bus: string): RegionBench {
  const bench = new RegionBench({ bus });
  expect(bench.rig.run()).toBe('done');
  return bench;
}

it('there is a case for each way to have regions', () => {
  expect(BUSES.map((bus) => BUS_CASES[bus].type).sort()).toEqual([
    'admin-vq',
    'ffa',
    'ivshmem',
    'loopback',
    'mailbox',
    'pci',
    'virtio-mmio',
    'virtio-pci',
    'virtio-pci',
    'xen',
  ]);
});

describe.each(BUSES)('over %s', (bus) => {
  it('a core stores to the RAM of the device node, and loads from it', () => {
    const bench = quiet(bus);
    const { address, length } = bench.region;
    expect(length).toBe(2 ** 20);
    // Across a page, and to the very last byte.
    for (const offset of [PAGE_SIZE - 100, length - PATTERN.length]) {
      expect(bench.store(address + offset, PATTERN)).toBe(true);
      expect(bench.bytesAt(offset, PATTERN.length)).toEqual(PATTERN);
      expect(bench.load(address + offset, PATTERN.length).bytes).toEqual(PATTERN);
    }
    expect(bench.rig.violations).toEqual([]);
  });

  it('an access that ends beyond the region is refused, reported and survived', () => {
    const bench = quiet(bus);
    const { address, length } = bench.region;
    const before = bench.bytesAt(length - 8, 8);
    expect(bench.load(address + length - 8, 16)).toMatchObject({ bytes: null });
    expect(bench.store(address + length - 8, PATTERN.slice(0, 16))).toBe(false);
    const texts = bench.rig.violations.map(({ code, text }) => `${code} ${text}`);
    expect(texts).toHaveLength(2);
    expect(texts[0]).toMatch(
      /^ACCESS_FAULT \w+: load of 16 bytes at 0x\w+ refused: .*1048576 bytes/,
    );
    expect(texts[1]).toMatch(/^ACCESS_FAULT \w+: store of 16 bytes/);
    expect(bench.bytesAt(length - 8, 8)).toEqual(before);
    expect(bench.load(address, 16).bytes).toEqual(bench.bytesAt(0, 16));
  });

  it('nothing is reached between a reset and the next look for the region', () => {
    const bench = new RegionBench({ bus, deviceOptions: { needsReset: ['400us', '400ms'] } });
    const resets = () => bench.statuses.filter((status) => status === 0).length;
    bench.runWhile(() => resets() < 2);
    const { address } = bench.region;
    expect(bench.load(address, 16)).toMatchObject({ reason: expect.stringMatching(/no region/) });
    expect(bench.store(address, PATTERN)).toBe(false);
    const faults = bench.rig.violations.filter(({ code }) => code === 'ACCESS_FAULT');
    expect(faults).toHaveLength(2);
    bench.runWhile(() => bench.regions.length < 2);
    expect(bench.load(bench.region.address, 16).bytes).toEqual(bench.bytesAt(0, 16));
  });
});

describe.each(['ffa with notifications', 'pci', 'virtio-pci'])('over %s', (bus) => {
  it('nothing of a device that was removed is reached', () => {
    const bench = new RegionBench({ bus, lone: true, deviceOptions: { removeAt: '150ms' } });
    bench.runWhile(() => bench.driverState !== 'live', 100 * MICROSECOND);
    const { address } = bench.region;
    expect(bench.load(address, 16).bytes).toEqual(bench.bytesAt(0, 16));
    bench.runWhile(() => bench.driverState === 'live', 100 * MICROSECOND);
    expect(bench.rig.outcome.workloads[0].downReason).toBe('the device was removed');
    expect(bench.load(address, 16).reason).toMatch(/no region/);
    expect(bench.store(address, PATTERN)).toBe(false);
    const codes = bench.rig.violations.map(({ code }) => code);
    expect(codes).toEqual(['ACCESS_FAULT', 'ACCESS_FAULT']);
  });
});

describe('what an access costs', () => {
  it('over coherent memory: a round trip, and the time of the bytes', () => {
    const bench = quiet('ffa with notifications');
    const { address } = bench.region;
    const { costs } = bench.driverNode!;
    const line = costs.value(costs.idOf('memory.lineLatency'));
    const bytes = (name: string, count: number) => costs.transfer(costs.idOf(name), count);
    for (const length of [64, PAGE_SIZE]) {
      const expected = 2 * line + bytes('memory.bandwidth', length) + bytes('cpu.copyRate', length);
      expect(bench.load(address, length).time).toBe(expected);
    }
  });

  it('of a function that a device model makes believe: no more than that, for nothing traps', () => {
    const [near, emulated] = ['virtio-mmio', 'virtio-pci of a device model'].map(quiet);
    const times = [near, emulated].map((bench) => bench.load(bench.region.address, 64).time);
    expect(times[1]).toBe(times[0]);
  });

  it('behind a BAR: a round trip for every 64 bytes, and nothing to wait for when storing', () => {
    const bench = quiet('pci');
    const { address } = bench.region;
    const one = bench.load(address, 64).time;
    expect(one).toBeGreaterThan(0.5 * MICROSECOND);
    expect(bench.load(address, PAGE_SIZE).time).toBe((PAGE_SIZE / 64) * one);
    // Two lines, because it crosses from one to the other.
    expect(bench.load(address + 60, 8).time).toBeGreaterThan(1.9 * one);
    const before = bench.rig.outcome.buses[0].statistics;
    expect(bench.store(address, PATTERN)).toBe(true);
    const after = bench.rig.outcome.buses[0].statistics;
    expect(after['loads']).toBe(before['loads']);
    expect(after['stores'] - before['stores']).toBe(Math.ceil(PATTERN.length / 64));
  });
});

describe.each([
  ['ffa with notifications', REGION_WRITE, DMA_DATA],
  ['xen with mapped grants', REGION_WRITE, DMA_DATA],
  ['virtio-mmio', REGION_WRITE, DMA_DATA],
  ['virtio-pci of a device model', REGION_WRITE, DMA_COMPLETION],
  ['pci', MEMORY_STORE, DMA_COMPLETION],
])('over %s', (bus, storeKind, answerKind) => {
  it('what the device reads comes after all that was stored before', () => {
    const bench = quiet(bus);
    const arrivals = new Map<number, number>();
    bench.rig.filter = ({ at, delay, packet }) => {
      arrivals.set(packet.kind, Math.max(at + delay, arrivals.get(packet.kind) ?? 0));
      return true;
    };
    const bytes = new Uint8Array(2 ** 18);
    bench.onCore(() => bench.map.store(bench.region.address, bytes, 0, bytes.length));
    bench.runFor(MICROSECOND);
    // 256 KiB take a while; meanwhile the device looks at its ring.
    bench.model.available(0, 0);
    bench.runFor(500 * MICROSECOND);
    const [stored, read] = [arrivals.get(storeKind)!, arrivals.get(answerKind)!];
    expect(stored).toBeGreaterThan(bench.started + 20 * MICROSECOND);
    expect(read).toBeGreaterThanOrEqual(stored);
  });
});

describe('a driver side that maps what nobody shared', () => {
  it('is refused by the owner of the memory', () => {
    const bench = quiet('ivshmem');
    const mapped: (string | null)[] = [];
    const client = { regionMapped: (_: number, reason: string | null) => mapped.push(reason) };
    const place = 2 ** 30;
    bench.map.map(9, place, PAGE_SIZE, client);
    expect(mapped).toEqual([null]);
    const address = 2 ** 40 + place;
    expect(bench.load(address, 8).reason).toMatch(/there is no such region/);
    expect(bench.store(address, [1, 2, 3])).toBe(true);
    const texts = bench.rig.violations.map(({ code, node, text }) => `${code} ${node} ${text}`);
    expect(texts).toHaveLength(2);
    expect(texts[0]).toMatch(/^DMA_FAULT storage bus0: read of 8 bytes by the driver side/);
    expect(texts[1]).toMatch(/^DMA_FAULT storage bus0: write of 3 bytes/);
  });

  it.each(['ffa with notifications', 'xen with mapped grants'])(
    'has nothing of a region that is given up while it is being mapped, over %s',
    (bus) => {
      const bench = quiet(bus);
      const { address, length } = bench.region;
      const mapped: number[] = [];
      const client = { regionMapped: (at: number) => mapped.push(at) };
      // FF-A has handles, which begin with 1; places elsewhere begin with 0.
      const place = bus.startsWith('ffa') ? 1 : 0;
      bench.map.unmap(5);
      bench.map.map(5, place, length, client);
      bench.map.unmap(5);
      bench.runFor(5000 * MICROSECOND);
      expect(mapped).toEqual([]);
      expect(bench.load(address, 8).reason).toMatch(/no region/);
      bench.map.map(5, place, length, client);
      bench.runFor(5000 * MICROSECOND);
      expect(mapped).toEqual([address]);
      expect(bench.load(address, 8).bytes).toEqual(bench.bytesAt(0, 8));
    },
  );

  it('gets no memory for an FF-A handle that is not there', () => {
    const bench = quiet('ffa with notifications');
    const mapped: (string | null)[] = [];
    bench.map.map(9, 77, PAGE_SIZE, { regionMapped: (_, reason) => mapped.push(reason) });
    bench.runFor(100 * MICROSECOND);
    expect(mapped).toEqual(['the memory of handle 77 could not be retrieved']);
  });
});
