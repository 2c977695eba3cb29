// Restarts on FF-A: of the partition, of the VM, of the bus alone. What is taken back, who is told how, and
// that a disk goes on as if nothing had happened.
import { describe, expect, it } from 'vitest';
import { AREA_SPAN } from '../../buses/ffa/messages.ts';
import { DIRECT_ERROR, FfaError, VM_DESTROYED_REPLY } from '../../buses/ffa/packets.ts';
import type { DmaClient } from '../../platform/contracts/index.ts';
import { randomStream } from '../../platform/kernel/index.ts';
import { PAGE_SIZE, RAM_BASE } from '../../platform/node/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { ffaBytes, ffaEnds, scriptedCaller, scriptedPartition } from '../support/ffa-peers.ts';
import { Rig } from '../support/rig.ts';
import { memoryDisk, type ScenarioParts, topologyOf } from '../support/scenarios.ts';

const MILLISECOND = 1_000_000_000;
/** Short, so that nothing has to be waited for. */
const timing = {
  'ffa.initRetry': '200us',
  'ffa.requestTimeout': '500us',
  'ffa.indirectRetry': '20us',
};
const crash = (at: string, length = '1ms') => ({ restarts: [{ at, for: length }] });

/** Ends with their session up, one page shared, and a byte in it. */
function shared(parts: ScenarioParts) {
  const ends = ffaEnds({ timing, ...parts });
  ends.driverEnd.start();
  ends.kernel.runUntil(MILLISECOND);
  ends.driverEnd.allocate(0, PAGE_SIZE);
  ends.kernel.runUntil(2 * MILLISECOND);
  ends.linux.memory.writeU8(RAM_BASE, 0x5a);
  for (const { log } of ends.drivers) expect(log.splice(0)).toEqual(['online', 'allocated']);
  return ends;
}

/** What a read of the first byte of area 1 brings. */
function readArea({ kernel, deviceEnd }: ReturnType<typeof shared>): string {
  let found = 'nothing';
  const client: DmaClient = {
    readDone: (_, bytes) => (found = bytes[0].toString(16)),
    refused: (_, { reason }) => (found = reason),
  };
  deviceEnd.dmaOf().readSegment(AREA_SPAN, 1);
  deviceEnd.dmaOf().read(client, 1);
  kernel.runUntil(kernel.now + MILLISECOND / 10);
  return found;
}

const ping = ffaBytes({ type: 'req.PING', dev: 0, token: 9, body: { data: 1 } });

