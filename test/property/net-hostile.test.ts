// A network card that is given anything: packets with arbitrary headers, frames that are damaged anywhere,
// and arbitrary commands. It reports and drops, returns every buffer, and goes on.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PS_PER_MS } from '../../platform/kernel/index.ts';
import { NET_ERR, NET_OK } from '../../platform/virtio/index.ts';
import { NetBench } from '../support/net-bench.ts';
import { netHeader, tcpFrame, udpFrame } from '../support/net-frames.ts';

const SEED = 20_261_122;
const CARD = {
  queues: 2,
  deviceStats: true,
  rss: true,
  hashReport: true,
  receiveMerging: true,
  mergeTime: '5us',
  coalesceReceive: { packets: 2, time: '5us' },
};
const HASH_HEADER = 8;

const frames = fc
  .record({
    udp: fc.boolean(),
    ipv6: fc.boolean(),
    vlan: fc.constantFrom(-1, 3),
    length: fc.integer({ min: 0, max: 700 }),
    sequence: fc.constantFrom(0, 100, 200),
    flips: fc.array(fc.record({ at: fc.nat(60), bit: fc.nat(7) }), { maxLength: 3 }),
    cut: fc.integer({ min: 0, max: 800 }),
  })
  .map(({ udp, length, flips, cut, ...parts }) => {
    const payload = new Uint8Array(length);
    const frame = (udp ? udpFrame : tcpFrame)({ ...parts, payload }).slice(0, Math.max(20, cut));
    for (const { at, bit } of flips) if (at < frame.length) frame[at] ^= 1 << bit;
    return frame;
  });

const headers = fc
  .record({
    flags: fc.nat(255),
    gsoType: fc.constantFrom(0, 1, 3, 4, 5, 0x81, 0xff),
    headerLength: fc.nat(0xffff),
    gsoSize: fc.constantFrom(0, 20, 100, 1460, 0xffff),
    checksumStart: fc.constantFrom(0, 34, 54, 1400, 0xffff),
    checksumOffset: fc.constantFrom(0, 6, 16, 0xffff),
  })
  .map((fields) => Uint8Array.from([...netHeader(fields), ...new Uint8Array(HASH_HEADER)]));

describe('a network card', () => {
  it('returns every packet that it is to send, whatever it is', () => {
    const packets = fc.array(fc.tuple(headers, frames), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(packets, (all) => {
        const bench = new NetBench({ card: CARD });
        bench.start();
        for (const [header, frame] of all) bench.transmit(1, header, frame);
        bench.run(5 * PS_PER_MS);
        expect(bench.reap(1).length).toBe(all.length);
        const { packetsSent, packetsDropped } = bench.device.statistics();
        expect(packetsSent + packetsDropped).toBe(all.length);
        // What goes out is never longer than the cable allows.
        for (const { bytes } of bench.frames) expect(bytes.length).toBeLessThanOrEqual(1518);
      }),
      { seed: SEED, numRuns: 30 },
    );
  });

  it('accounts for every frame that comes in, whatever it is', () => {
    const arrivals = fc.array(frames, { minLength: 1, maxLength: 24 });
    fc.assert(
      fc.property(arrivals, (all) => {
        const bench = new NetBench({ card: CARD });
        bench.start();
        for (let i = 0; i < 30; i++) bench.offer(0, 2048);
        for (const frame of all) bench.arrive(frame);
        bench.run();
        const { received, joined, missed, filtered, unheard } = bench.device.statistics();
        expect(received + joined + missed + filtered + unheard).toBe(all.length);
        expect(bench.violations).toEqual([]);
        const buffers = bench.reap(0);
        expect(buffers.every(({ written }) => written > 0 && written <= 2048)).toBe(true);
      }),
      { seed: SEED, numRuns: 30 },
    );
  });

  it('answers every command, whatever it says', () => {
    const command = fc.tuple(
      fc.nat(8),
      fc.nat(5),
      fc.array(fc.nat(255), { maxLength: 60, size: 'max' }),
    );
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 8 }), (all) => {
        const bench = new NetBench({ card: CARD });
        bench.start();
        for (const [type, code, data] of all) {
          expect([NET_OK, NET_ERR]).toContain(bench.command(type, code, ...data));
        }
        expect(bench.violations).toEqual([]);
      }),
      { seed: SEED, numRuns: 40 },
    );
  });
});
