// What a scenario may say of an entropy source.
import { z } from 'zod';
import { size } from '../../platform/scenario/fields.ts';
import { commonOptions, inOrderOption, queueSize } from '../common/index.ts';

export const rngOptions = z.strictObject({
  queueSize: queueSize({ min: 1 }).default(64).describe('Largest size of the request queue.'),
  ...commonOptions,
  ...inOrderOption,
  chunk: size({ min: 1, max: 65536 })
    .default(65536)
    .describe('Bytes it gives at the most for one request; a driver must cope with fewer.'),
});

export type RngOptions = z.output<typeof rngOptions>;
