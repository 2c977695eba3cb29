// Decides how many threads a run is worth, when nobody says. It begins on one thread, for real; once
// that has run for a while, its speed and progress tell whether threads would have the rest done
// sooner even though they must begin again. If not, nothing is lost.
import type { Topology } from '../contracts/index.ts';
import { PS_PER_S } from '../kernel/index.ts';
import type { Group } from './group.ts';
import { shareOfRun } from './inline-host.ts';
import { cutLinks, type Link } from './lookahead.ts';
import { predictSpeedup } from './parallel-statistics.ts';
import { groupCountOf, placeNodes } from './placement.ts';

/** What an empty round of threads that do not sleep takes on a virtual machine with two cores. */
const SYNC_SECONDS_EXPECTED = 5e-6;
/** To start threads, load the code into each, and run it cold. */
const START_SECONDS_EXPECTED = 0.8;
/** Wall seconds of warming up, and then of measuring. */
const WARM_SECONDS = 0.2;
const MEASURE_SECONDS = 0.3;
/** Threads must promise to be this much faster. An estimate is not a fact. */
const GAIN_MIN = 1.25;
/** With less of a core than this for one thread, other programs leave none for a second. */
const CORE_SHARE_MIN = 0.9;

/** Where a run on one thread stands. */
export interface ProbePoint {
  readonly wallSeconds: number;
  /** CPU time of the process. */
  readonly cpuSeconds: number;
  readonly simulatedPs: number;
  readonly events: number;
  /** Share of the run that is done, or null when nobody can tell. */
  readonly progress: number | null;
}

/** A number of threads with the placement of nodes on them, and what to expect of it. */
export interface Candidate {
  readonly placement: readonly number[];
  readonly workers: number;
  readonly coupling: number;
  readonly speedup: number;
}

export interface ChooserOptions {
  readonly topology: Topology;
  readonly links: readonly Link[];
  readonly cores: number;
}

/** What was decided, and why. */
export interface Choice {
  readonly reason: string;
  /** Null for one thread. */
  readonly chosen: Candidate | null;
}

/** Watches a run on one thread and decides once. */
export class WorkerChooser {
  readonly #options: ChooserOptions;
  readonly #start = performance.now();
  #choice: Choice;
  #warm: ProbePoint | null = null;
  #decided = false;

  constructor(options: ChooserOptions) {
    this.#options = options;
    const never = neverPays(options);
    this.#decided = never !== null;
    const short = 'one thread: the run was over before threads could have started';
    this.#choice = { reason: never ?? short, chosen: null };
  }

  get choice(): Choice {
    return this.#choice;
  }

