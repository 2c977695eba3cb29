// Receive merging of the network card (virtio 1.4 §5.1.6.4): which frames it joins, what the packets look
// like, and that cutting them again gives the same frames.
import { describe, expect, it } from 'vitest';
import { NET_CTRL, NET_F, NET_GSO, NET_OK } from '../../platform/virtio/index.ts';
import { NetBench } from '../support/net-bench.ts';
import { leaveChecksum, netHeader, tcpFrame, udpFrame } from '../support/net-frames.ts';
import { netTopology } from '../support/net-scenario.ts';
import { Rig } from '../support/rig.ts';

const RECEIVE = 0;
const TCP_AT = 34;
const TCP_SUM_AT = 50;
const PSH_ACK = 0x18;
const CWR_ACK = 0x90;
const US = 1_000_000;
const JOINED = { flags: 1, checksumStart: TCP_AT, headerLength: 54 };

const bytesOf = (length: number, mark = 0) => Uint8Array.from({ length }, (_, i) => i * 7 + mark);

interface MergeOptions {
  readonly card?: Readonly<Record<string, unknown>>;
  readonly features?: bigint;
}

function started({ card = {}, features }: MergeOptions = {}): NetBench {
  const bench = new NetBench({
    card: { receiveMerging: true, mergeTime: '200us', ...card },
    ...(features === undefined ? {} : { features }),
  });
  bench.start();
  return bench;
}

/** What the driver gets of these frames: headers without the count of buffers, and packets. */
function received(bench: NetBench, frames: readonly Uint8Array[]) {
  for (let i = 0; i < frames.length; i++) bench.offer(RECEIVE, 65_601);
  for (const frame of frames) bench.arrive(frame);
  bench.run(2000 * US);
  return bench.reap(RECEIVE).map(({ bytes, written }) => ({
    header: bytes.slice(0, 10),
    packet: bytes.slice(12, written),
  }));
}

/** Segments of one flow, one after another in sequence and id. */
function segments(lengths: readonly number[], parts: Parameters<typeof tcpFrame>[0] = {}) {
  let sequence = parts.sequence ?? 0xffff_ff00;
  return lengths.map((length, i) => {
    const frame = tcpFrame({ ...parts, sequence, id: 0xffff + i, payload: bytesOf(length, i) });
    sequence = (sequence + length) >>> 0;
    return frame;
  });
}

const plain = (header: Uint8Array) => header[1] === NET_GSO.NONE;

