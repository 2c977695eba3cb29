// The row of the GPIO driver, and what workloads know of it.
import type { DriverDefinition } from '../../platform/contracts/index.ts';
import { GpioDriver } from './gpio-driver.ts';

export { type GpioClient, GpioDriver, GpioResult } from './gpio-driver.ts';

export const gpio: DriverDefinition = {
  type: 'gpio',
  doc: 'GPIO driver: lines, their names, and their interrupts.',
  spec: 'virtio 1.4 §5.18',
  create: (environment) => new GpioDriver(environment),
};
