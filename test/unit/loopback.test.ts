// The loopback bus: rings of the bridge byte by byte, its session, the pool, and a kernel that spins.
import { describe, expect, it } from 'vitest';
import { bridgeLayout, bridgeSize } from '../../buses/common/index.ts';
import { nextIndex, ringUsed, slotOffset } from '../../buses/common/ring-layout.ts';
import {
  type LoopbackMessage,
  loopbackMessages,
  OfflineReason,
} from '../../buses/loopback/messages.ts';
import { ANSWER, READABLE, SIGNAL } from '../../buses/loopback/packets.ts';
import { tables } from '../../platform/cli/tables.ts';
import { parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import { codec } from '../../platform/virtio/messages/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import {
  busCounters,
  disk,
  fio,
  linkRig,
  linkRigWithNodes,
  linkTopology,
} from '../support/link-scenarios.ts';
import { MessageRing, numbered, tokenOf } from '../support/message-ring-bench.ts';
import { Rig } from '../support/rig.ts';

const MILLISECOND = 1_000_000_000;

function problemsOf(load: () => unknown): string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof ScenarioError) {
      return error.problems.map(({ code, message }) => `${code}: ${message}`);
    }
    throw error;
  }
  return [];
}

describe('a ring of the bridge', () => {
  it('has prod, cons, entries and entry_size, and uses all its entries', () => {
    const layout = bridgeLayout(0x1000, 256, 128);
    expect([layout.producerIndex, layout.consumerIndex]).toEqual([0x1000, 0x1004]);
    expect([layout.slots, layout.capacity, layout.slotSize]).toEqual([256, 256, 128]);
    expect(slotOffset(layout, 0)).toBe(0x1040);
    expect(slotOffset(layout, 255) + 128).toBe(0x1000 + bridgeSize(256, 128));
  });

  it('counts on: its indexes only grow, and pass 2^32', () => {
    const layout = bridgeLayout(0, 256, 128);
    const last = 2 ** 32 - 1;
    expect(nextIndex(layout, last)).toBe(0);
    expect(ringUsed(layout, 2, last - 1)).toBe(4);
    expect(slotOffset(layout, last)).toBe(64 + 255 * 128);
    expect(slotOffset(layout, 0)).toBe(64);
  });

  it('is full when all entries are taken, and taken up across 2^32', () => {
    const layout = bridgeLayout(0, 4, 64);
    const ring = new MessageRing({ layout, size: bridgeSize(4, 64), deaf: true });
    const { memory } = ring.nodes.linux;
    memory.writeU32(ring.base, 2 ** 32 - 2);
    memory.writeU32(ring.base + 4, 2 ** 32 - 2);
    ring.sender.open();
    ring.receiver.open();
    for (let token = 1; token <= 6; token++) ring.sender.send(numbered(token), 8);
    ring.run();
    expect([ring.word(0), ring.word(4)]).toEqual([2, 2 ** 32 - 2]);
    expect(ring.sender.fullWaits).toBeGreaterThan(0);
    ring.receiver.rung();
    ring.run();
    ring.receiver.rung();
    ring.run();
    expect(ring.frames.map(tokenOf)).toEqual([1, 2, 3, 4, 5, 6]);
    expect([ring.word(0), ring.word(4)]).toEqual([4, 4]);
    expect(ring.broken).toEqual([]);
  });
});

