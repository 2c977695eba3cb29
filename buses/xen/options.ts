// What a scenario may say of a Xen bus.
import { z } from 'zod';
import type { BusPlan, Finding, Topology, WithOptions } from '../../platform/contracts/index.ts';
import { count, oneOfNames, size } from '../../platform/scenario/fields.ts';
import {
  dataPath,
  deviceNumbers,
  discovery,
  pingInterval,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';

export const xenOptions = z.strictObject({
  frontEnd: oneOfNames(['messages', 'mmio'])
    .default('messages')
    .describe(
      'What the driver side sees: virtio-msg, or a non-blocking virtio-mmio device that a proxy in the ' +
        'hypervisor makes believe (one device, no grants, six-byte headers).',
    ),
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
    .array(z.enum(['leftoverWaits', 'configWordLost', 'featuresAgain']))
    .default([])
    .describe(
      'Known defects to have. leftoverWaits: messages beyond the budget wait for the next event. ' +
        'configWordLost: the proxy loses configuration that is read 4 bytes at a time. featuresAgain: the ' +
        'proxy sets the features anew with each status that has FEATURES_OK.',
    ),
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
  const typed = plan as XenPlan;
  return [
    ...checkLife(typed, topology),
    ...checkTables(typed, topology),
    ...checkProxy(typed, topology),
  ];
}

/** What a proxy cannot do: its protocol is that of 2025, and knows one device and no bus messages. */
function checkProxy(
  { index, device, revision, options }: XenPlan,
  { devices, nodes }: Topology,
): readonly Finding[] {
  if (options.frontEnd !== 'mmio') return [];
  const { discovery: found, grants, pingInterval: ping, data, deviceNumbers: numbers } = options;
  const { restarts = [] } = nodes[device];
  const findings: Finding[] = [];
  const demand = (holds: boolean, field: string | null, message: string, expected: string) => {
    if (!holds) findings.push({ field, message, expected });
  };
  const count = devices.filter(({ bus }) => bus === index).length;
  demand(count <= 1, null, `a proxy has one device, not ${count}`, 'a bus for each device');
  demand(revision !== 'v2', 'revision', 'messages of v2 are too long for a proxy', 'v1 or rfc3');
  demand(found === 'static', 'discovery', 'a proxy sends no bus messages', 'static');
  demand(ping === undefined, 'pingInterval', 'a proxy sends no bus messages', 'no PINGs');
  demand(data === 'shared', 'data', 'a proxy has frames mapped for it', 'shared');
  demand(numbers === '16bit', 'deviceNumbers', 'headers of a proxy have 16 bits', '16bit');
  demand(grants === 'map', 'grants', 'a proxy has no grants: frames are mapped', 'map');
  const lost = 'a proxy does not tell its guest that the device domain is gone';
  demand(restarts.length === 0, 'frontEnd', lost, 'messages');
  return findings;
}

/** A guest that is destroyed takes its grants with it; only the other side knows how to go on. */
function checkLife({ driver }: XenPlan, { nodes }: Topology): readonly Finding[] {
  const { name, restarts = [] } = nodes[driver];
  if (restarts.length === 0) return [];
  const message = `'${name}' restarts, which its device domain does not know how to survive`;
  return [{ field: 'driver', message, expected: 'restarts of the device domain only' }];
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
