// What a scenario may say of any device: the features of virtio 1.4 §6 that it offers, and what befalls it.
import { z } from 'zod';
import type { DevicePlan, Finding } from '../../platform/contracts/index.ts';
import { count, time } from '../../platform/scenario/fields.ts';
import { F, QUEUE_SIZE_MAX } from '../../platform/virtio/index.ts';
import { fetchOption } from './fetch.ts';

/** A queue size that some ring format allows: any with packed rings, see `checkCommon`. */
export const queueSize = ({ min }: { readonly min: number }) => count({ min, max: QUEUE_SIZE_MAX });

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
  fetch: fetchOption,
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
  suspends: z
    .array(z.strictObject({ at: time(), for: time({ min: 1 }) }))
    .default([])
    .describe('When the driver suspends the device, if it is in use then; offers SUSPEND.'),
} as const;

/** Option field of devices that can return the chains of each queue in the order of their arrival. */
export const inOrderOption = {
  inOrder: z
    .boolean()
    .default(false)
    .describe('Offer IN_ORDER: requests of a queue come back in the order of their arrival.'),
} as const;

/** Option field of devices whose medium can lose its power. */
export const powerLossOption = {
  powerLoss: z
    .array(
      z.strictObject({
        at: time().describe('When the power goes.'),
        for: time({ min: 1 }).describe('How long the medium then serves nothing.'),
      }),
    )
    .default([])
    .describe('Power failures, e.g. [{ at: 3ms, for: 2ms }]: see below.'),
} as const;

export type CommonOptions = z.output<z.ZodObject<typeof commonOptions>>;

/** Objects to queues that the ring format does not have, to resets of queues that are not offered, and more. */
export function checkCommon({ options }: DevicePlan): readonly Finding[] {
  const { resetQueues, ringReset, ring, suspends } = options as CommonOptions;
  const { queueSize: entries } = options as { queueSize: number };
  const findings: Finding[] = [];
  const above = 2 ** Math.ceil(Math.log2(entries));
  if (ring === 'split' && entries !== above) {
    const message = 'the size of a split ring is a power of two';
    const expected = `${above / 2} or ${above}, or \`ring: packed\``;
    findings.push({ field: 'queueSize', message, expected });
  }
  if (resetQueues.length > 0 && !ringReset) {
    const message = 'the device does not offer RING_RESET';
    findings.push({ field: 'resetQueues', message, expected: '`ringReset: true`' });
  }
  const sorted = suspends.toSorted((a, b) => a.at - b.at);
  if (sorted.some(({ at }, i) => i > 0 && at < sorted[i - 1].at + sorted[i - 1].for)) {
    const message = 'the device is suspended already';
    findings.push({ field: 'suspends', message, expected: 'one time after the end of another' });
  }
  return findings;
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
    (options.adminQueues > 0 ? F.ADMIN_VQ : 0n) |
    (options.suspends.length > 0 ? F.SUSPEND : 0n)
  );
}
