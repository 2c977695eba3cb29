// Runs a topology from start to end on the host that the caller asks for. What comes out is the same
// on every host, but for the wall time.
import { availableParallelism } from 'node:os';
import type { ModelTables, Topology } from '../contracts/index.ts';
import { assert, UsageError } from '../errors.ts';
import type { EngineName } from '../machine/index.ts';
import { WorkerChooser } from './choose-workers.ts';
import { type HostOutcome, type ProgressListener, runInline } from './inline-host.ts';
import { cutLinks, linksOf } from './lookahead.ts';
import type { TraceScope, TraceStore } from './message-recorder.ts';
import { type ParallelStatistics, parallelStatistics } from './parallel-statistics.ts';
import { groupCountOf, placeNodes } from './placement.ts';
import { linkLatencies } from './stop-rule.ts';
import { runOnWorkers, WORKER_ENTRY } from './worker-host.ts';

/** How to run a topology. */
export interface RunOptions {
  readonly tables: ModelTables;
  /**
   * Worker threads: 0 runs on the calling thread, `auto` picks what pays. There are never more than
   * nodes, nor more than the scenario's placement has groups. Default `auto`.
   */
  readonly workers?: number | 'auto';
  /** Default `compiled`. */
  readonly engine?: EngineName;
  /** Record causes and milestones of every request. Default false. */
  readonly anatomy?: boolean;
  /** Which messages that cross buses to record. Default: null, none. */
  readonly trace?: TraceScope | null;
  /** Where to record them. Default: in memory. */
  readonly traceStore?: TraceStore;
  readonly onProgress?: ProgressListener;
  /** Run on one worker thread first, to measure what several bring. Default false. */
  readonly compare?: boolean;
  /** Module that worker threads load instead of the one with the real tables. */
  readonly workerEntry?: URL;
  /** Bytes of the ring between two groups, each way. Default 256 KiB. */
  readonly ringSize?: number;
  /** Largest heap of a worker thread in MiB. Default: what the engine thinks right. */
  readonly heapMiB?: number;
}

/** What a run tells of itself, besides what its groups tell. */
export interface RunOutcome extends HostOutcome {
  /** Worker threads that were used; 0 when all ran on the calling thread. */
  readonly workers: number;
  /** Why this number of threads, in words. */
  readonly choice: string;
  /** Group of each node; groups are threads. */
  readonly placement: readonly number[];
  readonly wallSeconds: number;
  /** Null when all ran on the calling thread. */
  readonly parallel: ParallelStatistics | null;
}

const RING_SIZE = 256 * 1024;

/** Runs a topology. Rejects with RunError when the run cannot go on, UsageError for bad options. */
export async function runTopology(topology: Topology, options: RunOptions): Promise<RunOutcome> {
  const { workers = 'auto' } = options;
  const start = performance.now();
  if (workers !== 'auto' && !(Number.isInteger(workers) && workers >= 0)) {
    throw new UsageError('BAD_VALUE', `workers must be a whole number or 'auto', not ${workers}`);
  }
  if (workers === 0) return inline(topology, options, 'one thread, as asked for');
  if (workers === 'auto') return automatic(topology, options, start);
  const links = linksOf(topology, linkLatencies(topology, options.tables.buses));
  const groups = Math.min(workers, topology.nodes.length);
  const placement = placeNodes({ topology, links, groups });
  const count = groupCountOf(placement);
  const asked = count === workers ? 'as asked for' : `${workers} were asked for`;
  const choice = `${count} worker thread${count === 1 ? '' : 's'}, ${asked}`;
  return threaded(topology, options, { placement, choice, start });
}

async function automatic(
  topology: Topology,
  options: RunOptions,
  start: number,
): Promise<RunOutcome> {
  const links = linksOf(topology, linkLatencies(topology, options.tables.buses));
  const chooser = new WorkerChooser({ topology, links, cores: availableParallelism() });
  const outcome = inlineOutcome(topology, options, (group) => chooser.look(group));
  const { chosen, reason: choice } = chooser.choice;
  if (outcome === null) {
    assert(chosen !== null, 'a run was abandoned for nothing');
    return threaded(topology, options, { placement: chosen.placement, choice, start });
  }
  return onOneThread(topology, outcome, { choice, start });
}

function inline(topology: Topology, options: RunOptions, choice: string): RunOutcome {
  const start = performance.now();
  const outcome = inlineOutcome(topology, options);
  assert(outcome !== null, 'only a chooser abandons a run');
  return onOneThread(topology, outcome, { choice, start });
}

function inlineOutcome(
  topology: Topology,
  options: RunOptions,
  abandon: Parameters<typeof runInline>[0]['abandon'] = () => false,
): HostOutcome | null {
  const { tables, engine = 'compiled', anatomy = false, trace = null } = options;
  const { onProgress = () => {}, traceStore } = options;
  const links = linkLatencies(topology, tables.buses);
  const traceFile = trace === null ? null : (traceStore?.() ?? null);
  const recording = { anatomy, trace, traceFile };
  return runInline({ topology, tables, engine, ...recording, links, onProgress, abandon });
}

function onOneThread(
  topology: Topology,
  outcome: HostOutcome,
  { choice, start }: { readonly choice: string; readonly start: number },
): RunOutcome {
  return {
    ...outcome,
    workers: 0,
    choice,
    placement: topology.nodes.map(() => 0),
    wallSeconds: (performance.now() - start) / 1000,
    parallel: null,
  };
}

async function threaded(
  topology: Topology,
  options: RunOptions,
  plan: {
    readonly placement: readonly number[];
    readonly choice: string;
    readonly start: number;
  },
): Promise<RunOutcome> {
  const { tables, engine = 'compiled', anatomy = false, compare = false, trace = null } = options;
  const { placement, choice } = plan;
  const common = {
    topology,
    tables,
    engine,
    onProgress: options.onProgress ?? (() => {}),
    entry: options.workerEntry ?? WORKER_ENTRY,
    ringSize: options.ringSize ?? RING_SIZE,
    heapMiB: options.heapMiB ?? null,
  };
  const alone = placement.map(() => 0);
  const unrecorded = { anatomy: false, trace: null, traceStore: null };
  const recorded = { anatomy, trace, traceStore: options.traceStore ?? null };
  const reference = compare
    ? await runOnWorkers({ ...common, ...unrecorded, placement: alone, discard: true })
    : null;
  const start = compare ? performance.now() : plan.start;
  const outcome = await runOnWorkers({ ...common, ...recorded, placement, discard: false });
  const { groups, ending, simulatedPs, reports } = outcome;
  const parallel = parallelStatistics({
    topology,
    placement,
    cuts: cutLinks(linksOf(topology, linkLatencies(topology, tables.buses)), placement),
    reports,
    wallSeconds: outcome.wallSeconds,
    reference: reference?.reports[0] ?? null,
    cores: availableParallelism(),
  });
  const wallSeconds = (performance.now() - start) / 1000;
  const workers = reports.length;
  return { groups, ending, simulatedPs, workers, choice, placement, wallSeconds, parallel };
}
