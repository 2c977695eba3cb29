// The network driver and its stack, seen from outside: how it polls, which queues it uses, what it tells
// the network about itself, and what becomes of it when things go wrong.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import type {
  Driver,
  DriverEnvironment,
  TransportListener,
} from '../../platform/contracts/index.ts';
import {
  ETHER_TYPE,
  FRAME,
  MAC_BROADCAST,
  readBig16,
  readMac,
} from '../../platform/network/index.ts';
import { netTopology } from '../support/net-scenario.ts';
import { Rig } from '../support/rig.ts';

const MS = 1_000_000_000;

interface SeenFrame {
  readonly at: number;
  readonly fromNode: number;
  readonly bytes: Uint8Array;
}

/** Notes all frames that nodes put on cables. */
function tapped(rig: Rig): SeenFrame[] {
  const frames: SeenFrame[] = [];
  rig.filter = ({ at, fromNode, packet }) => {
    if (packet.kind === FRAME) {
      frames.push({ at, fromNode, bytes: packet.bytes.slice(0, packet.length) });
    }
    return true;
  };
  return frames;
}

const typeOf = ({ bytes }: Pick<SeenFrame, 'bytes'>) => readBig16(bytes, 12);
const isArp = (frame: SeenFrame) => typeOf(frame) === ETHER_TYPE.arp;

/** Queues named by the events of one kind that crossed the buses. */
function queuesIn(rig: Rig, type: string): Set<number> {
  const events = rig.messages.filter(({ message }) => message.type === type);
  return new Set(events.map(({ message }) => (message.body as { index: number }).index));
}

describe('receiving', () => {
  it('takes many packets with one interrupt when they come fast', () => {
    const pktgen = { type: 'pktgen', device: 'net-0', to: 'net-1', packets: 1500, size: '66B' };
    // The receiver's software is the slowest by far.
    const timing = { 'net.driverReceive': '4us' };
    const network = { rate: '10Gbit/s' };
    const rig = new Rig(netTopology({ network, timing, workloads: [pktgen] }));
    expect(rig.run()).toBe('done');
    const { received } = rig.result().extra!;
    expect(received).toBeGreaterThan(500);
    const { interrupts } = rig.outcome.nodes[1];
    expect(interrupts).toBeLessThan(received / 10);
  });

  it('loses what the driver is too slow for, and counts it at the device', () => {
    const pktgen = { type: 'pktgen', device: 'net-0', to: 'net-1', packets: 3000, size: '1000B' };
    const timing = { 'net.driverReceive': '40us' };
    const card = { receiveBuffer: '16KiB' };
    const rig = new Rig(netTopology({ card, timing, workloads: [pktgen] }));
    expect(rig.run()).toBe('done');
    const { sent, received, lost } = rig.result().extra!;
    expect([sent, received + lost]).toEqual([3000, 3000]);
    expect(lost).toBeGreaterThan(100);
    const missed = rig.outcome.devices.find(({ device }) => device === 1)!.statistics.missed;
    expect(missed).toBe(lost);
    expect(rig.violations).toEqual([]);
  });
});

describe('queue pairs', () => {
  const streams = { type: 'stream', device: 'net-0', to: 'net-1', bytes: '200kB', connections: 8 };

  it('are all used when the node has a CPU for each', () => {
    const rig = new Rig(netTopology({ card: { queues: 2 }, workloads: [streams] }));
    expect(rig.run()).toBe('done');
    expect(queuesIn(rig, 'req.EVENT_AVAIL')).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(queuesIn(rig, 'req.EVENT_USED')).toEqual(new Set([0, 2, 4]));
  });

  it('are no more than the node has CPUs', () => {
    const vm = { cpus: 1 };
    const rig = new Rig(netTopology({ vm, card: { queues: 4 }, workloads: [streams] }));
    expect(rig.run()).toBe('done');
    expect(queuesIn(rig, 'req.EVENT_USED')).toEqual(new Set([0]));
    expect(rig.result().extra).toMatchObject({ rightBytes: 200_000 });
  });
});

describe('what the guest asks for', () => {
  const GROUP = '01:00:5e:00:00:09';
  /** How many of 20 frames to an address a station hears. */
  const heard = (to: string, card: Readonly<Record<string, unknown>>) => {
    const pktgen = { type: 'pktgen', device: 'net-0', to, packets: 20 };
    const rig = new Rig(netTopology({ stations: 3, cards: [{}, card], workloads: [pktgen] }));
    expect(rig.run()).toBe('done');
    rig.runUntil(rig.kernel.now + MS);
    expect(rig.violations).toEqual([]);
    // Beside them, it hears the announcements of the other two.
    return rig.outcome.devices[1].statistics.received - 2;
  };

  it.each([
    ['groups, and hears no others', GROUP, { groups: ['01:00:5e:00:00:08'] }, 0],
    ['a group', GROUP, { groups: ['01:00:5e:00:00:08', GROUP] }, 20],
    ['all frames', '02:11:22:33:44:55', { promiscuous: true }, 20],
    ['nothing special', '02:11:22:33:44:55', {}, 0],
  ])('are %s', (_, to, card, expected) => {
    expect(heard(to, card)).toBe(expected);
  });

  it('are no group addresses that are none', () => {
    expect(() => heard(GROUP, { groups: ['02:00:00:00:00:01'] })).toThrow(/group address/);
  });
});

