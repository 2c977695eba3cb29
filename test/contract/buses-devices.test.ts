// What every device promises over every bus: it comes up, its workload's data is what it must be, a reset
// in full swing does no harm, and it can be started again; the same bytes and digests on both engines.
import { describe, expect, it } from 'vitest';
import { deviceBitsOf } from '../../buses/common/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import { F, STATUS } from '../../platform/virtio/index.ts';
import { brokenRules, peekDevice, revision } from '../../platform/virtio/messages/index.ts';
import { Rig } from '../support/rig.ts';
import {
  BUS_CASES,
  type Choice,
  carriesAll,
  carriesDevice,
  contractTopology,
  DEVICE_CASES,
  listeningTables,
  numberOn,
  RING_CASES,
  revisionsOver,
} from './cases.ts';

const MILLISECOND = 1_000_000_000;
const buses = Object.keys(BUS_CASES);
const devices = Object.keys(DEVICE_CASES);
const rings = Object.keys(RING_CASES);
const pairs = buses.flatMap((bus) =>
  devices.filter((device) => carriesDevice(bus, device)).map((device) => ({ bus, device })),
);
/** All formats over the first bus; over the others the simplest and the one with most features. */
const ringsOver = (bus: string) => (bus === buses[0] ? rings : [rings[0], rings.at(-1)!]);
/** Queues that the drivers of the contract's devices use. */
const QUEUES: Readonly<Record<string, number>> = {
  gpio: 2,
  console: 4,
  net: 5,
  balloon: 5,
  vsock: 3,
};
const queuesOf = (device: string) => [...new Array<number>(QUEUES[device] ?? 1).keys()];

/** What a driver asks for to reset its device. */
const RESET = 'setStatus [0]';
/** Requests of a device that one failure may cost: those that cannot be made again. */
const LOST_MAX: Readonly<Record<string, number>> = {
  blk: 1,
  pmem: 1,
  rng: 0,
  i2c: 1,
  gpio: 1,
  console: 1,
  net: 2,
  balloon: 0,
  vsock: 2,
};
/** Reply to the last operation that brings a device up. */
const LIVE = '{"type":"reply.status","status":15}';

function rigOf(choice: Choice) {
  const listening = listeningTables();
  return { rig: new Rig(contractTopology(choice), { tables: listening.tables }), listening };
}

/** Runs in small steps, while the condition holds. */
function runWhile(rig: Rig, condition: () => boolean): void {
  const end = rig.kernel.now + 1000 * MILLISECOND;
  for (let until = rig.kernel.now; condition() && until < end; ) {
    until += 1_000_000;
    rig.runUntil(until);
  }
}

/** Runs until the device has just been told of something, not for the first time; returns when. */
function begins({ rig, listening }: ReturnType<typeof rigOf>): number {
  runWhile(rig, () => listening.notifications() < 4);
  return rig.kernel.now;
}

/** Counts the suspensions of the device under test, and what it signals or is told of in the meantime. */
function watchSuspensions({ models, notifications }: ReturnType<typeof listeningTables>) {
  return models.map((model) => {
    const counts = { suspended: 0, heard: 0 };
    let before = 0;
    const setStatus = model.setStatus.bind(model);
    model.setStatus = (status) => {
      if (isSuspended(model.status)) {
        counts.suspended++;
        counts.heard += notifications() - before;
      } else if ((status & STATUS.SUSPEND) !== 0) before = notifications();
      return setStatus(status);
    };
    return counts;
  });
}

function isSuspended(status: number): boolean {
  return (status & (STATUS.SUSPEND | STATUS.DRIVER_OK)) === STATUS.SUSPEND;
}

function once<T>(make: () => T): () => T {
  let made: T | null = null;
  return () => (made ??= make());
}

describe('the tables', () => {
  it('have a case for every bus and every device', () => {
    const covered = new Set(Object.values(BUS_CASES).map(({ type }) => type));
    expect(Object.keys(tables.buses).filter((type) => !covered.has(type))).toEqual([]);
    expect(Object.keys(tables.devices).filter((type) => !devices.includes(type))).toEqual([]);
  });

  it('have a driver for every device, and a workload for every case', () => {
    for (const [type, { workload }] of Object.entries(DEVICE_CASES)) {
      expect(tables.drivers[type].type).toBe(type);
      expect(tables.workloads[workload.type].drives).toContain(type);
    }
  });
});