describe('a partition that crashes', () => {
  it('has its open call ended by the SPMC, and calls refused until it runs again', () => {
    const { caller, devices, agree } = scriptedCaller({ storage: crash('4500us') });
    agree();
    devices[0].answer = () => {};
    const get = ffaBytes({ type: 'req.GET_DEVICE_STATUS', dev: 0, token: 1, body: {} });
    expect(caller.call(get)).toBe(null);
    expect(caller.kinds).toEqual([]);
    caller.wait(10 * MILLISECOND);
    expect([caller.kinds, caller.errors]).toEqual([[DIRECT_ERROR], [FfaError.ABORTED]]);
    expect(devices[0].log.at(-1)).toBe('reset');
  });

  it('loses its areas at once, and its devices are away when the driver notices', () => {
    const ends = shared({ storage: crash('3ms', '10ms') });
    const { kernel, driverEnd, drivers } = ends;
    expect(readArea(ends)).toBe('5a');
    kernel.runUntil(4 * MILLISECOND);
    expect(readArea(ends)).toBe('no area with this number was shared');
    // Nobody has called it since.
    expect(drivers[0].log).toEqual([]);
    driverEnd.send(ping, ping.length);
    kernel.runUntil(5 * MILLISECOND);
    expect(drivers[0].log).toEqual(['away: ffa0: the partition does not run']);
  });

  it('gets the same areas again, with all that is in them, before the devices are back', () => {
    const ends = shared({ storage: crash('3ms') });
    const { kernel, driverEnd, drivers, linux, storage } = ends;
    kernel.runUntil(3_100_000_000);
    driverEnd.send(ping, ping.length);
    kernel.runUntil(6 * MILLISECOND);
    expect(drivers[0].log).toEqual(['away: ffa0: the partition does not run', 'online']);
    expect(readArea(ends)).toBe('5a');
    // Shared under a new handle: the old one was reclaimed.
    expect(driverEnd.handles.reclaim(1)).toBe(false);
    expect(driverEnd.handles.denial).toBe('no such handle');
    expect([linux.violations.count, storage.violations.count]).toEqual([0, 0]);
  });

  it('is found out by a PING when it was back before anybody noticed', () => {
    const { kernel, drivers, storage } = shared({
      storage: crash('2500us', '1us'),
      bus: { pingInterval: '1ms' },
    });
    kernel.runUntil(5 * MILLISECOND);
    const reason = 'away: ffa0: the partition has forgotten the session';
    expect(drivers[0].log).toEqual([reason, 'online']);
    expect(storage.violations.described.map(({ code }) => code)).toEqual(['UNEXPECTED_MESSAGE']);
  });

  it('is given up by a driver that does not reconnect', () => {
    const { kernel, driverEnd, drivers } = shared({
      storage: crash('3ms'),
      bus: { reconnect: false },
    });
    kernel.runUntil(3_100_000_000);
    driverEnd.send(ping, ping.length);
    kernel.runUntil(20 * MILLISECOND);
    expect(drivers[0].log).toEqual(['offline: the bus ffa0 failed during operation']);
  });

  it('is looked for 60 times', () => {
    const { kernel, driverEnd, drivers } = shared({ storage: crash('3ms', '100ms') });
    kernel.runUntil(3_100_000_000);
    driverEnd.send(ping, ping.length);
    kernel.runUntil(30 * MILLISECOND);
    expect(drivers[0].log.slice(1)).toEqual(['offline: the bus ffa0 failed during reconnection']);
    expect(driverEnd.statistics()['RESET']).toBe(62);
  });

  it('refuses notifications, which are tried six times, longer and longer apart', () => {
    const { kernel, driverEnd, drivers } = shared({
      storage: crash('3ms', '500ms'),
      bus: { messages: 'fifo' },
    });
    kernel.runUntil(4 * MILLISECOND);
    driverEnd.send(ping, ping.length);
    kernel.runUntil(66 * MILLISECOND);
    expect(drivers[0].log).toEqual([]);
    kernel.runUntil(68 * MILLISECOND);
    expect(drivers[0].log.length).toBe(1);
  });
});

describe('a VM that crashes', () => {
  it('is reported to the partition, which gives everything back before the memory is used again', () => {
    const ends = shared({ linux: crash('3ms', '2ms') });
    const { kernel, driverEnd, drivers, devices, linux } = ends;
    kernel.runUntil(3_000_100_000);
    expect(drivers[0].log).toEqual(['offline: the VM linux has stopped']);
    expect(devices[0].log).toEqual(['reset']);
    // The message is on its way.
    expect(driverEnd.statistics()['areas']).toBe(1);
    kernel.runUntil(4 * MILLISECOND);
    expect(devices[0].log).toEqual(['reset', 'reset']);
    expect(driverEnd.statistics()['areas']).toBe(0);
    expect(readArea(ends)).toBe('no area with this number was shared');
    kernel.runUntil(6 * MILLISECOND);
    expect(drivers[0].log.at(-1)).toBe('online');
    expect(linux.violations.count).toBe(0);
  });

  it('is answered for by the SPMC when the partition does not run either', () => {
    const ends = shared({ linux: crash('3ms', '2ms'), storage: crash('2900us', '50ms') });
    ends.kernel.runUntil(4 * MILLISECOND);
    expect(ends.driverEnd.statistics()['areas']).toBe(0);
    expect(VM_DESTROYED_REPLY).toBeGreaterThan(0);
  });
});

describe('a bus that is reset', () => {
  it('has the devices away and sets the session up anew', () => {
    const ends = shared({ bus: { resets: ['3ms'] } });
    const { kernel, driverEnd, drivers, devices } = ends;
    kernel.runUntil(4 * MILLISECOND);
    expect(drivers[0].log).toEqual(['away: ffa0: the bus is reset', 'online']);
    expect(devices[0].log).toEqual(['reset', 'reset']);
    expect(driverEnd.statistics()).toMatchObject({ suspensions: 1, VERSION: 4, AREA_SHARE: 2 });
    expect(readArea(ends)).toBe('5a');
  });
});