describe('frames of a flow', () => {
  it('come as one packet that is right in every field', () => {
    const frames = segments([1000, 1000, 500]);
    const [{ header, packet }, ...rest] = received(started(), frames);
    expect(rest).toEqual([]);
    const payload = Uint8Array.from(frames.flatMap((frame) => [...frame.subarray(54)]));
    const whole = tcpFrame({ sequence: 0xffff_ff00, id: 0xffff, payload });
    expect(packet).toEqual(leaveChecksum(whole, TCP_SUM_AT));
    const expected = netHeader({ ...JOINED, gsoType: 1, gsoSize: 1000, checksumOffset: 16 });
    expect(header).toEqual(expected.slice(0, 10));
  });

  it('come with the flag that ended them, and nothing waits longer then', () => {
    const bench = started({ card: { mergeTime: '900us' } });
    const frames = [...segments([100]), ...segments([100, 100])];
    frames[1] = tcpFrame({ sequence: 0xffff_ff64, id: 0, flags: PSH_ACK, payload: bytesOf(100) });
    for (let i = 0; i < 3; i++) bench.offer(RECEIVE, 65_601);
    bench.arrive(frames[0]);
    bench.arrive(frames[1]);
    bench.run(100 * US);
    const [{ bytes, written }] = bench.reap(RECEIVE);
    expect([written, bytes[12 + TCP_AT + 13]]).toEqual([12 + 54 + 200, PSH_ACK]);
  });

  it('come as they are when no other follows in time', () => {
    const bench = started();
    const [first, second] = segments([100, 100]);
    const [{ header, packet }] = received(bench, [first]);
    expect([plain(header), header[0], packet]).toEqual([true, 2, first]);
    expect(received(bench, [second])[0].packet).toEqual(second);
  });

  it('over UDP are joined while they are equally long', () => {
    const datagrams = [200, 200, 200, 90, 90].map((length, i) =>
      udpFrame({ id: i, payload: bytesOf(length, i) }),
    );
    const packets = received(started(), datagrams);
    expect(packets.map(({ packet }) => packet.length - 42)).toEqual([690, 90]);
    const expected = netHeader({
      ...JOINED,
      headerLength: 42,
      gsoType: 5,
      gsoSize: 200,
      checksumOffset: 6,
    });
    expect(packets[0].header).toEqual(expected.slice(0, 10));
  });

  it('say once that their sender has slowed down', () => {
    const frames = segments([100, 100, 100]);
    frames[0] = tcpFrame({
      sequence: 0xffff_ff00,
      id: 0xffff,
      flags: CWR_ACK,
      payload: bytesOf(100),
    });
    const packets = received(started(), frames);
    expect(packets.map(({ header }) => header[1])).toEqual([NET_GSO.TCPV4 | NET_GSO.ECN]);
    const features = NET_F.GUEST_CSUM | NET_F.GUEST_TSO4 | NET_F.MRG_RXBUF;
    const without = received(started({ features }), frames);
    expect(without.map(({ header }) => header[1])).toEqual([NET_GSO.NONE, NET_GSO.TCPV4]);
  });

  it('are no more than an IP packet holds', () => {
    const frames = segments(Array.from({ length: 60 }, () => 1460));
    const packets = received(started({ card: { mergeTime: '900us' } }), frames);
    expect(packets.map(({ packet }) => packet.length)).toEqual([54 + 44 * 1460, 54 + 16 * 1460]);
  });
});

describe('a frame is not joined with those before it', () => {
  const [first, second] = segments([100, 100]);
  const next = { sequence: 0xffff_ff64, id: 0, payload: bytesOf(100, 1) };
  const damaged = second.slice();
  damaged[80] ^= 1;
  const damagedIp = second.slice();
  damagedIp[24] ^= 1;

  it.each([
    ['that is of another flow', tcpFrame({ ...next, sourcePort: 1001 })],
    ['that is of another VLAN', tcpFrame({ ...next, vlan: 4 })],
    ['that is out of sequence', tcpFrame({ ...next, sequence: 0xffff_ff65 })],
    ['that skips an id', tcpFrame({ ...next, id: 1 })],
    ['that is longer', tcpFrame({ ...next, payload: bytesOf(101) })],
    ['that has no data', tcpFrame({ ...next, payload: bytesOf(0) })],
    ['that ends the connection', tcpFrame({ ...next, flags: 0x11 })],
    ['that calls', tcpFrame({ ...next, flags: 0x02 })],
    ['that says that its sender has slowed down', tcpFrame({ ...next, flags: CWR_ACK })],
    ['that is of another protocol', udpFrame({ payload: bytesOf(100) })],
    ['whose checksum is wrong', damaged],
    ['whose IP checksum is wrong', damagedIp],
  ])('%s', (_, frame) => {
    const bench = started({ features: NET_F.MRG_RXBUF | NET_F.GUEST_CSUM | GUEST_ALL });
    const packets = received(bench, [first, frame]);
    // The last one may be padded on the cable.
    const bytes = packets.map(({ packet }, i) => packet.slice(0, [first, frame][i].length));
    expect(bytes).toEqual([first, frame]);
    expect(packets.map(({ header }) => plain(header))).toEqual([true, true]);
  });

  it('after one that is shorter', () => {
    const frames = segments([100, 50, 50]);
    const lengths = received(started(), frames).map(({ packet }) => packet.length);
    expect(lengths).toEqual([54 + 150, 54 + 50]);
  });

  const GUEST_ALL = NET_F.GUEST_TSO4 | NET_F.GUEST_ECN | NET_F.GUEST_USO4;
});

