// When a run ends. The rule must not depend on how nodes are placed on threads: another thread may be
// ahead by as much as a link's latency when the last workload finishes, so the run goes on for that
// long everywhere.
import type { Topology } from '../contracts/index.ts';
import { END_OF_TIME, type Instant } from '../kernel/index.ts';

/** How a run came to its end. */
export type Ending =
  /** All workloads are through. */
  | 'done'
  /** `until.atMost` was reached. */
  | 'limit'
  /** Nothing is left to happen, but workloads still wait. */
  | 'stalled';

/** Latencies of the links of a topology: what bounds how far threads can be apart. */
export interface LinkLatencies {
  /** Smallest and largest latency in ps of packets on each bus, by bus index. */
  readonly least: readonly number[];
  readonly greatest: number;
}

/** First instant that is not simulated, once all workloads finished by `lastFinish`. */
export function endAfter(lastFinish: Instant, links: LinkLatencies, topology: Topology): Instant {
  return Math.min(lastFinish + links.greatest, endAtMost(topology));
}

/** First instant that is not simulated whatever the workloads do. */
export function endAtMost(topology: Topology): Instant {
  return Math.min(topology.until.atMost, END_OF_TIME);
}

/** Reads the latencies off the profile, by the names that each bus type gives. */
export function linkLatencies(
  topology: Topology,
  buses: Readonly<Record<string, { readonly latencies: readonly string[] }>>,
): LinkLatencies {
  const values = new Map(topology.profile.constants.map(({ name, value }) => [name, value]));
  const all = topology.buses.map((bus) =>
    buses[bus.type].latencies.map((name) => values.get(name)!),
  );
  return {
    least: all.map((latencies) => Math.min(...latencies)),
    // There may be more links than a call takes arguments.
    greatest: [...all.flat(), ...topology.networks.map(({ latency }) => latency)].reduce(
      (greatest, latency) => Math.max(greatest, latency),
      0,
    ),
  };
}
