// What several rounds of a measurement come to.

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** The least, the middle and the greatest of some numbers; of an even count, the upper middle. */
export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = [...numbers].sort((one, other) => one - other);
  return { min: sorted[0], median: sorted[sorted.length >> 1], max: sorted.at(-1)! };
}

export function medianOf(numbers: readonly number[]): number {
  return spreadOf(numbers).median;
}
