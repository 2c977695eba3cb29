// Statistics that a driver asks its network card for (virtio 1.4 §5.1.6.5.10).
import { describe, expect, it } from 'vitest';
import type { NetDevice } from '../../devices/net/net-device.ts';
import type { NetDriver, NetStatistics } from '../../guests/net/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { DeviceEnvironment, DriverEnvironment } from '../../platform/contracts/index.ts';
import {
  NET_CTRL,
  NET_CTRL_STATS,
  NET_ERR,
  NET_F,
  NET_OK,
  NET_STATS,
} from '../../platform/virtio/index.ts';
import { NetBench, type NetBenchOptions } from '../support/net-bench.ts';
import { netHeader, tcpFrame } from '../support/net-frames.ts';
import { type NetParts, netTopology } from '../support/net-scenario.ts';
import { Rig } from '../support/rig.ts';

const { QUERY, GET } = NET_CTRL_STATS;
const { RX_BASIC, TX_BASIC, CVQ } = NET_STATS;
const CONTROL = 2;
const MS = 1_000_000_000;

function started(options: NetBenchOptions = {}): NetBench {
  const bench = new NetBench({ ...options, card: { deviceStats: true, ...options.card } });
  bench.start();
  return bench;
}

/** A question for one type of statistics of a queue. */
function about(queue: number, type: number): number[] {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint16(0, queue, true);
  view.setBigUint64(8, 1n << BigInt(type), true);
  return [...new Uint8Array(view.buffer)];
}

/** Header and counters of the answer to a question. */
function ask(bench: NetBench, queue: number, type: number, counters: number) {
  const answer = bench.ask(NET_CTRL.STATS, GET, about(queue, type), 8 + 8 * counters);
  expect(answer[0]).toBe(NET_OK);
  const view = new DataView(answer.buffer, 1);
  expect([view.getUint8(0), view.getUint16(2, true)]).toEqual([type, queue]);
  expect(view.getUint16(6, true)).toBe(8 + 8 * counters);
  return Array.from({ length: counters }, (_, i) => Number(view.getBigUint64(8 + 8 * i, true)));
}

describe('statistics', () => {
  it('are of the types that the card tells of', () => {
    const answer = started().ask(NET_CTRL.STATS, QUERY, [], 8);
    const types = new DataView(answer.buffer, 1).getBigUint64(0, true);
    expect([answer[0], types]).toEqual([NET_OK, 0x1_0001_0001n]);
  });

  it('count what a receive queue got, lost, and was told of', () => {
    const bench = started({ card: { receiveBuffer: '16KiB' } });
    const frame = tcpFrame({ payload: new Uint8Array(1000) });
    for (let i = 0; i < 2; i++) bench.offer(0, 1526);
    bench.run();
    const frames = 20;
    for (let i = 0; i < frames; i++) bench.arrive(frame);
    bench.run();
    const [notifications, packets, bytes, interrupts, drops, overruns] = ask(bench, 0, RX_BASIC, 6);
    expect([notifications, packets, bytes]).toEqual([2, 2, 2 * frame.length]);
    expect(interrupts).toBeGreaterThan(0);
    // 15 frames find room to wait for buffers that do not come.
    expect([drops, overruns]).toEqual([frames - 2 - 15, frames - 2 - 15]);
  });

  it('count what a transmit queue sent, cut as it was, and what made no sense', () => {
    const bench = started();
    const large = tcpFrame({ payload: new Uint8Array(2500) });
    const offload = { flags: 1, checksumStart: 34, checksumOffset: 16, gsoType: 1, gsoSize: 1000 };
    bench.transmit(1, netHeader(offload), large);
    bench.transmit(1, netHeader({ gsoType: 3 }), large);
    bench.run();
    const [notifications, packets, bytes, , drops, malformed] = ask(bench, 1, TX_BASIC, 6);
    expect([notifications, packets, bytes]).toEqual([2, 3, 3 * 54 + 2500]);
    expect([drops, malformed]).toEqual([1, 1]);
  });

  it('count commands, the one that asks among them', () => {
    const bench = started();
    bench.command(99, 0);
    expect(ask(bench, CONTROL, CVQ, 2)).toEqual([2, 1]);
    expect(ask(bench, CONTROL, CVQ, 2)).toEqual([3, 2]);
  });

  it('of several queues come in one answer', () => {
    const question = [...about(0, RX_BASIC), ...about(1, TX_BASIC)];
    const answer = started().ask(NET_CTRL.STATS, GET, question, 112);
    expect([answer[0], answer[1], answer[1 + 56]]).toEqual([NET_OK, RX_BASIC, TX_BASIC]);
  });

  it.each([
    ['a queue that there is not', about(9, RX_BASIC)],
    ['a type that the queue does not have', about(0, TX_BASIC)],
    ['a type that there is not', about(0, 3)],
    ['nothing', []],
    ['half a question', about(0, RX_BASIC).slice(0, 9)],
  ])('about %s are refused', (_, question) => {
    expect(started().ask(NET_CTRL.STATS, GET, question, 200)[0]).toBe(NET_ERR);
  });

  it('are refused without room for them, another command, or the feature', () => {
    const question = about(0, RX_BASIC);
    expect(started().ask(NET_CTRL.STATS, GET, question, 20)[0]).toBe(NET_ERR);
    expect(started().ask(NET_CTRL.STATS, 2, question, 60)[0]).toBe(NET_ERR);
    const features = NET_F.CTRL_VQ;
    expect(started({ features }).ask(NET_CTRL.STATS, GET, question, 60)[0]).toBe(NET_ERR);
  });
});

