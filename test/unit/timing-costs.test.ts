// Costs at run time: durations, account of charges, and how much of a result rests on guesses.
import { describe, expect, test } from 'vitest';
import type {
  ConstantDimension,
  EvidenceKind,
  ProfilePlan,
} from '../../platform/contracts/index.ts';
import { AssertionError } from '../../platform/errors.ts';
import { Costs, mergeCharges, summariseEvidence } from '../../platform/timing/index.ts';

const constant = (
  name: string,
  dimension: ConstantDimension,
  value: number,
  kind: EvidenceKind = 'guess',
) => ({ name, dimension, value, kind, text: String(value), source: 'test' });

const profile: ProfilePlan = {
  name: 'test',
  description: 'test',
  constants: [
    constant('a.step', 'time', 1500),
    constant('a.copy', 'rate', 3e9, 'measured'),
    constant('a.timeout', 'time', 7e12, 'specified'),
    constant('a.small', 'time', 10),
    constant('a.depth', 'count', 4),
  ],
};

describe('Costs', () => {
  test('time gives the constant and charges it', () => {
    const costs = new Costs(profile);
    const step = costs.idOf('a.step');
    expect(costs.time(step)).toBe(1500);
    expect(costs.time(step)).toBe(1500);
    expect([costs.charges.ps[step], costs.charges.counts[step]]).toEqual([3000, 2]);
  });

  test('times charges several at once', () => {
    const costs = new Costs(profile);
    expect(costs.times(0, 4)).toBe(6000);
    expect([costs.charges.ps[0], costs.charges.counts[0]]).toEqual([6000, 4]);
  });

  test('transfer rounds up to whole ps', () => {
    const costs = new Costs(profile);
    // 4096 bytes at 3 GB/s are 1,365,333.3 ps.
    expect(costs.transfer(costs.idOf('a.copy'), 4096)).toBe(1_365_334);
    expect(costs.transfer(costs.idOf('a.copy'), 0)).toBe(0);
    expect(costs.charges.counts[1]).toBe(2);
  });

  test('value reads without charging', () => {
    const costs = new Costs(profile);
    expect(costs.value(costs.idOf('a.timeout'))).toBe(7e12);
    expect([...costs.charges.counts]).toEqual([0, 0, 0, 0, 0]);
    expect(costs.value(costs.idOf('a.depth'))).toBe(4);
  });

  test('misuse is a bug of ours', () => {
    const costs = new Costs(profile);
    expect(() => costs.idOf('a.missing')).toThrow(AssertionError);
    expect(() => costs.time(1)).toThrow(AssertionError);
    expect(() => costs.times(1, 2)).toThrow(AssertionError);
    expect(() => costs.transfer(0, 1)).toThrow(AssertionError);
    expect(() => costs.time(4)).toThrow(AssertionError);
    expect(() => costs.transfer(4, 1)).toThrow(AssertionError);
  });
});

describe('evidence', () => {
  test('charges of several nodes add up', () => {
    const [one, two] = [new Costs(profile), new Costs(profile)];
    one.time(0);
    two.time(0);
    two.time(2);
    const sum = mergeCharges([one.charges, two.charges]);
    expect([...sum.ps]).toEqual([3000, 0, 7e12, 0, 0]);
    expect([...sum.counts]).toEqual([2, 0, 1, 0, 0]);
    expect(() => mergeCharges([])).toThrow(AssertionError);
  });

  test('shares are of the charged time; guesses come largest first', () => {
    const costs = new Costs(profile);
    costs.times(0, 2); // 3000 ps, guess
    costs.times(3, 100); // 1000 ps, guess
    costs.transfer(1, 12); // 4000 ps at 3 GB/s, measured
    const summary = summariseEvidence(profile, costs.charges);
    expect(summary.totalPs).toBe(8000);
    expect(summary.shares).toEqual({ measured: 0.5, specified: 0, guess: 0.5 });
    expect(summary.constants.map((row) => row.name)).toEqual(['a.copy', 'a.step', 'a.small']);
    expect(summary.guesses.map((row) => [row.name, row.count, row.share])).toEqual([
      ['a.step', 2, 0.375],
      ['a.small', 100, 0.125],
    ]);
  });

  test('a run that charged nothing rests on nothing', () => {
    const summary = summariseEvidence(profile, new Costs(profile).charges);
    expect(summary).toEqual({
      totalPs: 0,
      shares: { measured: 0, specified: 0, guess: 0 },
      constants: [],
      guesses: [],
    });
  });
});
