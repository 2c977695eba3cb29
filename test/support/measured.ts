// Latencies of runs in which something was measured.
import { assert } from '../../platform/errors.ts';
import type { Latencies, LatencySummary } from '../../platform/observe/index.ts';

/** A summary as numbers. Throws when no request has come to an end. */
export function measured(summary: LatencySummary): Latencies {
  assert(summary.min !== null, 'no request has come to an end');
  return summary;
}
