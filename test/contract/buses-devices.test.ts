// What every device promises over every bus: it comes up, its workload's data is what it must be, a reset
// in full swing does no harm, and it can be started again; the same bytes and digests on both engines.
import { describe, expect, it } from 'vitest';
import { deviceBitsOf } from '../../buses/common/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import { brokenRules, peekDevice, revision } from '../../platform/virtio/messages/index.ts';
import { Rig } from '../support/rig.ts';
import {
  BUS_CASES,
  type Choice,
  carriesAll,
  carriesMessages,
  contractTopology,
  DEVICE_CASES,
  listeningTables,
  numberOn,
  RING_CASES,
} from './cases.ts';

const MILLISECOND = 1_000_000_000;
const buses = Object.keys(BUS_CASES);
const devices = Object.keys(DEVICE_CASES);
const rings = Object.keys(RING_CASES);
const pairs = buses.flatMap((bus) => devices.map((device) => ({ bus, device })));
/** All formats over the first bus; over the others the simplest and the one with most features. */
const ringsOver = (bus: string) => (bus === buses[0] ? rings : [rings[0], rings.at(-1)!]);
const revisionsOver = (bus: string) => (carriesMessages(bus) ? REVISIONS : []);
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

describe('the tables', () => {
  it('have a case for every bus and every device', () => {
    const covered = new Set(Object.values(BUS_CASES).map(({ type }) => type));
    expect(Object.keys(tables.buses).filter((type) => !covered.has(type))).toEqual([]);
    expect(Object.keys(tables.devices).filter((type) => !devices.includes(type))).toEqual([]);
  });

  it('have a driver for every device, and a workload for every case', () => {
    for (const [type, { workload }] of Object.entries(DEVICE_CASES)) {
      expect(tables.drivers[type].type).toBe(type);
      expect(tables.workloads[workload.type].drives).toBe(type);
    }
  });
});

describe.each(pairs)('$device over $bus', ({ bus, device }) => {
  it.each(ringsOver(bus))('comes up and verifies its data on a ring: %s', (ring) => {
    const { rig } = rigOf({ bus, device, ring });
    expect(rig.run()).toBe('done');
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
    const { rig } = rigOf({ bus, device, revision: name });
    expect(rig.run()).toBe('done');
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
    const reference = digest('xstate', 1);
    expect([digest('compiled', 1), digest('compiled', 1)]).toEqual([reference, reference]);
    // Random bytes that never leave the memory of one node are in no packet, and in no digest.
    const stays = BUS_CASES[bus].type === 'loopback' && BUS_CASES[bus]['data'] === 'inBand';
    const shows = device === 'blk' || (device === 'rng' && !stays);
    if (shows) expect(digest('compiled', 2)).not.toBe(reference);
  });

  it.each(ringsOver(bus))(
    'survives a reset in full swing, and starts again, on a ring: %s',
    (ring) => {
      const { rig, listening } = rigOf({ bus, device, ring });
      // The device has just been told of something, not for the first time. (Slow ones are told twice only.)
      runWhile(rig, () => listening.notifications() < 2);
      expect([rig.outcome.workloads[0].done, rig.violations]).toEqual([false, []]);
      const busy = rig.kernel.now;
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

describe.each(devices)('%s', (device) => {
  it('is asked the same, and answers the same, over every bus', () => {
    const sequences = buses.filter(carriesAll).map((bus) => {
      const { rig, listening } = rigOf({ bus, device });
      expect(rig.run()).toBe('done');
      return listening.operations;
    });
    expect(sequences[0].length).toBeGreaterThan(15);
    for (const sequence of sequences) expect(sequence).toEqual(sequences[0]);
  });
});
