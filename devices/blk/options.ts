// What a scenario may say of a block device.
import { z } from 'zod';
import { inputFile, size } from '../../platform/scenario/fields.ts';
import { ringOptions } from '../common/index.ts';

export const blkOptions = z.strictObject({
  image: inputFile().optional().describe('Image file, relative to the scenario; read on demand.'),
  capacity: size({ min: 512, multipleOf: 512 })
    .default(64 * 1024 * 1024)
    .describe('Size of a disk without an image; it begins as zeroes.'),
  writeBack: z
    .boolean()
    .default(false)
    .describe('Write changed bytes to the image when the run ends.'),
  queueSize: z
    .literal([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768])
    .default(256)
    .describe('Largest size of the request queue.'),
  queues: z.literal(1).default(1).describe('Number of request queues.'),
  ...ringOptions,
  parallel: z
    .int()
    .min(1)
    .max(1024)
    .default(8)
    .describe('Requests that the medium serves at the same time.'),
  serial: z.string().max(20).default('busbar').describe('What GET_ID answers.'),
});

export type BlkOptions = z.output<typeof blkOptions>;
