// What a scenario may say of the rings of any device: the features of virtio 1.4 §6 that it offers.
import { z } from 'zod';
import { F } from '../../platform/virtio/index.ts';

/** Option fields of every device; spread them into the device's schema. */
export const ringOptions = {
  ring: z.enum(['split', 'packed']).default('split').describe('Format of the virtqueues offered.'),
  eventIdx: z
    .boolean()
    .default(false)
    .describe('Offer EVENT_IDX: both sides name the place of the next notification they want.'),
  indirect: z
    .boolean()
    .default(false)
    .describe('Offer INDIRECT_DESC: a chain may lie in a table of its own.'),
  notificationData: z
    .boolean()
    .default(false)
    .describe('Offer NOTIFICATION_DATA: a notification says how far the ring is filled.'),
  ringReset: z
    .boolean()
    .default(false)
    .describe('Offer RING_RESET: one queue can be reset while the others go on.'),
  adminQueues: z
    .int()
    .min(0)
    .max(8)
    .default(0)
    .describe('Offer ADMIN_VQ, with so many administration virtqueues behind the others.'),
} as const;

export type RingOptions = z.output<z.ZodObject<typeof ringOptions>>;

/** The feature bits that these options offer. */
export function ringFeatures(options: RingOptions): bigint {
  return (
    (options.ring === 'packed' ? F.RING_PACKED : 0n) |
    (options.eventIdx ? F.EVENT_IDX : 0n) |
    (options.indirect ? F.INDIRECT_DESC : 0n) |
    (options.notificationData ? F.NOTIFICATION_DATA : 0n) |
    (options.ringReset ? F.RING_RESET : 0n) |
    (options.adminQueues > 0 ? F.ADMIN_VQ : 0n)
  );
}