describe('private messages', () => {
  const bytesOf = (message: LoopbackMessage) => {
    const bytes = new Uint8Array(128);
    return toHex(bytes.slice(0, codec('v1', loopbackMessages).encode(message, bytes)));
  };

  it('are laid out as the bridge has them (reference B7)', () => {
    const busName = new Uint8Array(16);
    busName.set([0x6c, 0x62, 0x30]);
    const online = { epoch: 1n, busName, maxMessageSize: 128 };
    expect(bytesOf({ type: 'req.ENDPOINT_ONLINE', dev: 0, token: 0, body: online })).toBe(
      '02c0000000002800' + '0100000000000000' + '6c6230' + '00'.repeat(13) + '8000000000000000',
    );
    const added = { epoch: 1n, number: 0x1234 };
    expect(bytesOf({ type: 'req.DEV_ADD', dev: 0, token: 0, body: added })).toBe(
      '02c3000000001800' + '0100000000000000' + '3412000000000000',
    );
    const map = {
      ...{ epoch: 1n, sequence: 2n, mapId: 3n, busAddress: 4n, length: 5n },
      ...{ mmapOffset: 6n, mmapLength: 7n, flags: 8 },
    };
    const words = [1, 2, 3, 4, 5, 6, 7].map((word) => `0${word}00000000000000`).join('');
    expect(bytesOf({ type: 'req.MAP_ADD', dev: 0, token: 9, body: map })).toBe(
      `0289000009004800${words}0800000000000000`,
    );
    const unmap = { epoch: 1n, sequence: 2n, mapId: 3n, busAddress: 4n, length: 5n };
    expect(bytesOf({ type: 'req.MAP_DEL', dev: 0, token: 9, body: unmap })).toBe(
      `028a000009003800${words.slice(0, 80)}0000000000000000`,
    );
    const done = { epoch: 1n, sequence: 2n, mapId: 3n, status: 0 };
    expect(bytesOf({ type: 'res.MAP_DEL', dev: 0, token: 9, body: done })).toBe(
      `038a000009002800${words.slice(0, 48)}0000000000000000`,
    );
    const offline = { epoch: 1n, reason: OfflineReason.reset };
    expect(bytesOf({ type: 'req.ENDPOINT_OFFLINE', dev: 0, token: 0, body: offline })).toBe(
      '02c1000000001800' + '0100000000000000' + '0200000000000000',
    );
    expect(bytesOf({ type: 'req.TOPOLOGY_RESET', dev: 0, token: 0, body: { epoch: 2n } })).toBe(
      '02c2000000001800' + '0200000000000000' + '0000000000000000',
    );
    // The largest of them is why a bridge demands 72 bytes.
    const error = { originalDevice: 5, originalId: 6, error: 2 ** 32 - 19 };
    expect(bytesOf({ type: 'res.ERROR', dev: 0, token: 7, body: error })).toBe(
      '0388000007001000' + '050006' + '00' + 'edffffff',
    );
  });
});

describe('a session through the bridge', () => {
  it('adds devices, maps the pool, and carries a disk', () => {
    const { rig, driver } = linkRigWithNodes({ type: 'loopback' });
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 60, errors: 0 });
    expect(rig.violations).toEqual([]);
    // The pool is the first thing that the kernel takes, the rings are the second.
    const rings = driver.memory.base + 4 * 2 ** 20;
    expect(driver.memory.readU32(rings + 8)).toBe(256);
    expect(driver.memory.readU32(rings + 12)).toBe(128);
    const toKernel = rings + bridgeSize(256, 128);
    expect([driver.memory.readU32(toKernel + 8), driver.memory.readU32(toKernel + 12)]).toEqual([
      256, 128,
    ]);
    const types = [0, 1, 2].map((entry) => driver.memory.readU8(toKernel + 64 + entry * 128 + 1));
    const { TOPOLOGY_RESET, DEV_ADD, COMMIT } = loopbackMessages;
    expect(types).toEqual([TOPOLOGY_RESET.id, DEV_ADD.id, COMMIT.id]);
    const heard = [0, 1].map((entry) => driver.memory.readU8(rings + 64 + entry * 128 + 1));
    expect(heard).toEqual([loopbackMessages.ENDPOINT_ONLINE.id, loopbackMessages.MAP_ADD.id]);
  });

  it('takes no interrupt: threads wake each other', () => {
    const rig = linkRig({ type: 'loopback' });
    rig.run();
    expect(rig.outcome.nodes[0].interrupts).toBe(0);
    expect(busCounters(rig, 'device')['wakings']).toBeGreaterThan(10);
  });

  it('ends for good with a message that breaks its rules', () => {
    const { rig, driver } = linkRigWithNodes({
      type: 'loopback',
      workloads: [fio({ operations: 100_000 })],
    });
    rig.runUntil(5 * MILLISECOND);
    expect(rig.result().requests).toBeGreaterThan(20);
    const toKernel = driver.memory.base + 4 * 2 ** 20 + bridgeSize(256, 128);
    // The process goes wild: with each signal, prod is far away.
    rig.filter = ({ packet }) => {
      const { memory } = driver;
      if (packet.kind === SIGNAL) memory.writeU32(toKernel, memory.readU32(toKernel) + 1000);
      return true;
    };
    rig.runUntil(10 * MILLISECOND);
    const { requests } = rig.result();
    expect(rig.outcome.workloads[0].driverState).toBe('offline');
    rig.runUntil(20 * MILLISECOND);
    expect(rig.result().requests).toBe(requests);
  });

  it('says so when a request has reached nobody', () => {
    const { rig, transports } = linkRigWithNodes({ type: 'loopback', workloads: [], until: {} });
    rig.runUntil(5 * MILLISECOND);
    const replies: string[] = [];
    transports[0].connect({
      online: () => {},
      offline: () => {},
      away: () => {},
      used: () => {},
      configChanged: () => {},
      reply: ({ type }) => replies.push(type),
    });
    // Beyond the configuration space: the device discards it.
    transports[0].getConfig(5000, 4);
    rig.runUntil(6 * MILLISECOND);
    expect(replies).toEqual(['reply.failed']);
  });
});

