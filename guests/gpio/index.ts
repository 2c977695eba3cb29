// The row of the GPIO driver, and what workloads know of it.
import { gpioConfig, gpioFeatures } from '../../platform/virtio/index.ts';
import type { DriverRow } from '../common/index.ts';
import { GpioDriver } from './gpio-driver.ts';
import { gpioSteps } from './gpio-steps.ts';

export { type GpioClient, GpioDriver, GpioResult } from './gpio-driver.ts';
export { GPIO_INTERRUPTS, interruptField } from './interrupt-types.ts';

export const gpio: DriverRow = {
  type: 'gpio',
  doc: 'GPIO driver: lines, their names, and their interrupts.',
  spec: 'virtio 1.4 §5.18',
  features: gpioFeatures,
  config: gpioConfig,
  steps: gpioSteps,
  create: (environment) => new GpioDriver(environment),
};
