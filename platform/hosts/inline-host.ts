// Runs all nodes on the calling thread. This is the reference for every other host.
import type { Topology } from '../contracts/index.ts';
import { Group, type GroupOptions, type GroupOutcome } from './group.ts';
import { type Ending, endAfter, endAtMost, type LinkLatencies } from './stop-rule.ts';

export interface HostOutcome {
  readonly groups: readonly GroupOutcome[];
  readonly ending: Ending;
  /** First instant that was not simulated. */
  readonly simulatedPs: number;
}

/** How far a run is. */
export interface Progress {
  readonly simulatedPs: number;
  readonly events: number;
  /** The share that is done, 0 … 1; null when nobody can tell. */
  readonly share: number | null;
}

/** Told now and then how far the run is. What it is told is valid only during the call. */
export type ProgressListener = (progress: Progress) => void;

/** Simulated time between two calls of the progress listener. */
const SLICE_PS = 1_000_000_000;

export interface InlineOptions extends Omit<GroupOptions, 'nodes' | 'outbox'> {
  readonly links: LinkLatencies;
  readonly onProgress: ProgressListener;
  /** Asked now and then; true ends the run, without a trace and without an outcome. */
  readonly abandon?: (group: Group) => boolean;
}

/** How far a group is, found out as it is asked for. */
class GroupProgress implements Progress {
  readonly #topology: Topology;
  readonly #group: Group;

  constructor(topology: Topology, group: Group) {
    this.#topology = topology;
    this.#group = group;
  }

  get simulatedPs(): number {
    return this.#group.kernel.now;
  }

  get events(): number {
    return this.#group.kernel.events;
  }

  get share(): number | null {
    return shareOfRun(this.#topology, this.#group);
  }
}

/** The share of a run that a group has behind it: of its workloads, or of the time. */
export function shareOfRun({ until }: Topology, group: Group): number | null {
  return until.workloadsDone ? group.progress() : group.kernel.now / until.atMost;
}

/** Runs a topology on the calling thread. Returns null when it was abandoned. */
export function runInline(options: InlineOptions): HostOutcome | null {
  const { topology, links, onProgress, abandon } = options;
  const group = new Group({ ...options, nodes: topology.nodes.map((_, i) => i), outbox: null });
  const { kernel } = group;
  const waitsForWorkloads = topology.until.workloadsDone && group.unfinished > 0;
  if (waitsForWorkloads) group.allFinished = () => kernel.stop();
  const atMost = endAtMost(topology);
  const progress = new GroupProgress(topology, group);
  group.start();
  let ending: Ending = 'limit';
  let end = atMost;
  for (;;) {
    const next = kernel.nextTime();
    if (next >= atMost) {
      // Time passes to the end even when nothing happens in it, unless somebody waits in vain.
      if (next === Infinity && waitsForWorkloads) ending = 'stalled';
      break;
    }
    if (kernel.runUntil(Math.min(atMost, next + SLICE_PS))) {
      onProgress(progress);
      if (!abandon?.(group)) continue;
      group.abandon();
      return null;
    }
    ending = 'done';
    end = endAfter(group.lastFinish, links, topology);
    kernel.runUntil(end);
    break;
  }
  if (ending === 'stalled') end = kernel.now;
  kernel.now = end;
  group.close();
  return { groups: [group.outcome()], ending, simulatedPs: end };
}
