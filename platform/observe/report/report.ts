// Makes the report of a run from what its groups tell.
import type { OperationResult, Statistics, Topology } from '../../contracts/index.ts';
import type { Ending, GroupOutcome, NodeOutcome, WorkloadOutcome } from '../../hosts/index.ts';
import { combineDigests, PS_PER_S } from '../../kernel/index.ts';
import type { EngineName } from '../../machine/index.ts';
import { mergeCharges, summariseEvidence } from '../../timing/index.ts';
import { busReports, networkReports } from './carriers.ts';
import type { DeviceReport, NodeReport, Report, WorkloadReport } from './data.ts';
import { checkExpectations } from './expectations.ts';
import { mergeLatencies } from './merge-latencies.ts';
import { byName, grouped, ratio, total } from './sums.ts';

/** What a host tells of a run that came to its end. */
export interface RunFacts {
  readonly groups: readonly GroupOutcome[];
  readonly ending: Ending;
  /** First instant that was not simulated. */
  readonly simulatedPs: number;
  readonly engine: EngineName;
  /** Worker threads; 0 when everything ran on the calling thread. */
  readonly workers: number;
  /** Group of each node, by node index. */
  readonly placement: readonly number[];
  readonly wallSeconds: number;
}

/** Makes the report of a run and checks the scenario's expectations against it. */
export function buildReport(topology: Topology, facts: RunFacts): Report {
  const { ending, simulatedPs, engine, workers, placement, wallSeconds } = facts;
  const nodes = facts.groups.flatMap((group) => group.nodes).sort((a, b) => a.node - b.node);
  const workloads = workloadReports(topology, facts);
  const events = facts.groups.reduce((sum, group) => sum + group.events, 0);
  const report: Omit<Report, 'expectations'> = {
    scenario: topology.name,
    seed: topology.seed,
    profile: topology.profile.name,
    engine,
    workers,
    placement: byName(topology.nodes, ({ index }) => placement[index]),
    ending,
    digest: combineDigests(
      nodes.map(({ lanes }) => lanes),
      topology.seed,
    ),
    simulatedPs,
    events,
    wallSeconds,
    eventsPerSecond: ratio(events, wallSeconds),
    speedRatio: ratio(simulatedPs / PS_PER_S, wallSeconds),
    devices: deviceReports(topology, workloads, facts),
    workloads,
    buses: busReports(topology, facts, { workloads, nodes }),
    networks: networkReports(topology, facts),
    nodes: byName(topology.nodes, ({ index }) => nodeReport(topology, nodes[index], simulatedPs)),
    violations: nodes.reduce((sum, node) => sum + node.violations, 0),
    // Sorting is stable: violations of one instant stay in the order of their nodes.
    violationList: nodes.flatMap((node) => node.described).sort((a, b) => a.at - b.at),
    evidence: summariseEvidence(
      topology.profile,
      mergeCharges(
        nodes.map(({ chargesPs, chargeCounts }) => ({ ps: chargesPs, counts: chargeCounts })),
      ),
    ),
  };
  return { ...report, expectations: checkExpectations(topology, report) };
}

/** True when everything that was expected of the run holds. */
export function expectationsHold(report: Report): boolean {
  return report.expectations.every(({ passed }) => passed);
}

function workloadReports(topology: Topology, { groups }: RunFacts): WorkloadReport[] {
  return groups
    .flatMap((group) => group.workloads)
    .sort((a, b) => a.workload - b.workload)
    .map((outcome) => workloadReport(topology, outcome));
}

function workloadReport(topology: Topology, outcome: WorkloadOutcome): WorkloadReport {
  const plan = topology.workloads[outcome.workload];
  const device = topology.devices[plan.device];
  const { result, done } = outcome;
  const { requests, errors, bytes, verified, latency, elapsedPs, failure } = result;
  return {
    name: plan.name,
    type: plan.type,
    device: device.name,
    node: topology.nodes[topology.buses[device.bus].driver].name,
    done,
    requests,
    errors,
    bytes,
    verified,
    latency,
    elapsedPs,
    ...rates({ requests, bytes, elapsedPs }),
    extra: result.extra ?? {},
    operations: result.operations ?? {},
    failure,
    ...(result.steps === undefined ? {} : { steps: result.steps }),
    waitsFor: done ? null : waitsFor(device.name, outcome),
  };
}

function waitsFor(device: string, { driverState, downReason }: WorkloadOutcome): string {
  if (downReason !== null) return `device ${device}, which is lost: ${downReason}`;
  if (driverState === 'live') return `requests under way on ${device}`;
  return `the driver of ${device}, which is still in state ${driverState}`;
}

function deviceReports(
  topology: Topology,
  workloads: readonly WorkloadReport[],
  { groups }: RunFacts,
): Record<string, DeviceReport> {
  const ofDevice = grouped(workloads, ({ device }) => device);
  const models = new Map(
    groups.flatMap((group) => group.devices.map((outcome) => [outcome.device, outcome] as const)),
  );
  return byName(topology.devices, ({ index, name, type, bus, number }) => {
    const own = ofDevice.get(name) ?? [];
    const sum = (pick: (workload: WorkloadReport) => number) =>
      own.reduce((total, workload) => total + pick(workload), 0);
    const requests = sum((workload) => workload.requests);
    const bytes = sum((workload) => workload.bytes);
    const elapsedPs = Math.max(0, ...own.map((workload) => workload.elapsedPs));
    return {
      type,
      bus: topology.buses[bus].name,
      number,
      requests,
      errors: sum((workload) => workload.errors),
      bytes,
      verified: sum((workload) => workload.verified),
      latency: mergeLatencies(own),
      ...rates({ requests, bytes, elapsedPs }),
      extra: addUp(own.map(({ extra }) => extra)),
      operations: mergeOperations(own.map(({ operations }) => operations)),
      model: models.get(index)?.statistics ?? {},
      reads: models.get(index)?.reads ?? {},
    };
  });
}

/** Adds up what several workloads have to tell of each kind of request. */
function mergeOperations(
  parts: readonly Readonly<Record<string, OperationResult>>[],
): Record<string, OperationResult> {
  const names = new Set(parts.flatMap((part) => Object.keys(part)));
  return Object.fromEntries(
    [...names].map((name) => {
      const own = parts.flatMap((part) => (Object.hasOwn(part, name) ? [part[name]] : []));
      const merged = {
        requests: total(own.map(({ requests }) => requests)),
        errors: total(own.map(({ errors }) => errors)),
        bytes: total(own.map(({ bytes }) => bytes)),
        latency: mergeLatencies(own),
      };
      return [name, merged];
    }),
  );
}

function rates(counts: {
  readonly requests: number;
  readonly bytes: number;
  readonly elapsedPs: number;
}): { throughput: number; iops: number } {
  const seconds = counts.elapsedPs / PS_PER_S;
  return { throughput: ratio(counts.bytes, seconds), iops: ratio(counts.requests, seconds) };
}

function addUp(parts: readonly Statistics[]): Statistics {
  const sum: Record<string, number> = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) sum[name] = (sum[name] ?? 0) + value;
  }
  return sum;
}

function nodeReport(topology: Topology, outcome: NodeOutcome, simulatedPs: number): NodeReport {
  const { kind, world, cpus } = topology.nodes[outcome.node];
  const { cpuBusyPs, cpuLentPs, interrupts, violations, lanes } = outcome;
  return {
    kind,
    world,
    cpus,
    cpuBusy: ratio(cpuBusyPs, cpus * simulatedPs),
    cpuBusyPs,
    cpuLentPs,
    interrupts,
    violations,
    events: lanes[2],
  };
}
