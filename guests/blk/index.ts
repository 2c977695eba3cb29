// The block driver as a row of the table of drivers.
import type { DriverDefinition } from '../../platform/contracts/index.ts';
import { BlkDriver } from './blk-driver.ts';

export { BLK_LOST, type BlkClient } from './blk-client.ts';
export { BlkDriver } from './blk-driver.ts';
export type { BlockDriver } from './block-driver.ts';

export const blk: DriverDefinition = {
  type: 'blk',
  doc: 'Block driver: many queues bound to CPUs, recovery of a disk that fails, flush, discard, zones.',
  spec: 'virtio 1.4 §5.2',
  create: (environment) => new BlkDriver(environment),
};
