// How a bus type presents itself to the table in buses/index.ts.
import type { z, ZodObject } from 'zod';
import type {
  BusPlan,
  Definition,
  DeviceBusEnd,
  DriverBusEnd,
  FaultPlan,
} from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';

/** What one end of a bus is made from. */
export interface BusEnvironment<Options> {
  readonly node: Node;
  readonly plan: Omit<BusPlan, 'options'> & { readonly options: Options };
  /** Fault rules of this bus. Each end gets all and applies those that concern what it sends. */
  readonly faults: readonly FaultPlan[];
}

/** Counters of one end of a bus, by name; the report adds up both ends. */
export type BusStatistics = Readonly<Record<string, number>>;

export interface Observed {
  statistics(): BusStatistics;
}

export interface BusDefinition extends Definition {
  createDriverEnd(environment: BusEnvironment<never>): DriverBusEnd & Observed;
  createDeviceEnd(environment: BusEnvironment<never>): DeviceBusEnd & Observed;
  /**
   * Names of the timing constants of which the smallest is the least latency of any packet on this
   * bus: the lookahead when its two nodes run on different threads.
   */
  readonly latencies: readonly string[];
}

/** Types a bus's row: its options are those of its schema. */
export function defineBus<Schema extends ZodObject>(
  row: Omit<BusDefinition, 'options' | 'createDriverEnd' | 'createDeviceEnd'> & {
    readonly options: Schema;
    createDriverEnd(environment: BusEnvironment<z.output<Schema>>): DriverBusEnd & Observed;
    createDeviceEnd(environment: BusEnvironment<z.output<Schema>>): DeviceBusEnd & Observed;
  },
): BusDefinition {
  return row as BusDefinition;
}