describe('merging', () => {
  it('is not there unless agreed, and can be turned off and on', () => {
    const frames = segments([100, 100]);
    expect(received(started({ features: NET_F.GUEST_CSUM }), frames).length).toBe(2);
    const bench = started();
    const set = (bits: number) =>
      bench.command(NET_CTRL.GUEST_OFFLOADS, 0, bits & 0xff, bits >>> 8, 0, 0, 0, 0, 0, 0);
    expect(set(0x02)).toBe(NET_OK);
    expect(received(bench, frames).length).toBe(2);
    expect(set(0x82)).toBe(NET_OK);
    expect(received(bench, frames).length).toBe(1);
  });

  it('stops where the buffers do', () => {
    const bench = started();
    for (let i = 0; i < 3; i++) bench.offer(RECEIVE, 1526);
    for (const frame of segments([1400, 1400, 1400, 1400])) bench.arrive(frame);
    bench.run(1000 * US);
    expect(bench.reap(RECEIVE).map(({ written }) => written)).toEqual([
      1526,
      1526,
      12 + 54 + 4200 - 3052,
    ]);
    for (let i = 0; i < 3; i++) bench.offer(RECEIVE, 1526);
    bench.run(1000 * US);
    expect(bench.reap(RECEIVE).map(({ written }) => written)).toEqual([12 + 54 + 1400]);
  });

  it('makes no packet that its buffer does not hold, when buffers can not be merged', () => {
    const bench = started({ card: { mergeable: false } });
    for (let i = 0; i < 4; i++) bench.offer(RECEIVE, 3000);
    for (const frame of segments([1400, 1400, 1400])) bench.arrive(frame);
    bench.run(1000 * US);
    expect(bench.reap(RECEIVE).map(({ written }) => written)).toEqual([2866, 1466]);
    expect(bench.device.statistics()).toMatchObject({ joined: 1, missed: 0 });
  });
});

describe('a scenario', () => {
  it.each([
    ['merging without checksums', { receiveMerging: true, checksum: false }, /checksum: true/],
    ['a time to wait for nothing', { mergeTime: '5us' }, /receiveMerging: true/],
  ])('is refused with %s', (_, card, expected) => {
    expect(() => netTopology({ card, workloads: [] })).toThrow(expected);
  });
});

describe('a guest whose card merges', () => {
  it.each([
    ['pages', {}],
    ['buffers of 64 KiB', { mergeable: false }],
    ['packed rings', { ring: 'packed', eventIdx: true }],
  ])('gets every byte of a stream with fewer packets, in %s', (_, more) => {
    const stream = { type: 'stream', device: 'net-0', to: 'net-1', bytes: '500kB' };
    const card = { receiveMerging: true, mergeTime: '100us', ...more };
    const rig = new Rig(netTopology({ card, workloads: [stream] }));
    expect(rig.run()).toBe('done');
    expect(rig.result().extra).toMatchObject({ rightBytes: 500_000, wrongBytes: 0 });
    expect(rig.violations).toEqual([]);
    const { received: packets, joined } = rig.outcome.devices[1].statistics;
    expect(joined).toBeGreaterThan(2 * packets);
  });

  it('gets every datagram, many in one packet', () => {
    const pktgen = { type: 'pktgen', device: 'net-0', to: 'net-1', packets: 300, size: '500B' };
    const card = { receiveMerging: true, mergeTime: '50us' };
    const rig = new Rig(netTopology({ card, workloads: [pktgen] }));
    expect(rig.run()).toBe('done');
    expect(rig.result().extra).toMatchObject({ sent: 300, received: 300, lost: 0, reordered: 0 });
    expect(rig.outcome.devices[1].statistics.joined).toBeGreaterThan(200);
  });
});
