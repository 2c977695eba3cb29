// Receive-side scaling and hash reports of the network card (virtio 1.4 §5.1.6.4.3, §5.1.6.5.7).
import { describe, expect, it } from 'vitest';
import { FlowHasher, FrameView, HASH_KIND } from '../../platform/network/index.ts';
import {
  NET_CONFIG,
  NET_CTRL,
  NET_CTRL_MQ,
  NET_ERR,
  NET_F,
  NET_OK,
} from '../../platform/virtio/index.ts';
import { NetBench, type NetBenchOptions } from '../support/net-bench.ts';
import { netHeader, tcpFrame, udpFrame } from '../support/net-frames.ts';
import { netTopology } from '../support/net-scenario.ts';
import { Rig } from '../support/rig.ts';

const KEY = Array.from({ length: 40 }, (_, i) => 3 * i + 1);
const TCPV4 = 1 << (HASH_KIND.tcpv4 - 1);
const RECEIVE = [0, 2, 4, 6];
const { VQ_PAIRS_SET, RSS_CONFIG, HASH_CONFIG } = NET_CTRL_MQ;

const le16 = (value: number) => [value & 0xff, value >>> 8];

function started({ card = {}, ...options }: NetBenchOptions = {}): NetBench {
  const bench = new NetBench({ ...options, card: { queues: 4, rss: true, ...card } });
  bench.start();
  return bench;
}

interface Rss {
  readonly types?: number;
  readonly mask?: number;
  readonly unclassified?: number;
  readonly table?: readonly number[];
  readonly transmit?: number;
  readonly key?: readonly number[];
}

function rssBytes(parts: Rss): number[] {
  const { types = TCPV4, unclassified = 0, table = [0, 1, 2, 3], transmit = 4, key = KEY } = parts;
  const { mask = table.length - 1 } = parts;
  return [
    ...[types, 0, 0, 0, ...le16(mask), ...le16(unclassified)],
    ...table.flatMap(le16),
    ...[...le16(transmit), key.length, ...key],
  ];
}

const configure = (bench: NetBench, parts: Rss = {}) =>
  bench.command(NET_CTRL.MQ, RSS_CONFIG, ...rssBytes(parts));

/** The queue on which a frame comes in, or -1. */
function queueOf(bench: NetBench, frame: Uint8Array): number {
  for (const queue of RECEIVE) bench.offer(queue, 1534);
  bench.arrive(frame);
  bench.run();
  const found = RECEIVE.filter((queue) => bench.hasUsed(queue));
  for (const queue of RECEIVE) bench.reap(queue);
  return found.length === 1 ? found[0] : -1;
}

function hashOf(frame: Uint8Array): number {
  const hasher = new FlowHasher();
  hasher.set(0x3f, Uint8Array.from(KEY));
  const view = new FrameView();
  view.parse(frame, frame.length);
  hasher.hash(frame, view);
  return hasher.value;
}

const flows = Array.from({ length: 24 }, (_, i) => tcpFrame({ sourcePort: 4000 + 77 * i }));

