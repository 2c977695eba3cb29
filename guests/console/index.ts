// The row of the console driver, and what workloads know of it.
import type { DriverDefinition } from '../../platform/contracts/index.ts';
import { ConsoleDriver } from './console-driver.ts';

export { ConsoleDriver } from './console-driver.ts';
export type { ConsoleClient, PortInfo } from './driver-port.ts';

export const consoleDriver: DriverDefinition = {
  type: 'console',
  doc: 'Console driver: ports as the device announces them, and the emergency write.',
  spec: 'virtio 1.4 §5.3',
  create: (environment) => new ConsoleDriver(environment),
};
