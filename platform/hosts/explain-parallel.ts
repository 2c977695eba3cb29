// Tells in words how a run was spread over threads, and why it was as fast as it was.
import { formatTime, PS_PER_S } from '../kernel/index.ts';
import { formatCount } from '../text/index.ts';
import type { ParallelStatistics, ThreadStatistics } from './parallel-statistics.ts';

/** Links and nodes that are listed by name; more are counted. */
const LISTED_MAX = 8;

/** What is needed to explain a run. */
export interface ExplainedRun {
  /** Why this number of threads. */
  readonly choice: string;
  /** Null when everything ran on the calling thread. */
  readonly parallel: ParallelStatistics | null;
}

/** Explains how the run was spread over threads. Several lines, each ended. */
export function explainParallel({ choice, parallel }: ExplainedRun): string {
  const lines = ['Parallel run', `  ${choice}`];
  if (parallel !== null) {
    const { threads } = parallel;
    for (const [index, thread] of threads.entries()) lines.push(`  ${threadLine(index, thread)}`);
    lines.push(...linkLines(parallel).map((line) => `  ${line}`));
    lines.push(...windowLines(parallel).map((line) => `  ${line}`));
    if (threads.length > 1) lines.push(...couplingLines(parallel).map((line) => `  ${line}`));
  }
  return `${lines.join('\n')}\n`;
}

function threadLine(index: number, thread: ThreadStatistics): string {
  const { nodes, events, workSeconds, waitSeconds, waitedFor } = thread;
  const waits = waitedFor
    .map((wait, other) => ({ wait, other }))
    .filter(({ wait }) => wait > 0)
    .sort((a, b) => b.wait - a.wait)
    .slice(0, LISTED_MAX)
    .map(({ wait, other }) => `${seconds(wait)} for thread ${other}`);
  const waited = waits.length === 0 ? '' : ` (${waits.join(', ')})`;
  return (
    `thread ${index}: ${some(nodes)}; ${formatCount(events)} events, worked ${seconds(workSeconds)}, ` +
    `waited ${seconds(waitSeconds)}${waited}`
  );
}

function linkLines({ links, threads }: ParallelStatistics): string[] {
  if (threads.length === 1) return [];
  if (links.length === 0) return ['no link between threads: each runs as far as it likes'];
  const tightest = [...links].sort((a, b) => a.lookaheadPs - b.lookaheadPs);
  const lines = tightest.slice(0, LISTED_MAX).map((link) => {
    const { name, lookaheadPs, packets, bytes } = link;
    return (
      `link ${name} between threads ${link.threads.join(' and ')}: lookahead ` +
      `${formatTime(lookaheadPs)}, ${formatCount(packets)} packets, ${formatCount(bytes)} bytes`
    );
  });
  const rest = links.length - lines.length;
  return rest > 0 ? [...lines, `and ${rest} more links between threads`] : lines;
}

function windowLines(parallel: ParallelStatistics): string[] {
  const { rounds, drainRounds, spilledPackets, startSeconds, loopSeconds } = parallel;
  const lines = [
    `${seconds(startSeconds)} to start the threads, then ${seconds(loopSeconds)} in ` +
      `${formatCount(rounds)} windows of ${number(parallel.eventsPerWindow)} events and ` +
      `${seconds(parallel.windowSeconds)} of simulated time on average`,
  ];
  if (drainRounds > 0) {
    lines.push(
      `${formatCount(spilledPackets)} packets found a ring full, which took ${formatCount(drainRounds)} of these windows`,
    );
  }
  return lines;
}

function couplingLines(parallel: ParallelStatistics): string[] {
  const { windowSeconds, eventsPerSimulatedSecond, syncSeconds, eventsPerSecond } = parallel;
  const { coupling, bestSpeedup, predictedSpeedup, measuredSpeedup, workRatio } = parallel;
  const lines = [
    `coupling λ = L·E / (τ·P) = ${number(coupling)}: windows of L = ${seconds(windowSeconds)} with ` +
      `E = ${formatCount(eventsPerSimulatedSecond)} events per simulated second, against τ = ` +
      `${seconds(syncSeconds)} a synchronisation at P = ${formatCount(eventsPerSecond)} events per second`,
    verdict(coupling),
    `speed-up: at best ${number(bestSpeedup)} with this placement, predicted ` +
      `1 / (1 / best + 1 / λ) = ${number(predictedSpeedup)}` +
      (measuredSpeedup === null ? '' : `, measured against one thread ${number(measuredSpeedup)}`),
  ];
  if (workRatio !== null) {
    lines.push(
      `in the run, a window cost ${seconds(parallel.overheadSeconds)} beyond its longest work, and ` +
        `the work took ${number(workRatio)} times as long as on one thread`,
    );
  }
  return lines;
}

function verdict(coupling: number): string {
  if (coupling < 1) return 'threads spend more time waiting for one another than they save';
  if (coupling < 4) return 'waiting for one another costs a good part of what threads could save';
  return 'waiting for one another hardly matters; what limits is how the work is spread';
}

function some(names: readonly string[]): string {
  if (names.length <= LISTED_MAX) return names.join(', ');
  return `${names.slice(0, LISTED_MAX).join(', ')} and ${names.length - LISTED_MAX} more`;
}

function seconds(value: number): string {
  return formatTime(value * PS_PER_S, 3);
}

function number(value: number): string {
  if (value === Infinity) return '∞';
  const rounded = Number(value.toPrecision(3));
  return rounded < 1000 ? String(rounded) : formatCount(rounded);
}
