// Random streams: each is a function of (seed, name) alone, and stays what it is from version to
// version, because the draws of every scenario depend on it.
import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../platform/errors.ts';
import { randomStream } from '../../platform/kernel/index.ts';

const draws = (seed: number, name: string, count = 4) => {
  const stream = randomStream(seed, name);
  return Array.from({ length: count }, () => stream.next());
};

describe('random streams', () => {
  it('are equal for equal seed and name, however their use is interleaved', () => {
    const one = randomStream(7, 'node/disk0');
    const other = randomStream(7, 'node/net0');
    const mixed: number[] = [];
    for (let i = 0; i < 4; i++) {
      mixed.push(one.next());
      other.next();
    }
    expect(mixed).toEqual(draws(7, 'node/disk0'));
  });

  it('differ for each seed and name, near ones and long ones too', () => {
    const names = ['', 'a', 'b', 'ab', 'ba', 'aa', 'a\0', 'node/0', 'node/1', 'x'.repeat(200)];
    const seeds = [0, 1, 2, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52];
    const firsts = seeds.flatMap((seed) => names.map((name) => draws(seed, name, 2).join()));
    expect(new Set(firsts).size).toBe(seeds.length * names.length);
  });

  it('have pinned values', () => {
    expect(draws(1, 'node/blk0/latency')).toEqual([1138936674, 2109767136, 3187767277, 1583958569]);
    const stream = randomStream(2, 'helpers');
    const bytes = new Uint8Array(6);
    const got = [stream.below(10), stream.below(2 ** 32), stream.exponential(1e6)];
    stream.fill(bytes);
    expect(got).toEqual([4, 2439578398, 763_779]);
    expect([...bytes]).toEqual([24, 251, 138, 83, 52, 39]);
    expect(stream.ratio(1, 2)).toBe(false);
  });

  it('draw evenly below a bound', () => {
    const stream = randomStream(3, 'even');
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 60_000; i++) counts[stream.below(6)]++;
    // Five standard deviations of a binomial with 60,000 trials of 1/6 are 456.
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(456);
    expect(stream.below(1)).toBe(0);
    expect(() => stream.below(0)).toThrow(AssertionError);
    expect(() => stream.below(2 ** 32 + 1)).toThrow(AssertionError);
  });

  it('give exponential draws of the wanted mean and spread', () => {
    const stream = randomStream(4, 'exponential');
    const count = 40_000;
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < count; i++) {
      const draw = stream.exponential(1e6);
      sum += draw / 1e6;
      squares += (draw / 1e6) ** 2;
    }
    // Five standard errors: of the mean 1/sqrt(n), of the second moment sqrt(20/n).
    expect(Math.abs(sum / count - 1)).toBeLessThan(0.025);
    expect(Math.abs(squares / count - 2)).toBeLessThan(0.112);
  });

  it('take a ratio of the draws', () => {
    const stream = randomStream(5, 'ratio');
    let hits = 0;
    for (let i = 0; i < 40_000; i++) if (stream.ratio(1, 4)) hits++;
    expect(Math.abs(hits - 10_000)).toBeLessThan(434);
    expect([stream.ratio(0, 9), stream.ratio(9, 9)]).toEqual([false, true]);
  });
});
