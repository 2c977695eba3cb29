// How devices, buses, drivers and workloads present themselves: one data object each, collected in
// the tables of devices/, buses/ and guests/. Loader, report, docs and contract tests read these.
import type { ZodObject } from 'zod';
import type {
  BusPlan,
  ConstantDimension,
  DeviceBits,
  DevicePlan,
  EvidenceKind,
  Topology,
  WorkloadPlan,
} from './topology.ts';

/** Which values a quantity may have, in base units. */
export interface Limits {
  readonly min?: number;
  readonly max?: number;
  /** It must be a multiple of this many base units. */
  readonly multipleOf?: number;
  readonly powerOfTwo?: true;
}

/** A timing constant that a model needs; profiles give it value, source and kind. */
export interface TimingDefinition {
  /** `<owner>.<name>`, e.g. `ffa.worldSwitch`. */
  readonly name: string;
  readonly dimension: ConstantDimension;
  readonly doc: string;
  /** For sizes and counts: which values there may be. */
  readonly limits?: Limits;
  /** Used where a profile has no row of this name; without it, such a profile is refused. */
  readonly fallback?: {
    readonly value: string;
    readonly kind: EvidenceKind;
    readonly source: string;
  };
}

/** Something that a definition's own check objects to in one entry of the scenario. */
export interface Finding {
  /** The key of the entry that is to blame, e.g. `driver`; null for the entry as a whole. */
  readonly field: string | null;
  readonly message: string;
  /** What would be right. */
  readonly expected: string;
}

/** What every row of a table says about itself, whatever it is. */
export interface Definition<
  Plan extends BusPlan | DevicePlan | WorkloadPlan = BusPlan | DevicePlan | WorkloadPlan,
> {
  /** The name that scenario files use. */
  readonly type: string;
  /** One sentence for `busbar list`. */
  readonly doc: string;
  /** Specification or public source it follows. */
  readonly spec: string;
  /** What the scenario may set; unknown keys are refused with the nearest name. */
  readonly options: ZodObject;
  readonly timing: readonly TimingDefinition[];
  /** Messages that cross a bus of this type, by name: what fault rules may match. */
  readonly messages?: readonly string[];
  /** For a bus: it may join a node to itself, its two sides being the kernel and a process, say. */
  readonly withinNode?: boolean;
  /** For a bus: what its options ask for that is in no draft of virtio-msg, in a few words each. */
  beyondDrafts?(options: Readonly<Record<string, unknown>>): readonly string[];
  /** For a bus: how wide its device numbers are; 16 bits when left out. */
  deviceBits?(options: Readonly<Record<string, unknown>>): DeviceBits;
  /** For a workload: types of device that it can use; all when left out. */
  readonly drives?: readonly string[];
  /** For a workload: what the scenario may set where it uses this device, if that is not `options`. */
  optionsOn?(device: DevicePlan): ZodObject;
  /** For a device: it has regions of shared memory. */
  readonly sharesMemory?: boolean;
  /** For a bus: why its devices cannot have such regions, or null when they can; without it they cannot. */
  regionsRefused?(options: Readonly<Record<string, unknown>>): string | null;
  /** Devices can come and go while a bus of this type is up. */
  readonly hotPlug?: boolean;
  /** Nodes with a bus of this type may stop and start again while the run goes on. */
  readonly restarts?: boolean;
  /** Looks at one entry of this type in the whole topology; each finding becomes an error. */
  check?(plan: Plan, topology: Topology): readonly Finding[];
}

/** Rows of definitions by type. Only composition roots import the real ones and hand them on. */
export interface Tables {
  readonly buses: Readonly<Record<string, Definition>>;
  readonly devices: Readonly<Record<string, Definition>>;
  readonly workloads: Readonly<Record<string, Definition>>;
}
