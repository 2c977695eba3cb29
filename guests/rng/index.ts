// The entropy driver as a row of the table of drivers.
import type { DriverRow } from '../common/index.ts';
import { RngDriver } from './rng-driver.ts';
import { rngSteps } from './rng-steps.ts';

export { type RngClient, RngDriver } from './rng-driver.ts';
export { SourceCheck } from './source-check.ts';

export const rng: DriverRow = {
  type: 'rng',
  doc: 'Entropy driver.',
  spec: 'virtio 1.4 §5.4',
  steps: rngSteps,
  create: (environment) => new RngDriver(environment),
};
