// How a kind of device presents itself to the table in devices/index.ts.
import type { z, ZodObject } from 'zod';
import type { Definition, DevicePlan } from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';
import type { VirtioDevice } from './virtio-device.ts';

/** What a device is made from. */
export interface DeviceEnvironment<Options> {
  readonly node: Node;
  readonly plan: Omit<DevicePlan, 'options'> & { readonly options: Options };
  /** Makes a path of the scenario file absolute. */
  resolve(path: string): string;
}

/** A device, and what the run calls on it at the end. */
export type AnyDevice = VirtioDevice & { close?(): void };

export interface DeviceDefinition extends Definition {
  create(environment: DeviceEnvironment<never>): AnyDevice;
}

/** Types a device's row: its options are those of its schema. */
export function defineDevice<Schema extends ZodObject>(
  row: Omit<DeviceDefinition, 'options' | 'create'> & {
    readonly options: Schema;
    create(environment: DeviceEnvironment<z.output<Schema>>): AnyDevice;
  },
): DeviceDefinition {
  return row as DeviceDefinition;
}
