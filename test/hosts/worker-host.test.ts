// The promise of the worker host: the same run as on one thread, whatever the number of threads, the
// size of the rings and the placement; and an end with an error when a thread cannot go on.
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import { RunError } from '../../platform/errors.ts';
import { explainParallel } from '../../platform/hosts/index.ts';
import { MessageTrace, traceLines } from '../../platform/observe/trace/index.ts';
import { compile, eightPairs, lasting, onePair, run } from './scenarios.ts';

beforeAll(compile);

describe('a pair of nodes', () => {
  it('runs alike on 0, 1, 2 and 4 worker threads', async () => {
    const topology = onePair();
    const inline = await run(topology, { workers: 0 });
    const reference = lasting(topology, inline);
    expect(reference.workloads?.map(({ verified, errors }) => [verified > 0, errors])).toEqual([
      [true, 0],
      [true, 0],
    ]);
    for (const workers of [1, 2, 2, 4]) {
      const outcome = await run(topology, { workers });
      expect(outcome.workers).toBe(Math.min(workers, 2));
      expect(lasting(topology, outcome)).toEqual(reference);
    }
  });

  it('has another digest with another seed, alike on both hosts', async () => {
    const one = onePair();
    const two = { ...one, seed: 2 };
    const inline = lasting(two, await run(two, { workers: 0 }));
    expect(lasting(two, await run(two, { workers: 2 }))).toEqual(inline);
    expect(inline.digest).not.toBe(lasting(one, await run(one, { workers: 0 })).digest);
  });

  it('follows the placement of the scenario', async () => {
    const topology = onePair([['placement: 0', 'placement: 7']]);
    expect((await run(topology, { workers: 2 })).placement).toEqual([1, 0]);
  });

  it('runs alike when a ring holds less than one packet', async () => {
    const topology = onePair();
    const reference = lasting(topology, await run(topology, { workers: 0 }));
    const outcome = await run(topology, { workers: 2, ringSize: 128 });
    expect(lasting(topology, outcome)).toEqual(reference);
    expect(outcome.parallel?.drainRounds).toBeGreaterThan(100);
  });

  it('records the same causes and milestones', async () => {
    const topology = onePair();
    const [inline, split] = [
      await run(topology, { workers: 0, anatomy: true }),
      await run(topology, { workers: 2, anatomy: true }),
    ];
    const causesOf = ({ groups }: typeof inline) => {
      const causes = groups.flatMap(({ anatomy }) =>
        anatomy!.causes.keys.map((key, i) => {
          const { parents, times } = anatomy!.causes;
          return `${key} after ${parents[i]} at ${times[i]}`;
        }),
      );
      return causes.sort();
    };
    expect(causesOf(split)).toEqual(causesOf(inline));
  });

  it('sends the same messages in the same order on 0, 1 and 2 worker threads', async () => {
    const topology = onePair();
    const traceOf = async (workers: number) => {
      const { groups } = await run(topology, { workers, trace: 'all' });
      const records = groups.map(({ messages }) => messages!);
      const trace = new MessageTrace({ topology, buses: tables.buses, records });
      return [...traceLines('jsonl', topology, trace)];
    };
    const inline = await traceOf(0);
    expect(inline.length).toBeGreaterThan(200);
    expect(await traceOf(1)).toEqual(inline);
    expect(await traceOf(2)).toEqual(inline);
  });

  it('keeps many messages in files of its threads, in the same order', async () => {
    const topology = onePair([
      ['operations: 300', 'operations: 4000'],
      ['depth: 16', 'depth: 1'],
    ]);
    const folder = mkdtempSync(join(tmpdir(), 'trace-'));
    const files: number[] = [];
    const traceStore = () => {
      files.push(openSync(join(folder, String(files.length)), 'w+'));
      return files.at(-1)!;
    };
    const traceOf = async (workers: number, store = {}) => {
      const { groups } = await run(topology, { workers, trace: 'all', ...store });
      const records = groups.map(({ messages }) => messages!);
      const trace = new MessageTrace({ topology, buses: tables.buses, records });
      const filed = records.map((record) => record.filed);
      return { lines: [...traceLines('jsonl', topology, trace)], filed };
    };
    const inMemory = await traceOf(0);
    expect(inMemory.filed).toEqual([0]);
    const split = await traceOf(2, { traceStore });
    expect(split.filed.every((pieces) => pieces > 0)).toBe(true);
    expect(split.lines).toEqual(inMemory.lines);
    for (const file of files) closeSync(file);
    rmSync(folder, { recursive: true });
  });
});

describe('eight pairs', () => {
  it('run alike on 0, 2, 3 and 5 worker threads, more than there are cores among them', async () => {
    const topology = eightPairs();
    const reference = lasting(topology, await run(topology, { workers: 0 }));
    for (const workers of [2, 3, 5]) {
      const outcome = await run(topology, { workers });
      expect(new Set(outcome.placement).size).toBe(workers);
      expect(lasting(topology, outcome)).toEqual(reference);
    }
  });

  it('are not parted when there are threads for half of them or less', async () => {
    const { placement } = await run(eightPairs(), { workers: 4 });
    expect(placement.slice(0, 8)).toEqual(placement.slice(8));
  });
});