describe.each(pairs)('$device over $bus', ({ bus, device }) => {
  /** A whole run, undisturbed. */
  const run = (choice: Partial<Choice>) => {
    const { rig } = rigOf({ bus, device, ...choice });
    expect(rig.run()).toBe('done');
    return rig;
  };
  /** The one with a split ring and the messages of v1. */
  const plain = once(() => run({}));

  it.each(ringsOver(bus))('comes up and verifies its data on a ring: %s', (ring) => {
    const rig = ring === 'split' ? plain() : run({ ring });
    const [workload] = rig.outcome.workloads;
    expect(workload).toMatchObject({ done: true, driverState: 'live', downReason: null });
    const { requests, errors, verified, failure } = workload.result;
    expect([errors, failure, rig.violations]).toEqual([0, null, []]);
    expect(Math.min(requests, verified)).toBeGreaterThan(0);
    // The bus's row names counters that its ends have.
    const calls = rig.outcome.buses.reduce((sum, end) => sum + end.calls, 0);
    expect(calls > 0).toBe(tables.buses[BUS_CASES[bus].type].calls !== undefined);
  });

  it.each(revisionsOver(bus))('speaks %s as its rules demand', (name) => {
    const rig = name === 'v1' ? plain() : run({ revision: name });
    expect(rig.violations).toEqual([]);
    const own = rig.transportMessages.filter((message) => message.bus === 0);
    const frames = own.map(({ bytes }) => bytes);
    const info = revision(name, deviceBitsOf(BUS_CASES[bus]));
    const broken = frames.flatMap((bytes) => brokenRules(info, bytes, bytes.length));
    expect(broken).toEqual([]);
    const { headerSize } = info.codec;
    const numbers = new Set(frames.map((bytes) => peekDevice(bytes, 0, headerSize)));
    expect([...numbers]).toEqual([numberOn(bus)]);
  });

  it('gives one digest on both engines and when repeated, another for another seed', () => {
    const digest = (engine: 'compiled' | 'xstate', seed: number) => {
      const rig = new Rig(contractTopology({ bus, device, seed }), { engine });
      rig.run();
      return rig.digest;
    };
    const reference = plain().digest;
    expect([digest('compiled', 1), digest('xstate', 1)]).toEqual([reference, reference]);
    // Random bytes that never leave the memory of one node are in no packet, and in no digest.
    const stays = BUS_CASES[bus].type === 'loopback' && BUS_CASES[bus]['data'] === 'inBand';
    const shows = device === 'blk' || device === 'pmem' || (device === 'rng' && !stays);
    if (shows) expect(digest('compiled', 2)).not.toBe(reference);
  });

  // Over the other buses each format has half of the devices.
  const half = (buses.indexOf(bus) + devices.indexOf(device)) % 2;
  const suspendedOn = bus === buses[0] ? rings : [half === 0 ? rings[0] : rings.at(-1)!];

  it.each(suspendedOn)('is suspended in full swing, and goes on, on a ring: %s', (ring) => {
    const at = Math.round(begins(rigOf({ bus, device, ring })) / 1000);
    const suspends = [
      { at: `${at}ns`, for: '300us' },
      { at: `${at + 2_000_000}ns`, for: '1ms' },
    ];
    const { rig, listening } = rigOf({ bus, device, ring, deviceOptions: { suspends } });
    const [counts] = watchSuspensions(listening);
    expect(rig.run()).toBe('done');
    const [workload] = rig.outcome.workloads;
    expect(workload).toMatchObject({ done: true, driverState: 'live', downReason: null });
    const { requests, errors, verified, failure } = workload.result;
    expect([errors, failure, rig.violations]).toEqual([0, null, []]);
    expect(Math.min(requests, verified)).toBeGreaterThan(0);
    expect(counts.suspended).toBeGreaterThan(0);
    expect(counts.heard).toBe(0);
  });

  it.each(ringsOver(bus))(
    'survives a reset in full swing, and starts again, on a ring: %s',
    (ring) => {
      const { rig, listening } = rigOf({ bus, device, ring });
      const busy = begins({ rig, listening });
      expect([rig.outcome.workloads[0].done, rig.violations]).toEqual([false, []]);
      // Behind its driver's back, who has requests under way.
      listening.models[0].setStatus(0);
      rig.runUntil(busy + MILLISECOND);
      // The carrier goes and comes back: the requests are lost, and the device comes up again.
      const [listener] = listening.listeners;
      listening.operations.length = 0;
      listener.offline('the carrier was reset');
      listener.online();
      runWhile(rig, () => listening.operations.at(-1) !== LIVE);
      rig.runUntil(rig.kernel.now + MILLISECOND);
      const [workload] = rig.outcome.workloads;
      expect(workload).toMatchObject({ done: true, driverState: 'live', downReason: null });
      expect(workload.result.failure).toBe('the carrier was reset');
      expect(listening.operations.length).toBeGreaterThan(15);
      expect(rig.violations).toEqual([]);
    },
  );
});

/** Of the revisions of virtio-msg it is v2 that has it. */
const lettingResetsTake = buses.filter((bus) => {
  const revisions = revisionsOver(bus);
  return revisions.length === 0 || revisions.includes('v2');
});

describe.each(lettingResetsTake)('%s', (bus) => {
  it('waits for a reset that takes its time', () => {
    const at = Math.round(begins(rigOf({ bus, device: 'blk', revision: 'v2' })) / 1000);
    const options = { needsReset: [`${at}ns`], resetTime: '200us' };
    const { rig, listening } = rigOf({
      bus,
      device: 'blk',
      revision: 'v2',
      deviceOptions: options,
    });
    const { operations } = listening;
    runWhile(rig, () => operations.filter((line) => line === RESET).length < 2);
    const asked = rig.kernel.now;
    const before = operations.length;
    runWhile(rig, () => operations.length === before);
    expect(operations[before]).toBe('{"type":"reply.status","status":0}');
    // Looks are a microsecond apart, and the device had heard of it a moment after it was asked for.
    expect(rig.kernel.now - asked).toBeGreaterThan(0.2 * MILLISECOND - 2_000_000);
    expect(rig.run()).toBe('done');
    const [workload] = rig.outcome.workloads;
    expect([workload.driverState, rig.violations]).toEqual(['live', []]);
    expect(workload.result.errors).toBeLessThanOrEqual(LOST_MAX['blk']);
  });
});

