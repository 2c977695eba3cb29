// Whole requests per second: 4 KiB random reads at depth 32 of one disk over FF-A, each verified, with
// the digest on, on one thread.
import type { Bench } from 'tinybench';
import { tables } from '../../platform/cli/tables.ts';
import { runInline } from '../../platform/hosts/inline-host.ts';
import { linkLatencies } from '../../platform/hosts/stop-rule.ts';
import { parseScenario } from '../../platform/scenario/index.ts';
import { addTask } from './suite.ts';

const REQUESTS = 20_000;

function scenario(ring: string): string {
  return `
name: bench
profile: arm-neoverse-n1
nodes:
  linux: { kind: vm, world: normal, cpus: 2, memory: 64MiB }
  storage: { kind: partition, world: secure, cpus: 1, memory: 16MiB }
buses:
  ffa0: { type: ffa, driver: linux, device: storage }
devices:
  disk0: { type: blk, bus: ffa0, number: 0, capacity: 4MiB, ${ring} }
workloads:
  - { type: fio, device: disk0, rw: randread, blockSize: 4KiB, depth: 32, operations: ${REQUESTS} }
until: { workloads: done, atMost: 10s }
`;
}

const RINGS: Readonly<Record<string, string>> = {
  split: 'ring: split',
  'packed, indirect, event index': 'ring: packed, indirect: true, eventIdx: true',
};

export function addScenarioTasks(bench: Bench): void {
  for (const [name, ring] of Object.entries(RINGS)) {
    for (const engine of ['compiled', 'xstate'] as const) {
      addTask(bench, {
        name: `${name}: ${engine} charts`,
        unit: 'requests',
        count: REQUESTS,
        prepare: () => {
          const text = scenario(ring);
          const folder = import.meta.dirname;
          const topology = parseScenario({ text, file: 'bench.yaml', folder }, tables);
          const links = linkLatencies(topology, tables.buses);
          const quiet = { anatomy: false, trace: null, onProgress: () => {} };
          const options = { topology, tables, engine, links, ...quiet };
          return () => {
            const { groups } = runInline(options)!;
            const [{ result }] = groups[0].workloads;
            if (result.verified !== REQUESTS) throw new Error('not every request was verified');
          };
        },
      });
    }
  }
}
