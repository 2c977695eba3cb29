// What a scenario may say of any device: the features of virtio 1.4 §6 that it offers, and what befalls it.
import { z } from 'zod';
import type { DevicePlan, Finding } from '../../platform/contracts/index.ts';
import { time } from '../../platform/scenario/fields.ts';
import { F } from '../../platform/virtio/index.ts';

/** Option fields of every device; spread them into the device's schema. */
export const commonOptions = {
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
  orderPlatform: z
    .boolean()
    .default(false)
    .describe('Offer ORDER_PLATFORM: memory ordering takes barriers fit for hardware.'),
  resetTime: time({ min: 0 })
    .default(0)
    .describe('How long a reset takes; the status does not show 0 before.'),
  needsReset: z
    .array(time())
    .default([])
    .describe('Instants at which the device fails: it says DEVICE_NEEDS_RESET.'),
  resetQueues: z
    .array(z.strictObject({ at: time(), queue: z.int().min(0).max(65535).default(0) }))
    .default([])
    .describe('When the driver resets a queue, if the device is in use then; needs `ringReset`.'),
} as const;

/** Option field of devices that can return the chains of each queue in the order of their arrival. */
export const inOrderOption = {
  inOrder: z
    .boolean()
    .default(false)
    .describe('Offer IN_ORDER: requests of a queue come back in the order of their arrival.'),
} as const;

export type CommonOptions = z.output<z.ZodObject<typeof commonOptions>>;

/** Objects to resets of queues that the device does not offer. */
export function checkCommon({ options }: DevicePlan): readonly Finding[] {
  const { resetQueues, ringReset } = options as CommonOptions;
  if (resetQueues.length === 0 || ringReset) return [];
  const message = 'the device does not offer RING_RESET';
  return [{ field: 'resetQueues', message, expected: '`ringReset: true`' }];
}

/** The feature bits that these options offer. */
export function ringFeatures(options: CommonOptions & { readonly inOrder?: boolean }): bigint {
  return (
    (options.inOrder === true ? F.IN_ORDER : 0n) |
    (options.ring === 'packed' ? F.RING_PACKED : 0n) |
    (options.eventIdx ? F.EVENT_IDX : 0n) |
    (options.indirect ? F.INDIRECT_DESC : 0n) |
    (options.notificationData ? F.NOTIFICATION_DATA : 0n) |
    (options.ringReset ? F.RING_RESET : 0n) |
    (options.orderPlatform ? F.ORDER_PLATFORM : 0n) |
    (options.adminQueues > 0 ? F.ADMIN_VQ : 0n)
  );
}
