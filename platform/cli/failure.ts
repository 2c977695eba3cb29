// How errors reach the user: what they did wrong without a stack, what we did wrong with one.
import { CommanderError } from 'commander';
import { AssertionError, RunError, UsageError } from '../errors.ts';
import { formatTime } from '../kernel/index.ts';
import { ScenarioError } from '../scenario/index.ts';
import { EXIT, type ExitCode, type Io } from './io.ts';

/** An error of a run, with what is needed to see it again. */
export class FailedRun extends Error {
  override name = 'FailedRun';
  readonly scenario: string;
  readonly seed: number;
  readonly simulatedPs: number;

  constructor(cause: unknown, run: { scenario: string; seed: number; simulatedPs: number }) {
    super('a run failed', { cause });
    this.scenario = run.scenario;
    this.seed = run.seed;
    this.simulatedPs = run.simulatedPs;
  }
}

/** Prints an error and returns the exit code that it stands for. */
export function reportFailure(error: unknown, io: Io): ExitCode {
  if (error instanceof CommanderError) {
    // Commander has printed it already; its own exit codes are 0 and 1 only.
    return error.exitCode === 0 ? EXIT.ok : EXIT.badInput;
  }
  const run = error instanceof FailedRun ? error : null;
  const cause = run === null ? error : run.cause;
  if (cause instanceof ScenarioError) {
    io.error(`${cause.message}\n`);
    return EXIT.badInput;
  }
  if (cause instanceof UsageError) {
    io.error(`error: ${cause.message}\n`);
    return EXIT.badInput;
  }
  if (cause instanceof RunError) {
    io.error(`error: ${cause.message}\n${placeOf(run)}`);
    return EXIT.failed;
  }
  const title = cause instanceof AssertionError ? 'an assertion failed' : 'an unexpected error';
  io.error(`This is a bug in busbar: ${title}.\n${placeOf(run)}${stackOf(cause)}\n`);
  return EXIT.bug;
}

function placeOf(run: FailedRun | null): string {
  if (run === null) return '';
  const { scenario, seed, simulatedPs } = run;
  return `  in ${scenario} with seed ${seed}, after ${formatTime(simulatedPs)} of simulated time\n`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
