// IPv6 in the guest's stack: addresses, neighbour discovery, and all that runs over either version of IP. What
// is on the cable is read and summed here byte by byte, without the code that is tested.
import { describe, expect, it } from 'vitest';
import { FRAME, FrameView, ipText, parseIp, readMac } from '../../platform/network/index.ts';
import { onesSum, udpFrame } from '../support/net-frames.ts';
import { netTopology } from '../support/net-scenario.ts';
import { Rig } from '../support/rig.ts';

const MIB = 1024 * 1024;
const [UDP, ICMPV6] = [17, 58];
const [SOLICITATION, ADVERTISEMENT] = [135, 136];

type Entry = Readonly<Record<string, unknown>>;

/** A run whose cards have IPv6, with all frames that were put on cables by cards. */
function over6(workload: Entry, card: Entry = {}) {
  const topology = netTopology({
    card: { ipv6: true, ...card },
    workloads: [{ device: 'net-0', to: 'net-1', ip: 6, ...workload }],
  });
  const rig = new Rig(topology);
  const frames: Uint8Array[] = [];
  const cards = topology.buses.map(({ device }) => device);
  rig.filter = ({ packet, fromNode }) => {
    if (packet.kind === FRAME && cards.includes(fromNode)) {
      frames.push(packet.bytes.slice(0, packet.length));
    }
    return true;
  };
  return { rig, frames };
}

const isIpv6 = (frame: Uint8Array) => frame[12] === 0x86 && frame[13] === 0xdd;
const messages = (frames: readonly Uint8Array[], type: number) =>
  frames.filter((frame) => isIpv6(frame) && frame[20] === ICMPV6 && frame[54] === type);
const textAt = (frame: Uint8Array, at: number) => ipText(frame.slice(at, at + 16));

/** True when the sum of pseudo header and payload is all ones (RFC 8200 §8.1). */
function sumHolds(frame: Uint8Array): boolean {
  const length = frame[18] * 256 + frame[19];
  const payload = [...frame.slice(54, 54 + length)];
  const pseudo = [...frame.slice(22, 54), 0, 0, frame[18], frame[19], 0, 0, 0, frame[20]];
  return onesSum(pseudo, payload) === 0xffff;
}

describe('an IPv6 address', () => {
  it.each([
    ['::', '::'],
    ['::1', '::1'],
    ['fe80::', 'fe80::'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['0:0:0:1:10:100:0:0', '::1:10:100:0:0'],
  ])('written %s is shown as %s', (text, shown) => {
    const address = parseIp(text);
    expect(address).toHaveLength(16);
    expect(ipText(address!)).toBe(shown);
  });

  it.each([
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    '1::2:3:4:5:6:7:8',
  ])('is not %s', (text) => expect(parseIp(text)).toBeNull());
});

describe('neighbour discovery', () => {
  const { rig, frames } = over6({ type: 'ping', requests: 4, interval: '1us' });
  const result = rig.run();
  const [a, b] = ['fe80::ff:fe00:1', 'fe80::ff:fe00:2'];

  it('finds a station by its link-local address', () => {
    expect(result).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 4, errors: 0, verified: 4, failure: null });
    expect(rig.violations).toEqual([]);
  });

  it('asks the group of the address, once, and says who asks', () => {
    const asked = messages(frames, SOLICITATION);
    expect(asked).toHaveLength(1);
    const [frame] = asked;
    expect(readMac(frame, 0)).toBe(0x3333_ff00_0002);
    expect([textAt(frame, 22), textAt(frame, 38)]).toEqual([a, 'ff02::1:ff00:2']);
    expect([frame[21], textAt(frame, 62)]).toEqual([255, b]);
    expect([frame[78], frame[79], readMac(frame, 80)]).toEqual([1, 1, 0x0200_0000_0001]);
  });

  it('answers the one who asked, and announces itself to all', () => {
    const told = messages(frames, ADVERTISEMENT);
    const seen = told.map((frame) => [textAt(frame, 38), frame[58], readMac(frame, 80)]);
    expect(seen).toContainEqual(['ff02::1', 0x20, 0x0200_0000_0001]);
    expect(seen).toContainEqual(['ff02::1', 0x20, 0x0200_0000_0002]);
    expect(seen).toContainEqual([a, 0x60, 0x0200_0000_0002]);
    for (const frame of told) expect([frame[78], frame[79]]).toEqual([2, 1]);
  });

  it('and all else over IPv6 has right checksums', () => {
    const sent = frames.filter(isIpv6);
    expect(sent.length).toBeGreaterThanOrEqual(4 + 8);
    expect(sent.every(sumHolds)).toBe(true);
  });

  it.each([
    ['came over a router', 21, 254],
    ['is cut', 79, 0],
    ['is damaged', 70, 1],
    ['has another code', 55, 1],
  ])('ignores a message that %s', (_, at, value) => {
    const { rig: run } = over6({ type: 'ping', requests: 2, timeout: '4s' });
    const cards = run.topology.buses.map(({ device }) => device);
    run.filter = ({ packet: { kind, bytes, length }, fromNode }) => {
      const frame = [bytes.subarray(0, length)];
      const isMessage = [SOLICITATION, ADVERTISEMENT].some((type) => messages(frame, type)[0]);
      if (kind === FRAME && cards.includes(fromNode) && isMessage) bytes[at] = value;
      return true;
    };
    expect(run.run()).toBe('done');
    expect(run.result()).toMatchObject({ requests: 2, errors: 2 });
  });
});