/** A run whose drivers and devices are within reach. */
function watched(parts: NetParts, watch: (device: NetDevice) => void = () => {}) {
  const drivers: NetDriver[] = [];
  const driver = tables.drivers.net;
  const device = tables.devices.net;
  const net = {
    ...driver,
    create: (environment: DriverEnvironment) => {
      const made = driver.create(environment);
      drivers.push(made as NetDriver);
      return made;
    },
  };
  const card = {
    ...device,
    create: (environment: DeviceEnvironment<never>) => {
      const made = device.create(environment);
      watch(made as NetDevice);
      return made;
    },
  };
  const spied = {
    ...tables,
    drivers: { ...tables.drivers, net },
    devices: { ...tables.devices, net: card },
  };
  return { rig: new Rig(netTopology(parts), { tables: spied }), drivers };
}

describe('the driver', () => {
  const cards = [{ deviceStats: true }, {}];

  it.each([
    ['ping', { requests: 20 }, {}],
    ['pktgen', { packets: 200, size: '700B', burst: 8, rate: '200Mbit/s' }, {}],
    ['stream', { bytes: '300kB', connections: 3 }, { queues: 2 }],
    ['stream', { bytes: '300kB' }, { receiveMerging: true, mergeTime: '20us', ring: 'packed' }],
  ])('asks at the end of %s with %j, and has counted the same', (type, more, card) => {
    const workload = { type, device: 'net-0', to: 'net-1', ...more };
    const rig = new Rig(netTopology({ cards, card, workloads: [workload] }));
    expect(rig.run()).toBe('done');
    expect([rig.result().failure, rig.violations]).toEqual([null, []]);
    const { deviceSent, deviceReceived, driverSent, driverReceived } = rig.result().extra!;
    expect(deviceSent).toBeGreaterThan(0);
    // A frame may be on its way in or out when the workload is over.
    expect(driverSent - deviceSent).toBeGreaterThanOrEqual(0);
    expect(driverSent - deviceSent).toBeLessThanOrEqual(3);
    expect(Math.abs(driverReceived - deviceReceived)).toBeLessThanOrEqual(3);
    if (type === 'ping') expect([driverSent, driverReceived]).toEqual([deviceSent, deviceReceived]);
  });

  it('finds the same frames and bytes once all is quiet', () => {
    const stream = { type: 'stream', device: 'net-0', to: 'net-1', bytes: '300kB' };
    const { rig, drivers } = watched({ cards, workloads: [stream] });
    expect(rig.run()).toBe('done');
    rig.runUntil(rig.kernel.now + 10 * MS);
    const told: (NetStatistics | null)[] = [];
    drivers[0].fetchStatistics((statistics) => told.push(statistics));
    rig.runUntil(rig.kernel.now + 10 * MS);
    const [statistics] = told;
    expect(told).toHaveLength(1);
    const { dropped, ...device } = statistics!.device;
    expect([device, dropped]).toEqual([statistics!.driver, 0]);
    expect(device.sentBytes).toBeGreaterThan(300_000);
    expect(device.received).toBe(rig.outcome.devices[0].statistics.received);
    expect(rig.violations).toEqual([]);
  });

  it('notices a device that counts what was not sent', () => {
    const ping = { type: 'ping', device: 'net-0', to: 'net-1', requests: 5 };
    const { rig } = watched({ cards, workloads: [ping] }, (device) => {
      const { statisticsOf } = device;
      device.statisticsOf = (queue) => {
        const found = statisticsOf.call(device, queue);
        const counters = found?.counters.map((counter) => counter + 1000) ?? [];
        return found === null ? null : { ...found, counters };
      };
    });
    expect(rig.run()).toBe('done');
    expect(rig.violations.map(({ code }) => code)).toEqual(['VERIFY']);
    expect(rig.result().failure).toBeNull();
  });

  it('asks again when the device was reset meanwhile', () => {
    const ping = { type: 'ping', device: 'net-0', to: 'net-1', requests: 3, interval: '10us' };
    const undisturbed = new Rig(netTopology({ cards, workloads: [ping] }));
    undisturbed.run();
    const end = undisturbed.kernel.now / 1000;
    for (const before of [2_000, 6_000, 10_000]) {
      const needsReset = [`${Math.round(end - before)}ns`];
      const failing = [{ deviceStats: true, needsReset }, {}];
      const rig = new Rig(netTopology({ cards: failing, workloads: [ping] }));
      expect(rig.run()).toBe('done');
      expect(rig.violations).toEqual([]);
      expect(rig.result().extra!.deviceSent).toBeGreaterThan(0);
    }
  });
});