describe('the stack', () => {
  it('tells its address when it comes up, and again when the device asks for it', () => {
    const cards = [{ announceAt: '5ms' }, {}];
    const rig = new Rig(netTopology({ cards, workloads: [] }));
    const frames = tapped(rig);
    rig.runUntil(10 * MS);
    const cardNode = rig.topology.buses[0].device;
    const told = frames.filter((frame) => isArp(frame) && frame.fromNode === cardNode);
    expect(told.map(({ bytes }) => readMac(bytes, 0))).toEqual([MAC_BROADCAST, MAC_BROADCAST]);
    expect(told[0].at).toBeLessThan(5 * MS);
    expect(told[1].at).toBeGreaterThan(5 * MS);
    // Sender and target are both its own address.
    for (const { bytes } of told) expect(bytes.slice(28, 32)).toEqual(bytes.slice(38, 42));
  });

  it('asks for an address once, and keeps packets until it knows', () => {
    const ping = { type: 'ping', device: 'net-0', to: 'net-1', requests: 4, interval: '1us' };
    const rig = new Rig(netTopology({ workloads: [ping] }));
    const frames = tapped(rig);
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 4, errors: 0 });
    const cardNode = rig.topology.buses[0].device;
    const asked = frames.filter(
      (frame) => isArp(frame) && frame.fromNode === cardNode && readBig16(frame.bytes, 20) === 1,
    );
    // Its announcement, and one question.
    expect(asked.length).toBe(2);
  });

  it('puts the tag of its VLAN on everything, and hears no other', () => {
    const cards = [{ vlan: 7 }, { vlan: 7 }, { vlan: 8 }];
    const workloads = [
      { type: 'ping', device: 'net-0', to: 'net-1', requests: 3 },
      { type: 'ping', device: 'net-0', to: 'net-2', requests: 3, timeout: '4s' },
    ];
    const rig = new Rig(netTopology({ stations: 3, cards, workloads }));
    const frames = tapped(rig);
    expect(rig.run()).toBe('done');
    expect([rig.result(0).errors, rig.result(1).errors]).toEqual([0, 3]);
    expect(new Set(frames.map(typeOf))).toEqual(new Set([ETHER_TYPE.vlan]));
  });

  it('refuses calls to a port that nobody answers, so that the caller need not wait', () => {
    const stream = { type: 'stream', device: 'net-0', to: 'net-1', bytes: '10kB' };
    const rig = new Rig(netTopology({ card: { checksum: false }, workloads: [stream] }));
    rig.filter = ({ packet: { kind, bytes } }) => {
      // Port 5001 becomes 5002 on the way and back on the way back; the checksums with it.
      if (kind !== FRAME || typeOf({ bytes }) !== ETHER_TYPE.ipv4) return true;
      const step = readBig16(bytes, 36) === 5001 ? 1 : readBig16(bytes, 34) === 5002 ? -1 : 0;
      bytes[step > 0 ? 37 : 35] += step;
      bytes[51] -= step;
      return true;
    };
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ errors: 1, bytes: 0 });
    expect(rig.result().failure).toMatch(/reset/);
    expect(rig.kernel.now).toBeLessThan(100 * MS);
  });

  it('gives a peer up that does not answer any more', () => {
    const stream = { type: 'stream', device: 'net-0', to: 'net-1', bytes: '500kB' };
    const rig = new Rig(netTopology({ workloads: [stream] }));
    rig.filter = ({ packet, at }) => packet.kind !== FRAME || at < 3 * MS;
    expect(rig.run()).toBe('done');
    expect(rig.result().failure).toMatch(/does not answer/);
  });
});

describe('losing the device', () => {
  it('ends what is under way', () => {
    const workloads = [
      { type: 'stream', device: 'net-0', to: 'net-1', bytes: '5MB' },
      { type: 'ping', device: 'net-0', to: 'net-1', requests: 1000 },
    ];
    const made: Driver[] = [];
    const create = (environment: DriverEnvironment) => {
      const driver = tables.drivers.net.create(environment);
      made.push(driver);
      return driver;
    };
    const drivers = { ...tables.drivers, net: { ...tables.drivers.net, create } };
    const rig = new Rig(netTopology({ workloads }), { tables: { ...tables, drivers } });
    rig.runUntil(3 * MS);
    (made[0] as Driver & TransportListener).offline('gone');
    rig.runUntil(4 * MS);
    const [stream, ping] = rig.outcome.workloads;
    expect([stream.done, ping.done]).toEqual([true, true]);
    expect(stream.result.failure).toMatch(/gone/);
    expect(ping.result.failure).toBe('gone');
  });
});
