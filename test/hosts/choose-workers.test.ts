// When threads are chosen without being asked for, and what is said about it.
import { describe, expect, it } from 'vitest';
import type { NodePlan, Topology } from '../../platform/contracts/index.ts';
import { chooseWorkers, type ProbePoint } from '../../platform/hosts/choose-workers.ts';
import type { Link } from '../../platform/hosts/lookahead.ts';
import { predictSpeedup } from '../../platform/hosts/parallel-statistics.ts';
import { onePair, run } from './scenarios.ts';

const EVENTS_PER_SECOND = 1e6;

/** Four nodes in two pairs; the pairs are linked with this latency, or not at all. */
function twoPairs(latency: number | null) {
  const nodes = [0, 1, 2, 3].map((index) => ({ index, placement: null }) as NodePlan);
  const between = (a: number, b: number, ps: number): Link => ({
    name: `${a}-${b}`,
    ends: [
      { node: a, port: 0 },
      { node: b, port: 0 },
    ],
    latency: ps,
  });
  const links = [between(0, 1, 10), between(2, 3, 10)];
  if (latency !== null) links.push(between(1, 2, latency));
  return { topology: { nodes } as unknown as Topology, links, cores: 2 };
}

/** A run on one thread that took this share of its way in half a second, with so much CPU time. */
function evidence(progress: number | null, cpuSeconds = 0.5) {
  const warm = {
    wallSeconds: 0,
    cpuSeconds: 0,
    simulatedPs: 0,
    events: 0,
    progress: progress === null ? null : 0,
  };
  const now: ProbePoint = {
    wallSeconds: 0.5,
    cpuSeconds,
    simulatedPs: 1e11,
    events: 0.5 * EVENTS_PER_SECOND,
    progress,
  };
  return { warm, now, load: [10, 5, 5, 10] };
}

describe('the number of threads', () => {
  it('is two for a long run of two halves without a link', () => {
    const { chosen } = chooseWorkers(twoPairs(null), evidence(0.01));
    expect(chosen).toMatchObject({ workers: 2, placement: [0, 0, 1, 1], coupling: Infinity });
    expect(chosen?.speedup).toBe(2);
  });

  it('is one for a run that is nearly over', () => {
    const { chosen, reason } = chooseWorkers(twoPairs(null), evidence(0.5));
    expect(chosen).toBeNull();
    expect(reason).toMatch(/too little is left/);
  });

  it('is one where other programs use the cores', () => {
    const { chosen, reason } = chooseWorkers(twoPairs(null), evidence(0.01, 0.3));
    expect(chosen).toBeNull();
    expect(reason).toMatch(/^one thread: other programs leave it 60 % of a core; /);
  });

  it('is one for a run of unknown length', () => {
    const { chosen, reason } = chooseWorkers(twoPairs(null), evidence(null));
    expect(chosen).toBeNull();
    expect(reason).toMatch(/how long/);
  });

  it('is one where the threads would wait for one another all the time', () => {
    // 5 M events per simulated second: one event in 200 ns.
    const { chosen, reason } = chooseWorkers(twoPairs(200_000), evidence(0.01));
    expect(chosen).toBeNull();
    expect(reason).toMatch(/λ = 0\.20/);
  });

  it('is two where the link between the halves is slow enough', () => {
    const { chosen } = chooseWorkers(twoPairs(100_000_000), evidence(0.01));
    // 500 events a window, against 5 us of synchronisation in which 5 would be done.
    expect(chosen?.coupling).toBeCloseTo(500 / 5);
    expect(chosen?.speedup).toBeCloseTo(1 / (1 / 2 + 5 / 500));
  });

  it('is one for a short run, which says so', async () => {
    const outcome = await run(onePair(), { workers: 'auto' });
    expect(outcome).toMatchObject({ workers: 0, parallel: null });
    expect(outcome.choice).toMatch(/^one thread: /);
  });

  it('must be a whole number', async () => {
    const wrong = { name: 'UsageError', code: 'BAD_VALUE' };
    for (const workers of [-1, 1.5, Number.NaN]) {
      await expect(run(onePair(), { workers })).rejects.toMatchObject(wrong);
    }
  });
});

describe('the predicted speed-up', () => {
  it('is what the placement allows when synchronising costs nothing', () => {
    expect(predictSpeedup(1.8, Infinity)).toBeCloseTo(1.8);
  });

  it('is less than one when threads must synchronise for longer than they work', () => {
    expect(predictSpeedup(2, 0.5)).toBeCloseTo(0.4);
  });
});
