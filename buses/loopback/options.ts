// What a scenario may say of a loopback bus.
import { z } from 'zod';
import type { BusPlan, WithOptions } from '../../platform/contracts/index.ts';
import { oneOfNames, size, time } from '../../platform/scenario/fields.ts';
import { dataPath, pingInterval } from '../common/index.ts';

export const loopbackOptions = z.strictObject({
  style: oneOfNames(['rings', 'spin'])
    .default('rings')
    .describe(
      'rings: two rings and eventfds (Linux bridge of 2026); spin: read and write of a character ' +
        'device, the kernel spinning for each answer (Linux RFC of 2025).',
    ),
  maxMessageSize: size({ min: 72, max: 264 })
    .prefault('128B')
    .describe('Largest message. A bridge demands 72 B; ring entries are multiples of 128 B.'),
  entries: z
    .literal([2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
    .default(256)
    .describe('Entries of each ring, a power of two.'),
  pool: size({ min: 4096, max: 2 ** 30, multipleOf: 4096 })
    .prefault('4MiB')
    .describe('Memory that devices may reach (restricted-dma-pool).'),
  resets: z
    .array(time({ min: 1 }))
    .default([])
    .describe(
      'Instants at which the bus is reset: its pool is unmapped, it goes offline, and comes back in a new ' +
        'epoch. Rings only.',
    ),
  data: dataPath(),
  pingInterval: pingInterval(),
});

export type LoopbackOptions = z.output<typeof loopbackOptions>;

/** A bus's plan with its options. */
export type LoopbackPlan = WithOptions<BusPlan, LoopbackOptions>;
