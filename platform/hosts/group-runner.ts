// Runs one group of nodes in step with the others: window after window, with an exchange of packets
// and a barrier between two. It runs to the end of the simulation without giving up its thread.
import type { ModelTables, Topology } from '../contracts/index.ts';
import type { EngineName } from '../machine/index.ts';
import { Barrier } from './barrier.ts';
import { Group, type GroupOutcome } from './group.ts';
import { type Crossing, GroupOutbox, ringReaders } from './group-outbox.ts';
import { shareOfRun } from './inline-host.ts';
import { cutLinks, groupDistances, linksOf } from './lookahead.ts';
import type { TraceScope } from './message-recorder.ts';
import type { PacketReader } from './packet-ring.ts';
import { Board, type BoardMemory, type GroupState } from './shared-board.ts';
import { type Ending, linkLatencies } from './stop-rule.ts';
import { WindowPlanner } from './window-planner.ts';

/** What a thread is told to do; plain data and shared memory. */
export interface GroupTask {
  readonly topology: Topology;
  readonly engine: EngineName;
  readonly anatomy: boolean;
  readonly trace: TraceScope | null;
  /** See `GroupOptions`. */
  readonly traceFile: number | null;
  /** Group of each node. */
  readonly placement: readonly number[];
  readonly groupCount: number;
  readonly own: number;
  readonly board: BoardMemory;
  readonly barrier: SharedArrayBuffer;
  /** See `ExchangeOptions`. */
  readonly rings: readonly (SharedArrayBuffer | null)[];
  /** Cores of the machine. */
  readonly cores: number;
  /** Forget what the run did to files, because it was made only to be measured. */
  readonly discard: boolean;
}

/** How the windows of one group went. Times are wall seconds. */
export interface WindowStatistics {
  readonly rounds: number;
  /** Rounds that only moved packets, because a ring was too small for them. */
  readonly drainRounds: number;
  readonly workSeconds: number;
  readonly waitSeconds: number;
  /** Of the waiting, how much was for each group, because it came last to the barrier. */
  readonly waitedFor: readonly number[];
  /** Times that the thread slept at a barrier. */
  readonly sleeps: number;
  /** From the first barrier to the end. */
  readonly loopSeconds: number;
  /** What a round without any event costs, tried out before the run. */
  readonly emptyRoundSeconds: number;
  /** Sum over all rounds of the longest work of any group; what no placement of threads avoids. */
  readonly criticalSeconds: number;
  readonly spilledPackets: number;
  readonly crossings: readonly Crossing[];
}

export interface GroupReport {
  readonly ending: Ending;
  readonly end: number;
  readonly outcome: GroupOutcome;
  readonly windows: WindowStatistics;
}

/** Wall ms between two notes of progress. */
const PROGRESS_MS = 50;
/** Empty rounds: half of them warm up, half are timed. Fewer where threads share cores. */
const REHEARSAL_ROUNDS = 1000;
const REHEARSAL_ROUNDS_CROWDED = 50;

export class GroupRunner {
  /** The group's nodes and models. */
  readonly group: Group;
  readonly #task: GroupTask;
  readonly #outbox: GroupOutbox;
  readonly #readers: readonly PacketReader[];
  readonly #board: Board;
  readonly #barrier: Barrier;
  readonly #planner: WindowPlanner;
  readonly #state: GroupState;
  /** Barriers passed. */
  #turns = 0;
  #rounds = 0;
  #drainRounds = 0;
  #workMs = 0;
  #waitMs = 0;
  #criticalSeconds = 0;
  #notedAt = 0;

  constructor(task: GroupTask, tables: ModelTables) {
    const { topology, placement, groupCount, own, engine, anatomy, trace, traceFile } = task;
    this.#task = task;
    const latencies = linkLatencies(topology, tables.buses);
    const cuts = cutLinks(linksOf(topology, latencies), placement);
    const distances = groupDistances(groupCount, cuts);
    const exchange = { placement, groupCount, own, cuts, rings: task.rings, distances };
    this.#outbox = new GroupOutbox(exchange);
    this.group = new Group({
      topology,
      tables,
      engine,
      anatomy,
      trace,
      traceFile,
      nodes: topology.nodes.map(({ index }) => index).filter((node) => placement[node] === own),
      outbox: this.#outbox,
    });
    this.#readers = ringReaders(exchange, this.group.kernel);
    this.#board = new Board(task.board, own);
    this.#barrier = new Barrier(task.barrier, own, task.cores);
    this.#planner = new WindowPlanner({ topology, latencies, groupCount, own, distances });
    this.#state = { next: 0, lastFinish: 0, lastEvent: 0, unfinished: 0, spilled: false, work: 0 };
  }

