// The tables that the composition roots hand to the platform: rows that can make what a topology asks
// for. The platform knows of devices, buses, drivers and workloads only what stands here.
import type { Node } from '../node/index.ts';
import type { LatencySummary } from '../observe/index.ts';
import type { MessageTable } from '../wire/index.ts';
import type { Definition } from './definitions.ts';
import type {
  BusPlan,
  DevicePlan,
  FaultPlan,
  NetworkLinkPlan,
  NetworkPlan,
  WorkloadPlan,
} from './topology.ts';
import type { DeviceModel, DriverTransport } from './transport.ts';

/** Counters by name. */
export type Statistics = Readonly<Record<string, number>>;

export interface Observed {
  statistics(): Statistics;
}

/** A plan with its options typed by the schema that parsed them. */
export type WithOptions<Plan, Options> = Omit<Plan, 'options'> & { readonly options: Options };

/** The network that a device is attached to, and its own cable. */
export interface NetworkAttachment {
  readonly network: NetworkPlan;
  readonly link: NetworkLinkPlan;
}

/** What a device is made from. */
export interface DeviceEnvironment<Options> {
  readonly node: Node;
  readonly plan: WithOptions<DevicePlan, Options>;
  /** For a device with the option `network`; otherwise null. */
  readonly network: NetworkAttachment | null;
  /** Makes a path of the scenario file absolute. */
  resolve(path: string): string;
}

/** A device model, and what the run calls on it at the end. */
export interface Device extends DeviceModel {
  /** The run is over: files are written back and closed. */
  close?(): void;
  /** The run counts for nothing, and another one begins: files are closed as they are. */
  abandon?(): void;
  /** What the model has to tell of itself: how long requests waited for it, how busy it was. */
  statistics?(): Statistics;
  /** DMA reads by what they were for. */
  reads?(): Statistics;
  /** Counters of the device's cable, if it has one. */
  networkStatistics?(): Statistics;
}

export interface DeviceDefinition extends Definition {
  create(environment: DeviceEnvironment<never>): Device;
}

/** What one end of a bus is made from. */
export interface BusEnvironment<Options> {
  readonly node: Node;
  readonly plan: WithOptions<BusPlan, Options>;
  /** Fault rules of this bus. Each end gets all and applies those that concern what it sends. */
  readonly faults: readonly FaultPlan[];
  /** Told of each message that this end sends, if anybody wants to know. */
  readonly observer?: MessageObserver | undefined;
}

/** Which end of a bus. */
export type BusSide = 'driver' | 'device';

/**
 * Told of a message when its bytes go on their way, or when a fault rule drops it. The bytes are valid
 * only during the call.
 */
export type MessageObserver = (bytes: Uint8Array, length: number, dropped: boolean) => void;

/** The driver's end of a bus, or of an older transport. */
export interface DriverEnd extends Observed {
  /** The transport of one device, as its driver sees it. */
  transport(plan: DevicePlan): DriverTransport;
  /** Called once, when all transports of the bus have been made. */
  start(): void;
}

/** The device's end of a bus, or of an older transport. */
export interface DeviceEnd extends Observed {
  /** Puts a device behind this end. */
  connect(plan: DevicePlan, model: DeviceModel): void;
}

export interface BusDefinition extends Definition {
  createDriverEnd(environment: BusEnvironment<never>): DriverEnd;
  createDeviceEnd(environment: BusEnvironment<never>): DeviceEnd;
  /**
   * Names of the timing constants of which the smallest is the least latency of any packet on this
   * bus: the lookahead when its two nodes run on different threads.
   */
  readonly latencies: readonly string[];
  /** Counters of its ends that count the times a CPU left its context: calls, traps, doorbells. */
  readonly calls?: readonly string[];
  /** For a bus that carries virtio-msg: the messages of its own, by dialect, the usual one first. */
  readonly ownMessages?: Readonly<Record<string, MessageTable>>;
  /** The dialect that an end speaks; the first one when left out. */
  dialectOf?(plan: BusPlan, side: BusSide): string;
}

/** What a driver is made from. */
export interface DriverEnvironment {
  readonly node: Node;
  readonly plan: DevicePlan;
  readonly transport: DriverTransport;
}

/** A driver as the run sees it; workloads know more of it. */
export interface Driver {
  readonly name: string;
  readonly live: boolean;
  /** Why it is not live any more, or never was; null while it comes up. */
  readonly downReason: string | null;
  readonly state: string;
}

export interface DriverDefinition {
  /** Type of the device that it drives. */
  readonly type: string;
  readonly doc: string;
  readonly spec: string;
  create(environment: DriverEnvironment): Driver;
}

/** What a workload is made from. */
export interface WorkloadEnvironment<Options, D> {
  readonly node: Node;
  readonly plan: WithOptions<WorkloadPlan, Options>;
  readonly device: DevicePlan;
  readonly driver: D;
  /** All devices of the scenario: a workload may name those that it talks to. */
  readonly devices: readonly DevicePlan[];
  /** Makes a path of the scenario file absolute. */
  resolve(path: string): string;
  /** Called once when the workload is through, with whatever result. */
  finished(): void;
}

/** One kind of request of a workload: reads, writes. */
export interface OperationResult {
  readonly requests: number;
  readonly errors: number;
  readonly bytes: number;
  readonly latency: LatencySummary;
}

/** Steps that a scenario gave a workload, with what must come of each. */
export interface StepsResult {
  readonly total: number;
  /** Those that ended otherwise. */
  readonly wrong: number;
}

/** What a workload has to tell when the run is over. */
export interface WorkloadResult {
  readonly requests: number;
  readonly errors: number;
  readonly bytes: number;
  /** Requests whose data was compared with what it must be. */
  readonly verified: number;
  readonly latency: LatencySummary;
  /** ps from the first request to the last completion. */
  readonly elapsedPs: number;
  /** Why it ended early, or null. */
  readonly failure: string | null;
  /** The same figures by kind of request, for workloads that have several. */
  readonly operations?: Readonly<Record<string, OperationResult>>;
  /** Figures that only this type of workload has. */
  readonly extra?: Statistics;
  /** Of a workload that consists of steps. */
  readonly steps?: StepsResult;
}

export interface Workload {
  readonly done: boolean;
  /** The share of its task that is done, 0 … 1; null when it cannot tell. */
  progress(): number | null;
  result(): WorkloadResult;
}

export interface WorkloadDefinition extends Definition {
  readonly drives: readonly string[];
  create(environment: WorkloadEnvironment<never, never>): Workload;
}

/** All rows by type. */
export interface ModelTables {
  readonly buses: Readonly<Record<string, BusDefinition>>;
  readonly devices: Readonly<Record<string, DeviceDefinition>>;
  readonly drivers: Readonly<Record<string, DriverDefinition>>;
  readonly workloads: Readonly<Record<string, WorkloadDefinition>>;
}
