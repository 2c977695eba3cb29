// Runs the groups of a topology on worker threads: one task of a Piscina pool each, for the whole run.
// This thread only starts them, watches, and collects what they tell.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { ModelTables, Topology } from '../contracts/index.ts';
import { AssertionError, assert, RunError, type RunErrorCode } from '../errors.ts';
import type { EngineName } from '../machine/index.ts';
import { abortRun, createBarrier } from './barrier.ts';
import type { GroupReport, GroupTask } from './group-runner.ts';
import type { HostOutcome, ProgressListener } from './inline-host.ts';
import { cutLinks, linksOf } from './lookahead.ts';
import type { TraceScope, TraceStore } from './message-recorder.ts';
import { createRing } from './packet-ring.ts';
import { groupCountOf } from './placement.ts';
import { createBoard, progressOf } from './shared-board.ts';
import { linkLatencies } from './stop-rule.ts';
import type { GroupFailure, GroupResult } from './worker-task.ts';

export interface WorkerHostOptions {
  readonly topology: Topology;
  readonly tables: ModelTables;
  readonly engine: EngineName;
  readonly anatomy: boolean;
  readonly trace: TraceScope | null;
  readonly traceStore: TraceStore | null;
  /** Group of each node, numbered from 0. */
  readonly placement: readonly number[];
  readonly onProgress: ProgressListener;
  /** Module whose default export runs a group with its own tables. */
  readonly entry: URL;
  /** Bytes of the ring between two groups, each way. */
  readonly ringSize: number;
  /** Largest heap of a worker in MiB; null leaves it to the engine. */
  readonly heapMiB: number | null;
  /** See `GroupTask`. */
  readonly discard: boolean;
}

export interface WorkerHostOutcome extends HostOutcome {
  readonly reports: readonly GroupReport[];
  /** Wall seconds until all threads were through, from the call on. */
  readonly wallSeconds: number;
}

const PROGRESS_MS = 100;
/** After a failure, how long the other threads may take to notice before they are ended. */
const GRACE_MS = 2000;
/** Nodes of a failed thread that its error names. */
const NAMES_MAX = 3;

/** The entry with the real tables: the compiled one, even when this file runs as a source. */
export const WORKER_ENTRY = new URL(
  import.meta.url.endsWith('.ts')
    ? '../../dist/platform/hosts/worker-entry.js'
    : './worker-entry.js',
  import.meta.url,
);

/** Runs a topology on one thread for each group. Rejects with the error of the run, if any. */
export async function runOnWorkers(options: WorkerHostOptions): Promise<WorkerHostOutcome> {
  const start = performance.now();
  const tasks = makeTasks(options);
  const { heapMiB, onProgress } = options;
  const pool = new Piscina<GroupTask, GroupResult>({
    filename: fileURLToPath(options.entry),
    minThreads: tasks.length,
    maxThreads: tasks.length,
    ...(heapMiB === null ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMiB } }),
  });
  // Errors of a thread without a task; the others must not wait for it.
  pool.on('error', () => abortRun(tasks[0].barrier));
  const timer = setInterval(() => onProgress(progressOf(tasks[0].board)), PROGRESS_MS);
  try {
    const results = await runAll(pool, tasks);
    const failures = results.flatMap((result) => (result.kind === 'failed' ? result.failure : []));
    if (failures.length > 0) throw errorOf(failures, options);
    const reports = results.map((result) => {
      assert(result.kind === 'finished', 'a thread gave up although none has failed');
      return result.report;
    });
    return {
      groups: reports.map(({ outcome }) => outcome),
      ending: reports[0].ending,
      simulatedPs: reports[0].end,
      reports,
      wallSeconds: (performance.now() - start) / 1000,
    };
  } finally {
    clearInterval(timer);
    await pool.destroy();
  }
}

function makeTasks(options: WorkerHostOptions): GroupTask[] {
  const { topology, tables, engine, anatomy, trace, traceStore, placement, discard } = options;
  const groupCount = groupCountOf(placement);
  const rings = new Array<SharedArrayBuffer | null>(groupCount ** 2).fill(null);
  const cuts = cutLinks(linksOf(topology, linkLatencies(topology, tables.buses)), placement);
  for (const { groups } of cuts) {
    rings[groups[0] * groupCount + groups[1]] ??= createRing(options.ringSize);
    rings[groups[1] * groupCount + groups[0]] ??= createRing(options.ringSize);
  }
  const shared = {
    topology,
    engine,
    anatomy,
    trace,
    placement,
    groupCount,
    board: createBoard(groupCount),
    barrier: createBarrier(groupCount),
    rings,
    cores: availableParallelism(),
    discard,
  };
  return Array.from({ length: groupCount }, (_, own) => {
    const traceFile = trace === null ? null : (traceStore?.() ?? null);
    return { ...shared, own, traceFile };
  });
}

/**
 * Runs all tasks and waits for all of them. As soon as one fails the others are told to give up; who
 * doesn't notice in time, because its window is long, is ended by force.
 */
async function runAll(
  pool: Piscina<GroupTask, GroupResult>,
  tasks: readonly GroupTask[],
): Promise<GroupResult[]> {
  let grace: NodeJS.Timeout | null = null;
  const giveUp = (barrier: SharedArrayBuffer) => {
    abortRun(barrier);
    grace ??= setTimeout(() => void pool.destroy(), GRACE_MS);
  };
  const runOne = async (task: GroupTask): Promise<GroupResult> => {
    try {
      const result = await pool.run(task);
      if (result.kind === 'failed') giveUp(task.barrier);
      return result;
    } catch (error) {
      // The thread has died, or was ended because another one failed.
      if (grace !== null) return { kind: 'aborted' };
      giveUp(task.barrier);
      return { kind: 'failed', failure: deathOf(error, task.own) };
    }
  };
  try {
    return await Promise.all(tasks.map(runOne));
  } finally {
    if (grace !== null) clearTimeout(grace);
  }
}

function deathOf(error: unknown, group: number): GroupFailure {
  const message = error instanceof Error ? error.message : String(error);
  return { group, at: Infinity, name: 'Error', code: null, message, stack: '' };
}

const RUN_CODES: readonly RunErrorCode[] = [
  'LIVELOCK',
  'CHART',
  'STALLED',
  'TIME_LIMIT',
  'WORKER',
  'MEMORY',
  'TRACE',
];

/** The error of the run: that of the group that failed first in simulated time. */
function errorOf(failures: readonly GroupFailure[], { topology, placement }: WorkerHostOptions) {
  const [first] = [...failures].sort((a, b) => a.at - b.at || a.group - b.group);
  const { group, name, code, message, stack } = first;
  const known = RUN_CODES.find((candidate) => name === 'RunError' && candidate === code);
  if (known !== undefined) return Object.assign(new RunError(known, message), { cause: stack });
  if (name === 'AssertionError') return Object.assign(new AssertionError(message), { stack });
  const names = topology.nodes.filter(({ index }) => placement[index] === group);
  const shown = names.slice(0, NAMES_MAX).map((node) => node.name);
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : '';
  const text = `the thread of ${shown.join(', ')}${more} failed: ${message}`;
  return Object.assign(new RunError('WORKER', text), { cause: stack });
}
