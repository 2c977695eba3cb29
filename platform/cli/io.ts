// What the command line reads and writes, so that commands can be run from a test as well.
import type { Paint } from '../text/index.ts';

/** The outside of a command. */
export interface Io {
  out(text: string): void;
  error(text: string): void;
  /** Lines of the standard input. */
  lines(): AsyncIterable<string>;
  /** For what goes to `out`. */
  readonly paint: Paint;
  /** Somebody watches the error output: a progress line may be shown there. */
  readonly watched: boolean;
}

/** Exit codes of the command line. */
export const EXIT = {
  ok: 0,
  /** A run could not go on, or an expectation does not hold. */
  failed: 1,
  /** Bad input: command line, scenario, message. */
  badInput: 2,
  /** A bug in busbar; after EX_SOFTWARE of sysexits.h. */
  bug: 70,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The worse of two results, for commands that go on after a failure. */
export function worse(a: ExitCode, b: ExitCode): ExitCode {
  return a > b ? a : b;
}
