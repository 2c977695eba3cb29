// Types the rows of devices/index.ts.
import type { ZodObject, z } from 'zod';
import type {
  Device,
  DeviceDefinition,
  DeviceEnvironment,
  DevicePlan,
} from '../../platform/contracts/index.ts';
import { checkCommon } from './options.ts';

/** Types a device's row: its options are those of its schema, `commonOptions` among them. */
export function defineDevice<Schema extends ZodObject>(
  row: Omit<DeviceDefinition, 'options' | 'create'> & {
    readonly options: Schema;
    create(environment: DeviceEnvironment<z.output<Schema>>): Device;
  },
): DeviceDefinition {
  const wrapped: Omit<DeviceDefinition, 'create'> = {
    ...row,
    check: (plan, topology) => [
      ...checkCommon(plan as DevicePlan),
      ...(row.check?.(plan, topology) ?? []),
    ],
  };
  return wrapped as DeviceDefinition;
}
