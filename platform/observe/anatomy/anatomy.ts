// The anatomy of a request: every step from its submission to its completion, with what it cost and
// why. The steps tile the request's latency exactly.
import type { EvidenceKind, TimingConstant, Topology } from '../../contracts/index.ts';
import { assert, UsageError } from '../../errors.ts';
import type { AnatomyRecord } from '../../hosts/index.ts';
import { labels, Milestone } from '../../node/index.ts';
import { CauseIndex, type Piece } from './cause-index.ts';
import { type Point, requestsOf, type TracedRequest } from './requests.ts';

/** One step: a cost that a timing constant explains, or a wait. */
export interface AnatomyStep {
  readonly phase: string;
  /** ps since the submission. */
  readonly startPs: number;
  readonly costPs: number;
  readonly node: string;
  readonly what: string;
  /** The timing constant it comes from; null for a wait. */
  readonly constant: string | null;
}

/** What lies between two points of a request's life. */
export interface AnatomyPhase {
  readonly name: string;
  readonly startPs: number;
  readonly costPs: number;
}

/** All steps of one constant, or of one kind of wait, taken together. */
export interface AnatomyTotal {
  readonly what: string;
  readonly count: number;
  readonly costPs: number;
  /** Part of the latency, 0 … 1. */
  readonly share: number;
  readonly constant: string | null;
  /** Value, kind and source of the constant; null for a wait. */
  readonly value: string | null;
  readonly kind: EvidenceKind | null;
  readonly source: string | null;
}

export interface Anatomy {
  readonly device: string;
  /** Number of the request in the order of submission, from 1. */
  readonly request: number;
  readonly requests: number;
  /** True when it was chosen for its latency, the median of all completed ones. */
  readonly median: boolean;
  readonly submittedPs: number;
  readonly latencyPs: number;
  /** ps that no model explained; more than 0 is a bug. */
  readonly unaccountedPs: number;
  readonly phases: readonly AnatomyPhase[];
  readonly steps: readonly AnatomyStep[];
  readonly totals: readonly AnatomyTotal[];
}

/** What an anatomy is made from. */
export interface AnatomySource {
  readonly topology: Topology;
  readonly records: readonly AnatomyRecord[];
  /** What each timing constant stands for, by name. */
  readonly docs: ReadonlyMap<string, string>;
}

const UNACCOUNTED = 'not accounted for';

/** Names of the phases by the milestone at their end. */
const PHASES: Readonly<Record<Milestone, string>> = {
  [Milestone.submitted]: 'before submission',
  [Milestone.published]: 'submit',
  [Milestone.fetched]: 'notify and fetch',
  [Milestone.started]: 'take up',
  [Milestone.served]: 'serve',
  [Milestone.used]: 'return',
  [Milestone.completed]: 'signal and complete',
};

/** Takes requests of one run apart. */
export class AnatomyReader {
  readonly #source: AnatomySource;
  readonly #requests = new Map<number, readonly TracedRequest[]>();
  #causes: CauseIndex | null = null;

  constructor(source: AnatomySource) {
    this.#source = source;
  }

  /** How many requests of a device were submitted. Throws UsageError for an unknown device. */
  count(device: string): number {
    return this.#requestsOf(device).length;
  }

  /**
   * Takes one request of a device apart: the one of this number in the order of submission (from 1),
   * or the one of median latency. Throws UsageError when there is no such request.
   */
  read(device: string, request?: number): Anatomy {
    const requests = this.#requestsOf(device);
    const position = request === undefined ? medianOf(requests, device) : request - 1;
    const { points, latency } = completedAt(requests, position, device);
    const steps = this.#stepsOf(points);
    const total = steps.reduce((sum, { costPs }) => sum + costPs, 0);
    assert(total === latency, `the steps add up to ${total} ps, the latency is ${latency} ps`);
    const totals = totalsOf(this.#source.topology.profile.constants, steps, latency);
    return {
      device,
      request: position + 1,
      requests: requests.length,
      median: request === undefined,
      submittedPs: points[0].at,
      latencyPs: latency,
      unaccountedPs: totals.find(({ what }) => what === UNACCOUNTED)?.costPs ?? 0,
      phases: phasesOf(points),
      steps,
      totals,
    };
  }

  #requestsOf(device: string): readonly TracedRequest[] {
    const { topology, records } = this.#source;
    const plan = topology.devices.find(({ name }) => name === device);
    if (plan === undefined) throw new UsageError('UNKNOWN_NAME', `there is no device '${device}'`);
    const known = this.#requests.get(plan.index);
    if (known !== undefined) return known;
    const requests = requestsOf(plan.index, records);
    this.#requests.set(plan.index, requests);
    return requests;
  }

