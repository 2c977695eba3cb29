// The shipped timing profiles and the reader of profile files.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { TimingDefinition } from '../../platform/contracts/index.ts';
import { listProfiles, parseProfile, ScenarioError } from '../../platform/scenario/index.ts';
import { constantTable, PLATFORM_TIMING } from '../../platform/timing/index.ts';

/** A device may fetch no byte ahead, and no entry. */
const MAY_BE_ZERO: readonly string[] = ['size', 'count'];
const none = { buses: {}, devices: {}, workloads: {} };
const first: TimingDefinition = { name: 'x.first', dimension: 'time', doc: 'A time.' };
const second: TimingDefinition = { name: 'x.second', dimension: 'rate', doc: 'A rate.' };

const profileText = (rows: string) => `name: mine\ndescription: For a test.\nconstants:\n${rows}\n`;
const GOOD_ROW = '  x.first: { value: 2us, kind: measured, source: my bench }';

function problemsOf(rows: string, table: readonly TimingDefinition[]) {
  try {
    parseProfile({ file: 'mine.yaml', text: profileText(rows) }, table);
  } catch (error) {
    if (error instanceof ScenarioError) return error.problems;
    throw error;
  }
  return [];
}

describe('shipped profiles', () => {
  test('there is one for a server and one for a small SoC', () => {
    expect(listProfiles().map((profile) => profile.name)).toEqual([
      'arm-cortex-a53',
      'arm-neoverse-n1',
    ]);
  });

  test.each(listProfiles())(
    '$name: has every constant of the platform, each with a source',
    (summary) => {
      const text = readFileSync(summary.file, 'utf8');
      const profile = parseProfile({ file: summary.file, text }, constantTable(none));
      expect(profile.constants.map((row) => row.name)).toEqual(
        PLATFORM_TIMING.map((definition) => definition.name),
      );
      for (const row of profile.constants) {
        expect(row.source.length).toBeGreaterThan(15);
        expect(row.value).toBeGreaterThanOrEqual(MAY_BE_ZERO.includes(row.dimension) ? 0 : 1);
        expect(Number.isInteger(row.value)).toBe(true);
      }
    },
  );

  test('a direct request and its response on N1 come to the 1.2 us that the rows promise', () => {
    const { file } = listProfiles().find((entry) => entry.name === 'arm-neoverse-n1')!;
    const table: TimingDefinition[] = ['ffa.worldSwitch', 'ffa.spmcRoute'].map((name) => ({
      name,
      dimension: 'time',
      doc: '',
    }));
    const profile = parseProfile({ file, text: readFileSync(file, 'utf8') }, table);
    const [worldSwitch, route] = profile.constants.map((row) => row.value);
    expect(2 * worldSwitch + 2 * route).toBe(1_200_000);
  });
});

describe('constant table', () => {
  const row = (type: string, timing: readonly TimingDefinition[]) => ({ [type]: { type, timing } });
  const tables = (buses: object) => ({ ...none, buses: buses as never });

  test('it has the platform first, then the rows, shared constants once', () => {
    const table = constantTable(tables({ ...row('a', [first]), ...row('b', [first, second]) }));
    expect(table.slice(PLATFORM_TIMING.length)).toEqual([first, second]);
  });

  test('one name with two dimensions is a bug', () => {
    const other = { ...first, dimension: 'rate' } as const;
    expect(() => constantTable(tables({ ...row('a', [first]), ...row('b', [other]) }))).toThrow(
      'x.first',
    );
  });
});

