// What a scenario may say of a Xen bus.
import { z } from 'zod';
import type { BusPlan, Finding, Topology, WithOptions } from '../../platform/contracts/index.ts';
import { count, oneOfNames, size, time } from '../../platform/scenario/fields.ts';
import {
  dataPath,
  deviceNumbers,
  discovery,
  pingInterval,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';

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
    .describe(
      'Pages of the grant table of a domain, for 512 grants each (gnttab_max_frames). A domain has one ' +
        'table: all its buses say the same.',
    ),
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
  destroyAt: time({ min: 1 })
    .optional()
    .describe('The device domain is destroyed at this time: its channels and mappings go with it.'),
  restartAt: time({ min: 1 })
    .optional()
    .describe('The device domain that was destroyed is there again.'),
  discovery: discovery('static'),
  deviceNumbers: deviceNumbers(),
  data: dataPath(),
  pingInterval: pingInterval(),
});

export type XenOptions = z.output<typeof xenOptions>;

/** A bus's plan with its options. */
export type XenPlan = WithOptions<BusPlan, XenOptions>;

/** Looks at what the schema alone cannot check. */
export function checkXen(plan: BusPlan, topology: Topology): readonly Finding[] {
  return [...checkLife(plan as XenPlan), ...checkTables(plan as XenPlan, topology)];
}

function checkLife({ options }: XenPlan): readonly Finding[] {
  const { destroyAt = Infinity, restartAt } = options;
  if (restartAt === undefined || restartAt > destroyAt) return [];
  const message = 'the device domain is there at that time';
  return [{ field: 'restartAt', message, expected: 'a time after destroyAt' }];
}

/** A domain has one grant table, however many buses it is on. */
function checkTables(
  { index, type, driver, device, options }: XenPlan,
  { buses, nodes }: Topology,
): readonly Finding[] {
  const { grantFrames } = options;
  const other = buses.find(
    (bus) =>
      bus.type === type &&
      bus.index < index &&
      [bus.driver, bus.device].some((node) => node === driver || node === device) &&
      (bus as XenPlan).options.grantFrames !== grantFrames,
  ) as XenPlan | undefined;
  if (other === undefined) return [];
  const shared = [other.driver, other.device].find((node) => node === driver || node === device)!;
  const frames = other.options.grantFrames;
  const message = `domain '${nodes[shared].name}' has one grant table, of ${frames} pages for '${other.name}'`;
  return [{ field: 'grantFrames', message, expected: `${frames}` }];
}
