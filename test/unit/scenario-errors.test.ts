// Bad scenarios: each mistake gives its code at its line and column. The place is marked by § in the
// text of the test; the mark is taken out before the text is loaded.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatProblem, loadScenario } from '../../platform/scenario/index.ts';
import {
  marks,
  places,
  problemsIn,
  scenarioText as scenario,
} from '../support/marked-scenarios.ts';
import { tables } from './scenario-tables.ts';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'scenario-'));
  writeFileSync(join(folder, 'disk.img'), 'x');
  writeFileSync(join(folder, 'short.yaml'), 'name: short\ndescription: few rows\nconstants: {}\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

const problemsOf = (text: string) => problemsIn(text, folder);

test('the scenario that the cases below are made from is good', () => {
  expect(problemsOf(scenario())).toEqual([]);
  expect(marks('ab§c\n§d §e')).toEqual([
    { line: 1, column: 3 },
    { line: 2, column: 1 },
    { line: 2, column: 3 },
  ]);
});

interface Case {
  readonly title: string;
  readonly code: string;
  readonly nearest?: string;
  readonly changes: Readonly<Record<string, string>>;
}

const device = (line: string) => ({ devices: `devices:\n  ${line}` });
const bus = (line: string) => ({ buses: `buses:\n  ${line}` });
const extra = (text: string) => ({ extra: text });

const cases: readonly Case[] = [
  {
    title: 'unknown key at the top',
    code: 'UNKNOWN_KEY',
    nearest: 'faults',
    changes: extra('§fault: []'),
  },
  {
    title: 'unknown key of a node',
    code: 'UNKNOWN_KEY',
    nearest: 'memory',
    changes: { nodes: 'nodes:\n  linux: { kind: vm, §memroy: 1MiB }\n  storage: { kind: vm }' },
  },
  {
    title: 'unknown option of a device',
    code: 'UNKNOWN_KEY',
    nearest: 'queueSize',
    changes: device('disk0: { type: blk, bus: ffa0, number: 0, §queuesize: 8 }'),
  },
  {
    title: 'unknown option of a workload',
    code: 'UNKNOWN_KEY',
    nearest: 'depth',
    changes: {
      workloads: 'workloads:\n  - type: fio\n    device: disk0\n    rw: read\n    §deph: 2',
    },
  },
  {
    title: 'a unit of the wrong dimension',
    code: 'BAD_UNIT',
    changes: extra('until: { workloads: done, atMost: §5MiB }'),
  },
  {
    title: 'a timing constant outside its limits',
    code: 'OUT_OF_RANGE',
    changes: extra('timing:\n  device.descriptorBurst: §8KiB'),
  },
  {
    title: 'a count with a unit',
    code: 'BAD_VALUE',
    changes: extra('timing:\n  device.batch: §4B'),
  },
  {
    title: 'a misspelt unit',
    code: 'BAD_UNIT',
    nearest: 'KiB',
    changes: device('disk0: { type: blk, bus: ffa0, number: 0, capacity: §512KiBy }'),
  },
  {
    title: 'a bare number',
    code: 'BAD_UNIT',
    changes: extra('until:\n  atMost: §1000'),
  },
  {
    title: 'a size that is no whole number of bytes',
    code: 'BAD_VALUE',
    changes: device('disk0: { type: blk, bus: ffa0, number: 0, capacity: §0.3B }'),
  },
  {
    title: 'a size that is no multiple of a sector',
    code: 'OUT_OF_RANGE',
    changes: device('disk0: { type: blk, bus: ffa0, number: 0, capacity: §1000B }'),
  },
  {
    title: 'a missing node',
    code: 'UNKNOWN_NAME',
    nearest: 'storage',
    changes: bus('ffa0: { type: ffa, driver: linux, device: §storge }'),
  },
  {
    title: 'a missing bus',
    code: 'UNKNOWN_NAME',
    nearest: 'ffa0',
    changes: device('disk0: { type: blk, bus: §ffa1, number: 0 }'),
  },
  {
    title: 'a missing device',
    code: 'UNKNOWN_NAME',
    nearest: 'disk0',
    changes: { workloads: 'workloads:\n  - { type: fio, device: §dsk0, rw: read }' },
  },
  {
    title: 'an unknown type of device',
    code: 'UNKNOWN_NAME',
    nearest: 'blk',
    changes: device('disk0: { type: §bkl, bus: ffa0, number: 0 }'),
  },
  {
    title: 'two devices with one number on a bus',
    code: 'DUPLICATE_NUMBER',
    changes: device(
      'disk0: { type: blk, bus: ffa0, number: 3 }\n  disk1: { type: blk, bus: ffa0, number: §3 }',
    ),
  },
  {
    title: 'a device number above 65535',
    code: 'OUT_OF_RANGE',
    changes: device('disk0: { type: blk, bus: ffa0, number: §65536 }'),
  },
  {
    title: 'copies that run past 65535',
    code: 'OUT_OF_RANGE',
    changes: {
      ...device('disk0: { type: blk, bus: ffa0, count: 9, number: §65530 }'),
    },
  },
  {
    title: 'a bus between a node and itself',
    code: 'SELF_BUS',
    changes: bus('ffa0: { type: ffa, driver: linux, device: §linux }'),
  },
  {
    title: 'a missing image file',
    code: 'NO_FILE',
    changes: device('disk0: { type: blk, bus: ffa0, number: 0, image: §gone.img }'),
  },
  {
    title: 'an image that is a folder',
    code: 'NO_FILE',
    changes: device('disk0: { type: blk, bus: ffa0, number: 0, image: §. }'),
  },
  {
    title: 'a key that stands twice',
    code: 'DUPLICATE_KEY',
    changes: {
      nodes: 'nodes:\n  linux: { kind: vm }\n  storage: { kind: vm }\n  §linux: { kind: vm }',
    },
  },
  {
    title: 'a missing required key',
    code: 'MISSING',
    changes: device('§disk0: { type: blk, bus: ffa0 }'),
  },
  {
    title: 'a value outside a closed list',
    code: 'BAD_VALUE',
    nearest: 'direct',
    changes: bus('ffa0: { type: ffa, driver: linux, device: storage, messages: §dircet }'),
  },
  {
    title: 'a text where a number belongs',
    code: 'BAD_VALUE',
    changes: device('disk0: { type: blk, bus: ffa0, number: §zero }'),
  },
  {
    title: 'a count above its limit',
    code: 'OUT_OF_RANGE',
    changes: device('disk0: { type: blk, bus: ffa0, number: 0, count: §65537 }'),
  },
  {
    title: '{i} without count',
    code: 'BAD_VALUE',
    changes: device('disk0: { type: blk, bus: ffa0, number: 0, ring: §"{i}" }'),
  },
  {
    title: 'a replicated bus named without its index',
    code: 'UNKNOWN_NAME',
    nearest: 'ffa0-0',
    changes: {
      ...bus('ffa0: { type: ffa, driver: linux, device: storage, count: 4 }'),
      ...device('disk0: { type: blk, bus: §ffa0, number: 0 }'),
    },
  },
  {
    title: 'a name that is no name',
    code: 'BAD_VALUE',
    changes: {
      nodes: 'nodes:\n  linux: { kind: vm }\n  storage: { kind: vm }\n  §9p: { kind: vm }',
    },
  },
  {
    title: 'a device named like a part of the report',
    code: 'BAD_VALUE',
    changes: {
      ...device('§violations: { type: blk, bus: ffa0, number: 0 }'),
      workloads: 'workloads: []',
    },
  },
  {
    title: 'a copy that takes the name of another entry',
    code: 'DUPLICATE_NAME',
    changes: {
      nodes:
        'nodes:\n  linux: { kind: vm }\n  storage: { kind: vm }\n  a-1: { kind: vm }\n  §a: { kind: vm, count: 2 }',
    },
  },
  {
    title: 'an unknown profile',
    code: 'UNKNOWN_NAME',
    nearest: 'arm-cortex-a53',
    changes: extra('profile: §arm-cortex-a35'),
  },
  {
    title: 'a missing profile file',
    code: 'NO_FILE',
    changes: extra('profile: §mine.yaml'),
  },
  {
    title: 'an unknown timing constant',
    code: 'UNKNOWN_NAME',
    nearest: 'ffa.worldSwitch',
    changes: extra('timing: { §ffa.worldswitch: 2us }'),
  },
  {
    title: 'a timing override with the unit of a rate',
    code: 'BAD_UNIT',
    changes: extra('timing: { ffa.worldSwitch: §2GB/s }'),
  },
  {
    title: 'a fault on a missing bus',
    code: 'UNKNOWN_NAME',
    nearest: 'ffa0',
    changes: extra('faults:\n  - { at: 1ms, on: §ffa, drop: EVENT_USED }'),
  },
  {
    title: 'a fault for an unknown message',
    code: 'UNKNOWN_NAME',
    nearest: 'EVENT_USED',
    changes: extra('faults:\n  - { at: 1ms, on: ffa0, drop: §EVENT_USDE }'),
  },
  {
    title: 'a fault with two actions',
    code: 'BAD_VALUE',
    changes: extra('faults:\n  - §{ on: ffa0, drop: EVENT_USED, omit: AREA_SHARE }'),
  },
  {
    title: 'a fault without an action',
    code: 'MISSING',
    changes: extra('faults:\n  - §{ on: ffa0 }'),
  },
  {
    title: 'a delay without its length',
    code: 'MISSING',
    changes: extra('faults:\n  - §{ on: ffa0, delay: EVENT_USED }'),
  },
  {
    title: 'a length without a delay',
    code: 'UNKNOWN_KEY',
    changes: extra('faults:\n  - { on: ffa0, drop: EVENT_USED, §by: 2us }'),
  },
  {
    title: 'an expectation without an operator',
    code: 'BAD_VALUE',
    changes: extra('expect:\n  - §disk0.errors is 0'),
  },
  {
    title: 'an expectation with an unknown unit',
    code: 'BAD_UNIT',
    nearest: 'us',
    changes: extra('expect:\n  - disk0.latency.p99 < §80usec'),
  },
  {
    title: 'an expectation of a device that is not there',
    code: 'UNKNOWN_NAME',
    nearest: 'disk0',
    changes: extra('expect:\n  - §disk1.errors == 0'),
  },
  {
    title: 'an expectation of a figure that no device has',
    code: 'UNKNOWN_NAME',
    nearest: 'errors',
    changes: extra('expect:\n  - disk0.§erors == 0'),
  },
  {
    title: 'an expectation of a percentile that is not in the report',
    code: 'UNKNOWN_NAME',
    nearest: 'p90',
    changes: extra('expect:\n  - disk0.latency.§p95 < 1ms'),
  },
  {
    title: 'an expectation of no figure at all',
    code: 'UNKNOWN_NAME',
    changes: extra('expect:\n  - §devices.disk0 == 0'),
  },
  {
    title: 'a quoted expectation of a bus that is not there',
    code: 'UNKNOWN_NAME',
    nearest: 'ffa0',
    changes: extra('expect:\n  - "buses.§ffa7.messages > 0"'),
  },
  {
    title: 'an expectation of a bus without its section',
    code: 'UNKNOWN_NAME',
    nearest: 'buses.ffa0',
    changes: extra('expect:\n  - §ffa0.messages > 0'),
  },
  {
    title: 'an expectation of a figure that no bus has',
    code: 'UNKNOWN_NAME',
    nearest: 'messages',
    changes: extra('expect:\n  - buses.ffa0.§mesages > 0'),
  },
  {
    title: 'an expectation of a percentile without latency',
    code: 'UNKNOWN_NAME',
    nearest: 'latency.p99',
    changes: extra('expect:\n  - disk0.§p99 > 0'),
  },
  {
    title: "what a type's own check objects to",
    code: 'REFUSED',
    changes: {
      nodes: 'nodes:\n  linux: { kind: mcu }\n  storage: { kind: partition }',
      ...bus('ffa0: { type: ffa, driver: §linux, device: storage }'),
    },
  },
  {
    title: 'an entry that is no mapping',
    code: 'BAD_VALUE',
    changes: device('disk0: §blk'),
  },
  {
    title: 'a section that is no mapping',
    code: 'BAD_VALUE',
    changes: { nodes: 'nodes: §[]' },
  },
  {
    title: 'no nodes at all',
    code: 'MISSING',
    changes: {
      nodes: '§nodes: {}',
      buses: 'buses: {}',
      devices: 'devices: {}',
      workloads: 'workloads: []',
    },
  },
  {
    title: 'YAML that does not parse',
    code: 'YAML_SYNTAX',
    changes: { nodes: 'nodes:\n  linux: { kind: vm\n  §storage: vm' },
  },
  {
    title: '{i} in a text without quotes',
    code: 'YAML_SYNTAX',
    changes: bus('ffa: { type: ffa, driver: vm-§{i}, device: storage, count: 2 }'),
  },
  {
    title: '{i} alone without quotes',
    code: 'BAD_VALUE',
    changes: {
      ...device('disk: { type: blk, bus: ffa0, number: §{i}, count: 2 }'),
      workloads: 'workloads: []',
    },
  },
  {
    title: 'a key that is no text',
    code: 'YAML_SYNTAX',
    changes: { nodes: 'nodes:\n  §[a, b]: { kind: vm }' },
  },
  {
    title: 'a tab as indentation',
    code: 'YAML_SYNTAX',
    changes: { nodes: 'nodes:\n§\tlinux: { kind: vm }' },
  },
];

describe('each mistake has its code at its place', () => {
  test.each(cases)('$title: $code', ({ code, nearest, changes }) => {
    const text = scenario(changes);
    const problems = problemsOf(text);
    expect(problems.map((problem) => problem.code)).toEqual([code]);
    expect(places(problems)).toEqual(marks(text));
    if (nearest !== undefined) expect(problems[0].nearest).toBe(nearest);
  });
});

test('all mistakes are told at once, in the order of the file', () => {
  const text = `name: many
seed: §-1
nodes:
  linux: { kind: §vmm }
  storage: { kind: partition, §ram: 4MiB }
  linux2: { kind: vm }
  §linux2: { kind: vm }
buses:
  ffa0: { type: ffa, driver: linux, device: §nobody }
devices:
  disk0: { type: blk, bus: ffa0, number: 0, image: §gone.img, queues: §65 }
`;
  expect(problemsOf(text).map((problem) => problem.code)).toEqual([
    'OUT_OF_RANGE',
    'BAD_VALUE',
    'UNKNOWN_KEY',
    'DUPLICATE_KEY',
    'UNKNOWN_NAME',
    'NO_FILE',
    'OUT_OF_RANGE',
  ]);
  expect(places(problemsOf(text))).toEqual(marks(text));
});

test('a mistake in a replicated entry is told once', () => {
  const text = scenario({
    ...device('disk: { type: blk, bus: "§ffa{i}", number: 0, count: 4096 }'),
    workloads: 'workloads: []',
  });
  const problems = problemsOf(text);
  expect(problems.map((problem) => problem.code)).toEqual(['UNKNOWN_NAME']);
});

test('a problem is printed with its line, carets, expectation and nearest name', () => {
  const text = scenario(device('disk0: { type: blk, bus: ffa0, number: 0, capacity: 512KiBy }'));
  const [problem] = problemsOf(text);
  expect(formatProblem(problem)).toBe(
    [
      "bad.yaml:8:55: 'KiBy' is not a unit of size",
      '  8 |   disk0: { type: blk, bus: ffa0, number: 0, capacity: 512KiBy }',
      '    |                                                       ^^^^^^^',
      '    = expected a size such as 4KiB (units: B, kB, KiB, MB, MiB, GB, GiB, TB,',
      '      TiB)',
      "    = did you mean 'KiB'?",
    ].join('\n'),
  );
});

test('a bare number is answered with the list of units', () => {
  const [problem] = problemsOf(scenario(extra('until: { atMost: 1000 }')));
  expect(problem.expected).toContain('ps, ns, us, ms, s');
});

test('carets stay below their word when tabs precede it', () => {
  const [problem] = problemsOf(scenario(extra('until: {\tatMost: 7 }')));
  expect(formatProblem(problem).split('\n')[2]).toBe('     |         \t        ^');
});

test('a scenario file that is not there is one problem without a place', () => {
  const file = join(folder, 'none.yaml');
  try {
    loadScenario(file, tables);
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: 'NO_FILE', problems: [{ file, line: 0, column: 0 }] });
  }
});

