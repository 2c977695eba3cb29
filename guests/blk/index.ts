// The block driver as a row of the table of drivers.
import { blkConfig, blkFeatures } from '../../platform/virtio/index.ts';
import type { DriverRow } from '../common/index.ts';
import { BlkDriver } from './blk-driver.ts';
import { blkSteps } from './blk-steps.ts';

export { BLK_LOST, type BlkClient } from './blk-client.ts';
export { BlkDriver } from './blk-driver.ts';
export { BlockPlayer, blockRows } from './blk-steps.ts';
export type { BlockDriver } from './block-driver.ts';

export const blk: DriverRow = {
  type: 'blk',
  doc: 'Block driver: many queues bound to CPUs, recovery of a disk that fails, flush, discard, zones.',
  spec: 'virtio 1.4 §5.2',
  features: blkFeatures,
  config: blkConfig,
  writable: ['writeback'],
  steps: blkSteps,
  create: (environment) => new BlkDriver(environment),
};