  run(): GroupReport {
    const { group } = this;
    const planner = this.#planner;
    const { kernel } = group;
    group.allFinished = () => kernel.stop();
    this.#outbox.echoed = () => kernel.stop();
    group.start();
    this.#state.spilled = !this.#outbox.flush();
    const emptyRoundSeconds = this.#rehearse();
    const loopMs = this.#loop();
    const ending = planner.step as Ending;
    kernel.now = planner.end;
    if (this.#task.discard) group.abandon();
    else group.close();
    return {
      ending,
      end: planner.end,
      outcome: group.outcome(),
      windows: {
        rounds: this.#rounds,
        drainRounds: this.#drainRounds,
        workSeconds: this.#workMs / 1000,
        waitSeconds: this.#waitMs / 1000,
        waitedFor: [...this.#barrier.waitedFor],
        sleeps: this.#barrier.sleeps,
        loopSeconds: loopMs / 1000,
        emptyRoundSeconds,
        criticalSeconds: this.#criticalSeconds,
        spilledPackets: this.#outbox.spilled,
        crossings: this.#outbox.crossings,
      },
    };
  }

  /** Goes through rounds in which nothing happens. Returns the wall seconds that one takes. */
  #rehearse(): number {
    const { groupCount, cores } = this.#task;
    if (groupCount === 1) return 0;
    const rounds = groupCount <= cores ? REHEARSAL_ROUNDS : REHEARSAL_ROUNDS_CROWDED;
    const timed = rounds / 2;
    let ready = performance.now();
    let start = 0;
    for (let round = 0; round < rounds; round++) {
      this.#publish();
      this.#barrier.pass(ready);
      this.#plan();
      ready = performance.now();
      if (round + 1 === rounds - timed) start = ready;
    }
    return (ready - start) / 1000 / timed;
  }

  /** Round after round until the end. Returns the ms from the first barrier on. */
  #loop(): number {
    const barrier = this.#barrier;
    const planner = this.#planner;
    let ready = performance.now();
    let start = 0;
    for (;;) {
      this.#publish();
      const began = barrier.pass(ready);
      if (this.#rounds === 0) {
        // Until here, threads waited for one another to start.
        start = began;
        barrier.forget();
      } else this.#waitMs += began - ready;
      this.#plan();
      if (planner.step !== 'run' && planner.step !== 'drain') return began - start;
      this.#exchange();
      ready = performance.now();
      this.#state.work = (ready - began) / 1000;
      this.#workMs += ready - began;
      this.#rounds++;
      if (ready - this.#notedAt > PROGRESS_MS) this.#noteProgress(ready);
    }
  }

  #publish(): void {
    const { group } = this;
    const state = this.#state;
    state.next = group.kernel.nextTime();
    state.lastFinish = group.lastFinish;
    state.lastEvent = group.kernel.now;
    state.unfinished = group.unfinished;
    this.#board.turn(this.#turns++);
    this.#board.write(state);
    this.#outbox.writeSent(this.#board);
  }

  #plan(): void {
    const board = this.#board;
    this.#planner.plan(board);
    let longest = 0;
    for (let other = 0; other < board.groupCount; other++) {
      longest = Math.max(longest, board.work(other));
    }
    this.#criticalSeconds += longest;
  }

  /** Takes in packets, runs the window and sends packets out. */
  #exchange(): void {
    this.#outbox.beginRound();
    for (const reader of this.#readers) reader.drain();
    if (this.#planner.step === 'drain') this.#drainRounds++;
    else this.#runWindow();
    this.#state.spilled = !this.#outbox.flush();
  }

  /**
   * Delivers events up to the horizon. Each packet that is sent on the way draws it nearer: to where
   * an answer could be back at the earliest.
   */
  #runWindow(): void {
    const { kernel } = this.group;
    this.#outbox.echo = this.#planner.horizon;
    while (!kernel.runUntil(this.#limit()));
  }

  #limit(): number {
    const { floor, waitsForWorkloads } = this.#planner;
    const { lastFinish, unfinished } = this.group;
    const { echo } = this.#outbox;
    // While a workload here is unfinished, the end of the run is still to come.
    if (!waitsForWorkloads || unfinished > 0) return echo;
    return Math.min(echo, Math.max(floor, this.#planner.floorAfter(lastFinish)));
  }

  #noteProgress(now: number): void {
    this.#notedAt = now;
    this.#board.writeProgress({
      simulatedPs: this.#planner.earliest,
      events: this.group.kernel.events,
      share: shareOfRun(this.#task.topology, this.group),
    });
  }
}