// Whoever is root may read anything.
test.skipIf(process.getuid?.() === 0)('files that may not be read are told as such', () => {
  const file = join(folder, 'secret.yaml');
  writeFileSync(file, 'name: secret', { mode: 0 });
  expect(() => loadScenario(file, tables)).toThrow(expect.objectContaining({ code: 'NO_FILE' }));
  const text = scenario(device('disk0: { type: blk, bus: ffa0, number: 0, image: secret.yaml }'));
  expect(problemsOf(text).map((problem) => problem.code)).toEqual(['NO_FILE']);
});

test('an empty file lacks everything', () => {
  expect(problemsOf('').map((problem) => problem.code)).toEqual(['BAD_VALUE']);
});

test('an image is looked for beside the scenario', () => {
  const text = scenario(device('disk0: { type: blk, bus: ffa0, number: 0, image: disk.img }'));
  expect(problemsOf(text)).toEqual([]);
});

test('rows that a profile of the user lacks are told in that file', () => {
  const problems = problemsOf(scenario(extra('profile: short.yaml\ntiming: { cpu.submit: 1 }')));
  expect(problems[0]).toMatchObject({ code: 'BAD_UNIT', file: 'bad.yaml', line: 12 });
  const others = problems.slice(1);
  expect(others.length).toBeGreaterThan(12);
  for (const problem of others) {
    expect(problem).toMatchObject({ code: 'MISSING', line: 3, column: 1 });
    expect(problem.file).toBe(join(folder, 'short.yaml'));
  }
});
