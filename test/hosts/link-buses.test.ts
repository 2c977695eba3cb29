// Buses that move messages over a link give the same run on one thread and on several.
import { beforeAll, describe, expect, it } from 'vitest';
import { linkTopology } from '../support/link-scenarios.ts';
import { compile, lasting, run } from './scenarios.ts';

beforeAll(compile);

const CASES = {
  ivshmem: [
    { home: 'driver', interrupts: 'intx', pingInterval: '1ms' },
    { data: 'inBand', deviceNumbers: '32bit' },
    { frontEnd: 'mmio' },
  ],
  xen: [{ outliersPerMillion: 50_000 }, { grants: 'copy' }, { frontEnd: 'mmio' }],
  mailbox: [{ carveOut: '4MiB' }, { carveOut: '4MiB', dialect: 'alpha', maxMessageSize: '40B' }],
};

const cases = Object.entries(CASES).flatMap(([type, each]) =>
  each.map((bus) => ({ type, bus, title: `${type} ${JSON.stringify(bus)}` })),
);

describe.each(cases)('$title', ({ type, bus }) => {
  it('runs alike on 0, 1 and 2 worker threads', async () => {
    const topology = linkTopology({ type, bus });
    const inline = await run(topology, { workers: 0 });
    const reference = lasting(topology, inline);
    expect(reference.workloads?.[0]).toMatchObject({ requests: 60, errors: 0 });
    for (const workers of [1, 2]) {
      const outcome = await run(topology, { workers });
      expect(outcome.workers).toBe(workers);
      expect(lasting(topology, outcome)).toEqual(reference);
    }
  });
});
