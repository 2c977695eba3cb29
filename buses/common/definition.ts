// Types the rows of buses/index.ts.
import type { ZodObject, z } from 'zod';
import type {
  BusDefinition,
  BusEnvironment,
  DeviceBusEnd,
  DriverBusEnd,
  Observed,
} from '../../platform/contracts/index.ts';

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