describe('receive-side scaling', () => {
  it('is told of in the configuration', () => {
    const bench = started();
    const config = new Uint8Array(24);
    bench.device.readConfig(0, config, 0, 24);
    expect(config[NET_CONFIG.rssMaxKeySize]).toBe(40);
    expect([...config.subarray(18, 24)]).toEqual([128, 0, 0x3f, 0, 0, 0]);
  });

  it('uses the first queue until it is configured', () => {
    const bench = started();
    expect(flows.map((frame) => queueOf(bench, frame)).every((queue) => queue === 0)).toBe(true);
  });

  it('sends each flow to the queue that the table has for its hash', () => {
    const bench = started();
    const table = [3, 1, 0, 2, 2, 0, 1, 3];
    expect(configure(bench, { table })).toBe(NET_OK);
    const expected = flows.map((frame) => 2 * table[hashOf(frame) & 7]);
    expect(flows.map((frame) => queueOf(bench, frame))).toEqual(expected);
    expect(new Set(expected)).toEqual(new Set(RECEIVE));
  });

  it('sends what has no hash to the queue for that', () => {
    const bench = started();
    configure(bench, { unclassified: 3, table: [1, 1] });
    expect(queueOf(bench, udpFrame())).toBe(6);
    expect(queueOf(bench, tcpFrame())).toBe(2);
  });

  it('pays no heed to where packets are sent', () => {
    const bench = started();
    configure(bench, { table: [1] });
    const ends = { source: 0x0a00_0001, destination: 0x0a00_0002 };
    bench.transmit(
      5,
      netHeader({}),
      tcpFrame({ ...ends, sourcePort: 2000, destinationPort: 4000 }),
    );
    bench.run();
    expect(queueOf(bench, flows[0])).toBe(2);
  });

  it('drops what is for a queue that is being reset', () => {
    const bench = started();
    configure(bench, { table: [1] });
    bench.device.resetQueue(2);
    expect(queueOf(bench, tcpFrame())).toBe(-1);
    expect(bench.device.statistics()).toMatchObject({ unheard: 1 });
  });

  it('gives way to automatic steering, and takes over again', () => {
    const bench = started();
    configure(bench, { table: [2] });
    expect(bench.command(NET_CTRL.MQ, VQ_PAIRS_SET, 1, 0)).toBe(NET_OK);
    expect(queueOf(bench, tcpFrame())).toBe(0);
    configure(bench, { table: [2] });
    expect(queueOf(bench, tcpFrame())).toBe(4);
    bench.device.setStatus(0);
    bench.start();
    expect(queueOf(bench, tcpFrame())).toBe(0);
  });

  it.each<[string, Rss]>([
    ['a table whose length is no power of two', { table: [0, 1, 2] }],
    ['a table that is too long', { table: Array.from({ length: 256 }, () => 0) }],
    ['half a table', { mask: 15 }],
    ['a queue that there is not', { table: [4] }],
    ['nowhere to go without a hash', { unclassified: 9 }],
    ['a type that is not supported', { types: 0x40 }],
    ['a key that is too long', { key: [...KEY, 1] }],
    ['no queue to send on', { transmit: 0 }],
    ['more queues to send on than there are', { transmit: 5 }],
  ])('refuses %s, and keeps what it had', (_, parts) => {
    const bench = started();
    configure(bench, { table: [3] });
    expect(configure(bench, parts)).toBe(NET_ERR);
    expect(queueOf(bench, tcpFrame())).toBe(6);
  });

  it('refuses half a command, and one that was not negotiated', () => {
    expect(started().command(NET_CTRL.MQ, RSS_CONFIG, ...rssBytes({}).slice(0, -1))).toBe(NET_ERR);
    const features = NET_F.CTRL_VQ | NET_F.MQ;
    expect(configure(started({ features }))).toBe(NET_ERR);
  });
});

describe('hash reports', () => {
  /** What the header of a received frame says of its hash. */
  function reported(bench: NetBench, frame: Uint8Array): [number, number] {
    bench.offer(0, 1534);
    bench.arrive(frame);
    bench.run();
    const [{ bytes, written }] = bench.reap(0);
    expect(bytes.slice(20, written).subarray(0, frame.length)).toEqual(frame);
    const view = new DataView(bytes.buffer);
    return [view.getUint16(16, true), view.getUint32(12, true)];
  }
  const card = { queues: 1, rss: false, hashReport: true };
  const hashConfig = (types: number) => [types, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, ...KEY];

  it('say none until the driver has said what to hash', () => {
    expect(reported(started({ card }), tcpFrame())).toEqual([HASH_KIND.none, 0]);
  });

  it('tell kind and hash of each packet behind a longer header', () => {
    const bench = started({ card });
    expect(bench.command(NET_CTRL.MQ, HASH_CONFIG, ...hashConfig(TCPV4))).toBe(NET_OK);
    expect(reported(bench, flows[3])).toEqual([HASH_KIND.tcpv4, hashOf(flows[3])]);
    expect(reported(bench, udpFrame())).toEqual([HASH_KIND.none, 0]);
  });

  it('tell what was hashed for scaling, too', () => {
    const bench = started({ card: { hashReport: true } });
    configure(bench, { table: [0] });
    expect(reported(bench, flows[5])).toEqual([HASH_KIND.tcpv4, hashOf(flows[5])]);
  });

  it.each([
    ['a type that is not supported', hashConfig(0x40)],
    ['half a command', hashConfig(1).slice(0, 20)],
    ['nothing', []],
  ])('refuse %s', (_, data) => {
    expect(started({ card }).command(NET_CTRL.MQ, HASH_CONFIG, ...data)).toBe(NET_ERR);
  });
});

describe('a guest with scaling', () => {
  it('gets its streams on all queues, with hashes that are right', () => {
    const stream = {
      type: 'stream',
      device: 'net-0',
      to: 'net-1',
      bytes: '400kB',
      connections: 12,
    };
    const cards = [{}, { queues: 2, rss: true, hashReport: true, receiveMerging: true }];
    const rig = new Rig(netTopology({ cards, workloads: [stream] }));
    expect(rig.run()).toBe('done');
    expect(rig.result().extra).toMatchObject({ rightBytes: 400_000, wrongBytes: 0 });
    expect(rig.violations).toEqual([]);
    const { pairsUsed } = rig.outcome.devices[1].statistics;
    expect(pairsUsed).toBe(2);
  });
});