describe('the account of a run on threads', () => {
  it('adds up, and compares with one thread when asked to', async () => {
    const topology = onePair();
    const { parallel, groups } = await run(topology, { workers: 2, compare: true });
    const { threads, links, ...figures } = parallel!;
    expect(threads.map(({ nodes, events }) => [nodes, events])).toEqual([
      [['linux'], groups[0].events],
      [['storage'], groups[1].events],
    ]);
    for (const [own, thread] of threads.entries()) {
      // Wall time: whoever else runs on the machine may come between two readings of the clock.
      const accounted = (thread.workSeconds + thread.waitSeconds) / figures.loopSeconds;
      expect(accounted).toBeGreaterThan(0.9);
      expect(accounted).toBeLessThan(1.1);
      expect(thread.waitedFor[own]).toBe(0);
    }
    const lookahead = topology.profile.constants.find(({ name }) => name === 'memory.lineLatency');
    expect(links).toMatchObject([{ name: 'ffa0', threads: [0, 1], lookaheadPs: lookahead?.value }]);
    expect(links[0].packets).toBeGreaterThan(1000);
    expect(links[0].bytes).toBeGreaterThan(300 * 4096);
    expect(figures.eventsPerWindow * figures.rounds).toBeCloseTo(
      groups[0].events + groups[1].events,
    );
    expect(figures.bestSpeedup).toBeGreaterThanOrEqual(1);
    expect(figures.predictedSpeedup).toBeLessThan(figures.bestSpeedup);
    expect(figures.measuredSpeedup).toBeGreaterThan(0);
  });

  it('is told in words', async () => {
    const outcome = await run(onePair(), { workers: 4, compare: true });
    const text = explainParallel(outcome);
    expect(text).toMatch(/^ {2}2 worker threads, 4 were asked for$/m);
    expect(text).toMatch(
      /^ {2}thread 1: storage; [\d,]+ events, worked .* waited .* for thread 0/m,
    );
    expect(text).toMatch(/^ {2}link ffa0 between threads 0 and 1: lookahead 47 ns/m);
    expect(text).toMatch(/^ {2}coupling λ = /m);
    expect(text).toMatch(/^ {2}speed-up: at best .*, predicted .*, measured against one thread /m);
  });

  it('is one line when there is but one thread', async () => {
    const text = explainParallel(await run(onePair(), { workers: 0 }));
    expect(text).toBe('Parallel run\n  one thread, as asked for\n');
  });
});

describe('the end of a run', () => {
  it('is the same when nothing is left to happen', async () => {
    // No request is ever heard of again, and nobody looks: entropy may take as long as it takes.
    const lost = 'faults: [{ at: 0us, on: ffa0, drop: EVENT_USED, count: 1000 }]';
    const disk =
      '  - { type: fio, device: disk0, rw: randrw, blockSize: 4KiB, depth: 16, operations: 300, verify: true }\n';
    const topology = onePair([
      ['expect:', `${lost}\nexpect:`],
      [disk, ''],
    ]);
    const inline = await run(topology, { workers: 0 });
    expect(inline.ending).toBe('stalled');
    const split = await run(topology, { workers: 2 });
    expect(lasting(topology, split)).toEqual(lasting(topology, inline));
  });

  it('is the same at the limit of simulated time', async () => {
    const topology = onePair([['atMost: 10s', 'atMost: 300us']]);
    const inline = await run(topology, { workers: 0 });
    expect(inline).toMatchObject({ ending: 'limit', simulatedPs: 300_000_000 });
    const split = await run(topology, { workers: 2 });
    expect(split).toMatchObject({ ending: 'limit', simulatedPs: 300_000_000 });
    expect(lasting(topology, split)).toEqual(lasting(topology, inline));
  });
});

describe('a worker that fails', () => {
  const workerEntry = new URL('./failing-entry.mjs', import.meta.url);
  const failing = (description: string) => ({ ...onePair(), description });

  it.each([
    ['error', /storage failed: a model has broken/],
    ['exit', /storage failed: .*3/],
  ])('ends the run with RunError WORKER: %s', async (how, message) => {
    const end = run(failing(how), { workers: 2, workerEntry });
    await expect(end).rejects.toThrow(RunError);
    await expect(end).rejects.toMatchObject({
      code: 'WORKER',
      message: expect.stringMatching(message),
    });
  });

  it('ends the run when its memory is full', async () => {
    const end = run(failing('memory'), { workers: 2, workerEntry, heapMiB: 64 });
    await expect(end).rejects.toMatchObject({ code: 'WORKER' });
  });

  it('ends the run with the code of its own error', async () => {
    const end = run(failing('livelock'), { workers: 2, workerEntry });
    await expect(end).rejects.toMatchObject({ name: 'RunError', code: 'LIVELOCK' });
  });

  it('ends the run when its code cannot be loaded', async () => {
    const missing = new URL('./no-such-entry.mjs', import.meta.url);
    const end = run(onePair(), { workers: 2, workerEntry: missing });
    await expect(end).rejects.toMatchObject({ code: 'WORKER' });
  });
});
