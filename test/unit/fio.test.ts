// The fio workload over FF-A: what it reads is compared with what was written, and how it ends.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import type { Device, DmaClient, ModelTables } from '../../platform/contracts/index.ts';
import { Rig } from '../support/rig.ts';
import { memoryDisk } from '../support/scenarios.ts';

const parts = (workload: object = {}, disk: object = {}) => ({
  devices: { disk0: memoryDisk(0, { capacity: '256KiB', ...disk }) },
  workloads: [{ type: 'fio', device: 'disk0', operations: 200, ...workload }],
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

  it('flushes as often as asked', () => {
    const rig = new Rig(parts({ rw: 'write', operations: 22, flushEvery: 10 }));
    rig.run();
    expect(rig.result()).toMatchObject({ requests: 22, bytes: 20 * 4096 });
  });

  it('gives up when the disk has too few blocks for its depth', () => {
    const rig = new Rig(parts({ depth: 64 }));
    rig.run();
    expect(rig.result()).toMatchObject({ requests: 0 });
    expect(rig.result().failure).not.toBeNull();
  });
});
