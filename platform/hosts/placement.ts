// Which group each node belongs to. The scenario's own placement is followed; without one, nodes that
// are tightly coupled stay together and the groups get about the same load.
import type { Topology } from '../contracts/index.ts';
import { assert } from '../errors.ts';
import type { Link } from './lookahead.ts';

export interface PlacementOptions {
  readonly topology: Topology;
  readonly links: readonly Link[];
  /** Most groups to make. */
  readonly groups: number;
  /** How much work each node is expected to be; by default guessed from what lives on it. */
  readonly load?: ArrayLike<number>;
}

/** A group may be this much heavier than the average before its nodes are parted. */
const IMBALANCE_MAX = 1.2;

/** Chooses the group of each node. Groups are numbered from 0 and none is empty. */
export function placeNodes(options: PlacementOptions): number[] {
  const { topology, groups } = options;
  assert(groups >= 1, 'there is at least one group');
  const { nodes } = topology;
  const load = options.load ?? guessedLoad(topology);
  if (nodes.every(({ placement }) => placement === null)) {
    const clusters = clusterNodes(options, load);
    return numbered(spread({ count: groups, owner: clusters, load }));
  }
  return numbered(followScenario(options, load));
}

/** How many groups a placement has. */
export function groupCountOf(placement: readonly number[]): number {
  return placement.reduce((most, group) => Math.max(most, group), 0) + 1;
}

/** Counts what lives on each node: devices and drivers alike, and workloads twice. */
export function guessedLoad({ nodes, buses, devices, workloads }: Topology): Float64Array {
  const load = new Float64Array(nodes.length).fill(1);
  for (const { bus } of devices) {
    load[buses[bus].driver] += 2;
    load[buses[bus].device] += 2;
  }
  for (const { device } of workloads) load[buses[devices[device].bus].driver] += 2;
  return load;
}

/** The groups that the scenario numbers, folded onto those there are; loose nodes join neighbours. */
function followScenario(
  { topology, links, groups }: PlacementOptions,
  load: ArrayLike<number>,
): number[] {
  const { nodes } = topology;
  const wanted = [...new Set(nodes.flatMap(({ placement }) => placement ?? []))];
  wanted.sort((a, b) => a - b);
  const result = nodes.map(({ placement }) =>
    placement === null ? -1 : wanted.indexOf(placement) % groups,
  );
  const tightest = byTightness(links);
  for (let changed = true; changed; ) {
    changed = false;
    for (const { ends } of tightest) {
      const [a, b] = ends;
      if (result[a.node] < 0 === result[b.node] < 0) continue;
      if (result[a.node] < 0) result[a.node] = result[b.node];
      else result[b.node] = result[a.node];
      changed = true;
    }
  }
  // Nodes that no link connects to a placed one go where least is.
  const loads = new Float64Array(groups);
  for (const [node, group] of result.entries()) if (group >= 0) loads[group] += load[node];
  for (const [node, group] of result.entries()) {
    if (group >= 0) continue;
    result[node] = lightest(loads);
    loads[result[node]] += load[node];
  }
  return result;
}

/**
 * Joins the ends of links, those of least latency first, as long as a cluster is no more than a fair
 * share of the load. Returns a representative node for each node.
 */
function clusterNodes(
  { topology, links, groups }: PlacementOptions,
  load: ArrayLike<number>,
): number[] {
  const { nodes } = topology;
  const parent = nodes.map((_, node) => node);
  const weight = Float64Array.from(load);
  const total = weight.reduce((sum, value) => sum + value, 0);
  const fairShare = groups === 1 ? Infinity : (total / groups) * IMBALANCE_MAX;
  const find = (node: number): number => {
    while (parent[node] !== node) node = parent[node] = parent[parent[node]];
    return node;
  };
  for (const { ends } of byTightness(links)) {
    const a = find(ends[0].node);
    const b = find(ends[1].node);
    if (a === b || weight[a] + weight[b] > fairShare) continue;
    parent[b] = a;
    weight[a] += weight[b];
  }
  return nodes.map((_, node) => find(node));
}

/** Links, those of least latency first; of equals, the order of the topology stays. */
function byTightness(links: readonly Link[]): Link[] {
  return [...links].sort((a, b) => a.latency - b.latency);
}

/** Puts clusters into groups, the heaviest first, each where least is. */
function spread({
  count,
  owner,
  load,
}: {
  readonly count: number;
  readonly owner: readonly number[];
  readonly load: ArrayLike<number>;
}): number[] {
  const weights = new Float64Array(owner.length);
  for (const [node, representative] of owner.entries()) weights[representative] += load[node];
  const clusters = [...new Set(owner)].sort((a, b) => weights[b] - weights[a] || a - b);
  const groupOf = new Int32Array(owner.length);
  const loads = new Float64Array(count);
  for (const cluster of clusters) {
    groupOf[cluster] = lightest(loads);
    loads[groupOf[cluster]] += weights[cluster];
  }
  return owner.map((representative) => groupOf[representative]);
}

function lightest(loads: Float64Array): number {
  let best = 0;
  for (let group = 1; group < loads.length; group++) if (loads[group] < loads[best]) best = group;
  return best;
}

/** Closes the gaps in the numbers of groups. */
function numbered(groups: readonly number[]): number[] {
  const used = [...new Set(groups)].sort((a, b) => a - b);
  const numbers = new Map(used.map((group, index) => [group, index]));
  return groups.map((group) => numbers.get(group)!);
}
