// What a suite of measurements is, and how it adds its tasks.
import type { Bench } from 'tinybench';

/** A row of the table in index.ts. */
export interface Suite {
  readonly what: string;
  /** Measured one after the other, each in a process of its own; `add` is told which. */
  readonly variants?: readonly string[];
  readonly add: (bench: Bench, variant: string) => void;
  /** Lines to print below the table, from the finished bench. */
  readonly summary?: (bench: Bench) => readonly string[];
}

export interface TaskOptions {
  readonly name: string;
  /** What one call of `run` does this many of. */
  readonly unit: string;
  readonly count: number;
  /** Makes what is measured, and warms it up as far as the model needs it. */
  readonly prepare: () => () => void;
}

const counts = new Map<string, { readonly unit: string; readonly count: number }>();

/** Adds a task whose result is counted in `unit`s, not in calls. */
export function addTask(bench: Bench, { name, unit, count, prepare }: TaskOptions): void {
  counts.set(name, { unit, count });
  let run: (() => void) | null = null;
  bench.add(name, () => run!(), {
    async: false,
    beforeAll: () => {
      run ??= prepare();
    },
    afterAll: (mode) => {
      // Kept from warm-up to measurement, then given to the garbage collector.
      if (mode === 'run') run = null;
    },
  });
}

/** What a call of this task counts for; tasks added otherwise count in calls. */
export function countOf(task: string): { readonly unit: string; readonly count: number } {
  return counts.get(task) ?? { unit: 'calls', count: 1 };
}
