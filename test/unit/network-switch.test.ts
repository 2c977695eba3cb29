// Cables and the learning switch: what a frame costs on the way, where it goes, what is dropped.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesOnCable,
  isGroupMac,
  MAC_AGE_MAX,
  MAC_BROADCAST,
  MAC_TABLE_MAX,
  macText,
  parseMac,
  readMac,
  writeMac,
} from '../../platform/network/index.ts';
import { testFrame, testNetwork } from '../support/test-network.ts';

/** Locally administered addresses of stations A, B and C. */
const A = 0x0200_0000_0001;
const B = 0x0200_0000_0002;
const C = 0x0200_0000_0003;

/** 1 Gbit/s: 8 ns for a byte. */
const BYTE = 8_000;
/** Of `testNetwork`. */
const LATENCY = 1_000_000;

describe('a MAC address', () => {
  it('is written and read back, as bytes and as text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAC_BROADCAST }), (mac) => {
        const bytes = new Uint8Array(8);
        writeMac(bytes, 1, mac);
        expect(readMac(bytes, 1)).toBe(mac);
        expect(parseMac(macText(mac))).toBe(mac);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('is a group address by the lowest bit of its first byte', () => {
    expect([A, MAC_BROADCAST, 0x0100_5e00_0001].map(isGroupMac)).toEqual([false, true, true]);
  });

  it('needs six pairs of digits', () => {
    expect(['02:00:00:00:00', '02-00-00-00-00-01', 'x'].map(parseMac)).toEqual([null, null, null]);
  });
});

describe('a wire', () => {
  it('takes preamble, check sequence and gap besides the frame, and its latency', () => {
    const { stations, run } = testNetwork({ stations: 2, type: 'wire' });
    // 100 bytes, 8 of preamble, 4 of check sequence, 12 of gap.
    expect(stations[0].send(testFrame(B, A, 100))).toBe(124 * BYTE);
    run();
    expect(stations[1].arrivals.map(({ at }) => at)).toEqual([124 * BYTE + LATENCY]);
    expect(stations[1].arrivals[0].bytes).toEqual(testFrame(B, A, 100));
  });

  it('pads short frames with zeroes', () => {
    const { stations, run } = testNetwork({ stations: 2, type: 'wire' });
    expect(stations[0].send(testFrame(B, A, 20))).toBe(84 * BYTE);
    run();
    const [{ bytes }] = stations[1].arrivals;
    expect(bytes.length).toBe(60);
    expect([...bytes.subarray(20)].every((byte) => byte === 0)).toBe(true);
  });

  it('carries one frame at a time, in order, each way by itself', () => {
    const { stations, run } = testNetwork({ stations: 2, type: 'wire' });
    for (let i = 0; i < 3; i++) stations[0].send(testFrame(B, A, 100, i));
    stations[1].send(testFrame(A, B, 60));
    run();
    const times = stations[1].arrivals.map(({ at }) => at);
    expect(times).toEqual([1, 2, 3].map((n) => n * 124 * BYTE + LATENCY));
    expect(stations[1].arrivals.map(({ bytes }) => bytes[20])).toEqual([20, 21, 22]);
    expect(stations[0].arrivals[0].at).toBe(84 * BYTE + LATENCY);
  });

  it('loses as many frames as it is told to, and the same ones for the same seed', () => {
    const lose = (seed: number) => {
      const network = testNetwork({ stations: 2, type: 'wire', lossPerMillion: 250_000, seed });
      for (let i = 0; i < 400; i++) network.stations[0].send(testFrame(B, A, 60, i));
      network.run();
      return network.stations[1].arrivals.map(({ bytes }) => bytes[30]);
    };
    const arrived = lose(1);
    // Mean 300, standard deviation 8.7.
    expect(arrived.length).toBeGreaterThan(265);
    expect(arrived.length).toBeLessThan(335);
    expect(lose(1)).toEqual(arrived);
    expect(lose(2)).not.toEqual(arrived);
  });
});

describe('a switch', () => {
  it('stores a frame before it forwards it', () => {
    const { stations, run } = testNetwork({ stations: 2 });
    stations[0].send(testFrame(B, A, 100));
    run();
    expect(stations[1].arrivals[0].at).toBe(2 * (124 * BYTE + LATENCY));
  });

  it('floods what it has not learned and forwards what it has', () => {
    const { stations, ethernet, run } = testNetwork({ stations: 3 });
    stations[0].send(testFrame(B, A));
    run();
    expect(stations.map(({ arrivals }) => arrivals.length)).toEqual([0, 1, 1]);
    stations[1].send(testFrame(A, B));
    run();
    expect(stations.map(({ arrivals }) => arrivals.length)).toEqual([1, 1, 1]);
    expect(ethernet!.statistics()).toMatchObject({ flooded: 1, forwarded: 1, addresses: 2 });
  });

  it('floods group addresses always, and never learns one as a source', () => {
    const { stations, ethernet, run } = testNetwork({ stations: 3 });
    stations[0].send(testFrame(MAC_BROADCAST, A));
    stations[1].send(testFrame(MAC_BROADCAST, MAC_BROADCAST));
    run();
    expect(stations.map(({ arrivals }) => arrivals.length)).toEqual([1, 1, 2]);
    expect(ethernet!.statistics()).toMatchObject({ flooded: 2, addresses: 1 });
  });

  it('keeps a frame whose destination is behind the port that it came from', () => {
    const { stations, ethernet, run } = testNetwork({ stations: 2 });
    stations[0].send(testFrame(MAC_BROADCAST, A));
    run();
    stations[0].send(testFrame(A, C));
    run();
    expect(stations.map(({ arrivals }) => arrivals.length)).toEqual([0, 1]);
    expect(ethernet!.statistics()).toMatchObject({ filtered: 1 });
  });

  it('follows an address that moves to another port', () => {
    const { stations, run } = testNetwork({ stations: 3 });
    stations[0].send(testFrame(MAC_BROADCAST, A));
    run();
    stations[1].send(testFrame(MAC_BROADCAST, A));
    run();
    const before = stations.map(({ arrivals }) => arrivals.length);
    stations[2].send(testFrame(A, C));
    run();
    const after = stations.map(({ arrivals }) => arrivals.length);
    expect(after.map((count, i) => count - before[i])).toEqual([0, 1, 0]);
  });

  it('forgets an address after its time', () => {
    const { stations, kernel, run } = testNetwork({ stations: 3 });
    stations[1].send(testFrame(MAC_BROADCAST, B));
    run();
    kernel.now += MAC_AGE_MAX;
    stations[0].send(testFrame(B, A));
    run();
    expect(stations[2].arrivals.length).toBe(2);
  });

  it('learns no more addresses than its table holds', () => {
    const { stations, ethernet, run } = testNetwork({ stations: 2 });
    for (let i = 0; i <= MAC_TABLE_MAX; i++) stations[0].send(testFrame(B, A + i, 60));
    run();
    expect(ethernet!.statistics().addresses).toBe(MAC_TABLE_MAX);
  });

  it('drops what finds the buffer of its port full, and nothing else', () => {
    // Two senders at full rate into one port: half of it can leave. Three frames may wait.
    const { stations, ethernet, run } = testNetwork({ stations: 3, buffer: 300 });
    stations[2].send(testFrame(MAC_BROADCAST, C));
    run();
    for (let i = 0; i < 50; i++) {
      stations[0].send(testFrame(C, A, 100, i));
      stations[1].send(testFrame(C, B, 100, i));
    }
    run();
    const { frames, dropped, queueMax } = ethernet!.cable(2).statistics();
    expect(frames + dropped).toBe(100);
    expect(stations[2].arrivals.length).toBe(frames);
    // When the last two of 100 arrive, 49 have left, one gets onto the cable and three wait.
    expect(frames).toBe(53);
    expect(queueMax).toBe(300);
  });

  it.each([
    { name: '1 Gbit/s', rate: 125_000_000, length: 1514 },
    { name: '100 Mbit/s', rate: 12_500_000, length: 60 },
    { name: '100 Gbit/s', rate: 12_500_000_000, length: 700 },
  ])('passes $length-byte frames at $name', ({ rate, length }) => {
    const { stations, run } = testNetwork({ stations: 2, rate, latency: 1 });
    const count = 500;
    for (let i = 0; i < count; i++) stations[0].send(testFrame(B, A, length, i));
    run();
    const { arrivals } = stations[1];
    const seconds = (arrivals[count - 1].at - arrivals[0].at) / 1e12;
    const measured = ((count - 1) * bytesOnCable(length)) / seconds;
    expect(Math.abs(measured / rate - 1)).toBeLessThan(0.01);
  });
});
