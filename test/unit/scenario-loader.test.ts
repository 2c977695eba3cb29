// The scenario loader on good input: what a file becomes.
import { expect, test } from 'vitest';
import type { NodePlan } from '../../platform/contracts/topology.ts';
import { parseScenario } from '../../platform/scenario/index.ts';
import { tables } from './scenario-tables.ts';

const MAIN = `name: secure-storage
description: A normal-world VM reads and writes a disk served by a secure partition.
seed: 7
profile: arm-neoverse-n1
timing: { ffa.worldSwitch: 2us }
nodes:
  linux:   { kind: vm, world: normal, cpus: 2, memory: 256MiB }
  storage: { kind: partition, world: secure, cpus: 1, memory: 16MiB }
buses:
  ffa0: { type: ffa, driver: linux, device: storage, messages: direct, events: notification, revision: v1 }
devices:
  disk0: { type: blk, bus: ffa0, number: 0, queues: 1, queueSize: 256, ring: split }
workloads:
  - { type: fio, device: disk0, rw: randrw, blockSize: 4KiB, depth: 16, operations: 20000, verify: true }
faults:
  - { at: 3ms, on: ffa0, drop: EVENT_USED, count: 1 }
until: { workloads: done, atMost: 1s }
expect:
  - disk0.errors == 0
  - disk0.latency.p99 < 80us
  - violations == 0
sweep:
  buses.ffa0.messages: [direct, indirect, fifo]
  devices.disk0.queueSize: [64, 256, 1024]
`;

const node = (plan: Partial<NodePlan>): NodePlan => ({
  index: 0,
  name: '',
  kind: 'vm',
  world: 'normal',
  cpus: 1,
  memory: 64 * 2 ** 20,
  placement: null,
  ...plan,
});

const load = (text: string) => parseScenario({ text, file: 'main.yaml', folder: '.' }, tables);

test('the example of the design becomes a topology', () => {
  const topology = load(MAIN);
  expect(topology).toMatchObject({
    name: 'secure-storage',
    file: 'main.yaml',
    folder: '.',
    seed: 7,
  });
  expect(topology.nodes).toEqual([
    node({ index: 0, name: 'linux', cpus: 2, memory: 256 * 2 ** 20 }),
    node({ index: 1, name: 'storage', kind: 'partition', world: 'secure', memory: 16 * 2 ** 20 }),
  ]);
  expect(topology.buses).toEqual([
    {
      index: 0,
      name: 'ffa0',
      type: 'ffa',
      driver: 0,
      device: 1,
      driverPort: 0,
      devicePort: 0,
      revision: 'v1',
      options: { messages: 'direct', events: 'notification', timeout: 5e12 },
    },
  ]);
  expect(topology.devices).toEqual([
    {
      index: 0,
      name: 'disk0',
      type: 'blk',
      bus: 0,
      number: 0,
      options: { capacity: 2 ** 20, queues: 1, queueSize: 256, ring: 'split' },
    },
  ]);
  expect(topology.workloads).toMatchObject([
    {
      index: 0,
      name: 'fio.disk0',
      type: 'fio',
      device: 0,
      options: { blockSize: 4096, depth: 16 },
    },
  ]);
  expect(topology.faults).toEqual([
    { bus: 0, at: 3e9, action: 'drop', message: 'EVENT_USED', count: 1, amount: 0 },
  ]);
  expect(topology.until).toEqual({ workloadsDone: true, atMost: 1e12 });
  expect(topology.expect[1]).toEqual({ text: 'disk0.latency.p99 < 80us', line: 20, column: 5 });
  expect(topology.sweep['devices.disk0.queueSize']).toEqual([64, 256, 1024]);
});
