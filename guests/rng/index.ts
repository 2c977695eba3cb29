// The entropy driver as a row of the table of drivers.
import type { DriverDefinition } from '../../platform/contracts/index.ts';
import { RngDriver } from './rng-driver.ts';

export { type RngClient, RngDriver } from './rng-driver.ts';

export const rng: DriverDefinition = {
  type: 'rng',
  doc: 'Entropy driver.',
  spec: 'virtio 1.4 §5.4',
  create: (environment) => new RngDriver(environment),
};
