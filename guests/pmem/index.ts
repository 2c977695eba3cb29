// The driver of persistent memory as a row of the table of drivers.
import { pmemConfig, pmemFeatures } from '../../platform/virtio/index.ts';
import type { DriverRow } from '../common/index.ts';
import { PmemDriver } from './pmem-driver.ts';
import { pmemSteps } from './pmem-steps.ts';

export { PmemDriver } from './pmem-driver.ts';

export const pmem: DriverRow = {
  type: 'pmem',
  doc: 'Persistent memory as a disk: loads and stores of the region, flushes by request.',
  spec: 'virtio 1.4 §5.19',
  features: pmemFeatures,
  config: pmemConfig,
  steps: pmemSteps,
  create: (environment) => new PmemDriver(environment),
};
