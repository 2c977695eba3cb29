// What a run on several threads tells of itself: where the time went, and what the theory of windows
// says about it.
import type { Topology } from '../contracts/index.ts';
import { PS_PER_S } from '../kernel/index.ts';
import type { GroupReport } from './group-runner.ts';
import type { CutLink } from './lookahead.ts';

/** One thread of a run. Times are wall seconds between the first barrier and the end. */
export interface ThreadStatistics {
  /** Names of the nodes that it simulated. */
  readonly nodes: readonly string[];
  readonly events: number;
  readonly workSeconds: number;
  readonly waitSeconds: number;
  /** Of the waiting, how much was for each thread, because that one came last to the barrier. */
  readonly waitedFor: readonly number[];
  /** Times that it waited for so long that it went to sleep. */
  readonly sleeps: number;
}

/** A link between two threads. */
export interface CutLinkStatistics {
  readonly name: string;
  readonly threads: readonly [number, number];
  readonly lookaheadPs: number;
  /** Packets both ways, and the bytes of their bodies. */
  readonly packets: number;
  readonly bytes: number;
}

export interface ParallelStatistics {
  readonly threads: readonly ThreadStatistics[];
  readonly links: readonly CutLinkStatistics[];
  /** Wall seconds from the call until all threads were at the first barrier. */
  readonly startSeconds: number;
  /** Wall seconds from the first barrier to the end. */
  readonly loopSeconds: number;
  /** Windows, each followed by a barrier. */
  readonly rounds: number;
  /** Rounds that only moved packets, because a ring was too small for them. */
  readonly drainRounds: number;
  readonly spilledPackets: number;
  readonly eventsPerWindow: number;
  /** Least lookahead of any cut link in ps; Infinity when none is cut. */
  readonly lookaheadPs: number;
  /** L: simulated seconds that a window was long on average. */
  readonly windowSeconds: number;
  /** E: events per simulated second. */
  readonly eventsPerSimulatedSecond: number;
  /** τ: wall seconds of a window in which nothing happens, tried out before the run. */
  readonly syncSeconds: number;
  /** Wall seconds that a window cost in the run, beyond the longest work in it. */
  readonly overheadSeconds: number;
  /** P: events per wall second of one thread. */
  readonly eventsPerSecond: number;
  /** λ = L·E / (τ·P): work of a window by what it costs to synchronise. Well below 1, threads lose. */
  readonly coupling: number;
  /**
   * Speed-up if synchronising cost nothing: all work, by the longest work of each window added up. No
   * more than there are cores.
   */
  readonly bestSpeedup: number;
  /** 1 / (1 / best + 1 / λ). */
  readonly predictedSpeedup: number;
  /** How many times as long the work took as on one thread; null without that run. */
  readonly workRatio: number | null;
  /** Against the same run on one thread; null when that was not made. */
  readonly measuredSpeedup: number | null;
}

export interface StatisticsInput {
  readonly topology: Topology;
  readonly placement: readonly number[];
  readonly cuts: readonly CutLink[];
  readonly reports: readonly GroupReport[];
  readonly wallSeconds: number;
  /** The same run on one thread. */
  readonly reference: GroupReport | null;
  readonly cores: number;
}

/** Adds up what the threads have told. */
export function parallelStatistics(input: StatisticsInput): ParallelStatistics {
  const { topology, placement, reports, reference, cores } = input;
  const [{ windows, end }] = reports;
  const { loopSeconds, criticalSeconds, emptyRoundSeconds: syncSeconds } = windows;
  const rounds = Math.max(1, windows.rounds);
  const links = linkStatistics(input);
  const workSeconds = sum(reports.map((report) => report.windows.workSeconds));
  const events = sum(reports.map(({ outcome }) => outcome.events));
  const simulatedSeconds = end / PS_PER_S;
  const aloneSeconds = reference?.windows.workSeconds ?? null;
  const eventsPerSecond = events / (aloneSeconds ?? workSeconds);
  const coupling = events / rounds / (syncSeconds * eventsPerSecond);
  const bestSpeedup = Math.min(cores, workSeconds / criticalSeconds);
  return {
    threads: reports.map((report, thread) => ({
      nodes: topology.nodes.flatMap((node) => (placement[node.index] === thread ? node.name : [])),
      events: report.outcome.events,
      workSeconds: report.windows.workSeconds,
      waitSeconds: report.windows.waitSeconds,
      waitedFor: report.windows.waitedFor,
      sleeps: report.windows.sleeps,
    })),
    links,
    startSeconds: input.wallSeconds - loopSeconds,
    loopSeconds,
    rounds,
    drainRounds: windows.drainRounds,
    spilledPackets: sum(reports.map((report) => report.windows.spilledPackets)),
    eventsPerWindow: events / rounds,
    lookaheadPs: links.reduce((least, link) => Math.min(least, link.lookaheadPs), Infinity),
    windowSeconds: simulatedSeconds / rounds,
    eventsPerSimulatedSecond: events / simulatedSeconds,
    syncSeconds,
    overheadSeconds: Math.max(0, loopSeconds - criticalSeconds) / rounds,
    eventsPerSecond,
    coupling,
    bestSpeedup,
    predictedSpeedup: predictSpeedup(bestSpeedup, coupling),
    workRatio: aloneSeconds === null ? null : workSeconds / aloneSeconds,
    measuredSpeedup: reference === null ? null : reference.windows.loopSeconds / loopSeconds,
  };
}

/**
 * The speed-up to expect. Per window, one thread alone works for w seconds; side by side the threads
 * work for w / best and then synchronise for τ = w / λ.
 */
export function predictSpeedup(bestSpeedup: number, coupling: number): number {
  return 1 / (1 / bestSpeedup + 1 / coupling);
}

function linkStatistics({ cuts, reports }: StatisticsInput): CutLinkStatistics[] {
  const crossings = reports.flatMap((report) => report.windows.crossings);
  return cuts.map(({ name, groups, latency }, index) => {
    const own = crossings.filter(({ cut }) => cut === index);
    return {
      name,
      threads: groups,
      lookaheadPs: latency,
      packets: sum(own.map(({ packets }) => packets)),
      bytes: sum(own.map(({ bytes }) => bytes)),
    };
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
