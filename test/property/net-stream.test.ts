// What must hold of the network stack whatever happens on the way: every byte arrives once and in order;
// packet memory is never given out twice.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketArena } from '../../guests/net/packet-arena.ts';
import { Congestion, TcpReceiver } from '../../guests/net/stack/index.ts';
import { randomStream } from '../../platform/kernel/index.ts';
import { FRAME } from '../../platform/network/index.ts';
import { netTopology } from '../support/net-scenario.ts';
import { Rig } from '../support/rig.ts';

const SEED = 1;

describe('a TCP receiver', () => {
  it('hands on every byte once and in order, however segments come', () => {
    const segments = fc.array(
      fc.record({
        from: fc.integer({ min: 0, max: 299 }),
        length: fc.integer({ min: 1, max: 60 }),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(segments, fc.integer({ min: 1, max: 120 }), (drawn, window) => {
        const stream = Uint8Array.from({ length: 300 }, (_, i) => i * 13 + (i >> 4));
        const got: number[] = [];
        const receiver = new TcpReceiver(window, (bytes, offset, length) => {
          got.push(...bytes.subarray(offset, offset + length));
        });
        const accept = (from: number, to: number) => {
          const piece = stream.slice(from, to);
          const before = receiver.next;
          receiver.accept(1 + from, piece, 0, piece.length);
          expect(receiver.next).toBeGreaterThanOrEqual(before);
          // FIN takes a position, too.
          expect(got.length).toBe(receiver.next - 1 - (receiver.ended ? 1 : 0));
          expect(got).toEqual([...stream.subarray(0, got.length)]);
        };
        for (const { from, length } of drawn) accept(from, Math.min(300, from + length));
        receiver.finish(301);
        expect(receiver.ended).toBe(got.length === 300);
        // What is missing comes in the end, a window at a time.
        while (got.length < 300) accept(got.length, Math.min(300, got.length + window));
        expect(receiver.ended).toBe(true);
        expect(receiver.hasGap).toBe(false);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});

describe('congestion control', () => {
  it('never stops a sender, and never lets it wait less than the least time-out', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('ack' as const), bytes: fc.integer({ min: 1, max: 9000 }) }),
      fc.record({ kind: fc.constant('duplicate' as const) }),
      fc.record({ kind: fc.constant('timeout' as const) }),
      fc.record({ kind: fc.constant('trip' as const), time: fc.integer({ min: 1, max: 1e12 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const congestion = new Congestion(1460);
        let position = 0;
        for (const each of steps) {
          const flight = 100_000;
          if (each.kind === 'ack') {
            position += each.bytes;
            congestion.acknowledged(position, each.bytes, flight);
          } else if (each.kind === 'duplicate') {
            congestion.duplicate(flight, position + flight);
          } else if (each.kind === 'timeout') {
            const before = congestion.rto;
            congestion.timedOut(flight);
            expect(congestion.window).toBe(1460);
            expect(congestion.rto).toBe(Math.min(60e12, before * 2));
          } else congestion.measured(each.time);
          expect(congestion.window).toBeGreaterThanOrEqual(1460);
          expect(congestion.threshold).toBeGreaterThanOrEqual(2 * 1460);
          expect(congestion.rto).toBeGreaterThanOrEqual(200e9);
        }
      }),
      { seed: SEED, numRuns: 200 },
    );
  });
});

describe('packet memory', () => {
  it('gives no byte to two packets, and all of it back in the end', () => {
    const step = fc.record({ take: fc.boolean(), length: fc.integer({ min: 1, max: 900 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.nat(), (steps, seed) => {
        const random = randomStream(seed, 'arena');
        const arena = new PacketArena(4096, 4096);
        const held: { readonly address: number; readonly end: number }[] = [];
        for (const { take, length } of steps) {
          if (!take) {
            // Any of them, as devices may return packets in any order.
            const [gone] = held.splice(held.length > 0 ? random.below(held.length) : 0, 1);
            if (gone !== undefined) arena.give(gone.address);
            continue;
          }
          const address = arena.take(length);
          if (address < 0) continue;
          const end = address + length;
          expect(address >= 4096 && end <= 8192).toBe(true);
          expect(held.every((other) => end <= other.address || address >= other.end)).toBe(true);
          held.push({ address, end });
        }
        for (const { address } of held) arena.give(address);
        expect(arena.used).toBe(0);
        expect(arena.take(4096)).toBe(4096);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });
});

describe('a stream over a bad network', () => {
  it.each([
    ['losses of 1 %', { lossPerMillion: 10_000 }, 8],
    ['losses of 5 %', { lossPerMillion: 50_000 }, 6],
    ['a small buffer', { buffer: '8KiB' }, 6],
    ['both', { lossPerMillion: 5000, buffer: '12KiB' }, 6],
  ])('brings every byte once and in order, with %s', (_, network, runs) => {
    const parameters = fc.record({
      seed: fc.integer({ min: 1, max: 1000 }),
      kilobytes: fc.integer({ min: 1, max: 150 }),
      window: fc.constantFrom('16KiB', '64KiB', '256KiB'),
      connections: fc.integer({ min: 1, max: 3 }),
      segmentation: fc.boolean(),
    });
    fc.assert(
      fc.property(parameters, ({ seed, kilobytes, window, connections, segmentation }) => {
        const more = { bytes: `${kilobytes}kB`, window, connections };
        const streams = [
          { type: 'stream', device: 'net-0', to: 'net-2', ...more },
          { type: 'stream', device: 'net-1', to: 'net-2', ...more },
        ];
        const card = { segmentation };
        const rig = new Rig(netTopology({ stations: 3, seed, network, card, workloads: streams }));
        expect(rig.run()).toBe('done');
        for (const index of [0, 1]) {
          const { errors, failure, extra } = rig.result(index);
          expect([errors, failure]).toEqual([0, null]);
          expect(extra).toMatchObject({ rightBytes: kilobytes * 1000, wrongBytes: 0 });
        }
        expect(rig.violations).toEqual([]);
      }),
      { seed: SEED, numRuns: runs },
    );
  });

  it('brings every byte once and in order, with frames lost, doubled and delayed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (seed) => {
        const random = randomStream(seed, 'mischief');
        const stream = { type: 'stream', device: 'net-0', to: 'net-1', bytes: '100kB' };
        const rig = new Rig(netTopology({ seed, workloads: [stream] }));
        const { kernel } = rig;
        const send = kernel.send.bind(kernel);
        let mischief = 0;
        kernel.send = (from, to, port, delay, packet) => {
          const plain = packet.kind !== FRAME || !random.ratio(1, 20);
          if (plain) return send(from, to, port, delay, packet);
          mischief++;
          const what = random.below(3);
          if (what === 0) return kernel.packets.release(packet);
          if (what === 1) {
            const double = kernel.packets.acquire(packet.length);
            double.bytes.set(packet.bytes.subarray(0, packet.length));
            double.kind = FRAME;
            double.a = double.b = double.c = double.d = 0;
            send(from, to, port, delay + random.below(1_000_000_000), double);
          }
          send(from, to, port, delay + random.below(100_000_000), packet);
        };
        expect(rig.run()).toBe('done');
        expect(rig.result().extra).toMatchObject({ rightBytes: 100_000, wrongBytes: 0 });
        expect(mischief).toBeGreaterThan(5);
        expect(rig.violations).toEqual([]);
      }),
      { seed: SEED, numRuns: 12 },
    );
  });
});