  #stepsOf(points: readonly Point[]): AnatomyStep[] {
    const { topology, records, docs } = this.#source;
    const causes = (this.#causes ??= new CauseIndex(records.map((record) => record.causes)));
    const submitted = points[0].at;
    return points.slice(1).flatMap(({ milestone, key }, position) =>
      causes.piecesBefore(key, points[position].at, labels.TIMER).map((piece) => ({
        phase: PHASES[milestone],
        startPs: piece.start - submitted,
        costPs: piece.end - piece.start,
        node: topology.nodes[piece.node].name,
        ...explain(piece, topology.profile.constants, docs),
      })),
    );
  }
}

function completedAt(
  requests: readonly TracedRequest[],
  position: number,
  device: string,
): { readonly points: readonly Point[]; readonly latency: number } {
  const chosen = requests[position] as TracedRequest | undefined;
  const number = position + 1;
  if (chosen === undefined) {
    const text = `${device} has no request ${number}, only ${requests.length}`;
    throw new UsageError('BAD_VALUE', text);
  }
  const { points, latency } = chosen;
  if (latency === null) {
    throw new UsageError('BAD_VALUE', `request ${number} of ${device} was not completed`);
  }
  return { points, latency };
}

/** Position of the completed request of median latency; the earlier of equals. */
function medianOf(requests: readonly TracedRequest[], device: string): number {
  const completed = [...requests.keys()].filter((i) => requests[i].latency !== null);
  if (completed.length === 0) {
    throw new UsageError('BAD_VALUE', `no request of ${device} was completed`);
  }
  completed.sort((a, b) => requests[a].latency! - requests[b].latency! || a - b);
  return completed[(completed.length - 1) >> 1];
}

function phasesOf(points: readonly Point[]): AnatomyPhase[] {
  return points.slice(1).map(({ milestone, at }, position) => ({
    name: PHASES[milestone],
    startPs: points[position].at - points[0].at,
    costPs: at - points[position].at,
  }));
}

function explain(
  { label, cut }: Piece,
  constants: readonly TimingConstant[],
  docs: ReadonlyMap<string, string>,
): { what: string; constant: string | null } {
  if (label === null) return { what: UNACCOUNTED, constant: null };
  if (label < 0) return { what: labels.waitText(label), constant: null };
  const { name } = constants[label];
  // It began before this request had come so far: work for others, or for what it did before.
  if (cut)
    return { what: `${labels.waitText(labels.WAIT_SCAN)} (rest of ${name})`, constant: null };
  return { what: docs.get(name) ?? '', constant: name };
}

function totalsOf(
  constants: readonly TimingConstant[],
  steps: readonly AnatomyStep[],
  latency: number,
): AnatomyTotal[] {
  const byLabel = new Map<string, { what: string; constant: string | null; costs: number[] }>();
  for (const { what, constant, costPs } of steps) {
    const label = constant ?? what;
    const entry = byLabel.get(label);
    if (entry === undefined) byLabel.set(label, { what, constant, costs: [costPs] });
    else entry.costs.push(costPs);
  }
  const totals = [...byLabel.values()].map(({ what, constant, costs }) => {
    const costPs = costs.reduce((sum, cost) => sum + cost, 0);
    const row = constants.find(({ name }) => name === constant);
    const { text = null, kind = null, source = null } = row ?? {};
    const share = latency === 0 ? 0 : costPs / latency;
    return { what, count: costs.length, costPs, share, constant, value: text, kind, source };
  });
  return totals.sort((a, b) => b.costPs - a.costPs);
}
