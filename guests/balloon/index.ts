// The row of the balloon driver, and what workloads know of it.
import { balloonConfig, balloonFeatures } from '../../platform/virtio/index.ts';
import type { DriverRow } from '../common/index.ts';
import { BalloonDriver } from './balloon-driver.ts';
import { balloonSteps } from './balloon-steps.ts';

export type { BalloonClient } from './balloon-client.ts';
export { BATCH_PAGES, BalloonDriver } from './balloon-driver.ts';

export const balloon: DriverRow = {
  type: 'balloon',
  doc: "Balloon driver: gives pages of its node's memory as the device asks, and takes them back.",
  spec: 'virtio 1.4 §5.5',
  features: balloonFeatures,
  config: balloonConfig,
  writable: ['actual', 'poisonVal'],
  steps: balloonSteps,
  create: (environment) => new BalloonDriver(environment),
};
