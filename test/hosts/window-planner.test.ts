// How far groups may run, and when the run is over, as all groups compute it from one page.
import { describe, expect, it } from 'vitest';
import type { Topology } from '../../platform/contracts/index.ts';
import { Board, createBoard, type GroupState } from '../../platform/hosts/shared-board.ts';
import { WINDOW_MAX, WindowPlanner } from '../../platform/hosts/window-planner.ts';

const LINK = 100;
const GREATEST = 1000;
const AT_MOST = 1e12;

const idle: GroupState = {
  next: Infinity,
  lastFinish: 0,
  lastEvent: 0,
  unfinished: 0,
  spilled: false,
  work: 0,
};

interface Situation {
  readonly states: readonly Partial<GroupState>[];
  /** [from, to, arrival] of packets on the way. */
  readonly sent?: readonly (readonly [number, number, number])[];
  readonly workloadsDone?: boolean;
  /** Null where groups have no link. */
  readonly distance?: number | null;
}

/** The planners of two groups after they have read the same page. */
function plan({ states, sent = [], workloadsDone = true, distance = LINK }: Situation) {
  const memory = createBoard(2);
  const boards = [new Board(memory, 0), new Board(memory, 1)];
  for (const [group, board] of boards.entries()) {
    board.turn(0);
    board.write({ ...idle, ...states[group] });
    board.writeSent(0, Infinity);
    board.writeSent(1, Infinity);
  }
  for (const [from, to, arrival] of sent) boards[from].writeSent(to, arrival);
  const topology = {
    until: { workloadsDone, atMost: AT_MOST },
    workloads: [{}],
  } as unknown as Topology;
  const way = distance ?? Infinity;
  const distances = new Float64Array([Infinity, way, way, Infinity]);
  const latencies = { least: [LINK], greatest: GREATEST };
  return boards.map((board, own) => {
    const planner = new WindowPlanner({ topology, latencies, groupCount: 2, own, distances });
    planner.plan(board);
    return planner;
  });
}

describe('the horizon', () => {
  it('is a latency beyond the next event of the other group', () => {
    const [first, second] = plan({ states: [{ next: 500, unfinished: 1 }, { next: 2000 }] });
    expect([first.horizon, second.horizon]).toEqual([2100, 600]);
  });

  it('counts packets on the way like events of their receiver', () => {
    const states = [{ next: 500, unfinished: 1 }, { next: 2000 }];
    const [first] = plan({ states, sent: [[0, 1, 700]] });
    expect(first.horizon).toBe(800);
  });

  it('is bounded where groups have nothing to do with one another', () => {
    const [first] = plan({ states: [{ next: 500, unfinished: 1 }, { next: 0 }], distance: null });
    expect(first.horizon).toBe(WINDOW_MAX);
  });

  it('does not exist while packets wait for room', () => {
    const [first, second] = plan({ states: [{ next: 5, unfinished: 1 }, { spilled: true }] });
    expect([first.step, second.step]).toEqual(['drain', 'drain']);
  });
});

describe('the floor below the end', () => {
  it('is the greatest latency beyond the first thing that can finish a workload', () => {
    const [, second] = plan({ states: [{ next: 700, unfinished: 1 }, { next: 650 }] });
    // Group 0 has its own event at 700; nothing of group 1 gets there before 750.
    expect(second.floor).toBe(700 + GREATEST);
  });

  it('does not sink below what has finished', () => {
    const states = [{ next: 700, unfinished: 1, lastFinish: 690 }, { lastFinish: 900 }];
    expect(plan({ states })[0].floor).toBe(900 + GREATEST);
  });

  it('is no matter when the run does not wait for workloads', () => {
    const states = [{ next: 700, unfinished: 1 }, { next: 1 }];
    expect(plan({ states, workloadsDone: false })[1].floor).toBe(Infinity);
  });
});

describe('the end', () => {
  it('comes the greatest latency after the last workload has finished', () => {
    const states = [
      { next: 2000, lastFinish: 950 },
      { next: 1940, lastFinish: 900 },
    ];
    const [first] = plan({ states });
    expect([first.step, first.horizon]).toEqual(['run', 1950]);
    const [last] = plan({ states: [states[0], { ...states[1], next: 1950 }] });
    expect([last.step, last.end]).toEqual(['done', 1950]);
  });

  it('waits for packets that arrive before it', () => {
    const states = [{ next: 9000, lastFinish: 950 }, { next: 9000 }];
    expect(plan({ states, sent: [[0, 1, 1900]] })[0].step).toBe('run');
    expect(plan({ states, sent: [[0, 1, 1950]] })[0].step).toBe('done');
  });

  it('is the last event when nothing is left to happen', () => {
    const states = [{ unfinished: 1, lastEvent: 30 }, { lastEvent: 40 }];
    expect(plan({ states })[0]).toMatchObject({ step: 'stalled', end: 40 });
  });

  it('is the limit of time when nothing happens before it', () => {
    const limit = { step: 'limit', end: AT_MOST };
    expect(plan({ states: [{ unfinished: 1, next: AT_MOST }, {}] })[0]).toMatchObject(limit);
    const states = [{ unfinished: 1 }, {}];
    expect(plan({ states, workloadsDone: false })[0]).toMatchObject(limit);
  });
});
