// Which links a placement cuts, and how far apart in simulated time it keeps the groups: nothing that
// happens in one group can matter to another one sooner than the latencies of the links between them.
import type { PacketPlace, Topology } from '../contracts/index.ts';
import type { Duration } from '../kernel/index.ts';
import type { LinkLatencies } from './stop-rule.ts';

/** Anything that carries packets between two nodes. */
export interface Link {
  readonly name: string;
  readonly ends: readonly [PacketPlace, PacketPlace];
  /** Least latency of any packet on it, in ps. */
  readonly latency: Duration;
}

/** A link whose two nodes are in different groups. */
export interface CutLink extends Link {
  /** The groups of its ends. */
  readonly groups: readonly [number, number];
}

/** Lists the links of a topology: its buses, and the cables of its networks. */
export function linksOf(topology: Topology, latencies: LinkLatencies): Link[] {
  const { buses, devices, networks } = topology;
  const links: Link[] = buses.map(({ index, name, driver, driverPort, device, devicePort }) => ({
    name,
    ends: [
      { node: driver, port: driverPort },
      { node: device, port: devicePort },
    ],
    latency: latencies.least[index],
  }));
  for (const { name, type, latency, links: cables } of networks) {
    // Both ends of a wire list it.
    for (const { device, near, far } of type === 'wire' ? cables.slice(0, 1) : cables) {
      const cable = type === 'wire' ? name : `${name} to ${devices[device].name}`;
      links.push({ name: cable, ends: [near, far], latency });
    }
  }
  return links;
}

/** Finds the links that are cut when `placement` is the group of each node. */
export function cutLinks(links: readonly Link[], placement: ArrayLike<number>): CutLink[] {
  const cuts: CutLink[] = [];
  for (const link of links) {
    const [a, b] = link.ends;
    const groups = [placement[a.node], placement[b.node]] as const;
    if (groups[0] !== groups[1]) cuts.push({ ...link, groups });
  }
  return cuts;
}

/**
 * Least time in ps from an event in group `from` to anything it can cause in group `to`, at
 * [from × count + to]. Infinity where there is no way, and from a group to itself.
 */
export function groupDistances(groupCount: number, cuts: readonly CutLink[]): Float64Array {
  const distances = new Float64Array(groupCount * groupCount).fill(Infinity);
  const shorten = (from: number, to: number, distance: Duration) => {
    const at = from * groupCount + to;
    if (distance < distances[at]) distances[at] = distance;
  };
  for (const { groups, latency } of cuts) {
    shorten(groups[0], groups[1], latency);
    shorten(groups[1], groups[0], latency);
  }
  // Floyd and Warshall's shortest paths.
  for (let via = 0; via < groupCount; via++) {
    for (let from = 0; from < groupCount; from++) {
      const toVia = distances[from * groupCount + via];
      if (toVia === Infinity) continue;
      for (let to = 0; to < groupCount; to++) {
        if (to !== from) shorten(from, to, toVia + distances[via * groupCount + to]);
      }
    }
  }
  return distances;
}
