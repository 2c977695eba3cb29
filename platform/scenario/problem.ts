// What can be wrong with a scenario or profile file, and the error that carries all of it at once.
import { SimError } from '../errors.ts';
import { wrapLine } from '../text/index.ts';

export type ScenarioErrorCode =
  | 'YAML_SYNTAX'
  | 'DUPLICATE_KEY'
  | 'UNKNOWN_KEY'
  | 'UNKNOWN_NAME'
  | 'MISSING'
  | 'BAD_UNIT'
  | 'BAD_VALUE'
  | 'OUT_OF_RANGE'
  | 'DUPLICATE_NAME'
  | 'DUPLICATE_NUMBER'
  | 'SELF_BUS'
  | 'NO_FILE'
  | 'REFUSED';

/** One thing that is wrong, with the place where it stands. */
export interface Problem {
  readonly code: ScenarioErrorCode;
  readonly message: string;
  /** What would have been right, or null when the message says it all. */
  readonly expected: string | null;
  /** The known name most like the one written, or null. */
  readonly nearest: string | null;
  readonly file: string;
  /** Counted from 1; both are 0 when the file could not be read. */
  readonly line: number;
  readonly column: number;
  /** The source line, and how many characters of it from `column` on are to blame. */
  readonly excerpt: string;
  readonly length: number;
}

/** Characters of a line that lists what was expected: an error does not know its screen. */
const NOTE_WIDTH = 80;

/** Prints one problem: `file:line:column`, the source line with carets, what was expected. */
export function formatProblem(problem: Problem): string {
  const { file, line, column, excerpt, length } = problem;
  if (line === 0) return [`${file}: ${problem.message}`, ...notes(problem, '  ')].join('\n');
  const gutter = String(line);
  const margin = ' '.repeat(gutter.length);
  // Tabs are kept, so that the carets stand below the words however wide a tab is shown.
  const indent = excerpt.slice(0, column - 1).replace(/[^\t]/g, ' ');
  const lines = [
    `${file}:${line}:${column}: ${problem.message}`,
    `  ${gutter} | ${excerpt}`,
    `  ${margin} | ${indent}${'^'.repeat(Math.max(1, length))}`,
    ...notes(problem, `  ${margin} `),
  ];
  return lines.join('\n');
}

function notes({ expected, nearest }: Problem, margin: string): string[] {
  const wanted = expected === null ? [] : wrapLine(`${margin}= expected ${expected}`, NOTE_WIDTH);
  return nearest === null ? wanted : [...wanted, `${margin}= did you mean '${nearest}'?`];
}

/** A file that cannot be accepted. `code` is that of the first problem; `problems` has them all. */
export class ScenarioError extends SimError<ScenarioErrorCode> {
  override name = 'ScenarioError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly [Problem, ...Problem[]]) {
    super(problems[0].code, problems.map(formatProblem).join('\n\n'));
    this.problems = problems;
  }
}