describe('a reset of the bridge', () => {
  /** Names of the bridge's own messages, in the order of their sending, after the start. */
  function ownMessages(group: ReturnType<typeof linkRig>) {
    return group.busMessages.map(({ from, bytes }) => {
      const message = codec('v1', loopbackMessages).decode(bytes, bytes.length) as LoopbackMessage;
      const epoch = 'epoch' in message.body ? ` ${message.body.epoch}` : '';
      return `${from} ${message.type}${epoch}`;
    });
  }

  it('takes the pool back, goes offline, and comes back in the next epoch with all devices', () => {
    const rig = linkRig({
      type: 'loopback',
      bus: { resets: ['4ms', '5ms'] },
      workloads: [fio({ operations: 3000 })],
    });
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 3000, errors: 0, failure: null });
    expect(rig.violations).toEqual([]);
    const start = (epoch: number) => [
      `driver req.ENDPOINT_ONLINE ${epoch}`,
      `device req.TOPOLOGY_RESET ${epoch}`,
      `device req.DEV_ADD ${epoch}`,
      `device req.COMMIT ${epoch}`,
      `driver req.MAP_ADD ${epoch}`,
      `device res.MAP_ADD ${epoch}`,
    ];
    const reset = (epoch: number) => [
      `driver req.MAP_DEL ${epoch}`,
      `device res.MAP_DEL ${epoch}`,
      `driver req.ENDPOINT_OFFLINE ${epoch}`,
    ];
    expect(ownMessages(rig)).toEqual([
      ...start(1),
      ...[...reset(1), ...start(2)],
      ...[...reset(2), ...start(3)],
    ]);
  });

  it('is not for a kernel that spins', () => {
    const bus = { style: 'spin', resets: ['4ms'] };
    expect(problemsOf(() => linkTopology({ type: 'loopback', bus }))).toEqual([
      'REFUSED: a bus whose kernel spins is not reset',
    ]);
  });
});

describe('the pool', () => {
  it('is all that devices may have', () => {
    const rig = linkRig({ type: 'loopback', bus: { pool: '8KiB' }, until: { atMost: '100ms' } });
    rig.run();
    expect(rig.outcome.workloads[0].downReason).toBe('the pool has no room left');
    expect(rig.violations).toEqual([]);
  });

  it('is given back when its device goes', () => {
    const rig = linkRig({
      type: 'loopback',
      bus: { pingInterval: '1ms', pool: '2MiB' },
      workloads: [],
      until: { atMost: '100ms' },
      faults: [{ on: 'bus0', at: '5ms', drop: 'PING', count: 20 }],
    });
    rig.run();
    // Gone and back more than once; a pool that shrinks would be exhausted by then.
    expect(busCounters(rig, 'driver')['silences']).toBeGreaterThan(0);
    expect(rig.violations).toEqual([]);
  });
});

describe('a card whose buffers fill most of the pool', () => {
  // Two pairs take 2.6 MiB of 4 MiB: whatever is not given back is missed the next time.
  const card = (bus: string) => ({
    ...{ type: 'net', bus, number: 0, network: 'lan', queues: 2, receiveMerging: true },
  });
  const QUEUES = 5;

  /** A card at each of two loopback buses, the first of them with a stream. */
  function run(bus: object, faults: readonly object[], workloads: readonly object[]) {
    const scenario = {
      name: 'pool',
      nodes: { a: { kind: 'vm', cpus: 4 }, b: { kind: 'vm', cpus: 4 } },
      buses: {
        bus0: { type: 'loopback', driver: 'a', device: 'a', ...bus },
        bus1: { type: 'loopback', driver: 'b', device: 'b' },
      },
      networks: { lan: { type: 'switch' } },
      devices: { net0: card('bus0'), net1: card('bus1') },
      workloads,
      faults,
      until: { workloads: 'done', atMost: '1s' },
    };
    const text = JSON.stringify(scenario);
    const rig = new Rig(parseScenario({ text, file: 'pool.yaml', folder: '.' }, tables));
    const ending = rig.run();
    return { rig, ending, counters: busCounters(rig, 'driver') };
  }

  it('comes back from resets of its bus', () => {
    const resets = Array.from({ length: 12 }, (_, i) => `${2 + 3 * i}ms`);
    const stream = { type: 'stream', device: 'net0', to: 'net1', bytes: '4MiB' };
    const { rig, ending, counters } = run({ resets }, [], [stream]);
    expect(ending).toBe('done');
    expect(rig.result()).toMatchObject({ errors: 0, failure: null, bytes: 4 * 1024 * 1024 });
    expect(counters['SET_VQUEUE']).toBe(QUEUES * (1 + resets.length));
    expect(rig.violations).toEqual([]);
  });

  it('comes back whenever its bus was silent', () => {
    const faults = [5, 205, 405, 605].map((at) => ({
      ...{ on: 'bus0', at: `${at}ms`, drop: 'PING', count: 4 },
    }));
    const { rig, counters } = run({ pingInterval: '1ms' }, faults, []);
    expect(counters['silences']).toBeGreaterThanOrEqual(faults.length);
    expect(counters['SET_VQUEUE']).toBe(QUEUES * (1 + counters['silences']));
    expect(rig.violations).toEqual([]);
  });
});

