// What a scenario may say of an I2C adapter and the clock chip behind it.
import { z } from 'zod';
import { count } from '../../platform/scenario/fields.ts';
import { DS1338_ADDRESS, parseClockTime } from '../../platform/virtio/index.ts';
import { commonOptions, inOrderOption, queueSize } from '../common/index.ts';

export const i2cOptions = z.strictObject({
  queueSize: queueSize({ min: 32 }).default(64).describe('Largest size of the request queue.'),
  ...commonOptions,
  ...inOrderOption,
  mode: z
    .enum(['standard', 'fast'])
    .default('standard')
    .describe('Clock of the I2C bus: 100 kHz or 400 kHz.'),
  clockAddress: count({ min: 8, max: 0x77 })
    .default(DS1338_ADDRESS)
    .describe('Address of the DS1338 clock chip, 7 bits.'),
  clockStart: z
    .string()
    .refine((text) => parseClockTime(text) !== null, {
      error: 'not a time of the years 2000 to 2099',
      params: { expected: 'a time such as 2024-02-29 23:59:58' },
    })
    .default('2000-01-01 00:00:00')
    .describe('What the clock shows at the start of simulated time.'),
});

export type I2cOptions = z.output<typeof i2cOptions>;
