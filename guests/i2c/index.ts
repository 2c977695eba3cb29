// The row of the I2C driver, and what workloads know of it.
import { i2cFeatures } from '../../platform/virtio/index.ts';
import type { DriverRow } from '../common/index.ts';
import { I2cDriver } from './i2c-driver.ts';
import { i2cSteps } from './i2c-steps.ts';

export {
  type I2cClient,
  I2cDriver,
  type I2cMessage,
  I2cResult,
} from './i2c-driver.ts';

export const i2c: DriverRow = {
  type: 'i2c',
  doc: 'I2C adapter driver: transfers of grouped messages, with a time limit.',
  spec: 'virtio 1.4 §5.16',
  features: i2cFeatures,
  steps: i2cSteps,
  create: (environment) => new I2cDriver(environment),
};
