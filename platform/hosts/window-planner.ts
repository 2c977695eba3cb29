// Decides from the board how far each group may run. All groups compute the same from the same page,
// so that nobody has to tell anybody what was decided.
import type { Topology } from '../contracts/index.ts';
import type { Duration, Instant } from '../kernel/index.ts';
import type { Board } from './shared-board.ts';
import { type Ending, endAfter, endAtMost, type LinkLatencies } from './stop-rule.ts';

/** Longest window in ps, so that progress shows and failures are noticed where no link is cut. */
export const WINDOW_MAX: Duration = 10_000_000_000;

export interface PlannerOptions {
  readonly topology: Topology;
  readonly latencies: LinkLatencies;
  readonly groupCount: number;
  readonly own: number;
  /** See `groupDistances`. */
  readonly distances: Float64Array;
}

export class WindowPlanner {
  /** What comes of the round: events before `horizon`, only packets, or the end of the run. */
  step: 'run' | 'drain' | Ending = 'run';
  /** Events before this instant may be delivered in the window … */
  horizon: Instant = 0;
  /**
   * … but once this group's own workloads are through, only those before this one. Otherwise it could
   * get past the end of the run, which the others' workloads decide.
   */
  floor: Instant = Infinity;
  /** First instant that is not simulated; set with the ending. */
  end: Instant = Infinity;
  /** Least instant of anything still to happen. */
  earliest: Instant = 0;
  readonly waitsForWorkloads: boolean;
  readonly #options: PlannerOptions;
  readonly #atMost: Instant;
  /** Next thing to happen in each group: its own next event or a packet on the way. */
  readonly #next: Float64Array;

  constructor(options: PlannerOptions) {
    this.#options = options;
    const { topology, groupCount } = options;
    this.waitsForWorkloads = topology.until.workloadsDone && topology.workloads.length > 0;
    this.#atMost = endAtMost(topology);
    this.#next = new Float64Array(groupCount);
  }

  plan(board: Board): void {
    const { groupCount } = this.#options;
    let unfinished = 0;
    let lastFinish = 0;
    let lastEvent = 0;
    let spilled = false;
    for (let group = 0; group < groupCount; group++) {
      unfinished += board.unfinished(group);
      lastFinish = Math.max(lastFinish, board.lastFinish(group));
      lastEvent = Math.max(lastEvent, board.lastEvent(group));
      if (board.spilled(group)) spilled = true;
    }
    this.#findNext(board);
    this.step = spilled ? 'drain' : 'run';
    if (spilled) return;
    if (this.waitsForWorkloads && unfinished === 0) return this.#planLast(lastFinish);
    if (this.earliest >= this.#atMost) {
      const stalled = this.earliest === Infinity && this.waitsForWorkloads;
      this.step = stalled ? 'stalled' : 'limit';
      this.end = stalled ? lastEvent : this.#atMost;
      return;
    }
    this.horizon = Math.min(this.#bound(), this.#atMost);
    this.floor = this.waitsForWorkloads ? this.#floorOf(board, lastFinish) : Infinity;
  }

  /** All workloads are through: the end is known, and only the way to it is left. */
  #planLast(lastFinish: Instant): void {
    const { latencies, topology } = this.#options;
    this.end = endAfter(lastFinish, latencies, topology);
    this.floor = Infinity;
    if (this.earliest >= this.end) this.step = 'done';
    else this.horizon = Math.min(this.#bound(), this.end);
  }

  #findNext(board: Board): void {
    const { groupCount } = this.#options;
    const next = this.#next;
    this.earliest = Infinity;
    for (let group = 0; group < groupCount; group++) {
      let first = board.next(group);
      for (let from = 0; from < groupCount; from++)
        first = Math.min(first, board.sent(from, group));
      next[group] = first;
      this.earliest = Math.min(this.earliest, first);
    }
  }

  #bound(): Instant {
    return Math.min(this.#reach(this.#options.own), this.earliest + WINDOW_MAX);
  }

  /** First instant at which something that other groups have yet to do can happen to `group`. */
  #reach(group: number): Instant {
    const { groupCount, distances } = this.#options;
    let reach = Infinity;
    for (let from = 0; from < groupCount; from++) {
      reach = Math.min(reach, this.#next[from] + distances[from * groupCount + group]);
    }
    return reach;
  }

  /** A bound below the end: no workload can finish before its group does anything at all. */
  #floorOf(board: Board, lastFinish: Instant): Instant {
    const { groupCount } = this.#options;
    let finish = lastFinish;
    for (let group = 0; group < groupCount; group++) {
      if (board.unfinished(group) === 0) continue;
      finish = Math.max(finish, Math.min(this.#next[group], this.#reach(group)));
    }
    return this.floorAfter(finish);
  }

  /** A bound below the end once a workload has finished at this instant. */
  floorAfter(finish: Instant): Instant {
    return finish + this.#options.latencies.greatest;
  }
}
