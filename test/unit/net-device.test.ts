// The network card by itself, byte by byte: offloads of what it sends, buffers and filters of what it
// receives, commands, configuration (virtio 1.4 §5.1).
import { describe, expect, it } from 'vitest';
import { FrameView, internetChecksum, MAC_BROADCAST } from '../../platform/network/index.ts';
import {
  NET_CONFIG,
  NET_CTRL,
  NET_CTRL_ANNOUNCE,
  NET_CTRL_MAC,
  NET_CTRL_MQ,
  NET_CTRL_RX,
  NET_CTRL_VLAN,
  NET_ERR,
  NET_F,
  NET_OK,
  NET_S,
  STATUS,
} from '../../platform/virtio/index.ts';
import { NetBench, type NetBenchOptions } from '../support/net-bench.ts';
import { leaveChecksum, netHeader, tcpFrame, udpFrame } from '../support/net-frames.ts';

/** Where TCP and its checksum begin in a frame without a tag. */
const TCP_AT = 34;
const TCP_SUM_AT = 50;
const OWN = 0x0200_0000_0001;
const OTHER = 0x0200_0000_0055;
const GROUP = 0x0100_5e00_0009;
const RECEIVE = 0;
const TRANSMIT = 1;
const MS = 1_000_000_000;

const PLAIN = netHeader({});
const bytesOf = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7);
const macBytes = (mac: number) =>
  [40, 32, 24, 16, 8, 0].map((shift) => Math.floor(mac / 2 ** shift) % 256);

