// Runs all nodes on the calling thread. This is the reference for every other host.
import { Group, type GroupOptions, type GroupOutcome } from './group.ts';
import { type Ending, endAfter, endAtMost, type LinkLatencies } from './stop-rule.ts';

export interface HostOutcome {
  readonly groups: readonly GroupOutcome[];
  readonly ending: Ending;
  /** First instant that was not simulated. */
  readonly simulatedPs: number;
}

/** Told now and then how far the run is. */
export type ProgressListener = (progress: {
  readonly simulatedPs: number;
  readonly events: number;
}) => void;

/** Simulated time between two calls of the progress listener. */
const SLICE_PS = 1_000_000_000;

export interface InlineOptions extends Omit<GroupOptions, 'nodes' | 'outbox'> {
  readonly links: LinkLatencies;
  readonly onProgress: ProgressListener;
  /** Asked now and then; true ends the run, without a trace and without an outcome. */
  readonly abandon?: (group: Group) => boolean;
}

/** Runs a topology on the calling thread. Returns null when it was abandoned. */
export function runInline(options: InlineOptions): HostOutcome | null {
  const { topology, links, onProgress, abandon } = options;
  const group = new Group({ ...options, nodes: topology.nodes.map((_, i) => i), outbox: null });
  const { kernel } = group;
  const waitsForWorkloads = topology.until.workloadsDone && group.unfinished > 0;
  if (waitsForWorkloads) group.allFinished = () => kernel.stop();
  const atMost = endAtMost(topology);
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
      onProgress({ simulatedPs: kernel.now, events: kernel.events });
      if (abandon?.(group)) return null;
      continue;
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