  /** Looks at the run on one thread. Returns true when it is to be abandoned for threads. */
  look(group: Group): boolean {
    if (this.#decided) return false;
    const wallSeconds = (performance.now() - this.#start) / 1000;
    if (wallSeconds < WARM_SECONDS) return false;
    const { topology } = this.#options;
    if (this.#warm === null) {
      this.#warm = probe(topology, group, wallSeconds);
      return false;
    }
    if (wallSeconds < this.#warm.wallSeconds + MEASURE_SECONDS) return false;
    this.#decided = true;
    const now = probe(topology, group, wallSeconds);
    const load = topology.nodes.map(({ index }) => group.kernel.digestOf(index)[2]);
    this.#choice = chooseWorkers(this.#options, { warm: this.#warm, now, load });
    return this.#choice.chosen !== null;
  }
}

/** What a run on one thread has shown: two points of it, and the events of each node. */
export interface Evidence {
  readonly warm: ProbePoint;
  readonly now: ProbePoint;
  readonly load: readonly number[];
}

/** Decides by a run's first part whether to begin again on several threads. */
export function chooseWorkers(options: ChooserOptions, { warm, now, load }: Evidence): Choice {
  const rates = ratesBetween(warm, now);
  const best = bestCandidate(options, rates, load);
  const { workers, coupling, speedup } = best;
  const expected =
    `${workers} threads are expected to be ${speedup.toPrecision(2)} times as fast ` +
    `(λ = ${coupling === Infinity ? '∞' : coupling.toPrecision(2)})`;
  if (speedup < GAIN_MIN) return { reason: `one thread: ${expected}`, chosen: null };
  const share = (now.cpuSeconds - warm.cpuSeconds) / (now.wallSeconds - warm.wallSeconds);
  if (share < CORE_SHARE_MIN) {
    const percent = Math.round(100 * share);
    const reason = `one thread: other programs leave it ${percent} % of a core; ${expected}`;
    return { reason, chosen: null };
  }
  const left = secondsLeft(warm, now);
  if (left === null) {
    return { reason: `one thread: nothing tells how long the run is; ${expected}`, chosen: null };
  }
  // Threads begin again: what has been done so far must be done once more.
  const again = START_SECONDS_EXPECTED + (now.events / rates.eventsPerSecond + left) / speedup;
  if (left < again * GAIN_MIN) {
    return { reason: `one thread: too little is left of the run; ${expected}`, chosen: null };
  }
  return { reason: `${workers} worker threads: ${expected}`, chosen: best };
}

function neverPays({ topology, cores }: ChooserOptions): string | null {
  if (topology.nodes.length === 1) return 'one thread: there is only one node';
  if (cores === 1) return 'one thread: the machine has only one core';
  const placements = new Set(topology.nodes.map(({ placement }) => placement));
  if (placements.size === 1 && !placements.has(null)) {
    return 'one thread: the scenario places all nodes together';
  }
  return null;
}

function probe(topology: Topology, group: Group, wallSeconds: number): ProbePoint {
  const { now, events } = group.kernel;
  const { user, system } = process.cpuUsage();
  const cpuSeconds = (user + system) / 1e6;
  return {
    wallSeconds,
    cpuSeconds,
    simulatedPs: now,
    events,
    progress: shareOfRun(topology, group),
  };
}

/** What the formula of λ needs to know of a run on one thread. */
interface Rates {
  readonly eventsPerSecond: number;
  readonly eventsPerSimulatedSecond: number;
}

function ratesBetween(from: ProbePoint, to: ProbePoint): Rates {
  const events = to.events - from.events;
  return {
    eventsPerSecond: events / (to.wallSeconds - from.wallSeconds),
    eventsPerSimulatedSecond: (events * PS_PER_S) / (to.simulatedPs - from.simulatedPs),
  };
}

/** Wall seconds that one thread still needs, or null when nobody can tell. */
function secondsLeft(from: ProbePoint, to: ProbePoint): number | null {
  if (from.progress === null || to.progress === null || to.progress <= from.progress) return null;
  const pace = (to.progress - from.progress) / (to.wallSeconds - from.wallSeconds);
  return (1 - to.progress) / pace;
}

/** The number of threads, from two to all cores, of which the most is to be expected. */
function bestCandidate(
  { topology, links, cores }: ChooserOptions,
  rates: Rates,
  load: ArrayLike<number>,
): Candidate {
  const most = Math.max(2, Math.min(cores, topology.nodes.length));
  let best: Candidate | null = null;
  for (let groups = 2; groups <= most; groups++) {
    const candidate = judge(placeNodes({ topology, links, groups, load }), { links, load, rates });
    if (best === null || candidate.speedup > best.speedup) best = candidate;
  }
  return best!;
}

function judge(
  placement: readonly number[],
  basis: {
    readonly links: readonly Link[];
    readonly load: ArrayLike<number>;
    readonly rates: Rates;
  },
): Candidate {
  const { links, load, rates } = basis;
  const workers = groupCountOf(placement);
  const loads = new Float64Array(workers);
  for (const [node, group] of placement.entries()) loads[group] += load[node];
  const total = loads.reduce((sum, value) => sum + value, 0);
  const cuts = cutLinks(links, placement);
  const lookahead = cuts.reduce((least, { latency }) => Math.min(least, latency), Infinity);
  const { eventsPerSecond, eventsPerSimulatedSecond } = rates;
  const eventsPerWindow = Math.max(1, (lookahead / PS_PER_S) * eventsPerSimulatedSecond);
  const coupling = eventsPerWindow / (SYNC_SECONDS_EXPECTED * eventsPerSecond);
  const balance = total / Math.max(...loads);
  return { placement, workers, coupling, speedup: predictSpeedup(balance, coupling) };
}