describe('a kernel that spins', () => {
  const spin = { style: 'spin' };

  it('serves a disk, one transaction after another, and its core is lent meanwhile', () => {
    const rig = linkRig({ type: 'loopback', bus: spin });
    let open = 0;
    let most = 0;
    rig.filter = ({ packet }) => {
      if (packet.kind === READABLE && (packet.bytes[1] & 0x40) === 0) most = Math.max(most, ++open);
      if (packet.kind === ANSWER) open--;
      return true;
    };
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 60, errors: 0 });
    expect([rig.violations, most, open]).toEqual([[], 1, 0]);
    const { calls } = busCounters(rig, 'driver');
    const { value } = rig.topology.profile.constants.find(({ name }) => name === 'cpu.workSwitch')!;
    // Each call keeps a core at least until the process has been woken.
    expect(rig.outcome.nodes[0].cpuLentPs).toBeGreaterThan(calls * value);
  });

  it('gives up after the time-out when the process does not answer', () => {
    const rig = linkRig({
      type: 'loopback',
      bus: spin,
      timing: { 'loopback.requestTimeout': '20ms' },
      faults: [{ on: 'bus0', drop: 'GET_DEVICE_FEATURES', count: 1 }],
    });
    expect(rig.run()).toBe('done');
    // Once the request was lost, once its answer: only then was there anything to spin for.
    expect(busCounters(rig, 'driver')['callsGivenUp']).toBe(1);
    expect(rig.outcome.nodes[0].cpuLentPs).toBeGreaterThan(19 * MILLISECOND);
    expect(rig.violationCodes).toEqual(['TIMEOUT']);
    expect(rig.result()).toMatchObject({ requests: 60, errors: 0 });
  });

  it('takes no other event than EVENT_USED', () => {
    const rig = linkRig({
      type: 'loopback',
      bus: spin,
      devices: {
        balloon0: { type: 'balloon', bus: 'bus0', number: 0, pressure: [{ at: '5ms', pages: 10 }] },
      },
      workloads: [],
      until: { atMost: '20ms' },
    });
    rig.run();
    expect(busCounters(rig, 'device')['eventsRefused']).toBe(1);
    expect(rig.violationCodes).toEqual(['UNEXPECTED_MESSAGE']);
  });
});

describe('scenarios', () => {
  const twoNodes = (type: string, device: string) =>
    problemsOf(() =>
      linkTopology({ type, bus: { device }, driver: { cpus: 4 }, devices: { disk0: disk() } }),
    );

  it('a bus joins a node to itself only if it is made for that', () => {
    expect(twoNodes('loopback', 'linux')).toEqual([]);
    expect(twoNodes('ivshmem', 'linux').join()).toMatch(/^SELF_BUS/);
  });

  it('a kernel that spins needs a core besides', () => {
    const problems = (cpus: number) =>
      problemsOf(() =>
        linkTopology({ type: 'loopback', bus: { style: 'spin' }, driver: { cpus } }),
      );
    expect(problems(1).join()).toMatch(/^REFUSED/);
    expect(problems(2)).toEqual([]);
  });

  it('a bridge has 32 devices at most', () => {
    const problems = (count: number) =>
      problemsOf(() =>
        linkTopology({
          type: 'loopback',
          devices: { disk: disk(0, { count }) },
          workloads: [],
        }),
      );
    expect(problems(32)).toEqual([]);
    expect(problems(33).join()).toMatch(/^REFUSED/);
  });
});