describe('reading a profile', () => {
  test('rows come in the order of the table; rows of other types are left aside', () => {
    const rows = `  y.other: { value: 1us, kind: guess, source: none }
  x.second: { value: 2GB/s, kind: guess, source: a hunch }
${GOOD_ROW}`;
    const profile = parseProfile({ file: 'mine.yaml', text: profileText(rows) }, [first, second]);
    expect(profile.constants).toEqual([
      {
        name: 'x.first',
        dimension: 'time',
        value: 2e6,
        text: '2us',
        kind: 'measured',
        source: 'my bench',
      },
      {
        name: 'x.second',
        dimension: 'rate',
        value: 2e9,
        text: '2GB/s',
        kind: 'guess',
        source: 'a hunch',
      },
    ]);
  });

  test('a fallback of the definition stands in for a missing row', () => {
    const fallback = { value: '5ns', kind: 'guess', source: 'the definition' } as const;
    const table = [{ ...first, name: 'x.third', fallback }];
    const profile = parseProfile({ file: 'mine.yaml', text: profileText(GOOD_ROW) }, table);
    expect(profile.constants).toEqual([
      {
        name: 'x.third',
        dimension: 'time',
        value: 5000,
        text: '5ns',
        kind: 'guess',
        source: 'the definition',
      },
    ]);
  });

  test.each([
    ['a missing row', '  x.frist: { value: 2us, kind: guess, source: s }', 'MISSING', 3, 1],
    ['a bare value', '  x.first: { value: 2, kind: guess, source: s }', 'BAD_UNIT', 4, 21],
    ['a wrong dimension', '  x.first: { value: 2GB/s, kind: guess, source: s }', 'BAD_UNIT', 4, 21],
    ['an unknown kind', '  x.first: { value: 2us, kind: guessed, source: s }', 'BAD_VALUE', 4, 32],
    ['no source', '  x.first: { value: 2us, kind: guess }', 'MISSING', 4, 3],
    [
      'an empty source',
      "  x.first: { value: 2us, kind: guess, source: '' }",
      'OUT_OF_RANGE',
      4,
      47,
    ],
    [
      'an unknown key',
      '  x.first: { value: 2us, kind: guess, source: s, sourse: s }',
      'UNKNOWN_KEY',
      4,
      50,
    ],
    ['a key twice', `${GOOD_ROW}\n${GOOD_ROW}`, 'DUPLICATE_KEY', 5, 3],
  ])('%s is told at its place', (_, rows, code, line, column) => {
    expect(problemsOf(rows, [first])).toMatchObject([{ code, line, column, file: 'mine.yaml' }]);
  });

  test('a rate of zero is refused', () => {
    const rows = '  x.second: { value: 0B/s, kind: guess, source: s }';
    expect(problemsOf(rows, [second])).toMatchObject([{ code: 'OUT_OF_RANGE', line: 4 }]);
  });

  test('counts have no unit; counts and sizes keep within their limits', () => {
    const table: TimingDefinition[] = [
      { name: 'x.many', dimension: 'count', limits: { min: 1, max: 8 }, doc: 'A count.' },
      { name: 'x.block', dimension: 'size', limits: { max: 64, powerOfTwo: true }, doc: 'A size.' },
    ];
    const rows = (many: string, block: string) =>
      `  x.many: { value: ${many}, kind: guess, source: s }\n` +
      `  x.block: { value: ${block}, kind: guess, source: s }`;
    const input = { file: 'mine.yaml', text: profileText(rows('8', '64B')) };
    expect(parseProfile(input, table).constants.map(({ value }) => value)).toEqual([8, 64]);
    expect(problemsOf(rows('0', '48B'), table)).toMatchObject([
      { code: 'OUT_OF_RANGE', line: 4, expected: 'at least 1, at most 8' },
      { code: 'OUT_OF_RANGE', line: 5, expected: 'at most 64B, a power of two' },
    ]);
    expect(problemsOf(rows('1.5', '128B'), table)).toMatchObject([
      { code: 'BAD_VALUE', line: 4, expected: 'a whole number such as 32' },
      { code: 'OUT_OF_RANGE', line: 5 },
    ]);
  });

  test('a missing row names the nearest one that is there', () => {
    const rows = '  x.frist: { value: 2us, kind: guess, source: s }';
    expect(problemsOf(rows, [first])[0].nearest).toBe('x.frist');
  });
});
