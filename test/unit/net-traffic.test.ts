// Network cards, drivers and stacks from end to end: ping, datagrams and byte streams between VMs.
import { describe, expect, it } from 'vitest';
import { FRAME } from '../../platform/network/index.ts';
import { measured } from '../support/measured.ts';
import { netTopology } from '../support/net-scenario.ts';
import { Rig } from '../support/rig.ts';

const MIB = 1024 * 1024;
const MS = 1e9;

describe('ping', () => {
  it('gets every answer, with the bytes that it sent', () => {
    const ping = { type: 'ping', device: 'net-0', to: 'net-1', size: '1472B', requests: 20 };
    const rig = new Rig(netTopology({ workloads: [ping] }));
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 20, errors: 0, verified: 20, failure: null });
    expect(rig.violations).toEqual([]);
  });

  it('counts what is not answered as lost', () => {
    const ping = { type: 'ping', device: 'net-0', to: '10.9.9.9', requests: 3, timeout: '5s' };
    const rig = new Rig(netTopology({ workloads: [ping] }));
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 3, errors: 3, verified: 0 });
  });

  it('needs no more round trip than cables, cards and CPUs take', () => {
    const round = (latency: string) => {
      const ping = { type: 'ping', device: 'net-0', to: 'net-1', requests: 5, interval: '2ms' };
      const rig = new Rig(netTopology({ network: { latency }, workloads: [ping] }));
      rig.run();
      return measured(rig.result().latency).p50;
    };
    // Four cables, there and back.
    expect(round('101us') - round('1us')).toBeCloseTo(4 * 100_000, -3);
  });
});

describe('pktgen', () => {
  it.each([
    ['100Mbit/s', '60B', 1],
    ['900Mbit/s', '1514B', 1],
  ])('at %s with %s frames loses nothing and arrives at that rate', (rate, size) => {
    const more = { size: size === '60B' ? '66B' : size, rate, packets: 400 };
    const pktgen = { type: 'pktgen', device: 'net-0', to: 'net-1', ...more };
    const rig = new Rig(netTopology({ workloads: [pktgen] }));
    expect(rig.run()).toBe('done');
    const { extra } = rig.result();
    expect(extra).toMatchObject({ sent: 400, received: 400, lost: 0, reordered: 0 });
    const error = extra!.receiveBitsPerSecond / extra!.sendBitsPerSecond - 1;
    expect(Math.abs(error)).toBeLessThan(0.01);
  });

  it('without a rate fills the cable and no more', () => {
    const pktgen = { type: 'pktgen', device: 'net-0', to: 'net-1', size: '1514B', packets: 2000 };
    const rig = new Rig(netTopology({ network: { rate: '100Mbit/s' }, workloads: [pktgen] }));
    expect(rig.run()).toBe('done');
    const { extra } = rig.result();
    expect(extra).toMatchObject({ received: 2000, lost: 0 });
    // 1514 of the 1538 bytes that a frame takes on the cable.
    const expected = (100e6 * 1514) / 1538;
    expect(Math.abs(extra!.receiveBitsPerSecond / expected - 1)).toBeLessThan(0.01);
  });

  it.each([
    ['bursts that the device cuts', {}],
    ['bursts that nobody cuts', { segmentation: false }],
    ['bursts that are cut and joined again', { receiveMerging: true, mergeTime: '20us' }],
  ])('sends every frame of %s', (_, card) => {
    const more = { size: '700B', packets: 330, burst: 16, rate: '200Mbit/s' };
    const pktgen = { type: 'pktgen', device: 'net-0', to: 'net-1', ...more };
    const rig = new Rig(netTopology({ card, workloads: [pktgen] }));
    expect(rig.run()).toBe('done');
    const { extra } = rig.result();
    expect(extra).toMatchObject({ sent: 330, received: 330, lost: 0, reordered: 0 });
    expect(rig.violations).toEqual([]);
    const { packetsSent } = rig.outcome.devices[0].statistics;
    // Each burst is one packet for the device, and the question at the end is one more, beside ARP.
    if ('segmentation' in card) expect(packetsSent).toBeGreaterThan(330);
    else expect(packetsSent).toBeLessThan(330 / 16 + 6);
  });

  it('sends to a MAC address that nobody has', () => {
    const pktgen = { type: 'pktgen', device: 'net-0', to: '02:11:22:33:44:55', packets: 50 };
    const rig = new Rig(netTopology({ stations: 3, workloads: [pktgen] }));
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 50, errors: 0 });
    rig.runUntil(rig.kernel.now + 10 * MS);
    const flooded = rig.outcome.networks.find(({ part }) => part === 'switch')!.statistics.flooded;
    expect(flooded).toBeGreaterThanOrEqual(50);
  });
});

describe('a stream', () => {
  it('brings every byte, at nearly the rate of the cable', () => {
    const stream = { type: 'stream', device: 'net-0', to: 'net-1', bytes: '2MiB' };
    const rig = new Rig(netTopology({ workloads: [stream] }));
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 32, verified: 32, bytes: 2 * MIB, errors: 0 });
    const extra = rig.result().extra!;
    expect(extra).toMatchObject({ rightBytes: 2 * MIB, wrongBytes: 0, retransmissions: 0 });
    expect(extra.goodputBitsPerSecond).toBeGreaterThan(0.85e9);
    expect(extra.goodputBitsPerSecond).toBeLessThan((1e9 * 1460) / 1538);
    expect(rig.violations).toEqual([]);
  });

  it.each([
    ['no offloads', { checksum: false, segmentation: false, mergeable: false }],
    ['no segmentation', { segmentation: false }],
    ['jumbo frames', { mtu: 9000 }],
    ['jumbo frames that are not merged', { mtu: 9000, mergeable: false }],
    ['a VLAN', { vlan: 42 }],
    ['packed rings', { ring: 'packed', eventIdx: true, indirect: true, notificationData: true }],
    ['small queues', { queueSize: 16 }],
    ['queue pairs', { queues: 2 }],
  ])('works with %s', (_, card) => {
    const stream = { type: 'stream', device: 'net-0', to: 'net-1', bytes: '300kB', connections: 3 };
    const rig = new Rig(netTopology({ card, workloads: [stream] }));
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ bytes: 300_000, errors: 0, failure: null });
    expect(rig.result().extra).toMatchObject({ rightBytes: 300_000, wrongBytes: 0 });
    expect(rig.violations).toEqual([]);
  });

  it('runs for as long as it is told', () => {
    const stream = { type: 'stream', device: 'net-0', to: 'net-1', duration: '10ms' };
    const rig = new Rig(netTopology({ workloads: [stream] }));
    expect(rig.run()).toBe('done');
    expect(rig.result().elapsedPs).toBeGreaterThan(10 * MS);
    expect(rig.result().elapsedPs).toBeLessThan(14 * MS);
    expect(rig.result().bytes).toBe(rig.result().extra!.rightBytes);
  });

  it('is told when a byte is changed on the way', () => {
    const stream = { type: 'stream', device: 'net-0', to: 'net-1', bytes: '100kB' };
    const rig = new Rig(netTopology({ workloads: [stream] }));
    let frames = 0;
    rig.filter = ({ packet }) => {
      // The checksum no longer holds: the frame counts as lost, and is sent again.
      if (packet.kind === FRAME && packet.length > 1000 && ++frames === 20) packet.bytes[900] ^= 1;
      return true;
    };
    expect(rig.run()).toBe('done');
    expect(rig.result().extra).toMatchObject({ rightBytes: 100_000, wrongBytes: 0 });
    expect(rig.result().extra!.retransmissions).toBeGreaterThan(0);
  });
});
