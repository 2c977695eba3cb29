// The driver of persistent memory as a row of the table of drivers.
import type { DriverDefinition } from '../../platform/contracts/index.ts';
import { PmemDriver } from './pmem-driver.ts';

export { PmemDriver } from './pmem-driver.ts';

export const pmem: DriverDefinition = {
  type: 'pmem',
  doc: 'Persistent memory as a disk: loads and stores of the region, flushes by request.',
  spec: 'virtio 1.4 §5.19',
  create: (environment) => new PmemDriver(environment),
};
