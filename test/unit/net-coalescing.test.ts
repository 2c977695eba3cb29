// Notification coalescing of the network card (virtio 1.4 §5.1.6.5.9): when it tells its driver of used
// buffers, which settings it takes, and what that does to interrupts and latency.
import { describe, expect, it } from 'vitest';
import {
  NET_CTRL,
  NET_CTRL_NOTF_COAL,
  NET_ERR,
  NET_F,
  NET_OK,
} from '../../platform/virtio/index.ts';
import { NetBench, type NetBenchOptions } from '../support/net-bench.ts';
import { udpFrame } from '../support/net-frames.ts';
import { netTopology } from '../support/net-scenario.ts';
import { Rig } from '../support/rig.ts';

const US = 1_000_000;
const { TX_SET, RX_SET, VQ_SET, VQ_GET } = NET_CTRL_NOTF_COAL;
const COALESCING = { coalesceReceive: { packets: 8, time: '50us' } };

const le32 = (value: number) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const setting = (packets: number, usecs: number) => [...le32(packets), ...le32(usecs)];
const queueSetting = (queue: number, packets: number, usecs: number) => [
  ...[queue, 0, 0xff, 0xff],
  ...setting(packets, usecs),
];

function started(options: NetBenchOptions = {}): NetBench {
  const bench = new NetBench({ ...options, card: { ...COALESCING, ...options.card } });
  bench.start();
  for (let i = 0; i < 40; i++) bench.offer(0, 1526);
  bench.run();
  return bench;
}

const set = (bench: NetBench, command: number, data: readonly number[]) =>
  bench.command(NET_CTRL.NOTF_COAL, command, ...data);

/** Lets `count` frames arrive, one each `apart` ps; returns when the driver was told, from now. */
function told(bench: NetBench, count: number, apart: number): number[] {
  bench.signals.length = 0;
  const start = bench.kernel.now;
  for (let i = 0; i < count; i++) {
    bench.arrive(udpFrame());
    bench.run(apart);
  }
  bench.run(200 * US);
  return bench.signals.filter(({ queue }) => queue === 0).map(({ at }) => at - start);
}

describe('the device', () => {
  it('tells of every packet at first', () => {
    expect(told(started(), 3, 20 * US).length).toBe(3);
  });

  it('tells of packets once there are enough of them', () => {
    const bench = started();
    expect(set(bench, RX_SET, setting(4, 1000))).toBe(NET_OK);
    const times = told(bench, 8, 10 * US);
    expect(times.length).toBe(2);
    // The fourth arrives after 30 us and some.
    expect(times[0]).toBeGreaterThan(30 * US);
    expect(times[0]).toBeLessThan(40 * US);
  });

  it('tells of fewer once the first of them has waited long enough', () => {
    const bench = started();
    const [plain] = told(bench, 1, US);
    expect(set(bench, RX_SET, setting(100, 50))).toBe(NET_OK);
    const times = told(bench, 3, 10 * US);
    expect(times.length).toBe(1);
    // Up to steps of the device's software, which looks at the ring before it tells.
    expect(times[0] - plain).toBeGreaterThan(48 * US);
    expect(times[0] - plain).toBeLessThan(52 * US);
  });

  it.each([
    ['no packets', 0, 50],
    ['no time', 8, 0],
  ])('holds nothing back with %s', (_, packets, usecs) => {
    const bench = started();
    expect(set(bench, RX_SET, setting(packets, usecs))).toBe(NET_OK);
    expect(told(bench, 3, 20 * US).length).toBe(3);
  });

  it('tells at once of what need not wait under a new setting', () => {
    const bench = started();
    set(bench, RX_SET, setting(15, 900_000));
    expect(told(bench, 10, US)).toEqual([]);
    set(bench, RX_SET, setting(8, 900_000));
    expect(bench.signals.filter(({ queue }) => queue === 0).length).toBe(1);
  });

  it('sets single queues, and forgets that when they are disabled', () => {
    const bench = started({ card: { queues: 2 } });
    const get = (queue: number) => [...bench.ask(NET_CTRL.NOTF_COAL, VQ_GET, [queue, 0, 9, 9], 8)];
    // The sequence of commands of §5.1.6.5.9.
    expect(set(bench, RX_SET, setting(3, 30))).toBe(NET_OK);
    expect(set(bench, VQ_SET, queueSetting(0, 4, 40))).toBe(NET_OK);
    expect(get(0)).toEqual([NET_OK, ...setting(4, 40)]);
    expect(get(2)).toEqual([NET_OK, ...setting(3, 30)]);
    expect(set(bench, VQ_SET, queueSetting(1, 5, 50))).toBe(NET_OK);
    expect(get(3)).toEqual([NET_OK, ...setting(0, 0)]);
    expect(set(bench, TX_SET, setting(6, 60))).toBe(NET_OK);
    expect(get(1)).toEqual([NET_OK, ...setting(6, 60)]);
    bench.device.resetQueue(0);
    expect(get(0)[0]).toBe(NET_ERR);
    expect(set(bench, VQ_SET, queueSetting(0, 4, 40))).toBe(NET_ERR);
    bench.setUp(0);
    expect(get(0)).toEqual([NET_OK, ...setting(3, 30)]);
    bench.device.setStatus(0);
    bench.start();
    expect(get(0)).toEqual([NET_OK, ...setting(0, 0)]);
  });

  it.each([
    ['the control queue', VQ_SET, queueSetting(2, 1, 1)],
    ['no queue', VQ_SET, queueSetting(90, 1, 1)],
    ['too long a time', RX_SET, setting(1, 1_000_001)],
    ['half a setting', RX_SET, le32(1)],
    ['half a question', VQ_GET, [0, 0]],
    ['a command that there is not', 4, queueSetting(0, 1, 1)],
  ])('refuses %s', (_, command, data) => {
    expect(set(started(), command, data)).toBe(NET_ERR);
  });

  it('refuses what was not negotiated', () => {
    const features = NET_F.CTRL_VQ | NET_F.VQ_NOTF_COAL;
    const bench = started({ features });
    expect(set(bench, RX_SET, setting(1, 1))).toBe(NET_ERR);
    expect(set(bench, VQ_SET, queueSetting(0, 1, 1))).toBe(NET_OK);
  });
});

describe('a guest that asks for it', () => {
  const run = (card: Readonly<Record<string, unknown>>) => {
    const pktgen = {
      type: 'pktgen',
      device: 'net-0',
      to: 'net-1',
      packets: 400,
      rate: '100Mbit/s',
    };
    const ping = { type: 'ping', device: 'net-0', to: 'net-1', requests: 20, interval: '1ms' };
    const rig = new Rig(netTopology({ cards: [{}, card], workloads: [pktgen, ping] }));
    expect(rig.run()).toBe('done');
    expect(rig.violations).toEqual([]);
    expect(rig.result(0)).toMatchObject({ errors: 0, requests: 400 });
    return { interrupts: rig.outcome.nodes[1].interrupts, ping: rig.result(1).latency.p50! };
  };

  it('has fewer interrupts, and waits longer', () => {
    const plain = run({});
    const coalesced = run({ coalesceReceive: { packets: 16, time: '100us' } });
    expect(coalesced.interrupts).toBeLessThan(plain.interrupts / 4);
    expect(coalesced.ping - plain.ping).toBeGreaterThan(90_000);
  });
});
