// A scenario after loading: plain data with every reference resolved and every unit converted, so
// that it can be sent to worker threads as it is. Times are ps, sizes bytes, rates bytes/s.

/** What a node is. A scenario cannot write `switch`: such a node belongs to a network. */
export type NodeKind = 'vm' | 'partition' | 'host' | 'card' | 'mcu' | 'switch';
export type World = 'normal' | 'secure';

export interface NodePlan {
  readonly index: number;
  readonly name: string;
  readonly kind: NodeKind;
  readonly world: World;
  readonly cpus: number;
  /** Bytes of RAM. */
  readonly memory: number;
  /** Worker group the scenario asks for, or null for automatic placement. */
  readonly placement: number | null;
  /** When it stops, and for how long, in ps; none when left out. */
  readonly restarts?: readonly RestartPlan[] | undefined;
  /** Where the scenario says how much memory it has; a switch has none to speak of. */
  readonly place?: SourcePlace;
}

/** A place in a scenario file; lines and columns count from 1. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface RestartPlan {
  readonly at: number;
  readonly for: number;
}

export interface BusPlan {
  readonly index: number;
  readonly name: string;
  readonly type: string;
  /** Index of the node with the driver side. */
  readonly driver: number;
  /** Index of the node with the device side. */
  readonly device: number;
  /** Name of that node. */
  readonly deviceName: string;
  /** Packet port of this bus on the driver's and on the device's node. */
  readonly driverPort: number;
  readonly devicePort: number;
  /** virtio-msg revision spoken on it. */
  readonly revision: Revision;
  /** Options of the bus type, parsed by its schema. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What of it is in no draft of virtio-msg, in a few words each. */
  readonly beyondDrafts: readonly string[];
}

/** Revisions of virtio-msg, oldest first. */
export const REVISIONS = ['rfc3', 'v1', 'v2'] as const;
export type Revision = (typeof REVISIONS)[number];

/** Bits of the device numbers in message headers: 16 in all drafts. */
export type DeviceBits = 16 | 32;

export interface DevicePlan {
  readonly index: number;
  readonly name: string;
  readonly type: string;
  readonly bus: number;
  /** Device number on the bus, 0 … 65535, or 0 … 2^32 - 1 where the bus can say so. */
  readonly number: number;
  readonly options: Readonly<Record<string, unknown>>;
  /** When it comes and when it goes, in ps; there from the beginning, and to the end, without them. */
  readonly addAt?: number;
  readonly removeAt?: number;
}

/** Where packets arrive: a port of a node. */
export interface PacketPlace {
  readonly node: number;
  readonly port: number;
}

/** The cable of one device, both ways. */
export interface NetworkLinkPlan {
  readonly device: number;
  /** Name of the device. */
  readonly name: string;
  /** The device's own end. */
  readonly near: PacketPlace;
  /** A port of the switch, or the other device's end of a wire. */
  readonly far: PacketPlace;
}

/** An Ethernet: a switch with a cable to each device, or one cable between two devices. */
export interface NetworkPlan {
  readonly index: number;
  readonly name: string;
  readonly type: 'switch' | 'wire';
  /** Bytes/s of each cable, each way. */
  readonly rate: number;
  /** ps from one end of a cable to the other. */
  readonly latency: number;
  /** Bytes of frames that may wait at each port of a switch; more are dropped. */
  readonly buffer: number;
  /** Frames of a million that a cable loses. */
  readonly lossPerMillion: number;
  /** The switch's own node; null for a wire. */
  readonly node: number | null;
  readonly links: readonly NetworkLinkPlan[];
}

export interface WorkloadPlan {
  readonly index: number;
  readonly name: string;
  readonly type: string;
  readonly device: number;
  readonly options: Readonly<Record<string, unknown>>;
}

/** A fault rule on a bus: what it matches, what it does, when and how often. */
export interface FaultPlan {
  readonly bus: number;
  /** Instant from which the rule is armed, ps. */
  readonly at: number;
  readonly action: 'drop' | 'delay' | 'omit' | 'shrink';
  /** Name of the message it applies to, e.g. EVENT_USED or AREA_SHARE. */
  readonly message: string;
  /** How many times it acts; Infinity for always. */
  readonly count: number;
  /** Extra delay in ps for `delay`, pages for `shrink`, otherwise 0. */
  readonly amount: number;
}

export type EvidenceKind = 'measured' | 'specified' | 'guess';

/** What a timing constant is a quantity of. */
export type ConstantDimension = 'time' | 'rate' | 'size' | 'count';

export interface TimingConstant {
  /** `<owner>.<name>`, e.g. `ffa.worldSwitch`. */
  readonly name: string;
  /** ps for times, bytes/s for rates, bytes for sizes. */
  readonly value: number;
  readonly dimension: ConstantDimension;
  /** The value as the profile or scenario writes it, e.g. `1.2us`. */
  readonly text: string;
  readonly kind: EvidenceKind;
  readonly source: string;
}

export interface ProfilePlan {
  readonly name: string;
  readonly description: string;
  /** In the order of the constant table; the index is the constant's id at run time. */
  readonly constants: readonly TimingConstant[];
}

export interface ExpectationPlan {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

export interface Topology {
  readonly name: string;
  readonly description: string;
  /** The scenario file as given, and the folder that relative paths in it start from. */
  readonly file: string;
  readonly folder: string;
  readonly seed: number;
  readonly profile: ProfilePlan;
  readonly nodes: readonly NodePlan[];
  readonly buses: readonly BusPlan[];
  readonly networks: readonly NetworkPlan[];
  readonly devices: readonly DevicePlan[];
  readonly workloads: readonly WorkloadPlan[];
  readonly faults: readonly FaultPlan[];
  readonly until: { readonly workloadsDone: boolean; readonly atMost: number };
  readonly expect: readonly ExpectationPlan[];
}
