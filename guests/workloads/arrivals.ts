// When requests of an open-loop workload arrive, whatever has become of those before them: at a
// constant pace, as a Poisson process, in bursts, or as a trace file tells.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { UsageError } from '../../platform/errors.ts';
import type { RandomStream } from '../../platform/kernel/index.ts';
import { inputFile, time } from '../../platform/scenario/fields.ts';
import { parseQuantity } from '../../platform/timing/index.ts';

/** Option fields of every workload that can run as an open loop. */
export const arrivalOptions = {
  arrivals: z
    .enum(['closed', 'constant', 'poisson', 'bursts', 'trace'])
    .default('closed')
    .describe('closed: the next request follows a completion. Others: an open loop.'),
  interval: time({ min: 1 })
    .default(100_000_000)
    .describe('Mean time between two arrivals (between two bursts with arrivals: bursts).'),
  burst: z.int().min(1).max(65536).default(16).describe('Requests of one burst.'),
  trace: inputFile()
    .optional()
    .describe('Arrival times since the start, one a line with its unit, for arrivals: trace.'),
} as const;

export type ArrivalOptions = z.output<z.ZodObject<typeof arrivalOptions>>;

/** Tells the time from one arrival to the next. */
export interface ArrivalProcess {
  /** ps from the last arrival (or the start) to the next; Infinity when there are no more. */
  next(): number;
}

/** Makes the process that the options ask for; null for a closed loop. */
export function arrivalProcess(
  options: ArrivalOptions,
  random: RandomStream,
  resolve: (path: string) => string,
): ArrivalProcess | null {
  const { interval, burst } = options;
  switch (options.arrivals) {
    case 'closed':
      return null;
    case 'constant':
      return { next: () => interval };
    case 'poisson':
      return { next: () => random.exponential(interval) };
    case 'bursts': {
      let left = 0;
      return {
        next: () => {
          left = left === 0 ? burst - 1 : left - 1;
          return left === burst - 1 ? interval : 0;
        },
      };
    }
    case 'trace':
      return traceProcess(options.trace === undefined ? '' : resolve(options.trace));
  }
}

function traceProcess(path: string): ArrivalProcess {
  const times = path === '' ? [] : readTrace(path);
  let index = 0;
  let last = 0;
  return {
    next: () => {
      if (index === times.length) return Infinity;
      const wait = times[index] - last;
      last = times[index++];
      return wait;
    },
  };
}

/** Reads a trace; blank lines and lines that begin with # are skipped. Times must not go back. */
function readTrace(path: string): number[] {
  const times: number[] = [];
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const { value, error } = parseQuantity(text, 'time');
    const before = times.at(-1) ?? 0;
    if (error !== null || value < before) {
      throw new UsageError('BAD_VALUE', `${path}: line '${text}' is no later time`);
    }
    times.push(value);
  }
  return times;
}
