// What a scenario may say of a Xen bus.
import { z } from 'zod';
import type { BusPlan, WithOptions } from '../../platform/contracts/index.ts';
import { count, oneOfNames, size } from '../../platform/scenario/fields.ts';
import { discovery, pingInterval, SPSC_SLOT_SIZE } from '../common/index.ts';

export const xenOptions = z.strictObject({
  maxMessageSize: size({ min: 8, max: SPSC_SLOT_SIZE })
    .prefault('64B')
    .describe('Largest message: a slot has 64 B, of which the code of 2025 uses 48 B.'),
  grants: oneOfNames(['map', 'copy'])
    .default('map')
    .describe(
      'How the device side uses granted pages: mapped at their first use and kept, or by a hypercall ' +
        'that copies, each time.',
    ),
  grantFrames: count({ min: 1, max: 1024 })
    .default(64)
    .describe("Pages of the driver side's grant table, for 512 grants each (gnttab_max_frames)."),
  receiveBudget: count({ min: 1 })
    .default(3)
    .describe('Messages that one upcall takes before it makes way for other work.'),
  outliersPerMillion: count({ max: 1_000_000 })
    .default(0)
    .describe('Events of a million that take xen.eventOutlier instead of xen.eventDelivery.'),
  quirks: z
    .array(z.enum(['leftoverWaits']))
    .default([])
    .describe(
      'Known defects to have. leftoverWaits: messages beyond the budget wait for the next event.',
    ),
  discovery: discovery('static'),
  pingInterval: pingInterval(),
});

export type XenOptions = z.output<typeof xenOptions>;

/** A bus's plan with its options. */
export type XenPlan = WithOptions<BusPlan, XenOptions>;