describe('over IPv6', () => {
  it('counts a station that is not there as lost', () => {
    const { rig } = over6({ type: 'ping', to: 'fe80::99', requests: 2, timeout: '5s' });
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 2, errors: 2 });
  });

  it.each([
    ['offloads', {}],
    ['no offloads', { checksum: false, segmentation: false, mergeable: false }],
    ['jumbo frames', { mtu: 9000 }],
    ['a VLAN', { vlan: 42 }],
    ['packed rings and queue pairs', { ring: 'packed', queues: 2 }],
    ['receive merging', { receiveMerging: true, mergeTime: '10us' }],
  ])('a stream with %s brings every byte', (_, card) => {
    const { rig } = over6({ type: 'stream', bytes: '300kB', connections: 3 }, card);
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ bytes: 300_000, errors: 0, failure: null });
    expect(rig.result().extra).toMatchObject({ wrongBytes: 0, retransmissions: 0 });
    expect(rig.violations).toEqual([]);
  });

  it('large TCP packets are cut by one card, and joined by the other', () => {
    const { rig, frames } = over6(
      { type: 'stream', bytes: '2MiB' },
      { receiveMerging: true, mergeTime: '20us' },
    );
    expect(rig.run()).toBe('done');
    expect(rig.result().extra).toMatchObject({ rightBytes: 2 * MIB, retransmissions: 0 });
    const data = frames.filter((frame) => isIpv6(frame) && frame.length > 1000);
    // 1440 bytes of data in a frame of 1500: 20 less than over IPv4.
    expect(Math.max(...data.map(({ length }) => length))).toBe(1514);
    expect(data.length).toBeGreaterThanOrEqual(Math.ceil((2 * MIB) / 1440));
    expect(data.every(sumHolds)).toBe(true);
    const [sender, receiver] = rig.outcome.devices.map(({ statistics }) => statistics);
    expect(sender.packetsSent).toBeLessThan(data.length / 10);
    expect(receiver.joined).toBeGreaterThan(data.length / 3);
  });

  it('bursts of datagrams are cut by the card, and joined again', () => {
    const burst = { type: 'pktgen', size: '700B', packets: 330, burst: 16, rate: '200Mbit/s' };
    const { rig, frames } = over6(burst, { receiveMerging: true, mergeTime: '20us' });
    expect(rig.run()).toBe('done');
    const { extra } = rig.result();
    expect(extra).toMatchObject({ sent: 330, received: 330, lost: 0, reordered: 0 });
    expect(frames.filter(isIpv6).every(sumHolds)).toBe(true);
    const [sender, receiver] = rig.outcome.devices.map(({ statistics }) => statistics);
    expect(sender.packetsSent).toBeLessThan(330 / 16 + 8);
    expect(receiver.joined).toBeGreaterThan(200);
  });

  it('the smallest frames are larger than over IPv4', () => {
    const { rig, frames } = over6({ type: 'pktgen', packets: 20 });
    expect(rig.run()).toBe('done');
    expect(rig.result().extra).toMatchObject({ sent: 20, received: 20 });
    const small = frames.filter((frame) => isIpv6(frame) && frame.length === 86);
    // One more asks for the counts, and is answered with a larger one.
    expect(small.filter((frame) => frame[20] === UDP).length).toBe(20 + 1);
  });

  it('a datagram without a checksum is not right, as it is over IPv4', () => {
    const holds = (ipv6: boolean) => {
      const frame = udpFrame({ ipv6, payload: Uint8Array.of(1, 2, 3) });
      const at = ipv6 ? 60 : 40;
      frame[at] = frame[at + 1] = 0;
      const view = new FrameView();
      expect(view.parse(frame, frame.length)).toBe(true);
      return view.transportChecksumHolds(frame);
    };
    expect([holds(false), holds(true)]).toEqual([true, false]);
  });
});

describe('both versions', () => {
  it('run over the same cards at the same time', () => {
    const stream = { type: 'stream', device: 'net-0', bytes: '200kB' };
    const workloads = [
      { ...stream, to: 'net-1' },
      { ...stream, to: 'fe80::ff:fe00:2' },
    ];
    const rig = new Rig(netTopology({ card: { ipv6: true }, workloads }));
    expect(rig.run()).toBe('done');
    for (const index of [0, 1]) expect(rig.result(index).extra!.rightBytes).toBe(200_000);
  });

  it.each([
    [{}, { ip: 6 }, /has no IPv6 address/],
    [{}, { to: 'fe80::1' }, /has no IPv6 address/],
    [{ ipv6: true }, { to: '10.0.0.2', ip: 6 }, /is an address of IPv4/],
    [{ ipv6: true, mtu: 1000 }, {}, /1280/],
    [{ ipv6: true }, { type: 'pktgen', ip: 6, size: '70B' }, /at least 86 bytes/],
    [{ ipv6: true }, { ip: 6, size: '1453B' }, /more than the MTU/],
  ])('%j with %j is refused', (card, workload, message) => {
    const ping = { type: 'ping', device: 'net-0', to: 'net-1', ...workload };
    expect(() => netTopology({ card, workloads: [ping] })).toThrow(message);
  });
});
