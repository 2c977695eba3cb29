// The medium behind a disk: its write cache, what a power failure does, service times, and what it
// tells of itself.
import { describe, expect, it } from 'vitest';
import { PS_PER_MS, PS_PER_US } from '../../platform/kernel/index.ts';
import { BLK_CONFIG, BLK_F, BLK_S, BLK_T, STATUS } from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';

const SECTOR = 512;
const header = (type: number, sector = 0) => le([type, 4], [0, 4], [sector, 8]);
const sectorsOf = (value: number, count = 1) => new Array<number>(SECTOR * count).fill(value);

function bench(options: Record<string, unknown> = {}, more: object = {}): DeviceBench {
  const made = new DeviceBench('blk', { options: { capacity: '64KiB', ...options }, ...more });
  expect(made.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
  return made;
}

const write = (dut: DeviceBench, sector: number, value: number, count = 1) =>
  dut.request(0, [header(BLK_T.OUT, sector), sectorsOf(value, count)], [1])[0].bytes[0];
const flush = (dut: DeviceBench) => dut.request(0, [header(BLK_T.FLUSH)], [1])[0].bytes[0];
const figures = (dut: DeviceBench) => dut.device.statistics!();

/** The first byte of each of the first `count` sectors. */
function firstBytes(dut: DeviceBench, count: number): number[] {
  const [{ bytes }] = dut.request(0, [header(BLK_T.IN)], [SECTOR * count, 1]);
  expect(bytes.at(-1)).toBe(BLK_S.OK);
  return Array.from({ length: count }, (_, sector) => bytes[sector * SECTOR]);
}

/** Lets the planned power failure come, and brings the device up again after it. */
function losePower(dut: DeviceBench): void {
  dut.run(20 * PS_PER_MS);
  expect(dut.device.status & STATUS.DEVICE_NEEDS_RESET).not.toBe(0);
  expect(dut.device.setStatus(0)).toBe(0);
  expect(dut.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
}

const CACHE = { writeCache: '64KiB', powerLoss: [{ at: '50ms', for: '1ms' }] };
/** `request` of the bench takes 1 ms each; this lets the failure come. */
const untilFailure = (dut: DeviceBench) => dut.run(49 * PS_PER_MS - dut.kernel.now);

describe('a power failure', () => {
  it('takes what was not flushed with it, sector by sector, and nothing else', () => {
    const dut = bench(CACHE);
    write(dut, 0, 1, 8);
    flush(dut);
    write(dut, 4, 2, 24);
    untilFailure(dut);
    losePower(dut);
    const bytes = firstBytes(dut, 28);
    expect(bytes.slice(0, 4)).toEqual([1, 1, 1, 1]);
    expect(bytes.slice(4, 8).every((byte) => byte === 1 || byte === 2)).toBe(true);
    expect(bytes.slice(8).every((byte) => byte === 0 || byte === 2)).toBe(true);
    // Some are lost and some are not: 24 coins do not all fall on one side with this seed.
    const { sectorsLost, powerLosses } = figures(dut);
    expect([powerLosses, sectorsLost > 4 && sectorsLost < 20]).toEqual([1, true]);
    expect(bytes.slice(4).filter((byte) => byte !== 2)).toHaveLength(sectorsLost);
  });

  it('takes nothing that was flushed', () => {
    const dut = bench(CACHE);
    write(dut, 0, 1, 8);
    write(dut, 0, 3, 8);
    flush(dut);
    untilFailure(dut);
    losePower(dut);
    expect(firstBytes(dut, 8)).toEqual(new Array(8).fill(3));
    expect(figures(dut)).toMatchObject({ sectorsLost: 0, cachedBytes: 0 });
  });

  it('takes nothing from a write-through cache, by negotiation or by the cache mode', () => {
    const { CONFIG_WCE } = BLK_F;
    for (const features of [0n, CONFIG_WCE, null]) {
      const dut = bench(CACHE, features === null ? {} : { features });
      if (features === null) dut.device.writeConfig(BLK_CONFIG.writeback, Uint8Array.of(0));
      write(dut, 0, 1, 16);
      untilFailure(dut);
      losePower(dut);
      expect(firstBytes(dut, 16)).toEqual(new Array(16).fill(1));
    }
  });

  it('takes nothing that found no room in the cache', () => {
    const dut = bench({ ...CACHE, writeCache: '4KiB' });
    write(dut, 0, 1, 8);
    write(dut, 8, 2, 8);
    // The same sectors again, past the full cache: they are durable now.
    write(dut, 0, 3, 4);
    expect(figures(dut)).toMatchObject({ cachedWrites: 1, writes: 3, cachedBytes: 2048 });
    untilFailure(dut);
    losePower(dut);
    const bytes = firstBytes(dut, 16);
    expect(bytes.slice(0, 4)).toEqual([3, 3, 3, 3]);
    expect(bytes.slice(8)).toEqual(new Array(8).fill(2));
  });

  it('loses requests under way and says so once; the medium is back later', () => {
    const dut = bench({ powerLoss: [{ at: '1us', for: '3ms' }] });
    dut.send(0, [header(BLK_T.IN)], [SECTOR, 1]);
    dut.device.available(0, 0);
    expect(dut.run(500 * PS_PER_US)).toEqual([]);
    expect(dut.configEvents).toBe(1);
    dut.device.setStatus(0);
    dut.start();
    // What is asked for meanwhile waits until the medium is back.
    expect(dut.request(0, [header(BLK_T.IN)], [SECTOR, 1])).toEqual([]);
    expect(dut.run(2 * PS_PER_MS)).toHaveLength(1);
    expect(figures(dut)).toMatchObject({ served: 1, reads: 1 });
  });

  it('before the driver is there only stops the medium', () => {
    const dut = new DeviceBench('blk', { options: { powerLoss: [{ at: '1us', for: '1us' }] } });
    dut.run(10 * PS_PER_US);
    expect([dut.device.status, dut.configEvents]).toEqual([0, 0]);
    expect(dut.start() & STATUS.DRIVER_OK).not.toBe(0);
  });
});

describe('the write cache', () => {
  it('makes writes quicker, and a flush pay for them', () => {
    const timeOf = (dut: DeviceBench, act: () => void) => {
      const before = figures(dut)['servicePs'];
      act();
      return figures(dut)['servicePs'] - before;
    };
    const dut = bench(CACHE);
    const { costs } = dut.node;
    const cost = (name: string) => costs.value(costs.idOf(`blk.${name}`));
    const bytesAt = (rate: string, bytes: number) => Math.ceil((bytes * 1e12) / cost(rate));
    expect(timeOf(dut, () => write(dut, 0, 1, 8))).toBe(
      cost('cacheWrite') + bytesAt('cacheRate', 4096),
    );
    expect(timeOf(dut, () => flush(dut))).toBe(cost('serviceFlush') + bytesAt('mediaRate', 4096));
    expect(timeOf(dut, () => flush(dut))).toBe(cost('serviceFlush'));
  });

  it('forgets what it kept of a range that is discarded', () => {
    const dut = bench({ ...CACHE, discard: true });
    write(dut, 0, 1, 8);
    const range = le([2, 8], [3, 4], [0, 4]);
    dut.request(0, [header(BLK_T.DISCARD), range], [1]);
    expect(figures(dut)).toMatchObject({ cachedBytes: 5 * SECTOR, discards: 1 });
    untilFailure(dut);
    losePower(dut);
    expect(firstBytes(dut, 8).slice(2, 5)).toEqual([0, 0, 0]);
  });

  it('takes back the room of writes that a reset has stopped', () => {
    const dut = bench({ writeCache: '4KiB' });
    dut.send(0, [header(BLK_T.OUT), sectorsOf(1, 8)], [1]);
    dut.device.available(0, 0);
    dut.kernel.runUntil(1_500_000);
    dut.device.setStatus(0);
    dut.start();
    write(dut, 0, 2, 8);
    expect(figures(dut)).toMatchObject({ cachedWrites: 1, cachedBytes: 4096 });
  });
});

describe('a change of the capacity', () => {
  it('is told with a new generation; what is cut off is gone for good', () => {
    const resize = [
      { at: '10ms', capacity: '4KiB' },
      { at: '20ms', capacity: '8KiB' },
    ];
    const dut = bench({ resize });
    write(dut, 0, 7, 12);
    dut.run(10 * PS_PER_MS);
    const capacity = new Uint8Array(8);
    dut.device.readConfig(0, capacity, 0, 8);
    expect([capacity[0], dut.device.configGeneration, dut.configEvents]).toEqual([8, 1, 1]);
    expect(write(dut, 8, 1)).toBe(BLK_S.IOERR);
    dut.run(10 * PS_PER_MS);
    expect([dut.device.configGeneration, dut.configEvents]).toEqual([2, 2]);
    expect(firstBytes(dut, 16)).toEqual([...new Array(8).fill(7), ...new Array(8).fill(0)]);
  });

  it('fails what is under way beyond the new end', () => {
    const dut = bench({ resize: [{ at: '3us', capacity: '4KiB' }] }, {});
    dut.send(0, [header(BLK_T.OUT, 8), sectorsOf(1, 64)], [1]);
    dut.device.available(0, 0);
    expect(dut.run().map(({ bytes }) => bytes[0])).toEqual([BLK_S.IOERR]);
  });
});

describe('service', () => {
  /** Sends reads, all at once, and returns what the medium tells. */
  const serve = (count: number, options: Record<string, unknown>) => {
    const dut = bench({ ...options });
    for (let i = 0; i < count; i++) dut.send(0, [header(BLK_T.IN, i)], [SECTOR, 1]);
    dut.device.available(0, 0);
    expect(dut.run(100 * PS_PER_MS)).toHaveLength(count);
    return figures(dut);
  };

  it('is told with exact sums', () => {
    const { served, servicePs, meanService, utilisation, reads } = serve(8, { parallel: 1 });
    // 2 us and 512 bytes at 6 GB/s.
    const each = 2_000_000 + Math.ceil((512 * 1e12) / 6e9);
    expect([served, reads, servicePs, meanService]).toEqual([8, 8, 8 * each, each / 1000]);
    // One at a time, back to back.
    expect(utilisation).toBeGreaterThan(0.95);
    expect(utilisation).toBeLessThanOrEqual(1);
  });

  it('waits for a free channel', () => {
    const one = serve(8, { parallel: 1 });
    const eight = serve(8, { parallel: 8 });
    expect(one['meanWait']).toBeGreaterThan(3 * 2000);
    expect(eight['waitPs']).toBe(0);
    expect(one['meanQueue']).toBeCloseTo(one['waitPs'] / one['elapsedPs'], 10);
  });

  it('can be drawn from an exponential distribution with the same mean', () => {
    const one = serve(20, { service: 'exponential', parallel: 4 });
    const again = serve(20, { service: 'exponential', parallel: 4 });
    expect(one).toEqual(again);
    const each = 2_000_000 + Math.ceil((512 * 1e12) / 6e9);
    expect(one['servicePs']).not.toBe(20 * each);
    // Within four standard errors of the mean.
    expect(Math.abs(one['servicePs'] / 20 - each)).toBeLessThan((4 * each) / Math.sqrt(20));
  });
});
