// What happens in a worker thread: runs one group and turns whatever comes of it into plain data.
// Errors lose their class between threads, so they cross as a record.
import type { ModelTables } from '../contracts/index.ts';
import { abortRun, RunAborted } from './barrier.ts';
import { type GroupReport, GroupRunner, type GroupTask } from './group-runner.ts';

/** Why a group could not go on. */
export interface GroupFailure {
  readonly group: number;
  /** Simulated time, or 0 when it never began. */
  readonly at: number;
  readonly name: string;
  /** Code of a SimError; null for others. */
  readonly code: string | null;
  readonly message: string;
  readonly stack: string;
}

export type GroupResult =
  | { readonly kind: 'finished'; readonly report: GroupReport }
  | { readonly kind: 'failed'; readonly failure: GroupFailure }
  /** Another group failed. */
  | { readonly kind: 'aborted' };

/** Runs a group to its end. Worker entries call it with their tables. */
export function runGroupTask(task: GroupTask, tables: ModelTables): GroupResult {
  let runner: GroupRunner | null = null;
  try {
    runner = new GroupRunner(task, tables);
    return { kind: 'finished', report: runner.run() };
  } catch (error) {
    if (error instanceof RunAborted) return { kind: 'aborted' };
    abortRun(task.barrier);
    const at = runner?.group.kernel.now ?? 0;
    return { kind: 'failed', failure: describe(error, task.own, at) };
  }
}

function describe(error: unknown, group: number, at: number): GroupFailure {
  if (!(error instanceof Error)) {
    return { group, at, name: 'Error', code: null, message: String(error), stack: '' };
  }
  const { name, message, stack = '' } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  return { group, at, name, code, message, stack };
}
