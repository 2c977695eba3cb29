// The list of rules and the tests that claim them: every claim names a rule that exists at a level
// it has, and every open rule shows as a test to be written.
import { describe, expect, it } from 'vitest';
import { clauseById, clauses } from './clauses.ts';
import { OPEN_RULES } from './open-rules.ts';
import { claimsIn, coverageSummary, coverageText, ruleCoverage } from './rules.ts';

const coverage = ruleCoverage();
// Under `--mode rules` the list is what the run is for.
console.log(process.env.MODE === 'rules' ? coverageText(coverage) : coverageSummary(coverage));

describe('the list of rules', () => {
  it('has every rule of the reference, each once', () => {
    const counts = new Map<string, number>();
    for (const { id } of clauses) {
      const [prefix] = id.split('-');
      counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
    }
    // Number of rows in each table of the reference's checklist.
    expect([...counts].map((row) => row.join(' '))).toEqual([
      'HDR 9',
      'TOK 7',
      'ORD 7',
      'PAR 12',
      'FWD 5',
      'ERR 7',
      'NUM 8',
      'MAN 3',
      'INF 4',
      'INI 8',
      'FEA 9',
      'CFG 17',
      'RST 7',
      'VQ 16',
      'SHM 1',
      'NTF 12',
      'BUS 6',
      'CNF 1',
      // Not of the reference, but of virtio 1.4.
      'ADM 16',
      // Of the normative sections of virtio 1.4 chapters 2, 3 and 6, of regions, and of zoned disks.
      'DST 7',
      'DFB 10',
      'DRT 3',
      'DCS 4',
      'QRS 5',
      'SPR 30',
      'PKR 17',
      'SMR 3',
      'PMD 7',
      'DIN 6',
      'DCL 1',
      'DSU 13',
      'RFB 9',
      'ZBD 13',
    ]);
  });

  it('keeps the level of each revision where they differ', () => {
    expect(clauseById.get('ERR-3')).toMatchObject({
      level: 'MUST',
      levels: { rfc3: 'SHOULD', v1: 'MUST', v2: 'MUST' },
    });
    expect(clauseById.get('ORD-1')).toMatchObject({ revisions: ['v1'], levels: { v1: 'MUST' } });
  });
});

describe('claims', () => {
  it('are found in titles, several ids in one, with their line', () => {
    // Put together here, so that the scan of this very file does not find them.
    const one = `it(${"'"}HDR-1 MUST: a title', () => {});\n`;
    const two = `it.each(rows)(${'"'}BUS-1, BUS-2 MUST NOT: don't', () => {});\n`;
    expect(claimsIn(`${one}\n${two.replace("don't', ", 'don\'t", ')}`, 'a.test.ts')).toEqual([
      { id: 'HDR-1', level: 'MUST', title: 'a title', file: 'a.test.ts', line: 1 },
      { id: 'BUS-1', level: 'MUST NOT', title: "don't", file: 'a.test.ts', line: 3 },
      { id: 'BUS-2', level: 'MUST NOT', title: "don't", file: 'a.test.ts', line: 3 },
    ]);
  });

  it('name rules that exist, at a level that they have in some revision', () => {
    const wrong = coverage.claims.filter(({ id, level }) => {
      const levels: string[] = Object.values(clauseById.get(id)?.levels ?? {});
      // A title may turn a rule round, so that MUST and MUST NOT are one.
      return !levels.some((known) => known.replace(' NOT', '') === level.replace(' NOT', ''));
    });
    expect(wrong).toEqual([]);
  });

  it('and open rules make up the list', () => {
    expect(coverage.covered.length + coverage.open.length).toBe(clauses.length);
  });
});

describe('open rules', () => {
  it('are listed with a reason, and only they', () => {
    expect(Object.keys(OPEN_RULES)).toEqual(coverage.open.map(({ id }) => id));
  });

  for (const { id, level, text } of coverage.open) {
    it.todo(`${id} ${level}: ${text} (${OPEN_RULES[id]})`);
  }
});
