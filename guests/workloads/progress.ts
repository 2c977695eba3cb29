// How much a workload means to do, and how far it is: by what it counts and by the time that it may run.

/** What a workload has done, and what it means to do. */
export interface Goal {
  readonly done: number;
  /** Infinity when it has no number to reach. */
  readonly total: number;
  /** ps since it began, and ps that it may run: Infinity when something else ends it. */
  readonly elapsed: number;
  readonly duration: number;
}

/** The share that is done, 0 … 1: whichever end is nearer. Null when neither is known. */
export function shareDone({ done, total, elapsed, duration }: Goal): number | null {
  if (total === Infinity && duration === Infinity) return null;
  return Math.min(1, Math.max(done / total, elapsed / duration));
}

/** What an option says of how much a workload does, and for how long; undefined where it says nothing. */
export interface Extent {
  readonly wanted: number | undefined;
  readonly duration: number | undefined;
  /** What it does when nothing is said. */
  readonly otherwise: number;
}

/** How much a workload means to do: Infinity when only its time is limited. */
export function totalOf({ wanted, duration, otherwise }: Extent): number {
  return wanted ?? (duration === undefined ? otherwise : Infinity);
}
