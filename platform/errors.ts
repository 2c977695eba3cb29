// The three kinds of failure: an assertion is our own bug, a SimError is something the user or a
// modelled program did, and a protocol violation is data (see observe), never an exception.

/** A bug in busbar itself. Never caught by models; the CLI prints it with seed and simulated time. */
export class AssertionError extends Error {
  override name = 'AssertionError';
}

/**
 * Throws AssertionError with `text` when `condition` is false. On hot paths `text` is a constant: a
 * template would be built at each call.
 */
export function assert(condition: boolean, text: string): asserts condition {
  if (!condition) throw new AssertionError(text);
}

/** Marks the arm of an exhaustive switch that cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value ${String(value)}`);
}

/** An error with a closed set of codes. Tests match `code`, people read `message`. */
export abstract class SimError<Code extends string> extends Error {
  readonly code: Code;
  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }
}

export type RunErrorCode =
  | 'LIVELOCK'
  | 'CHART'
  | 'STALLED'
  | 'TIME_LIMIT'
  | 'WORKER'
  | 'MEMORY'
  | 'TRACE';

/** A run that cannot go on. */
export class RunError extends SimError<RunErrorCode> {
  override name = 'RunError';
}

export type UsageErrorCode = 'USAGE' | 'UNKNOWN_NAME' | 'BAD_VALUE' | 'NO_FILE';

/** A command line that cannot be obeyed. Exit code 2. */
export class UsageError extends SimError<UsageErrorCode> {
  override name = 'UsageError';
}
