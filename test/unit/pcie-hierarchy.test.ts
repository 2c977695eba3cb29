// Enumeration: a scan of root port and switches by configuration accesses gives bus numbers and windows, and
// accesses are routed by what it has written.
import { describe, expect, it } from 'vitest';
import { AccessRunner, type PciePath, type Script } from '../../platform/pcie/index.ts';
import { LATENCY, PcieBench } from '../support/pcie-bench.ts';

const MEBIBYTE = 2 ** 20;
const NOBODY = 0xffff_ffff;

/** Runs a script on a core of the host and returns what comes of it. */
function ask<Result>({ host, port, kernel }: PcieBench, script: Script<Result>): Result {
  let result: Result | undefined;
  new AccessRunner(host, port).run(0, script, (value: Result) => {
    result = value;
  });
  kernel.runUntil(Infinity);
  return result!;
}

/** Reads a register of whatever is at a bus and device number. */
const readAt = (bench: PcieBench, bus: number, device: number, offset: number) =>
  ask(
    bench,
    (function* (): Script<number> {
      return yield { type: 'readBus', bus, device, offset, size: 4 };
    })(),
  );

const writeAt = (bench: PcieBench, bus: number, offset: number, value: number) =>
  ask(
    bench,
    (function* (): Script<void> {
      yield { type: 'writeBus', bus, device: 0, offset, size: 4, value };
    })(),
  );

const started = (path: Partial<PciePath> = {}, beside?: PcieBench) =>
  new PcieBench({ path, ...(beside === undefined ? {} : { beside }) }).start();

/** Primary, secondary and subordinate bus number of a port. */
const numbers = (bench: PcieBench, bus: number, device: number) => {
  const value = readAt(bench, bus, device, 0x18);
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff];
};

describe('a slot at a root port', () => {
  it('is bus 1: the port has its number, the card answers there', () => {
    const bench = started();
    expect(readAt(bench, 0, 0, 0)).toBe(0x000c_1b36);
    // Header type 1, class bridge.
    expect((readAt(bench, 0, 0, 0x0c) >> 16) & 0xff).toBe(1);
    expect(readAt(bench, 0, 0, 0x08) >>> 8).toBe(0x060400);
    expect(numbers(bench, 0, 0)).toEqual([0, 1, 1]);
    expect(readAt(bench, 1, 0, 0)).toBe(0x5678_1234);
  });

  it('has nothing beside it', () => {
    const bench = started();
    for (const [bus, device] of [
      [0, 1],
      [1, 1],
      [2, 0],
      [255, 0],
    ]) {
      expect(readAt(bench, bus, device, 0)).toBe(NOBODY);
    }
  });

  it('is empty, but set up, while the card is out', () => {
    const bench = new PcieBench();
    bench.endpoint.remove();
    bench.run();
    bench.start();
    expect(bench.probe.isReady).toBe(false);
    expect(numbers(bench, 0, 0)).toEqual([0, 1, 1]);
    expect(readAt(bench, 1, 0, 0)).toBe(NOBODY);
  });
});