function started(options: NetBenchOptions = {}): NetBench {
  const bench = new NetBench(options);
  expect(bench.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
  return bench;
}

describe('sending', () => {
  it('puts a frame on the cable as it is, and returns it when its last bit has left', () => {
    const bench = started();
    const frame = tcpFrame({ payload: bytesOf(1000) });
    bench.transmit(TRANSMIT, PLAIN, frame);
    bench.run();
    expect(bench.frames.map(({ bytes }) => bytes)).toEqual([frame]);
    expect(bench.reap(TRANSMIT)).toMatchObject([{ written: 0 }]);
  });

  it('fills in the checksum that the driver left open', () => {
    const bench = started();
    const frame = tcpFrame({ payload: bytesOf(777) });
    const header = netHeader({ flags: 1, checksumStart: TCP_AT, checksumOffset: 16 });
    bench.transmit(TRANSMIT, header, leaveChecksum(frame, TCP_SUM_AT));
    bench.run();
    expect(bench.frames.map(({ bytes }) => bytes)).toEqual([frame]);
  });

  it('never writes a UDP checksum of zero, which would say that there is none', () => {
    const bench = started();
    // Payload chosen so that the sum comes out as 0xffff: what is left of it after all else.
    const rest = udpFrame({ payload: Uint8Array.of(0, 0) });
    const payload = Uint8Array.of(rest[40], rest[41]);
    const header = netHeader({ flags: 1, checksumStart: TCP_AT, checksumOffset: 6 });
    bench.transmit(TRANSMIT, header, leaveChecksum(udpFrame({ payload }), 40));
    bench.run();
    expect([...bench.frames[0].bytes.subarray(40, 42)]).toEqual([0xff, 0xff]);
  });

  it('cuts a large TCP packet into segments that are right in every field', () => {
    const bench = started();
    const payload = bytesOf(3000);
    const parts = { payload, sequence: 0xffff_fe00, flags: 0x99, id: 0xffff };
    const packet = leaveChecksum(tcpFrame(parts), TCP_SUM_AT);
    const offload = { flags: 1, checksumStart: TCP_AT, checksumOffset: 16 };
    const header = netHeader({ ...offload, gsoType: 1, gsoSize: 1400, headerLength: 54 });
    bench.transmit(TRANSMIT, header, packet);
    bench.run();
    // CWR in the first only, FIN and PSH in the last only; sequence and id wrap.
    const pieces = [
      { from: 0, to: 1400, flags: 0x90, sequence: 0xffff_fe00, id: 0xffff },
      { from: 1400, to: 2800, flags: 0x10, sequence: 0x378, id: 0 },
      { from: 2800, to: 3000, flags: 0x19, sequence: 0x8f0, id: 1 },
    ];
    const expected = pieces.map(({ from, to, ...fields }) =>
      tcpFrame({ payload: payload.slice(from, to), ...fields }),
    );
    expect(bench.frames.map(({ bytes }) => bytes)).toEqual(expected);
    expect(bench.reap(TRANSMIT).length).toBe(1);
  });

  it.each([
    ['TCP over IPv6', { gsoType: 4, ipv6: true, udp: false }],
    ['UDP', { gsoType: 5, ipv6: false, udp: true }],
    ['UDP over IPv6', { gsoType: 5, ipv6: true, udp: true }],
    ['TCP of a sender that slows down', { gsoType: 0x81, ipv6: false, udp: false }],
  ])('cuts large packets of %s likewise', (_, { gsoType, ipv6, udp }) => {
    const bench = started();
    const at = ipv6 ? 54 : 34;
    const offset = udp ? 6 : 16;
    const parts = { ipv6, sequence: 9, flags: 0x98 };
    const make = udp ? udpFrame : tcpFrame;
    const packet = leaveChecksum(make({ ...parts, payload: bytesOf(2500) }), at + offset, parts);
    const offload = { flags: 1, checksumStart: at, checksumOffset: offset };
    bench.transmit(TRANSMIT, netHeader({ ...offload, gsoType, gsoSize: 1000 }), packet);
    bench.run();
    const pieces = [0, 1000, 2000].map((from, i) =>
      make({
        ...{ ...parts, payload: bytesOf(2500).slice(from, from + 1000) },
        ...{ sequence: 9 + from, id: 7 + i, flags: [0x90, 0x10, 0x18][i] },
      }),
    );
    expect(bench.frames.map(({ bytes }) => bytes)).toEqual(pieces);
    expect(bench.violations).toEqual([]);
  });

  it('segments behind a VLAN tag', () => {
    const bench = started();
    const whole = tcpFrame({ payload: bytesOf(100), vlan: 5 });
    const offload = { flags: 1, checksumStart: TCP_AT + 4, checksumOffset: 16 };
    bench.transmit(TRANSMIT, netHeader({ ...offload, gsoType: 1, gsoSize: 60 }), whole);
    bench.run();
    const view = new FrameView();
    for (const { bytes } of bench.frames) {
      expect(view.parse(bytes, bytes.length)).toBe(true);
      expect([view.vlan, view.isIpv4, view.transportChecksumHolds(bytes)]).toEqual([5, true, true]);
      expect(internetChecksum(bytes, 18, 38)).toBe(0);
    }
    expect(bench.frames.length).toBe(2);
  });

  it.each([
    ['a packet without a whole header', PLAIN, bytesOf(5)],
    ['a frame beyond the MTU', PLAIN, tcpFrame({ payload: bytesOf(1500) })],
    ['a checksum outside the packet', netHeader({ flags: 1, checksumStart: 90 }), tcpFrame()],
    ['a type of segmentation not agreed', netHeader({ flags: 1, gsoType: 3 }), tcpFrame()],
    ['segments of another protocol', netHeader({ flags: 1, gsoType: 4, gsoSize: 9 }), tcpFrame()],
    ['segments without a checksum', netHeader({ gsoType: 1, gsoSize: 10 }), tcpFrame()],
    ['segments of no size', netHeader({ flags: 1, gsoType: 1 }), tcpFrame()],
    ['segments of UDP', netHeader({ flags: 1, gsoType: 1, gsoSize: 10 }), udpFrame()],
  ])('drops %s, reports it, and goes on', (_, header, frame) => {
    const bench = started();
    bench.transmit(TRANSMIT, header, frame);
    bench.transmit(TRANSMIT, PLAIN, tcpFrame());
    bench.run();
    expect(bench.violations).toEqual(['BAD_REQUEST']);
    expect(bench.frames.length).toBe(1);
    expect(bench.reap(TRANSMIT).length).toBe(2);
  });

  it('refuses offloads that were not negotiated', () => {
    const bench = started({ features: NET_F.MAC });
    bench.transmit(TRANSMIT, netHeader({ flags: 1, checksumStart: TCP_AT }), tcpFrame());
    bench.run();
    expect([bench.violations, bench.frames.length]).toEqual([['BAD_REQUEST'], 0]);
  });
});

describe('receiving', () => {
  it('writes header and frame into one buffer, and says so', () => {
    const bench = started();
    const frame = udpFrame({ payload: bytesOf(300) });
    bench.offer(RECEIVE, 1526);
    bench.arrive(frame);
    bench.run();
    const [{ written, bytes }] = bench.reap(RECEIVE);
    expect(written).toBe(12 + frame.length);
    expect(bytes.slice(12, written)).toEqual(frame);
    // DATA_VALID, and one buffer.
    expect([...bytes.subarray(0, 12)]).toEqual([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  });

  it('vouches for no checksum that is wrong, and for none unless it was agreed', () => {
    const bench = started();
    const frame = udpFrame({ payload: bytesOf(300) });
    frame[100] ^= 1;
    bench.offer(RECEIVE, 1526);
    bench.arrive(frame);
    bench.run();
    expect(bench.reap(RECEIVE)[0].bytes[0]).toBe(0);
    const plain = started({ features: NET_F.MAC });
    plain.offer(RECEIVE, 1526);
    plain.arrive(udpFrame());
    plain.run();
    expect(plain.reap(RECEIVE)[0].bytes[0]).toBe(0);
  });

  it('fills several merged buffers, all but the last whole, and returns them at one time', () => {
    const bench = started();
    const frame = udpFrame({ payload: bytesOf(1000) });
    const heads = [400, 400, 500, 400].map((length) => bench.offer(RECEIVE, length));
    bench.arrive(frame);
    // In steps of a nanosecond, so that buffers returned one by one would be seen.
    let seen: ReturnType<NetBench['reap']> = [];
    for (let i = 0; i < 100_000 && seen.length === 0; i++) {
      bench.run(1000);
      seen = bench.reap(RECEIVE);
    }
    expect(seen.map(({ head, written }) => [head, written])).toEqual([
      [heads[0], 400],
      [heads[1], 400],
      [heads[2], 12 + frame.length - 800],
    ]);
    expect(seen[0].bytes[10]).toBe(3);
    const joined = seen.flatMap(({ bytes, written }) => [...bytes.subarray(0, written)]);
    expect(Uint8Array.from(joined.slice(12))).toEqual(frame);
  });

  it('holds a frame until there are buffers, and loses what has no room to wait', () => {
    const bench = started({ card: { receiveBuffer: '16KiB' } });
    for (let i = 0; i < 20; i++) bench.arrive(udpFrame({ payload: bytesOf(1000) }));
    bench.run();
    expect(bench.hasUsed(RECEIVE)).toBe(false);
    for (let i = 0; i < 20; i++) bench.offer(RECEIVE, 1526);
    bench.run();
    // 15 frames of 1042 bytes are less than 16 KiB.
    expect(bench.reap(RECEIVE).length).toBe(15);
    expect(bench.device.statistics()).toMatchObject({ received: 15, missed: 5 });
  });

  it('loses a frame that no single buffer holds, when they can not be merged', () => {
    const bench = started({ card: { mergeable: false } });
    bench.offer(RECEIVE, 200);
    bench.arrive(udpFrame({ payload: bytesOf(1000) }));
    bench.arrive(udpFrame({ payload: bytesOf(30) }));
    bench.run();
    expect(bench.reap(RECEIVE)).toMatchObject([{ written: 12 + 42 + 30 }]);
    expect(bench.device.statistics()).toMatchObject({ received: 1, missed: 1 });
  });

  it('hears nothing before DRIVER_OK', () => {
    const bench = new NetBench();
    bench.arrive(udpFrame());
    bench.run();
    bench.start();
    bench.offer(RECEIVE, 1526);
    bench.run();
    expect(bench.hasUsed(RECEIVE)).toBe(false);
    expect(bench.device.statistics()).toMatchObject({ unheard: 1 });
  });
});

describe('filters', () => {
  /** Which of some frames get through. */
  function heard(bench: NetBench): string[] {
    const frames = {
      own: tcpFrame({ to: OWN }),
      other: tcpFrame({ to: OTHER }),
      group: tcpFrame({ to: GROUP }),
      all: tcpFrame({ to: MAC_BROADCAST }),
      tagged: tcpFrame({ to: OWN, vlan: 9 }),
    };
    return Object.entries(frames).flatMap(([name, frame]) => {
      bench.offer(RECEIVE, 1526);
      bench.arrive(frame);
      bench.run();
      return bench.reap(RECEIVE).map(() => name);
    });
  }
  const rx = (bench: NetBench, command: number, on: number) =>
    bench.command(NET_CTRL.RX, command, on);

  it('let own address and broadcast through at first', () => {
    expect(heard(started())).toEqual(['own', 'all']);
  });

  it('let groups and tags through when the driver has no say in it', () => {
    expect(heard(started({ features: NET_F.MAC }))).toEqual(['own', 'group', 'all', 'tagged']);
  });

  it.each([
    ['PROMISC', [NET_CTRL_RX.PROMISC], ['own', 'other', 'group', 'all', 'tagged']],
    ['ALLMULTI', [NET_CTRL_RX.ALLMULTI], ['own', 'group', 'all']],
    ['ALLUNI', [NET_CTRL_RX.ALLUNI], ['own', 'other', 'all']],
    ['NOUNI, even with ALLUNI', [NET_CTRL_RX.ALLUNI, NET_CTRL_RX.NOUNI], ['all']],
    ['NOMULTI, even with ALLMULTI', [NET_CTRL_RX.ALLMULTI, NET_CTRL_RX.NOMULTI], ['own', 'all']],
    ['NOBCAST, even with ALLMULTI', [NET_CTRL_RX.ALLMULTI, NET_CTRL_RX.NOBCAST], ['own', 'group']],
  ])('follow %s, on and off', (_, commands, expected) => {
    const bench = started();
    for (const command of commands) expect(rx(bench, command, 1)).toBe(NET_OK);
    expect(heard(bench)).toEqual(expected);
    for (const command of commands) expect(rx(bench, command, 0)).toBe(NET_OK);
    expect(heard(bench)).toEqual(['own', 'all']);
  });

  it('follow the address table, which is empty after a reset', () => {
    const bench = started();
    const table = [1, 0, 0, 0, ...macBytes(OTHER), 1, 0, 0, 0, ...macBytes(GROUP)];
    expect(bench.command(NET_CTRL.MAC, NET_CTRL_MAC.TABLE_SET, ...table)).toBe(NET_OK);
    expect(heard(bench)).toEqual(['own', 'other', 'group', 'all']);
    bench.device.setStatus(0);
    bench.start();
    expect(heard(bench)).toEqual(['own', 'all']);
  });

  it('take all of a kind when the table has more addresses than the device keeps', () => {
    const bench = started();
    const many = Array.from({ length: 65 }, (_, i) => macBytes(0x0200_0000_1000 + i)).flat();
    const table = [65, 0, 0, 0, ...many, 0, 0, 0, 0];
    expect(bench.command(NET_CTRL.MAC, NET_CTRL_MAC.TABLE_SET, ...table)).toBe(NET_OK);
    expect(heard(bench)).toEqual(['own', 'other', 'all']);
  });

  it('follow the VLAN table, which is empty at first', () => {
    const bench = started();
    expect(bench.command(NET_CTRL.VLAN, NET_CTRL_VLAN.ADD, 9, 0)).toBe(NET_OK);
    expect(heard(bench)).toEqual(['own', 'all', 'tagged']);
    expect(bench.command(NET_CTRL.VLAN, NET_CTRL_VLAN.DEL, 9, 0)).toBe(NET_OK);
    expect(heard(bench)).toEqual(['own', 'all']);
  });

  it('follow a new own address, which the configuration shows until a reset', () => {
    const bench = started();
    const set = NET_CTRL_MAC.ADDR_SET;
    expect(bench.command(NET_CTRL.MAC, set, ...macBytes(OTHER))).toBe(NET_OK);
    expect(heard(bench)).toEqual(['other', 'all']);
    expect(bench.config().getUint16(NET_CONFIG.mac + 4)).toBe(0x0055);
    bench.device.setStatus(0);
    expect(bench.config().getUint16(NET_CONFIG.mac + 4)).toBe(0x0001);
  });

  it('keep out what is longer than the MTU allows', () => {
    const bench = started({ card: { mtu: 600 } });
    bench.offer(RECEIVE, 1526);
    bench.arrive(tcpFrame({ payload: bytesOf(1000) }));
    bench.run();
    expect(bench.hasUsed(RECEIVE)).toBe(false);
  });
});

describe('commands', () => {
  const bad: readonly [string, number, number, number[]][] = [
    ['of no class', 9, 0, []],
    ['without data', NET_CTRL.RX, NET_CTRL_RX.PROMISC, []],
    ['with a mode that is neither on nor off', NET_CTRL.RX, NET_CTRL_RX.PROMISC, [2]],
    ['of no receive mode', NET_CTRL.RX, 6, [1]],
    ['with half a table', NET_CTRL.MAC, NET_CTRL_MAC.TABLE_SET, [1, 0, 0, 0, 2]],
    ['with a huge table', NET_CTRL.MAC, NET_CTRL_MAC.TABLE_SET, [255, 255, 255, 255]],
    ['with a group as own address', NET_CTRL.MAC, NET_CTRL_MAC.ADDR_SET, macBytes(GROUP)],
    ['with a VLAN beyond 4095', NET_CTRL.VLAN, NET_CTRL_VLAN.ADD, [0, 16]],
    ['for no pairs', NET_CTRL.MQ, NET_CTRL_MQ.VQ_PAIRS_SET, [0, 0]],
    ['for too many pairs', NET_CTRL.MQ, NET_CTRL_MQ.VQ_PAIRS_SET, [5, 0]],
    ['for an offload that there is not', NET_CTRL.GUEST_OFFLOADS, 0, [128, 0, 0, 0, 0, 0, 0, 0]],
  ];

  it.each(bad)('%s are answered with an error', (_, type, command, data) => {
    const bench = started({ card: { queues: 4 } });
    expect(bench.command(type, command, ...data)).toBe(NET_ERR);
    expect(bench.violations).toEqual([]);
  });

  it('are answered with an error when their feature was not negotiated', () => {
    const bench = started({ card: { queues: 4 }, features: NET_F.CTRL_VQ | NET_F.MQ });
    for (const [type, command, data] of [
      [NET_CTRL.RX, NET_CTRL_RX.PROMISC, [1]],
      [NET_CTRL.RX, NET_CTRL_RX.ALLUNI, [1]],
      [NET_CTRL.MAC, NET_CTRL_MAC.TABLE_SET, [0, 0, 0, 0, 0, 0, 0, 0]],
      [NET_CTRL.MAC, NET_CTRL_MAC.ADDR_SET, macBytes(OTHER)],
      [NET_CTRL.VLAN, NET_CTRL_VLAN.ADD, [1, 0]],
      [NET_CTRL.ANNOUNCE, NET_CTRL_ANNOUNCE.ACK, []],
      [NET_CTRL.GUEST_OFFLOADS, 0, [0, 0, 0, 0, 0, 0, 0, 0]],
    ] as const) {
      expect(bench.command(type, command, ...data)).toBe(NET_ERR);
    }
    expect(bench.command(NET_CTRL.MQ, NET_CTRL_MQ.VQ_PAIRS_SET, 2, 0)).toBe(NET_OK);
  });

  it('turn GUEST_CSUM off and on', () => {
    const bench = started();
    const flagsWith = (offloads: number) => {
      expect(bench.command(NET_CTRL.GUEST_OFFLOADS, 0, offloads, 0, 0, 0, 0, 0, 0, 0)).toBe(NET_OK);
      bench.offer(RECEIVE, 1526);
      bench.arrive(udpFrame());
      bench.run();
      return bench.reap(RECEIVE)[0].bytes[0];
    };
    expect([flagsWith(0), flagsWith(2)]).toEqual([0, 2]);
  });
});

describe('queue pairs', () => {
  /** Queues on which frames of some flows come in. */
  function queuesOf(bench: NetBench, flows: readonly number[]): number[] {
    return flows.map((sourcePort) => {
      for (const queue of [0, 2, 4, 6]) bench.offer(queue, 1526);
      bench.arrive(tcpFrame({ sourcePort }));
      bench.run();
      const queue = [0, 2, 4, 6].find((candidate) => bench.hasUsed(candidate)) ?? -1;
      for (const each of [0, 2, 4, 6]) bench.reap(each);
      return queue;
    });
  }
  const flows = Array.from({ length: 16 }, (_, i) => 3000 + i);

  it('are one at first, and as many as the driver says', () => {
    const bench = started({ card: { queues: 4 } });
    expect(new Set(queuesOf(bench, flows))).toEqual(new Set([0]));
    expect(bench.command(NET_CTRL.MQ, NET_CTRL_MQ.VQ_PAIRS_SET, 4, 0)).toBe(NET_OK);
    expect(new Set(queuesOf(bench, flows))).toEqual(new Set([0, 2, 4, 6]));
    expect(bench.command(NET_CTRL.MQ, NET_CTRL_MQ.VQ_PAIRS_SET, 1, 0)).toBe(NET_OK);
    expect(new Set(queuesOf(bench, flows))).toEqual(new Set([0]));
  });

  it('get what answers the packets that were sent on them', () => {
    const bench = started({ card: { queues: 4 } });
    bench.command(NET_CTRL.MQ, NET_CTRL_MQ.VQ_PAIRS_SET, 4, 0);
    for (const pair of [2, 3, 0, 1]) {
      // The frame that goes out is the one that comes in, with both ends exchanged.
      const ends = { source: 0x0a00_0001, destination: 0x0a00_0002 };
      const frame = tcpFrame({ ...ends, sourcePort: 2000, destinationPort: 3001 });
      bench.transmit(2 * pair + 1, PLAIN, frame);
      bench.run();
      expect(queuesOf(bench, [3001])).toEqual([2 * pair]);
    }
  });

  it('stand in for one that is being reset', () => {
    const bench = started({ card: { queues: 4 } });
    bench.command(NET_CTRL.MQ, NET_CTRL_MQ.VQ_PAIRS_SET, 2, 0);
    const [queue] = queuesOf(bench, [3000]);
    bench.device.resetQueue(queue);
    bench.offer(2 - queue, 1526);
    bench.arrive(tcpFrame({ sourcePort: 3000 }));
    bench.run();
    expect(bench.hasUsed(2 - queue)).toBe(true);
  });
});

describe('features and configuration', () => {
  it.each([
    ['HOST_TSO4 without CSUM', NET_F.HOST_TSO4],
    ['CTRL_RX without CTRL_VQ', NET_F.CTRL_RX],
    ['MQ without CTRL_VQ', NET_F.MQ],
    ['GUEST_ANNOUNCE without CTRL_VQ', NET_F.GUEST_ANNOUNCE],
  ])('%s is refused', (_, features) => {
    const bench = new NetBench({ card: { queues: 2 }, features });
    expect(bench.start() & STATUS.FEATURES_OK).toBe(0);
  });

  it('tells address, link, pairs, MTU and speed', () => {
    const view = new NetBench({
      card: { queues: 3, mtu: 9000, mac: '02:aa:bb:cc:dd:ee' },
    }).config();
    expect(view.getUint32(NET_CONFIG.mac)).toBe(0x02aa_bbcc);
    expect(view.getUint16(NET_CONFIG.status, true)).toBe(NET_S.LINK_UP);
    expect(view.getUint16(NET_CONFIG.maxPairs, true)).toBe(3);
    expect(view.getUint16(NET_CONFIG.mtu, true)).toBe(9000);
    expect(view.getUint32(NET_CONFIG.speed, true)).toBe(1000);
    expect(view.getUint8(NET_CONFIG.duplex)).toBe(1);
  });

  it('tells its driver when the cable is pulled and when it is back, and is deaf between', () => {
    const bench = started({ card: { linkDownAt: '2ms', linkDownFor: '3ms' } });
    bench.run(2.5 * MS);
    expect(bench.config().getUint16(NET_CONFIG.status, true)).toBe(0);
    expect([bench.configEvents, bench.device.configGeneration]).toEqual([1, 1]);
    bench.offer(RECEIVE, 1526);
    bench.arrive(udpFrame());
    bench.transmit(TRANSMIT, PLAIN, tcpFrame());
    bench.run(2 * MS);
    expect([bench.hasUsed(RECEIVE), bench.frames.length]).toEqual([false, 0]);
    expect(bench.reap(TRANSMIT).length).toBe(1);
    bench.run(2 * MS);
    expect(bench.config().getUint16(NET_CONFIG.status, true)).toBe(NET_S.LINK_UP);
    expect(bench.configEvents).toBe(2);
  });

  it('asks for an announcement until the driver has taken notice', () => {
    const bench = started({ card: { announceAt: '1ms' } });
    bench.run(2 * MS);
    const status = () => bench.config().getUint16(NET_CONFIG.status, true);
    expect([bench.configEvents, status()]).toEqual([1, NET_S.LINK_UP | NET_S.ANNOUNCE]);
    expect(bench.command(NET_CTRL.ANNOUNCE, NET_CTRL_ANNOUNCE.ACK)).toBe(NET_OK);
    expect(status()).toBe(NET_S.LINK_UP);
  });
});
