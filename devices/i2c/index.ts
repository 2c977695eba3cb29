// The row of the I2C adapter.
import { defineDevice } from '../common/index.ts';
import { I2cDevice } from './i2c-device.ts';
import { i2cOptions } from './options.ts';

export const i2c = defineDevice({
  type: 'i2c',
  doc: 'An I2C adapter with a DS1338 clock chip behind it, which runs on simulated time.',
  spec: 'virtio 1.4 §5.16',
  options: i2cOptions,
  timing: [
    { name: 'i2c.standardClock', dimension: 'time', doc: 'Period of the bus clock at 100 kHz.' },
    { name: 'i2c.fastClock', dimension: 'time', doc: 'Period of the bus clock at 400 kHz.' },
    {
      name: 'i2c.requestTimeout',
      dimension: 'time',
      doc: 'A driver gives a transfer up that makes no progress for so long.',
    },
  ],
  create: (environment) => new I2cDevice(environment),
});
