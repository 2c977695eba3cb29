// Adds up the counters of several FIFOs.
import type { Statistics } from '../../platform/contracts/index.ts';

/** The sum by name; of high-water marks, whose names end in Max, the largest. */
export function sumOf(parts: readonly Statistics[]): Statistics {
  const sum: Record<string, number> = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) {
      const known = sum[name] ?? 0;
      sum[name] = name.endsWith('Max') ? Math.max(known, value) : known + value;
    }
  }
  return sum;
}