describe.each(devices)('%s', (device) => {
  /** When the device's workload begins and ends, undisturbed. */
  const undisturbed = once(() => {
    const made = rigOf({ bus: buses[0], device });
    const start = begins(made);
    made.rig.run();
    return { start, end: made.rig.kernel.now };
  });

  it.each(rings)('fails in full swing and is brought back, on a ring: %s', (ring) => {
    const { start, end } = undisturbed();
    for (const share of [0, 0.3, 0.6]) {
      const at = Math.round((start + share * (end - start)) / 1000);
      const options = { needsReset: [`${at}ns`] };
      const { rig, listening } = rigOf({ bus: buses[0], device, ring, deviceOptions: options });
      expect(rig.run()).toBe('done');
      expect(listening.operations.filter((line) => line === RESET)).toHaveLength(1 + 1);
      const [workload] = rig.outcome.workloads;
      expect(workload).toMatchObject({ done: true, driverState: 'live', downReason: null });
      const { requests, errors, verified, failure } = workload.result;
      expect([failure, rig.violations]).toEqual([null, []]);
      expect(errors).toBeLessThanOrEqual(LOST_MAX[device]);
      expect(Math.min(requests - errors, verified)).toBeGreaterThan(0);
    }
  });

  it.skipIf(device === 'gpio').each(['split', 'packed'])(
    'keeps the order that IN_ORDER promises, on a ring: %s',
    (ring) => {
      // Lines interrupt in any order, and so do their buffers come back.
      for (const more of [{}, { eventIdx: true, indirect: true }]) {
        const options = { ...more, inOrder: true };
        const { rig, listening } = rigOf({ bus: buses[0], device, ring, deviceOptions: options });
        expect(rig.run()).toBe('done');
        const [model] = listening.models;
        expect(model.driverFeatures & F.IN_ORDER).toBe(F.IN_ORDER);
        const { errors, verified, failure } = rig.outcome.workloads[0].result;
        expect([errors, failure, rig.violations]).toEqual([0, null, []]);
        expect(verified).toBeGreaterThan(0);
      }
    },
  );

  it.each(rings)('has each of its queues reset under load, on a ring: %s', (ring) => {
    const { start, end } = undisturbed();
    const queues = queuesOf(device);
    const at = (share: number) => `${Math.round((start + share * (end - start)) / 1000)}ns`;
    const resetQueues = [...queues, ...queues].map((queue, i) => ({
      at: at((0.8 * i) / (2 * queues.length)),
      queue,
    }));
    const options = { ringReset: true, resetQueues };
    const { rig, listening } = rigOf({ bus: buses[0], device, ring, deviceOptions: options });
    expect(rig.run()).toBe('done');
    const resets = listening.operations.filter((line) => line.startsWith('resetQueue'));
    expect(resets).toHaveLength(2 * queues.length);
    const [workload] = rig.outcome.workloads;
    expect(workload).toMatchObject({ done: true, driverState: 'live', downReason: null });
    const { errors, verified, failure } = workload.result;
    expect([failure, rig.violations]).toEqual([null, []]);
    // A frame that has come in whole while its queue is being reset is lost, as on any cable.
    expect(errors).toBeLessThanOrEqual(device === 'net' ? queues.length : 0);
    expect(verified).toBeGreaterThan(0);
    // The device is not reset for it.
    expect(listening.operations.filter((line) => line === RESET)).toHaveLength(1);
  });

  it.each(rings)('is removed in full swing, on a ring: %s', (ring) => {
    const options = { removeAt: `${Math.round(undisturbed().start / 1000)}ns` };
    const { rig, listening } = rigOf({ bus: buses[0], device, ring, deviceOptions: options });
    rig.run();
    const [workload] = rig.outcome.workloads;
    expect(workload).toMatchObject({ done: true, driverState: 'offline' });
    expect([workload.result.failure, rig.violations]).toEqual([workload.downReason, []]);
    expect(workload.downReason).not.toBeNull();
    // Nobody asks anything of a device that is gone.
    const asked = listening.operations.length;
    rig.runUntil(rig.kernel.now + 10 * MILLISECOND);
    expect(listening.operations).toHaveLength(asked);
  });

  it('is asked the same, and answers the same, over every bus', () => {
    const able = buses.filter((bus) => carriesAll(bus) && carriesDevice(bus, device));
    const sequences = able.map((bus) => {
      const { rig, listening } = rigOf({ bus, device });
      expect(rig.run()).toBe('done');
      return listening.operations;
    });
    expect(sequences[0].length).toBeGreaterThan(15);
    for (const sequence of sequences) expect(sequence).toEqual(sequences[0]);
  });
});
