// The row of the console driver, and what workloads know of it.
import { consoleConfig, consoleFeatures } from '../../platform/virtio/index.ts';
import type { DriverRow } from '../common/index.ts';
import { ConsoleDriver } from './console-driver.ts';
import { consoleSteps } from './console-steps.ts';

export { ConsoleDriver } from './console-driver.ts';
export type { ConsoleClient, PortInfo } from './driver-port.ts';

export const consoleDriver: DriverRow = {
  type: 'console',
  doc: 'Console driver: ports as the device announces them, and the emergency write.',
  spec: 'virtio 1.4 §5.3',
  features: consoleFeatures,
  config: consoleConfig,
  writable: ['emergWr'],
  steps: consoleSteps,
  create: (environment) => new ConsoleDriver(environment),
};
