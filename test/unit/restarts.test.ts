// Restarts of a node: who is told, in which order; what they cost a node without any; and what fio makes of a
// write that nobody acknowledged.
import { describe, expect, it } from 'vitest';
import { ExpectedDisk } from '../../guests/workloads/expected-disk.ts';
import { Backing } from '../../platform/memory/index.ts';
import { testNodes } from '../support/test-nodes.ts';

const MICROSECOND = 1_000_000;

describe('a node that restarts', () => {
  it('tells those who subscribed last first that it stops, and the others first that it starts', () => {
    const restarts = [
      { at: '10us', for: '5us' },
      { at: '20us', for: '1us' },
    ];
    const { kernel, linux } = testNodes({ linux: { restarts } });
    const log: string[] = [];
    for (const name of ['bus', 'driver', 'workload']) {
      linux.restarts.subscribe({
        stopped: () => log.push(`${name} stopped ${kernel.now / MICROSECOND}`),
        started: () => log.push(`${name} started ${linux.restarts.running}`),
      });
    }
    kernel.runUntil(12 * MICROSECOND);
    expect(linux.restarts.running).toBe(false);
    kernel.runUntil(16 * MICROSECOND);
    expect(log).toEqual([
      'workload stopped 10',
      'driver stopped 10',
      'bus stopped 10',
      'bus started true',
      'driver started true',
      'workload started true',
    ]);
    kernel.runUntil(Infinity);
    expect(log.length).toBe(12);
  });

  it('is as ever when it never does', () => {
    const { kernel, linux } = testNodes();
    kernel.runUntil(Infinity);
    expect([linux.restarts.running, kernel.events]).toEqual([true, 0]);
  });
});

describe('a write that nobody acknowledged', () => {
  const BLOCK = 1024;
  const block = (value: number) => new Uint8Array(BLOCK).fill(value);
  const words = (bytes: Uint8Array) => new Int32Array(bytes.buffer);
  const disk = () => {
    const backing = Backing.ofMemory(4 * BLOCK);
    return new ExpectedDisk({ backing, blockSize: BLOCK, volatile: false });
  };
  const matches = (expected: ExpectedDisk, bytes: Uint8Array) =>
    expected.matches(1, bytes, words(bytes));

  it('may have been done or not, sector by sector, and is known once it was read', () => {
    const expected = disk();
    expected.written(1, block(1));
    expected.uncertain(1, block(2));
    const half = block(1);
    half.fill(2, 512);
    expect(matches(expected, half)).toBe(true);
    expect(matches(expected, block(2))).toBe(false);
    expect(matches(expected, half)).toBe(true);
  });

  it('is not an excuse for anything else', () => {
    const expected = disk();
    expected.written(1, block(1));
    expected.uncertain(1, block(2));
    expected.uncertain(1, block(3));
    const mixed = block(2);
    mixed[700] = 3;
    expect(matches(expected, mixed)).toBe(false);
    expect(matches(expected, block(3))).toBe(true);
  });
});
