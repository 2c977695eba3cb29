// The fio workload over FF-A: what it reads is compared with what was written, and how it ends.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import type { Device, DmaClient, ModelTables } from '../../platform/contracts/index.ts';
import { BLK_T } from '../../platform/virtio/index.ts';
import { Rig } from '../support/rig.ts';
import { memoryDisk } from '../support/scenarios.ts';

const parts = (workload: object = {}, disk: object = {}) => ({
  devices: { disk0: memoryDisk(0, { capacity: '256KiB', ...disk }) },
  workloads: [{ type: 'fio', device: 'disk0', operations: 200, ...workload }],
});

describe('fio on a disk that loses power', () => {
  const powerLoss = [
    { at: '1ms', for: '500us' },
    { at: '3ms', for: '500us' },
    { at: '5ms', for: '500us' },
  ];
  const workload = { rw: 'randrw', operations: 3000, depth: 8, thinkTime: '5us' };

  it('finds everything that was written through', () => {
    const rig = new Rig(parts(workload, { powerLoss }));
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 3000, errors: 0, extra: { recoveries: 3 } });
    expect(rig.violations).toEqual([]);
  });

  it.each(['split', 'packed'])('finds old or new where it was not flushed, ring %s', (ring) => {
    const disk = { powerLoss, writeCache: '256KiB', ring };
    const rig = new Rig(parts({ ...workload, flushEvery: 50 }, disk));
    expect(rig.run()).toBe('done');
    const { extra, operations } = rig.result();
    expect(extra).toMatchObject({ recoveries: 3 });
    // Sectors were lost, and no read was wrong for it: a VERIFY violation would show.
    expect(rig.outcome.devices[0].statistics['sectorsLost']).toBeGreaterThan(20);
    expect(rig.violations).toEqual([]);
    // A flush that came after a loss has failed, once for each.
    expect(operations!['flush'].errors).toBe(3);
    expect(operations!['read'].errors + operations!['write'].errors).toBe(0);
  });

  it('would find a disk that loses what was flushed', () => {
    const row = tables.devices.blk;
    const create: typeof row.create = (environment) => {
      const device = row.create(environment) as Device & DmaClient;
      const readDone = device.readDone.bind(device);
      // A disk that takes flushes for get-id: they succeed, and do nothing.
      device.readDone = (tag, bytes, length) => {
        if (length === 16 && bytes[0] === BLK_T.FLUSH) bytes[0] = BLK_T.GET_ID;
        readDone(tag, bytes, length);
      };
      return device;
    };
    const lying: ModelTables = {
      ...tables,
      devices: { ...tables.devices, blk: { ...row, create } },
    };
    const disk = { powerLoss, writeCache: '256KiB' };
    const rig = new Rig(parts({ ...workload, flushEvery: 50 }, disk), { tables: lying });
    rig.run();
    expect(rig.violationCodes).toEqual(['VERIFY']);
  });

  it('is the same on both engines', () => {
    const digests = (['xstate', 'compiled'] as const).map((engine) => {
      const disk = { powerLoss, writeCache: '256KiB' };
      const rig = new Rig(parts({ ...workload, operations: 300, flushEvery: 50 }, disk), {
        engine,
      });
      rig.run();
      return rig.digest;
    });
    expect(digests[0]).toBe(digests[1]);
  });
});

