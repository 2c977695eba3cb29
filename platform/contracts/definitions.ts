// How devices, buses, drivers and workloads present themselves: one data object each, collected in
// the tables of devices/, buses/ and guests/. Loader, report, docs and contract tests read these.
import type { ZodObject } from 'zod';

/** A timing constant that a model needs; profiles give it value, source and kind. */
export interface TimingDefinition {
  /** `<owner>.<name>`, e.g. `ffa.worldSwitch`. */
  readonly name: string;
  readonly dimension: 'time' | 'rate';
  readonly doc: string;
}

/** What every row of a table says about itself, whatever it is. */
export interface Definition {
  /** The name that scenario files use. */
  readonly type: string;
  /** One sentence for `busbar list`. */
  readonly doc: string;
  /** Specification or public source it follows. */
  readonly spec: string;
  /** What the scenario may set; unknown keys are refused with the nearest name. */
  readonly options: ZodObject;
  readonly timing: readonly TimingDefinition[];
}