describe('switches', () => {
  it('have a bus within, on which 32 device numbers are tried', () => {
    const bench = started({ switches: 1 });
    expect(numbers(bench, 0, 0)).toEqual([0, 1, 3]);
    expect(numbers(bench, 1, 0)).toEqual([1, 2, 3]);
    expect(numbers(bench, 2, 0)).toEqual([2, 3, 3]);
    expect(readAt(bench, 1, 0, 0)).toBe(0x8232_104c);
    expect(readAt(bench, 2, 0, 0)).toBe(0x8233_104c);
    expect(readAt(bench, 2, 1, 0)).toBe(NOBODY);
    expect(readAt(bench, 3, 0, 0)).toBe(0x5678_1234);
    const direct = started().port.configAccesses;
    // Two more ports, of which each takes 12 accesses besides those below it, and 31 empty numbers.
    expect(bench.port.configAccesses - 7).toBe(direct + 2 * 11 + 31);
  });

  it('follow one another, each farther away', () => {
    const bench = started({ switches: 3 });
    expect(numbers(bench, 0, 0)).toEqual([0, 1, 7]);
    expect([1, 3, 5].map((bus) => numbers(bench, bus, 0))).toEqual([
      [1, 2, 7],
      [3, 4, 7],
      [5, 6, 7],
    ]);
    expect(numbers(bench, 6, 0)).toEqual([6, 7, 7]);
    expect(readAt(bench, 7, 0, 0)).toBe(0x5678_1234);
    const timeOf = (bus: number) => {
      const before = bench.kernel.now;
      readAt(bench, bus, 0, 0);
      return bench.kernel.now - before;
    };
    const { 'pcie.linkLatency': link, 'pcie.switchLatency': through } = LATENCY;
    expect(timeOf(1) - timeOf(0)).toBe(2 * link);
    expect(timeOf(2) - timeOf(1)).toBe(2 * through);
    expect(timeOf(3) - timeOf(2)).toBe(2 * link);
  });

  it('have a port for each card, found by one scan, with windows that do not overlap', () => {
    const first = new PcieBench({ path: { switches: 1, uplink: 'switch0' } });
    const second = new PcieBench({ path: { switches: 1, uplink: 'switch0' }, beside: first });
    // Both look at once: the second waits for the scan of the first.
    first.probe.start();
    second.start();
    expect([first.probe.isReady, second.probe.isReady]).toEqual([true, true]);
    expect(numbers(first, 0, 0)).toEqual([0, 1, 4]);
    expect(numbers(first, 2, 0)).toEqual([2, 3, 3]);
    expect(numbers(first, 2, 1)).toEqual([2, 4, 4]);
    expect([3, 4].map((bus) => readAt(second, bus, 0, 0))).toEqual([0x5678_1234, 0x5678_1234]);
    expect(second.barAddress(0) - first.barAddress(0)).toBe(96 * MEBIBYTE);
    expect(second.barAddress(2) - first.barAddress(2)).toBe(64 * 2 ** 30);
    for (const [index, bench] of [first, second].entries()) bench.bars[0][0] = 17 + index;
    expect(first.load(first.barAddress(0), 1).bytes[0]).toBe(17);
    expect(second.load(second.barAddress(0), 1).bytes[0]).toBe(18);
    // The way to the first card does not lead to the memory of the second.
    expect(first.load(second.barAddress(0), 1).bytes[0]).toBe(255);
  });
});

describe('windows', () => {
  it('hold the BARs, below 4 GiB and above', () => {
    const bench = started({ switches: 1 });
    for (const [bus, device] of [
      [0, 0],
      [1, 0],
      [2, 0],
    ]) {
      const memory = readAt(bench, bus, device, 0x20);
      const base = (memory & 0xfff0) * 2 ** 16;
      const limit = ((memory >>> 16) & 0xfff0) * 2 ** 16 + MEBIBYTE;
      expect(base).toBeLessThanOrEqual(bench.barAddress(0));
      expect(limit).toBeGreaterThan(bench.barAddress(0));
      const upper = readAt(bench, bus, device, 0x28);
      const prefetchable = upper * 2 ** 32 + (readAt(bench, bus, device, 0x24) & 0xfff0) * 2 ** 16;
      expect(prefetchable).toBeLessThanOrEqual(bench.barAddress(2));
    }
  });

  it('that are closed keep accesses from the card, which does not see them', () => {
    const bench = started();
    bench.bars[0][0] = 5;
    const open = readAt(bench, 0, 0, 0x20);
    // The base above the limit.
    writeAt(bench, 0, 0x20, 0x0000_fff0);
    expect(bench.load(bench.barAddress(0), 1).bytes[0]).toBe(255);
    bench.onCore(() => bench.port.store(bench.barAddress(0), Uint8Array.of(9), 0, 1));
    bench.run();
    expect([bench.bars[0][0], bench.endpoint.unclaimed]).toEqual([5, 0]);
    // The prefetchable BAR is another window's.
    expect(bench.load(bench.barAddress(2), 1).bytes[0]).toBe(0);
    writeAt(bench, 0, 0x20, open);
    expect(bench.load(bench.barAddress(0), 1).bytes[0]).toBe(5);
  });

  it('need the port to pass memory on', () => {
    const bench = started({ switches: 1 });
    writeAt(bench, 1, 0x04, 0);
    expect(bench.load(bench.barAddress(0), 1).bytes[0]).toBe(255);
    writeAt(bench, 1, 0x04, 0b110);
    expect(bench.load(bench.barAddress(0), 1).bytes[0]).toBe(0);
  });

  it('have room for so many BARs; those of a function that is reset stay where they are', () => {
    const bench = started();
    const before = [bench.barAddress(0), bench.barAddress(2)];
    bench.probe.reset();
    bench.run();
    expect([bench.barAddress(0), bench.barAddress(2)]).toEqual(before);
    const { barWindow } = bench.port;
    const taken = [0, 1, 2].map(() => barWindow.take(32 * MEBIBYTE, false));
    expect(taken).toEqual([288 * MEBIBYTE, 320 * MEBIBYTE, -1]);
  });
});