describe('a driver side that hears nothing', () => {
  it('counts the partition as lost after three polls without an answer', () => {
    const { kernel, driverEnd, drivers } = ffaEnds({
      timing,
      bus: { events: 'poll', pollInterval: '50us' },
      faults: [{ on: 'ffa0', drop: 'EVENT_POLL', at: '1ms', count: 3 }],
    });
    driverEnd.start();
    kernel.runUntil(3 * MILLISECOND);
    expect(drivers[0].log).toEqual(['online', 'away: ffa0: the partition does not run', 'online']);
  });

  it('looks for the partition when PING is not answered', () => {
    const { kernel, driverEnd, partition, drivers } = scriptedPartition({
      timing,
      bus: { pingInterval: '300us' },
    });
    partition.script = ({ type }) => (type === 'req.PING' ? null : undefined);
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(drivers[0].log.slice(0, 2)).toEqual([
      'online',
      "away: ffa0: the partition doesn't answer PING",
    ]);
  });
});

describe('a busy disk', () => {
  const workloads = [
    { type: 'fio', device: 'disk0', rw: 'randrw', depth: 6, operations: 900, thinkTime: '10us' },
  ];
  const until = { workloads: 'done', atMost: '500ms' };

  it.each(['direct', 'indirect', 'fifo'])('survives crashes of its partition by %s', (messages) => {
    const random = randomStream(1, `crashes ${messages}`);
    for (let round = 0; round < 4; round++) {
      const at = 600 + random.below(1500);
      const length = 1 + random.below(400);
      const rig = new Rig({
        timing,
        seed: round + 1,
        bus: { messages, pingInterval: '500us' },
        storage: { restarts: [{ at: `${at}us`, for: `${length}us` }] },
        workloads,
        until,
      });
      const told = `at ${at} us for ${length} us`;
      expect([told, rig.run()]).toEqual([told, 'done']);
      const { requests, errors, failure } = rig.result();
      expect([told, requests, errors, failure]).toEqual([told, 900, 0, null]);
      // A PING to a partition that was back already; nothing else.
      const others = rig.violations.filter(({ code }) => code !== 'UNEXPECTED_MESSAGE');
      expect([told, others]).toEqual([told, []]);
    }
  });

  it('keeps what was acknowledged when its VM crashes', () => {
    const random = randomStream(1, 'crashes of a VM');
    for (let round = 0; round < 4; round++) {
      const at = 50 + random.below(1500);
      const rig = new Rig({
        timing,
        seed: round + 1,
        linux: { restarts: [{ at: `${at}us`, for: '300us' }] },
        workloads,
        until,
      });
      expect([at, rig.run()]).toEqual([at, 'done']);
      const { requests, errors, failure } = rig.result();
      expect([at, requests > 880, errors, failure]).toEqual([at, true, 0, null]);
      expect([at, rig.violations]).toEqual([at, []]);
    }
  });
});

describe('the key restarts of a node', () => {
  const refusals = (parts: ScenarioParts) => {
    try {
      topologyOf(parts);
    } catch (error) {
      if (error instanceof ScenarioError) return error.problems.map(({ message }) => message);
      throw error;
    }
    return [];
  };

  it('takes restarts one after the other only', () => {
    const restarts = [
      { at: '1ms', for: '2ms' },
      { at: '2ms', for: '1ms' },
    ];
    expect(refusals({ storage: { restarts } })).toEqual([
      'node storage would stop before it runs again',
    ]);
  });

  it('is refused for a node with a bus that cannot cope with it', () => {
    expect(
      refusals({
        linux: crash('1ms'),
        bus: { type: 'virtio-mmio' },
        storage: { kind: 'host' },
        devices: { disk0: memoryDisk() },
      }),
    ).toEqual(['bus ffa0 does not know that one of its nodes may restart']);
  });
});
