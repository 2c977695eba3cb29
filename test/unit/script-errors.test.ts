// Bad scripts: each mistake is told at its line and column, with what was meant. The place is marked by § in the
// text of the test; the mark is taken out before the text is loaded.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import {
  describeTopology,
  type Problem,
  parseScenario,
  ScenarioError,
} from '../../platform/scenario/index.ts';
import { marks, places } from '../support/marked-scenarios.ts';

const scenarioText = (workloads: string) => `name: test
nodes: { linux: { kind: vm }, storage: { kind: partition } }
buses: { ffa0: { type: ffa, driver: linux, device: storage } }
devices:
  disk0: { type: blk, bus: ffa0, number: 0 }
  i2c0: { type: i2c, bus: ffa0, number: 1 }
  com0: { type: console, bus: ffa0, number: 2 }
workloads:
${workloads}
`;

const parse = (text: string) =>
  parseScenario({ text, file: 'bad.yaml', folder: import.meta.dirname }, tables);

function problemsIn(text: string): readonly Problem[] {
  try {
    parse(text.replaceAll('§', ''));
  } catch (error) {
    if (error instanceof ScenarioError) return error.problems;
    throw error;
  }
  return [];
}

const script = (device: string, step: string) =>
  scenarioText(
    `  - type: script\n    device: ${device}\n    steps:\n      - { do: sleep }\n${step}`,
  );

interface Case {
  readonly device: string;
  readonly step: string;
  readonly message: string;
  readonly expected?: RegExp;
  readonly nearest?: string;
}

const CASES: readonly Case[] = [
  {
    device: 'disk0',
    step: '      - { do: §transfer, address: 1 }',
    message: "step 'transfer' is for i2c, disk0 is of type blk",
    expected: /^one of sleep, .*read, write, flush/,
  },
  {
    device: 'i2c0',
    step: '      - { do: §write, text: abc }',
    message: "step 'write' is for blk, console, pmem, i2c0 is of type i2c",
    expected: /transfer$/,
  },
  {
    device: 'disk0',
    step: '      - { do: §wriet }',
    message: "there is no step 'wriet'",
    nearest: 'write',
  },
  {
    device: 'disk0',
    step: '      - { do: read, §patern: 1 }',
    message: "unknown key 'patern'",
    expected: /^one of do, at, length, pattern, expect$/,
    nearest: 'pattern',
  },
  {
    device: 'disk0',
    step: '      - { do: config, field: §capactiy, is: 1 }',
    message: "'capactiy' is not possible here",
    nearest: 'capacity',
  },
  {
    device: 'i2c0',
    step: '      - { do: config, §field: capacity, at: 0, is: 1 }',
    message: "unknown key 'field'",
    expected: /^one of do, at, is$/,
  },
  {
    device: 'disk0',
    step: '      - §{ do: config, is: 1 }',
    message: "the keys of this step 'config' do not go together",
    expected: /'field' or 'at'/,
  },
  {
    device: 'disk0',
    step: '      - §{ do: config, at: 0, is: 256 }',
    message: "the keys of this step 'config' do not go together",
    expected: /hexadecimal digits/,
  },
  {
    device: 'disk0',
    step: '      - §{ do: waitFor, field: capacity }',
    message: "the keys of this step 'waitFor' do not go together",
    expected: /'is' as well/,
  },
  {
    device: 'com0',
    step: '      - §{ do: write, text: abc, bytes: 1 }',
    message: "the keys of this step 'write' do not go together",
    expected: /'text' or 'bytes'/,
  },
  {
    device: 'com0',
    step: "      - { do: write, bytes: §'1?' }",
    message: "'1?': bytes are a number up to 255, or pairs of hexadecimal digits in quotes",
  },
  {
    device: 'com0',
    step: '      - { do: receive, text: abc, expect: §lost }',
    message: "'lost' is not possible here",
    expected: /^one of ok, timeout$/,
  },
  {
    device: 'i2c0',
    step: '      - §{ do: transfer }',
    message: "key 'address' is missing",
    expected: /'address' with a/,
  },
  {
    device: 'i2c0',
    step: '      - { do: transfer, address: §128 }',
    message: '128 is too large',
    expected: /at most 127/,
  },
  {
    device: 'disk0',
    step: '      - { do: features, has: [FLUSH, §FLSUH] }',
    message: "'FLSUH' is not possible here",
    nearest: 'FLUSH',
  },
  { device: 'disk0', step: '      - §{ at: 0B }', message: "a step says by 'do' what it is" },
  { device: 'disk0', step: '      - §read', message: "'read' is not a mapping" },
];

describe('a bad step', () => {
  it.each(CASES)('$message', ({ device, step, message, expected, nearest }) => {
    const text = script(device, step);
    const problems = problemsIn(text);
    expect(problems.map((problem) => problem.message)).toEqual([message]);
    expect(places(problems)).toEqual(marks(text));
    if (expected !== undefined) expect(problems[0].expected).toMatch(expected);
    expect(problems[0].nearest).toBe(nearest ?? null);
  });

  it('is told along with all others, and on a device that there is not', () => {
    const text = script(
      'disk0',
      '      - { do: §fly }\n      - { do: read, length: §7B }\n      - { do: flush, §at: 0B }',
    );
    expect(places(problemsIn(text))).toEqual(marks(text));
    const lost = script('§disk1', '      - { do: read }');
    expect(places(problemsIn(lost))).toEqual(marks(lost));
  });

  it('is told even if a mistake elsewhere leaves open which device it is for', () => {
    const text = `${script('disk0', '      - { do: §reed }')}§sed: 1\n`;
    const problems = problemsIn(text);
    expect(places(problems)).toEqual(marks(text));
    expect(problems.map(({ message }) => message)).toContain("there is no step 'reed'");
    expect(problems.map(({ nearest }) => nearest)).toEqual(['read', 'seed']);
  });
});

describe('a workload on a device of another type', () => {
  it('is refused', () => {
    const text = scenarioText('  - { type: hwclock, device: §disk0 }');
    const [problem, ...more] = problemsIn(text);
    expect(more).toEqual([]);
    expect(places([problem])).toEqual(marks(text));
    expect(problem).toMatchObject({
      code: 'REFUSED',
      message: "'hwclock' cannot use 'disk0', which is of type blk",
      expected: 'a device of type i2c',
    });
  });
});

it('a script is shown with its units and defaults', () => {
  const topology = parse(script('disk0', '      - { do: read, at: 4KiB, pattern: 7 }'));
  expect(describeTopology(topology, { tables })).toContain(
    'steps=[{ do: sleep, for: 1us }, { do: read, at: 4KiB, length: 4KiB, pattern: 7, expect: ok }]',
  );
});
