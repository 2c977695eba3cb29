// Which test claims which rule: scans the titles of all tests for rule ids. clauses.test.ts checks
// what it finds; `vitest run test/spec/clauses.test.ts --mode rules` prints the whole list.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clause, clauses, LEVELS } from './clauses.ts';

/** A test title that names rules, one row for each of them. */
export interface Claim {
  readonly id: string;
  readonly level: string;
  readonly title: string;
  readonly file: string;
  readonly line: number;
}

export interface Coverage {
  readonly claims: readonly Claim[];
  readonly covered: readonly { readonly clause: Clause; readonly claims: readonly Claim[] }[];
  readonly open: readonly Clause[];
}

const TEST_FOLDER = join(dirname(fileURLToPath(import.meta.url)), '..');

// A string that starts with one or more ids and a level: 'HDR-1 MUST: …', "BUS-1, BUS-2 MUST: …".
const TITLE = new RegExp(
  `(['"\`])([A-Z]{2,3}-\\d+(?:, [A-Z]{2,3}-\\d+)*) (${LEVELS.toSorted((a, b) => b.length - a.length).join('|')}): ` +
    '((?:(?!\\1).)*)\\1',
  'g',
);

/** Finds the claims in the text of one test file. */
export function claimsIn(text: string, file: string): Claim[] {
  const claims: Claim[] = [];
  for (const match of text.matchAll(TITLE)) {
    const line = text.slice(0, match.index).split('\n').length;
    for (const id of match[2].split(', ')) {
      claims.push({ id, level: match[3], title: match[4], file, line });
    }
  }
  return claims;
}

/** Reads all test files of a folder and says which rules they claim and which are open. */
export function ruleCoverage(folder: string = TEST_FOLDER): Coverage {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .sort();
  const claims = files.flatMap((file) => {
    const path = join(folder, file);
    return claimsIn(readFileSync(path, 'utf8'), relative(join(folder, '..'), path));
  });
  const rows = clauses.map((clause) => ({
    clause,
    claims: claims.filter(({ id }) => id === clause.id),
  }));
  return {
    claims,
    covered: rows.filter((row) => row.claims.length > 0),
    open: rows.filter((row) => row.claims.length === 0).map(({ clause }) => clause),
  };
}

/** Makes the first line of the list. */
export function coverageSummary({ covered, open }: Coverage): string {
  return `covered ${covered.length}, open ${open.length}`;
}

/** Makes the list: each rule with the tests that claim it, the open ones last. */
export function coverageText(coverage: Coverage): string {
  const lines = [coverageSummary(coverage), '', 'Covered'];
  for (const { clause, claims } of coverage.covered) {
    lines.push(`  ${clause.id} ${clause.level}: ${clause.text}`);
    for (const { file, line, title } of claims) lines.push(`      ${file}:${line} ${title}`);
  }
  lines.push('', 'Open');
  for (const { id, level, who, revisions, text } of coverage.open) {
    lines.push(`  ${id} ${level} (${who}; ${revisions.join(' ')}): ${text}`);
  }
  return lines.join('\n');
}
