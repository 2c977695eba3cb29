// FF-A with crashes, services and lost events gives the same run on one thread and on several,
// compiled or interpreted.
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, lasting, run, scenario } from './scenarios.ts';

beforeAll(compile);

/** Each with what makes it shorter. */
const CASES = [
  ['partition-restart', [['operations: 3000', 'operations: 1000']]],
  ['vm-restart', [['operations: 6000', 'operations: 2500']]],
  ['bus-reset', [['operations: 3000', 'operations: 1500']]],
  ['services', [['operations: 2000', 'operations: 200']]],
  ['event-overflow', []],
] as const;

describe.each(CASES)('%s', (name, changes) => {
  it('runs alike on 0, 1 and 2 worker threads, and on the interpreter', async () => {
    const topology = scenario(name, changes);
    const reference = lasting(topology, await run(topology, { workers: 0 }));
    for (const workers of [1, 2]) {
      expect(lasting(topology, await run(topology, { workers }))).toEqual(reference);
    }
    const interpreted = await run(topology, { workers: 0, engine: 'xstate' });
    expect(lasting(topology, interpreted)).toEqual(reference);
  });
});
