// Damaged scenarios: whatever is done to a good file, the loader answers with a topology or with
// problems that lie inside the file, never with another exception.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import { tables } from './scenario-tables.ts';

const GOOD = `name: good
nodes:
  linux: { kind: vm, memory: 16MiB, count: 2 }
  storage: &one { kind: partition }
buses:
  ffa0: { type: ffa, driver: linux-0, device: storage, messages: direct }
devices:
  disk: { type: blk, bus: ffa0, number: 0, capacity: 2MiB, count: 3 }
workloads:
  - { type: fio, device: disk, rw: read }
faults:
  - { at: 3ms, on: ffa0, delay: EVENT_USED, by: 2us, count: always }
until: { workloads: done, atMost: 1s }
expect: [violations == 0, disk-1.errors == 0]
`;

const outcome = (text: string) => {
  try {
    return { topology: parseScenario({ text, file: 'f.yaml', folder: '.' }, tables), problems: [] };
  } catch (error) {
    if (error instanceof ScenarioError) return { topology: null, problems: error.problems };
    throw error;
  }
};

function expectProblemsInside(text: string): void {
  const lines = text.split('\n');
  for (const problem of outcome(text).problems) {
    expect(problem.line).toBeGreaterThan(0);
    expect(problem.line).toBeLessThanOrEqual(lines.length);
    expect(problem.column).toBeGreaterThan(0);
    expect(problem.column).toBeLessThanOrEqual((lines[problem.line - 1] ?? '').length + 1);
  }
}

test('the undamaged file is good', () => {
  expect(outcome(GOOD).problems).toEqual([]);
});

const RUNS = { seed: 1, numRuns: 100 };
const place = fc.nat(GOOD.length - 1);

test('a stretch replaced by any text', () => {
  const damage = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.constantFrom(
      '{i}',
      '*one',
      '&one',
      '[',
      '}',
      ': ',
      '\n',
      '\t',
      '-',
      '!!binary ',
      '<<',
      '65536',
    ),
  );
  fc.assert(
    fc.property(place, fc.nat(8), damage, (start, length, text) => {
      expectProblemsInside(GOOD.slice(0, start) + text + GOOD.slice(start + length));
    }),
    RUNS,
  );
});

test('a value of any type at any of the known keys', () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(null, -0, []));
  const keys = [...GOOD.matchAll(/(\w+): (?:[\w-]+)(?=[,\s}])/g)];
  fc.assert(
    fc.property(fc.constantFrom(...keys), value, (match, replacement) => {
      const start = match.index + match[1].length + 2;
      const end = match.index + match[0].length;
      expectProblemsInside(GOOD.slice(0, start) + JSON.stringify(replacement) + GOOD.slice(end));
    }),
    RUNS,
  );
});
