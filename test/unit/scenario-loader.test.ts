// The scenario loader on good input: what a file becomes.
import { expect, test } from 'vitest';
import type { NodePlan } from '../../platform/contracts/topology.ts';
import { describeTopology, parseScenario } from '../../platform/scenario/index.ts';
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
    node({
      index: 0,
      name: 'linux',
      cpus: 2,
      memory: 256 * 2 ** 20,
      place: { file: 'main.yaml', line: 7, column: 56 },
    }),
    node({
      index: 1,
      name: 'storage',
      kind: 'partition',
      world: 'secure',
      memory: 16 * 2 ** 20,
      place: { file: 'main.yaml', line: 8, column: 63 },
    }),
  ]);
  expect(topology.buses).toEqual([
    {
      index: 0,
      name: 'ffa0',
      type: 'ffa',
      driver: 0,
      device: 1,
      deviceName: 'storage',
      driverPort: 0,
      devicePort: 0,
      revision: 'v1',
      beyondDrafts: [],
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
      options: { capacity: 2 ** 20, cache: 32768, queues: 1, queueSize: 256, ring: 'split' },
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

/** A small scenario; sections can be replaced or added. */
function scenario(changes: Readonly<Record<string, string>> = {}): string {
  const sections: Record<string, string> = {
    name: 'name: test',
    nodes: 'nodes:\n  linux: { kind: vm }\n  storage: { kind: partition }',
    buses: 'buses:\n  ffa0: { type: ffa, driver: linux, device: storage }',
    ...changes,
  };
  return `${Object.values(sections).join('\n')}\n`;
}

test('what is left out has documented defaults', () => {
  const topology = load(scenario());
  expect(topology).toMatchObject({ description: '', seed: 1, faults: [], expect: [], sweep: {} });
  expect(topology.profile.name).toBe('arm-neoverse-n1');
  expect(topology.until).toEqual({ workloadsDone: true, atMost: 10e12 });
  expect(topology.nodes.map((entry) => entry.world)).toEqual(['normal', 'secure']);
  expect(topology.buses[0].revision).toBe('v1');
});

test('until without workloads runs to its limit', () => {
  const topology = load(scenario({ until: 'until: { atMost: 5ms }' }));
  expect(topology.until).toEqual({ workloadsDone: false, atMost: 5e9 });
});

test('count makes copies; {i} ties nodes, buses and devices of one index together', () => {
  const topology = load(
    `name: pairs
nodes:
  vm: { kind: vm, count: 3, placement: '{i}' }
  sp: { kind: partition, count: 3 }
buses:
  ffa: { type: ffa, driver: 'vm-{i}', device: 'sp-{i}', count: 3 }
devices:
  disk: { type: blk, bus: 'ffa-{i}', number: 5, capacity: '{i}MiB', count: 3 }
`.replace("'{i}MiB'", "'1{i}MiB'"),
  );
  expect(topology.nodes.map((entry) => entry.name)).toEqual([
    'vm-0',
    'vm-1',
    'vm-2',
    'sp-0',
    'sp-1',
    'sp-2',
  ]);
  expect(topology.nodes.map((entry) => entry.placement)).toEqual([0, 1, 2, null, null, null]);
  expect(topology.buses.map(({ name, driver, device }) => [name, driver, device])).toEqual([
    ['ffa-0', 0, 3],
    ['ffa-1', 1, 4],
    ['ffa-2', 2, 5],
  ]);
  // One copy on each bus: the number does not advance.
  expect(topology.devices.map(({ bus, number }) => [bus, number])).toEqual([
    [0, 5],
    [1, 5],
    [2, 5],
  ]);
  expect(topology.devices[2].options).toMatchObject({ capacity: 12 * 2 ** 20 });
});

test('copies on one bus take consecutive numbers, or those that {i} gives', () => {
  const numbers = (line: string) =>
    load(scenario({ devices: `devices:\n  disk: ${line}` })).devices.map((entry) => entry.number);
  expect(numbers('{ type: blk, bus: ffa0, number: 7, count: 3 }')).toEqual([7, 8, 9]);
  expect(numbers("{ type: blk, bus: ffa0, number: '{i}', count: 3 }")).toEqual([0, 1, 2]);
});

test('packet ports are numbered by node in the order of the buses', () => {
  const { buses } = load(
    scenario({
      nodes: 'nodes:\n  a: { kind: vm }\n  b: { kind: vm }\n  c: { kind: vm }',
      buses: `buses:
  ab: { type: ffa, driver: a, device: b }
  cb: { type: ffa, driver: c, device: b }
  ac: { type: ffa, driver: a, device: c }`,
    }),
  );
  expect(buses.map(({ driverPort, devicePort }) => [driverPort, devicePort])).toEqual([
    [0, 0],
    [0, 1],
    [1, 1],
  ]);
});

test('a workload on a replicated device applies to every copy', () => {
  const { workloads } = load(
    scenario({
      devices: 'devices:\n  disk: { type: blk, bus: ffa0, number: 0, count: 3 }',
      workloads: `workloads:
  - { type: fio, device: disk, rw: read }
  - { type: fio, device: disk-1, rw: write }
  - { type: fio, device: 'disk-{i}', rw: read, name: late, count: 2 }`,
    }),
  );
  expect(workloads.map(({ index, name, device }) => [index, name, device])).toEqual([
    [0, 'fio.disk-0', 0],
    [1, 'fio.disk-1', 1],
    [2, 'fio.disk-2', 2],
    [3, 'fio.disk-1-1', 1],
    [4, 'late', 0],
    [5, 'late-1', 1],
  ]);
});

test('fault rules carry their amounts; one on a replicated bus applies to every copy', () => {
  const { faults } = load(
    scenario({
      buses: 'buses:\n  ffa: { type: ffa, driver: linux, device: storage, count: 2 }',
      faults: `faults:
  - { on: ffa-0, delay: EVENT_AVAIL, by: 20us, count: always }
  - { at: 1us, on: ffa-1, shrink: AREA_SHARE, pages: 3 }
  - { on: ffa, omit: AREA_SHARE }`,
    }),
  );
  const rule = { at: 0, count: 1, amount: 0 };
  const forever = Number.POSITIVE_INFINITY;
  expect(faults).toEqual([
    { ...rule, bus: 0, action: 'delay', message: 'EVENT_AVAIL', count: forever, amount: 20e6 },
    { ...rule, bus: 1, at: 1e6, action: 'shrink', message: 'AREA_SHARE', amount: 3 },
    { ...rule, bus: 0, action: 'omit', message: 'AREA_SHARE' },
    { ...rule, bus: 1, action: 'omit', message: 'AREA_SHARE' },
  ]);
});

test('a timing override is specified by the scenario', () => {
  const { profile } = load(scenario({ timing: 'timing: { ffa.worldSwitch: 2us }' }));
  expect(profile.constants.find((row) => row.name === 'ffa.worldSwitch')).toEqual({
    name: 'ffa.worldSwitch',
    dimension: 'time',
    value: 2e6,
    text: '2us',
    kind: 'specified',
    source: 'scenario',
  });
});

test('a topology is plain data that threads can be sent', () => {
  const topology = load(MAIN);
  expect(structuredClone(topology)).toEqual(topology);
});

test('65,536 devices on one bus load in a moment', () => {
  const started = performance.now();
  const { devices, workloads } = load(
    scenario({
      devices: 'devices:\n  disk: { type: blk, bus: ffa0, number: 0, count: 65536 }',
      workloads: 'workloads:\n  - { type: fio, device: disk, rw: read }',
    }),
  );
  expect(devices.at(-1)).toMatchObject({ name: 'disk-65535', number: 65535 });
  expect(workloads).toHaveLength(65536);
  // Generous: this takes a fraction of a second, and parsing each copy anew would take many.
  expect(performance.now() - started).toBeLessThan(5000);
});

test('the printed topology shows units, numbers, overrides and folds long runs of copies', () => {
  const text = MAIN.replace('number: 0,', 'number: 0, count: 100,');
  const lines = describeTopology(load(text), { tables }).split('\n');
  expect(lines.slice(0, 12)).toEqual([
    'secure-storage: A normal-world VM reads and writes a disk served by a secure partition.',
    'file main.yaml, seed 7, until every workload is done, at most 1s',
    '',
    'Nodes (2)',
    '  linux    vm         normal  2 cpus  256MiB',
    '  storage  partition  secure  1 cpu   16MiB',
    '',
    'Buses (1)',
    '  ffa0  ffa  v1  linux -> storage  messages=direct events=notification timeout=5s',
    '',
    'Devices (100)',
    '  disk0-0   blk  ffa0 number 0   capacity=1MiB cache=32KiB queues=1 queueSize=256 ring=split',
  ]);
  expect(lines).toContain('  … 96 more like these');
  expect(lines).toContain('  from 3ms  ffa0  drop EVENT_USED  once');
  expect(lines).toContain('  buses.ffa0.messages      direct, indirect, fifo');
  expect(lines).toContain('  ffa.worldSwitch  2us  set by the scenario');
});
