// The row of the balloon driver, and what workloads know of it.
import type { DriverDefinition } from '../../platform/contracts/index.ts';
import { BalloonDriver } from './balloon-driver.ts';

export type { BalloonClient } from './balloon-client.ts';
export { BATCH_PAGES, BalloonDriver } from './balloon-driver.ts';

export const balloon: DriverDefinition = {
  type: 'balloon',
  doc: "Balloon driver: gives pages of its node's memory as the device asks, and takes them back.",
  spec: 'virtio 1.4 §5.5',
  create: (environment) => new BalloonDriver(environment),
};
