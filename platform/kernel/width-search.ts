// Looks for the width of a calendar's buckets with the least work for each event: narrower buckets hold
// less to sort, wider ones leave less to search.
import { assert } from '../errors.ts';

/** A width that nothing is known of. */
export const WIDTH_UNKNOWN = 0;
export const WIDTH_MAX = 2 ** 40;

/** Events between two looks at how well the width fits. */
export const INTERVAL_MIN = 256;
const INTERVAL_MAX = 2 ** 20;
/** Steps of sorting and searching for each event that are too few to be worth a change. */
const WORK_MAX = 0.6;

export class WidthSearch {
  /** Events until the next look. */
  interval = INTERVAL_MIN;
  /** How long to keep to a width after a trial of another one. */
  #patience = INTERVAL_MIN;
  /** The width before the last change, and the work that it made for an event. */
  #triedFrom = WIDTH_UNKNOWN;
  #workBefore = 0;

  /**
   * A width to go on with, in ps, when `width` took so many steps of sorting and of searching for each
   * event. Where both work against each other no width is good: one that turned the balance and made
   * more work is taken back, and kept for ever longer.
   */
  next(width: number, sorted: number, searched: number): number {
    const work = sorted + searched;
    assert(Number.isFinite(work), 'a width is judged once events were taken');
    const isTooNarrow = searched > sorted;
    const tried = this.#triedFrom;
    const hasTurned = tried !== WIDTH_UNKNOWN && tried < width !== isTooNarrow;
    this.#triedFrom = WIDTH_UNKNOWN;
    this.interval = INTERVAL_MIN;
    if (hasTurned && work > this.#workBefore) {
      this.#patience = Math.min(this.#patience * 2, INTERVAL_MAX);
      this.interval = this.#patience;
      return tried;
    }
    if (work < WORK_MAX) return width;
    this.#triedFrom = width;
    this.#workBefore = work;
    const wider = searched > 8 ? 8 : 2;
    const narrower = sorted > 0.9 ? 1 / 4 : 1 / 2;
    return Math.min(Math.max(width * (isTooNarrow ? wider : narrower), 1), WIDTH_MAX);
  }
}
