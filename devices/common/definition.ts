// Types the rows of devices/index.ts.
import type { ZodObject, z } from 'zod';
import type {
  Device,
  DeviceDefinition,
  DeviceEnvironment,
} from '../../platform/contracts/index.ts';

/** Types a device's row: its options are those of its schema. */
export function defineDevice<Schema extends ZodObject>(
  row: Omit<DeviceDefinition, 'options' | 'create'> & {
    readonly options: Schema;
    create(environment: DeviceEnvironment<z.output<Schema>>): Device;
  },
): DeviceDefinition {
  return row as DeviceDefinition;
}
