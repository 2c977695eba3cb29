// The report of a run as data: what `--json` prints and what expectations are checked against. All of
// it but the wall-clock fields depends only on scenario, seed and profile. Fields: platform/docs/report.md.
import type { OperationResult, Statistics, StepsResult } from '../../contracts/index.ts';
import type { Ending } from '../../hosts/index.ts';
import type { EngineName } from '../../machine/index.ts';
import type { Violation } from '../../node/index.ts';
import type { ExpectationOutcome } from '../../scenario/index.ts';
import type { EvidenceSummary } from '../../timing/index.ts';
import type { LatencySummary } from '../latency.ts';
import type { BusReport, NetworkReport } from './carriers.ts';

export interface DeviceReport {
  readonly type: string;
  readonly bus: string;
  readonly number: number;
  readonly requests: number;
  readonly errors: number;
  readonly bytes: number;
  readonly verified: number;
  /** ns. */
  readonly latency: LatencySummary;
  /** Bytes per simulated second, from the first request to the last completion. */
  readonly throughput: number;
  /** Requests per simulated second, likewise. */
  readonly iops: number;
  /** Figures that only this type of workload has; those of several workloads are added up. */
  readonly extra: Statistics;
  /** The same figures by kind of request, for workloads that have several. */
  readonly operations: Readonly<Record<string, OperationResult>>;
  /** Figures of the device model itself. */
  readonly model: Statistics;
  /** DMA reads of the device by what they were for. */
  readonly reads: Statistics;
}

export interface WorkloadReport extends Omit<DeviceReport, 'bus' | 'number' | 'model' | 'reads'> {
  readonly name: string;
  readonly device: string;
  readonly node: string;
  readonly done: boolean;
  readonly elapsedPs: number;
  /** Why it ended early, or null. */
  readonly failure: string | null;
  /** Of a workload that consists of steps: how many there are, and those that ended otherwise than expected. */
  readonly steps?: StepsResult;
  /** What it still waits for, or null when it is done. */
  readonly waitsFor: string | null;
}

export interface NodeReport {
  readonly kind: string;
  readonly world: string;
  readonly cpus: number;
  /** Share of the CPU time that was spent working or lent to a synchronous call, 0 … 1. */
  readonly cpuBusy: number;
  readonly cpuBusyPs: number;
  readonly cpuLentPs: number;
  readonly interrupts: number;
  readonly violations: number;
  readonly events: number;
}

export interface Report {
  readonly scenario: string;
  readonly seed: number;
  readonly profile: string;
  readonly engine: EngineName;
  readonly workers: number;
  /** Group by node name. */
  readonly placement: Readonly<Record<string, number>>;
  readonly ending: Ending;
  readonly digest: string;
  readonly simulatedPs: number;
  readonly events: number;
  readonly wallSeconds: number;
  readonly eventsPerSecond: number;
  /** Simulated seconds per wall second. */
  readonly speedRatio: number;
  readonly devices: Readonly<Record<string, DeviceReport>>;
  readonly workloads: readonly WorkloadReport[];
  readonly buses: Readonly<Record<string, BusReport>>;
  readonly networks: Readonly<Record<string, NetworkReport>>;
  readonly nodes: Readonly<Record<string, NodeReport>>;
  readonly violations: number;
  /** In the order of time; no more than the first hundred of each node. */
  readonly violationList: readonly Violation[];
  readonly evidence: EvidenceSummary;
  readonly expectations: readonly ExpectationOutcome[];
}
