// Networks on worker threads: frames cross between groups like any packet, so a run is the same wherever
// the cables are cut.
import { beforeAll, describe, expect, it } from 'vitest';
import { netTopology } from '../support/net-scenario.ts';
import { compile, lasting, run } from './scenarios.ts';

beforeAll(compile);

const WORKLOADS = [
  { type: 'ping', device: 'net-0', to: 'net-1', requests: 10, interval: '200us' },
  { type: 'stream', device: 'net-1', to: 'net-0', bytes: '60kB' },
  { type: 'pktgen', device: 'net-0', to: 'net-1', packets: 50, size: '500B', rate: '50Mbit/s' },
];

/** Everything that a card can do besides. */
const RICH = {
  queues: 2,
  rss: true,
  hashReport: true,
  receiveMerging: true,
  mergeTime: '20us',
  coalesceReceive: { packets: 4, time: '30us' },
};

describe.each([
  ['a switch with losses', { type: 'switch', lossPerMillion: 20_000, buffer: '16KiB' }, {}],
  ['a wire', { type: 'wire', latency: '2us' }, {}],
  ['a wire, with rich cards', { type: 'wire', latency: '2us' }, RICH],
])('two VMs on %s', (_, network, card) => {
  it('run alike on 0, 1, 2 and 4 worker threads', async () => {
    const topology = netTopology({ network, card, workloads: WORKLOADS });
    const inline = await run(topology, { workers: 0 });
    const reference = lasting(topology, inline);
    expect(inline.ending).toBe('done');
    expect(reference.workloads?.map(({ done }) => done)).toEqual([true, true, true]);
    expect(reference.networks?.lan.frames).toBeGreaterThan(100);
    for (const workers of [1, 2, 4]) {
      const outcome = await run(topology, { workers });
      expect(outcome.workers).toBe(workers);
      expect(lasting(topology, outcome)).toEqual(reference);
    }
  });
});

describe('the cables of a network', () => {
  it('are lookahead where they are cut', async () => {
    const topology = netTopology({ network: { latency: '7us' }, workloads: WORKLOADS });
    const nodes = topology.nodes.map((node) => ({
      ...node,
      // Each VM with its card, and the switch with the first of them.
      placement: node.name.endsWith('-1') ? 1 : 0,
    }));
    const { parallel } = await run({ ...topology, nodes }, { workers: 2, compare: true });
    expect(parallel?.links.map(({ lookaheadPs }) => lookaheadPs)).toEqual([7_000_000]);
  });
});