describe('fio', () => {
  it.each(['read', 'write', 'rw', 'randread', 'randwrite', 'randrw'])('%s', (rw) => {
    const rig = new Rig(parts({ rw, depth: 8 }));
    expect(rig.run()).toBe('done');
    const { requests, errors, bytes, verified, failure } = rig.result();
    expect([requests, errors, bytes, failure]).toEqual([200, 0, 200 * 4096, null]);
    if (rw.endsWith('write')) expect(verified).toBe(0);
    else if (rw.endsWith('read')) expect(verified).toBe(200);
    else expect(verified).toBeGreaterThan(50);
    expect(rig.violations).toEqual([]);
  });

  it('finds no request of another confused where chains come back in order', () => {
    const disk = { capacity: '16MiB', ring: 'packed', indirect: true, inOrder: true };
    const rig = new Rig({ seed: 2, ...parts({ rw: 'randrw', depth: 16, operations: 2500 }, disk) });
    rig.run();
    expect(rig.result()).toMatchObject({ requests: 2500, errors: 0 });
    expect(rig.violations).toEqual([]);
  });

  it('reads in sequence from the first block on, and begins again at the end', () => {
    const rig = new Rig(parts({ rw: 'read', operations: 70 }));
    rig.run();
    // 64 blocks of 4 KiB.
    expect(rig.result()).toMatchObject({ requests: 70, verified: 70, errors: 0 });
  });

  it('finds a block that is not what was written', () => {
    const row = tables.devices.blk;
    const create: typeof row.create = (environment) => {
      const device = row.create(environment) as Device & DmaClient;
      const readDone = device.readDone.bind(device);
      // A disk that gets one bit of all data wrong; headers have 16 bytes.
      device.readDone = (tag, bytes, length) => {
        if (length > 16) bytes[100] ^= 1;
        readDone(tag, bytes, length);
      };
      return device;
    };
    const wrong: ModelTables = {
      ...tables,
      devices: { ...tables.devices, blk: { ...row, create } },
    };
    const rig = new Rig(parts({ rw: 'rw', blockSize: '64KiB', depth: 2 }), { tables: wrong });
    rig.run();
    expect(rig.result().errors).toBeGreaterThan(10);
    expect(rig.violationCodes).toEqual(['VERIFY']);
  });

  it('flushes and discards as often as asked, and tells kinds of requests apart', () => {
    const workload = { rw: 'randrw', operations: 220, flushEvery: 10, discardEvery: 9, depth: 4 };
    const rig = new Rig(parts(workload, { discard: true }));
    rig.run();
    const { requests, errors, bytes, verified, operations } = rig.result();
    expect([requests, errors]).toEqual([220, 0]);
    const { read, write, flush, discard } = operations!;
    // Every eleventh is a flush, and of the others every tenth a discard.
    expect([flush.requests, discard.requests]).toEqual([20, 20]);
    expect(read.requests + write.requests).toBe(180);
    expect([read.bytes + write.bytes, flush.bytes, discard.bytes]).toEqual([bytes, 0, 0]);
    // A block that was discarded may contain anything until it is written again.
    expect(verified).toBeGreaterThan(20);
    expect(verified).toBeLessThan(read.requests);
    expect(flush.latency.min).toBeGreaterThan(0);
    expect(rig.violations).toEqual([]);
  });

  it('of one kind of request tells the same of the kind as of all', () => {
    const rig = new Rig(parts({ rw: 'randread', depth: 2 }));
    rig.run();
    const { operations, requests, errors, bytes, latency } = rig.result();
    expect(operations).toEqual({ read: { requests, errors, bytes, latency } });
  });

  it('follows a disk that grows, and gives up one that shrinks too much', () => {
    const resize = [
      { at: '1ms', capacity: '512KiB' },
      { at: '3ms', capacity: '16KiB' },
    ];
    const rig = new Rig(parts({ rw: 'randrw', operations: 20_000, depth: 4 }, { resize }));
    rig.runUntil(2_900_000_000);
    expect(rig.result()).toMatchObject({ errors: 0, failure: null, extra: { resizes: 1 } });
    rig.run();
    expect(rig.result().failure).toBe('the disk has shrunk to 4 blocks');
    expect(rig.violationCodes).toEqual([]);
  });

  it('gives up when the disk has too few blocks for its depth', () => {
    const rig = new Rig(parts({ depth: 64 }));
    rig.run();
    expect(rig.result()).toMatchObject({ requests: 0 });
    expect(rig.result().failure).not.toBeNull();
  });
});
