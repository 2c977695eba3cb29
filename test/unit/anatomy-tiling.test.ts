// The anatomy of every request, on small runs: the steps tile the latency, and every picosecond of
// them is explained by a constant or a wait.
import { describe, expect, test } from 'vitest';
import { type RunResult, runScenario } from '../../platform/index.ts';
import { measured } from '../support/measured.ts';

const scenario = (depth: number, events: string, ring: string) => `
name: small
nodes:
  linux: { kind: vm, cpus: 2 }
  secure: { kind: partition }
buses:
  ffa0: { type: ffa, driver: linux, device: secure, ${events} }
devices:
  disk0: { type: blk, bus: ffa0, number: 0, capacity: 1MiB, ${ring} }
  rng0: { type: rng, bus: ffa0, number: 1 }
workloads:
  - { type: fio, device: disk0, rw: randrw, depth: ${depth}, operations: 60, flushEvery: 7 }
  - { type: entropy, device: rng0, depth: ${depth}, operations: 30, thinkTime: 5us }
until: { workloads: done, atMost: 1s }
`;

const RINGS = {
  split: 'ring: split',
  packed: 'ring: packed, eventIdx: true, indirect: true',
} as const;

const METHODS = {
  notification: 'events: notification',
  poll: 'events: poll, pollInterval: 50us',
} as const;

interface Case {
  readonly depth: number;
  readonly method: keyof typeof METHODS;
  readonly ring: keyof typeof RINGS;
}

const cases: Case[] = [1, 16].flatMap((depth) => [
  { depth, method: 'notification', ring: 'split' },
  { depth, method: 'poll', ring: 'split' },
  { depth, method: 'notification', ring: 'packed' },
]);

const runs = new Map<string, Promise<RunResult>>();

/** Tests share their runs: nothing in a result changes. */
function run({ depth, method, ring }: Case): Promise<RunResult> {
  const text = scenario(depth, METHODS[method], RINGS[ring]);
  const known = runs.get(text);
  if (known !== undefined) return known;
  const result = runScenario({ text }, { anatomy: true, workers: 0 });
  runs.set(text, result);
  return result;
}

const LONE: Case = { depth: 1, method: 'notification', ring: 'split' };

describe.each(cases)('depth $depth, events by $method, $ring ring', (each) => {
  test.each([
    ['disk0', 60],
    ['rng0', 30],
  ] as const)('the steps of each request of %s tile its latency', async (device, requests) => {
    const result = await run(each);
    expect(result.passed).toBe(true);
    for (let number = 1; number <= requests; number++) {
      const { steps, phases, latencyPs, unaccountedPs, totals } = result.anatomy(device, number);
      expect(unaccountedPs).toBe(0);
      let end = 0;
      for (const { startPs, costPs } of steps) {
        expect(startPs).toBe(end);
        expect(costPs).toBeGreaterThan(0);
        end += costPs;
      }
      expect(end).toBe(latencyPs);
      expect(phases.reduce((sum, { costPs }) => sum + costPs, 0)).toBe(latencyPs);
      expect(totals.reduce((sum, { costPs }) => sum + costPs, 0)).toBe(latencyPs);
    }
  });

  test('the latencies are those of the report', async () => {
    const { anatomy, report } = await run(each);
    const latencies = Array.from({ length: 60 }, (_, i) => anatomy('disk0', i + 1).latencyPs);
    const { min, max, mean } = measured(report.devices['disk0'].latency);
    expect(Math.min(...latencies)).toBe(min * 1000);
    expect(Math.max(...latencies)).toBe(max * 1000);
    const sum = latencies.reduce((total, latency) => total + latency, 0);
    expect(sum / 60).toBeCloseTo(mean * 1000, 3);
    const sorted = latencies.toSorted((a, b) => a - b);
    expect(anatomy('disk0').latencyPs).toBe(sorted[29]);
  });
});

test('a lone request waits for nothing but the poll timer, and only with polling', async () => {
  const timers = async (method: keyof typeof METHODS) => {
    const { anatomy } = await run({ ...LONE, method });
    const { steps } = anatomy('disk0', 30);
    return steps.filter(({ what }) => what === 'waiting for a timer').length;
  };
  expect(await timers('notification')).toBe(0);
  expect(await timers('poll')).toBe(1);
});

test('a lone request goes through the steps of the protocol in order', async () => {
  const { anatomy } = await run(LONE);
  const { phases, steps } = anatomy('rng0', 1);
  expect(phases.map(({ name }) => name)).toEqual([
    'submit',
    'notify and fetch',
    'take up',
    'serve',
    'return',
    'signal and complete',
  ]);
  const constants = steps.flatMap(({ constant }) => constant ?? []);
  const order = [
    'cpu.submit',
    'cpu.ringAdd',
    'ffa.worldSwitch',
    'cpu.messageHandle',
    'memory.lineLatency',
    'rng.service',
    'ffa.notificationSet',
    'ffa.notificationDelivery',
    'cpu.irqEntry',
    'cpu.workSwitch',
    'cpu.ringReap',
    'cpu.complete',
  ];
  const firsts = order.map((name) => constants.indexOf(name));
  expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
  expect(firsts).not.toContain(-1);
});

test('anatomy of what is not there is refused', async () => {
  const { anatomy } = await run(LONE);
  expect(() => anatomy('disk0', 61)).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }));
  expect(() => anatomy('disk9')).toThrow(expect.objectContaining({ code: 'UNKNOWN_NAME' }));
  const text = scenario(1, METHODS.poll, RINGS.split);
  const unrecorded = await runScenario({ text }, { workers: 0 });
  expect(() => unrecorded.anatomy('disk0')).toThrow(expect.objectContaining({ code: 'USAGE' }));
});
