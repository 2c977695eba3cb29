// The medium of a disk against queueing theory: what an open-loop Poisson workload waits for it is what
// the formulas for M/M/1, M/D/1 and M/M/c say, and a closed loop obeys Little's law to the picosecond.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import type { Statistics } from '../../platform/contracts/index.ts';
import { runTopology } from '../../platform/hosts/index.ts';
import { PS_PER_MS } from '../../platform/kernel/index.ts';
import { DiskRig } from '../support/disk-rig.ts';
import { memoryDisk, topologyOf } from '../support/scenarios.ts';

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);
/** Student's t of 19 degrees of freedom, for 95 %. */
const T_19 = 2.093;
const REQUESTS = 600;
/** Mean service time in ps: the constant, and 512 bytes at 512 GB/s, which is 1 ns. */
const SERVICE = 1_000_001_000;

interface Model {
  readonly service: 'constant' | 'exponential';
  readonly servers: number;
  /** Mean time between two arrivals. */
  readonly interval: string;
}

/** Runs the model with one seed. All but the medium takes microseconds, the medium milliseconds. */
async function run({ service, servers, interval }: Model, seed: number): Promise<Statistics> {
  const disk = memoryDisk(0, { service, parallel: servers, indirect: true });
  const workload = {
    type: 'fio',
    device: 'disk0',
    rw: 'randread',
    blockSize: '512B',
    depth: 240,
    operations: REQUESTS,
    arrivals: 'poisson',
    interval,
    verify: false,
  };
  const topology = topologyOf({
    timing: { 'blk.serviceRead': '1ms', 'blk.mediaRate': '512GB/s' },
    devices: { disk0: disk },
    workloads: [workload],
    until: { workloads: 'done', atMost: '100s' },
  });
  const { groups, ending } = await runTopology({ ...topology, seed }, { tables, workers: 0 });
  expect(ending).toBe('done');
  const [{ statistics }] = groups[0].devices;
  expect(statistics['served']).toBe(REQUESTS);
  return statistics;
}

/** Mean of a figure over all seeds, and half the width of its 95 % confidence interval. */
function estimate(figures: readonly number[]): { mean: number; halfWidth: number } {
  const mean = figures.reduce((sum, figure) => sum + figure, 0) / figures.length;
  const squares = figures.reduce((sum, figure) => sum + (figure - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (figures.length - 1));
  return { mean, halfWidth: (T_19 * deviation) / Math.sqrt(figures.length) };
}

/** Erlang's C: how probable it is that an arrival finds all servers busy. */
function erlangC(servers: number, load: number): number {
  let term = 1;
  let sum = 0;
  for (let n = 0; n < servers; n++) {
    sum += term;
    term *= load / (n + 1);
  }
  const busy = (term * servers) / (servers - load);
  return busy / (sum + busy);
}

const MODELS = [
  {
    name: 'M/M/1',
    model: { service: 'exponential', servers: 1, interval: '2ms' },
    wait: (load: number) => (load / (1 - load)) * SERVICE,
  },
  {
    name: 'M/D/1',
    model: { service: 'constant', servers: 1, interval: '1.6ms' },
    wait: (load: number) => (load / (2 * (1 - load))) * SERVICE,
  },
  {
    name: 'M/M/4',
    model: { service: 'exponential', servers: 4, interval: '350us' },
    wait: (load: number) => (erlangC(4, load) / (4 - load)) * SERVICE,
  },
] as const;

const PICOSECONDS = { '2ms': 2e9, '1.6ms': 1.6e9, '350us': 350e6 } as const;

describe('an open loop of Poisson arrivals', () => {
  it.each(MODELS)('waits as long as $name says, seeds 1 to 20', async ({ model, wait }) => {
    const load = SERVICE / PICOSECONDS[model.interval];
    const runs: Statistics[] = [];
    for (const seed of SEEDS) runs.push(await run(model, seed));
    const waits = estimate(runs.map((figures) => figures['waitPs'] / REQUESTS));
    expect(Math.abs(waits.mean - wait(load))).toBeLessThan(waits.halfWidth);
    // The interval must be narrow enough to mean something.
    expect(waits.halfWidth).toBeLessThan(0.2 * waits.mean);
    const utilisation = estimate(runs.map((figures) => figures['utilisation']));
    const expected = load / model.servers;
    expect(Math.abs(utilisation.mean - expected)).toBeLessThan(utilisation.halfWidth);
  });
});

describe('a closed loop', () => {
  it.each([1, 3, 16])("of %i requests obeys Little's law exactly", (depth) => {
    const user = new DiskRig({ service: 'exponential', parallel: 2 });
    const { kernel } = user.rig;
    // The integral of the number of requests under way over time, in request-ps.
    let underWay = 0;
    let integral = 0;
    let since = 0;
    const change = (by: number) => {
      integral += underWay * (kernel.now - since);
      since = kernel.now;
      underWay += by;
    };
    const submit = (slot: number) => {
      change(1);
      user.read(slot, slot);
    };
    user.whenReady = () => {
      for (let slot = 0; slot < depth; slot++) submit(slot);
    };
    user.whenCompleted = (slot) => {
      change(-1);
      if (kernel.now < PS_PER_MS) submit(slot);
    };
    user.rig.runUntil(2 * PS_PER_MS);
    const { completions } = user;
    expect([underWay, completions.length > 20]).toEqual([0, true]);
    // N = X R, both sides times the time: the sum of all response times.
    expect(integral).toBe(completions.reduce((sum, { latency }) => sum + latency, 0));
  });

  it('is served as fast as its channels allow, and not faster', () => {
    const user = new DiskRig(
      { parallel: 2 },
      { timing: { 'blk.serviceRead': '1ms', 'blk.mediaRate': '4096GB/s' } },
    );
    user.whenReady = () => {
      for (let slot = 0; slot < 8; slot++) user.read(slot, slot);
    };
    user.whenCompleted = (slot) => {
      if (user.rig.kernel.now < 90 * PS_PER_MS) user.read(slot, slot);
    };
    user.rig.runUntil(200 * PS_PER_MS);
    const { served, servicePs, elapsedPs, utilisation, waitPs } =
      user.rig.outcome.devices[0].statistics;
    // 1 ms, and 4096 bytes at a byte a 4096th of a nanosecond.
    expect(servicePs).toBe(served * 1_000_001_000);
    // The utilisation law: throughput times service time is the busy channels.
    expect(utilisation * 2 * elapsedPs).toBeCloseTo(served * 1_000_001_000, -3);
    // Both channels were busy but for the very beginning and end.
    expect(utilisation).toBeGreaterThan(0.97);
    // Eight under way, two of them in service.
    expect(waitPs / elapsedPs).toBeGreaterThan(5.5);
    expect(waitPs / elapsedPs).toBeLessThan(6);
  });
});
