// The row of the I2C driver, and what workloads know of it.
import type { DriverDefinition } from '../../platform/contracts/index.ts';
import { I2cDriver } from './i2c-driver.ts';

export {
  type I2cClient,
  I2cDriver,
  type I2cMessage,
  I2cResult,
} from './i2c-driver.ts';

export const i2c: DriverDefinition = {
  type: 'i2c',
  doc: 'I2C adapter driver: transfers of grouped messages, with a time limit.',
  spec: 'virtio 1.4 §5.16',
  create: (environment) => new I2cDriver(environment),
};
