// Runs a topology from start to end on the host that the caller asks for. What comes out is the same
// on every host, but for the wall time.
import type { ModelTables, Topology } from '../contracts/index.ts';
import type { EngineName } from '../machine/index.ts';
import { type HostOutcome, type ProgressListener, runInline } from './inline-host.ts';
import { linkLatencies } from './stop-rule.ts';

/** How to run a topology. */
export interface RunOptions {
  readonly tables: ModelTables;
  /** Worker threads: 0 runs on the calling thread, `auto` picks what pays. Default `auto`. */
  readonly workers?: number | 'auto';
  /** Default `compiled`. */
  readonly engine?: EngineName;
  /** Record causes and milestones of every request. Default false. */
  readonly anatomy?: boolean;
  readonly onProgress?: ProgressListener;
}

/** What a run tells of itself, besides what its groups tell. */
export interface RunOutcome extends HostOutcome {
  /** Worker threads that were used; 0 when all ran on the calling thread. */
  readonly workers: number;
  readonly wallSeconds: number;
}

/** Runs a topology. Throws RunError, or rejects with it, when the run cannot go on. */
export async function runTopology(topology: Topology, options: RunOptions): Promise<RunOutcome> {
  const { tables, engine = 'compiled', anatomy = false, onProgress = () => {} } = options;
  const links = linkLatencies(topology, tables.buses);
  const begin = performance.now();
  const outcome = runInline({ topology, tables, engine, anatomy }, links, onProgress);
  return { ...outcome, workers: 0, wallSeconds: (performance.now() - begin) / 1000 };
}
