// What a scenario may say of an FF-A bus.
import { z } from 'zod';
import type { BusPlan, WithOptions } from '../../platform/contracts/index.ts';
import { size, time } from '../../platform/scenario/fields.ts';

/** x4 … x17 of a direct message could carry 112 bytes; Linux uses 104 of them. */
const REGISTER_BYTES = 112;

export const ffaOptions = z.strictObject({
  messages: z
    .literal('direct')
    .default('direct')
    .describe('How messages move: direct (FFA_MSG_SEND_DIRECT_REQ2, the caller lends its CPU).'),
  events: z
    .enum(['notification', 'poll'])
    .default('notification')
    .describe('How the driver hears of events: an FF-A notification, or a timer; then EVENT_POLL.'),
  pollInterval: time({ min: 1 })
    .optional()
    .describe(
      'Time between two polls with events: poll. Default: ffa.pollInterval of the profile.',
    ),
  maxMessageSize: size({ min: 8, max: REGISTER_BYTES })
    .default(104)
    .describe('Largest message: 104 B in Linux, 96 B in OP-TEE and Trusty, at most 112 B.'),
  areaSize: size({ min: 0, multipleOf: 4096 })
    .default(0)
    .describe('Share memory in areas of at least this size; 0 shares each allocation by itself.'),
});

export type FfaOptions = z.output<typeof ffaOptions>;

/** A bus's plan with its options. */
export type FfaPlan = WithOptions<BusPlan, FfaOptions>;
