// Devices that come and go while their bus is up: the driver is told, requests under way fail, nothing
// that was late is a mistake, and other devices do not notice.
import { describe, expect, it } from 'vitest';
import { BLK_LOST } from '../../guests/blk/index.ts';
import { REVISIONS } from '../../platform/contracts/index.ts';
import { PS_PER_MS } from '../../platform/kernel/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { DiskRig } from '../support/disk-rig.ts';
import { Rig } from '../support/rig.ts';
import { memoryDisk, type ScenarioParts, topologyOf } from '../support/scenarios.ts';

const fio = (device: string, more: object = {}) => ({
  type: 'fio',
  device,
  rw: 'randrw',
  depth: 8,
  operations: 100_000,
  ...more,
});

/** Messages of the bus itself that tell of devices. */
const events = (rig: Rig) =>
  rig.messages
    .filter(({ message }) => message.type === 'req.EVENT_DEVICE')
    .map(({ message }) => message.body);

function run(parts: ScenarioParts) {
  const rig = new Rig(parts);
  const ending = rig.run();
  return { rig, ending };
}

describe.each(REVISIONS)('a device that is pulled out, in %s', (revision) => {
  it('NUM-6, NUM-7 MUST: is announced as removed, and its workload ends with a failure', () => {
    const disk0 = memoryDisk(3, { removeAt: '2ms' });
    const { rig, ending } = run({
      bus: { revision },
      devices: { disk0 },
      workloads: [fio('disk0')],
    });
    expect(ending).toBe('done');
    expect(events(rig)).toEqual([{ number: 3, state: 2 }]);
    const { requests, errors, failure } = rig.result();
    expect(failure).toBe('the device was removed');
    expect(requests).toBeGreaterThan(100);
    // Those that were under way.
    expect(errors).toBe(8);
    expect(rig.outcome.workloads[0].driverState).toBe('offline');
    expect(rig.violations).toEqual([]);
  });
});

describe('a device that is pulled out', () => {
  it('leaves another on its bus alone', () => {
    const { rig } = run({
      devices: { disk0: memoryDisk(0, { removeAt: '1ms' }), disk1: memoryDisk(1) },
      workloads: [fio('disk0'), fio('disk1', { operations: 600 })],
    });
    expect(rig.result(0).failure).toBe('the device was removed');
    expect(rig.result(1)).toMatchObject({ requests: 600, errors: 0, failure: null });
    expect(rig.violations).toEqual([]);
  });

  it('is never asked for anything once its driver has heard', () => {
    const user = new DiskRig({ removeAt: '1ms' });
    user.whenReady = () => {
      for (let slot = 0; slot < 8; slot++) user.write(slot, slot, 1);
    };
    user.whenCompleted = (slot, status) => {
      if (status !== BLK_LOST) user.write(slot, slot, 2);
    };
    user.rig.runUntil(5 * PS_PER_MS);
    expect(user.log).toEqual(['ready 1048576', 'down: the device was removed']);
    const told = user.rig.messages.findLast(({ message }) => message.type === 'req.EVENT_DEVICE')!;
    // The message takes a world switch to arrive; what is sent later is the bus's own.
    const later = user.rig.messages
      .filter(({ at, from }) => from === 'driver' && at > told.at + 2_000_000)
      .map(({ message }) => message.type);
    expect(new Set(later)).toEqual(new Set(['req.EVENT_POLL']));
  });

  it('while it comes up is lost to its driver, who says why', () => {
    for (const removeAt of ['15us', '25us', '40us', '60us', '75us']) {
      const { rig, ending } = run({
        devices: { disk0: memoryDisk(0, { removeAt }) },
        workloads: [fio('disk0')],
      });
      expect([removeAt, ending]).toEqual([removeAt, 'done']);
      expect(rig.result().failure).not.toBeNull();
      expect(rig.violations).toEqual([]);
    }
  });

  it('unnoticed, because the message was lost, is given up when requests time out', () => {
    const { rig, ending } = run({
      timing: { 'blk.requestTimeout': '5ms', 'ffa.requestTimeout': '1ms' },
      devices: { disk0: memoryDisk(0, { removeAt: '1ms' }) },
      workloads: [fio('disk0')],
      faults: [{ on: 'ffa0', drop: 'EVENT_DEVICE' }],
    });
    expect(ending).toBe('done');
    expect(rig.result().failure).not.toBeNull();
    expect(rig.violationCodes).toEqual(['TIMEOUT']);
  });
});

describe('a device that is plugged in', () => {
  it('NUM-7, NUM-8 MUST: is announced when it can be served, and used from then on', () => {
    const { rig, ending } = run({
      devices: { disk0: memoryDisk(5, { addAt: '3ms' }) },
      workloads: [fio('disk0', { operations: 500 })],
    });
    expect(ending).toBe('done');
    expect(events(rig)).toEqual([{ number: 5, state: 1 }]);
    expect(rig.result()).toMatchObject({ requests: 500, errors: 0, failure: null });
    const first = rig.messages.find(({ message }) => message.dev === 5)!;
    expect(first.at).toBeGreaterThan(3 * PS_PER_MS);
    expect(rig.violations).toEqual([]);
  });

  it('before the bus is up is there when it is asked for', () => {
    const { rig } = run({
      devices: { disk0: memoryDisk(5, { addAt: '1us' }) },
      workloads: [fio('disk0', { operations: 50 })],
    });
    expect(events(rig)).toEqual([]);
    expect(rig.result()).toMatchObject({ requests: 50, errors: 0 });
  });

  it('and pulled out again is used in between', () => {
    const { rig } = run({
      devices: { disk0: memoryDisk(0, { addAt: '1ms', removeAt: '2ms' }) },
      workloads: [fio('disk0')],
    });
    expect(events(rig)).toEqual([
      { number: 0, state: 1 },
      { number: 0, state: 2 },
    ]);
    expect(rig.result().requests).toBeGreaterThan(50);
    expect(rig.violations).toEqual([]);
  });

  it('is the same on both engines', () => {
    const digests = (['xstate', 'compiled'] as const).map((engine) => {
      const devices = { disk0: memoryDisk(0, { addAt: '1ms', removeAt: '2ms' }) };
      const rig = new Rig({ devices, workloads: [fio('disk0')] }, { engine });
      rig.run();
      return rig.digest;
    });
    expect(digests[0]).toBe(digests[1]);
  });
});

describe('the loader', () => {
  it.each([
    ['a device that goes before it comes', {}, { addAt: '2ms', removeAt: '1ms' }],
    ['a device that comes at 0', {}, { addAt: '0ms' }],
  ])('refuses %s', (_, bus, device) => {
    expect(() => topologyOf({ bus, devices: { disk0: memoryDisk(0, device) } })).toThrow(
      ScenarioError,
    );
  });

  it('refuses hot-plug on a bus that cannot tell of it', () => {
    const bus = { type: 'virtio-mmio' };
    const devices = { disk0: memoryDisk(0, { removeAt: '1ms' }) };
    expect(() => topologyOf({ bus, devices })).toThrow(/cannot tell that a device comes or goes/);
  });
});
