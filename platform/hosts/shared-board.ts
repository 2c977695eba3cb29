// What the groups of a run tell one another between two windows, in shared memory: two pages of
// numbers, used in turn, so that one barrier a round is enough.
//
//   round r:  write page r % 2 │ barrier │ read page r % 2, exchange packets, run │ round r + 1
//
// A group can write a page again only two rounds later, past a barrier that everybody reached after
// reading it.
import type { Instant } from '../kernel/index.ts';
import type { Progress } from './inline-host.ts';

/** Numbers that each group writes on a page, by place. Then come the arrival times, by receiver. */
const NEXT = 0;
const LAST_FINISH = 1;
const LAST_EVENT = 2;
const UNFINISHED = 3;
const SPILLED = 4;
const WORK = 5;
const SENT = 6;
const CACHE_LINE_FLOATS = 16;

/** Numbers for the watching main thread, by group. */
const PROGRESS_FLOATS = 16;
const SIMULATED = 0;
const EVENTS = 1;
const SHARE = 2;

/** The shared memory of a board, to be sent to the threads of a run. */
export interface BoardMemory {
  readonly groupCount: number;
  readonly pages: SharedArrayBuffer;
  readonly progress: SharedArrayBuffer;
}

function rowFloats(groupCount: number): number {
  return Math.ceil((SENT + groupCount) / CACHE_LINE_FLOATS) * CACHE_LINE_FLOATS;
}

export function createBoard(groupCount: number): BoardMemory {
  return {
    groupCount,
    pages: new SharedArrayBuffer(2 * groupCount * rowFloats(groupCount) * 8),
    progress: new SharedArrayBuffer(groupCount * PROGRESS_FLOATS * 8),
  };
}

/** How far the slowest group is, and the events of all. A share that nobody can tell is NaN. */
export function progressOf({ progress, groupCount }: BoardMemory): Progress {
  const floats = new Float64Array(progress);
  let simulatedPs = Infinity;
  let events = 0;
  let share = 1;
  for (let group = 0; group < groupCount; group++) {
    simulatedPs = Math.min(simulatedPs, floats[group * PROGRESS_FLOATS + SIMULATED]);
    events += floats[group * PROGRESS_FLOATS + EVENTS];
    share = Math.min(share, floats[group * PROGRESS_FLOATS + SHARE]);
  }
  return { simulatedPs, events, share: Number.isNaN(share) ? null : share };
}

/** How one group stands at the end of a round. Its owner changes and publishes it again and again. */
export interface GroupState {
  /** Its next event. */
  next: Instant;
  /** When the last workload to finish so far did so. */
  lastFinish: Instant;
  /** The last event that it delivered. */
  lastEvent: Instant;
  /** Workloads that are not through yet. */
  unfinished: number;
  /** Not everything that it sent found room in the rings. */
  spilled: boolean;
  /** Seconds that it worked in the round before. */
  work: number;
}

/** A group's view of the pages. */
export class Board {
  readonly groupCount: number;
  readonly #floats: Float64Array;
  readonly #progress: Float64Array;
  readonly #row: number;
  readonly #own: number;
  #page = 0;

  constructor(memory: BoardMemory, own: number) {
    this.groupCount = memory.groupCount;
    this.#floats = new Float64Array(memory.pages);
    this.#progress = new Float64Array(memory.progress);
    this.#row = rowFloats(memory.groupCount);
    this.#own = own;
  }

  /** Chooses the page that the calls below write and read. */
  turn(round: number): void {
    this.#page = (round & 1) * this.groupCount * this.#row;
  }

  write(state: GroupState): void {
    const at = this.#page + this.#own * this.#row;
    const floats = this.#floats;
    floats[at + NEXT] = state.next;
    floats[at + LAST_FINISH] = state.lastFinish;
    floats[at + LAST_EVENT] = state.lastEvent;
    floats[at + UNFINISHED] = state.unfinished;
    floats[at + SPILLED] = state.spilled ? 1 : 0;
    floats[at + WORK] = state.work;
  }

  /** Least arrival time of what was sent to `group` and may not have been received. */
  writeSent(group: number, earliest: Instant): void {
    this.#floats[this.#page + this.#own * this.#row + SENT + group] = earliest;
  }

  writeProgress({ simulatedPs, events, share }: Progress): void {
    const at = this.#own * PROGRESS_FLOATS;
    this.#progress[at + SIMULATED] = simulatedPs;
    this.#progress[at + EVENTS] = events;
    this.#progress[at + SHARE] = share ?? Number.NaN;
  }

  next(group: number): Instant {
    return this.#floats[this.#page + group * this.#row + NEXT];
  }

  lastFinish(group: number): Instant {
    return this.#floats[this.#page + group * this.#row + LAST_FINISH];
  }

  lastEvent(group: number): Instant {
    return this.#floats[this.#page + group * this.#row + LAST_EVENT];
  }

  unfinished(group: number): number {
    return this.#floats[this.#page + group * this.#row + UNFINISHED];
  }

  spilled(group: number): boolean {
    return this.#floats[this.#page + group * this.#row + SPILLED] !== 0;
  }

  work(group: number): number {
    return this.#floats[this.#page + group * this.#row + WORK];
  }

  sent(from: number, to: number): Instant {
    return this.#floats[this.#page + from * this.#row + SENT + to];
  }
}
