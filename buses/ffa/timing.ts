// Timing constants of the FF-A bus.
import type { TimingDefinition } from '../../platform/contracts/index.ts';
import type { Costs } from '../../platform/timing/index.ts';

export const ffaTiming = [
  {
    name: 'ffa.worldSwitch',
    dimension: 'time',
    doc: 'One way between normal and secure world, through EL3 and the SPMC.',
  },
  {
    name: 'ffa.vmSwitch',
    dimension: 'time',
    doc: 'One way between two VMs of the normal world, through the hypervisor.',
  },
  { name: 'ffa.schedule', dimension: 'time', doc: 'Having the receiver of a message scheduled.' },
  {
    name: 'ffa.indirectRetry',
    dimension: 'time',
    doc: 'Time before FFA_MSG_SEND2 is tried again.',
  },
  { name: 'ffa.spmcRoute', dimension: 'time', doc: 'The SPMC validates and routes one call.' },
  { name: 'ffa.notificationSet', dimension: 'time', doc: 'FFA_NOTIFICATION_SET, for its caller.' },
  {
    name: 'ffa.notificationDelivery',
    dimension: 'time',
    doc: 'From the set to a pending interrupt at the receiver.',
  },
  { name: 'ffa.notificationGet', dimension: 'time', doc: 'FFA_NOTIFICATION_GET, for its caller.' },
  { name: 'ffa.memShare', dimension: 'time', doc: 'FFA_MEM_SHARE, besides its pages.' },
  { name: 'ffa.memPage', dimension: 'time', doc: 'Sharing or retrieving one page.' },
  { name: 'ffa.memRetrieve', dimension: 'time', doc: 'FFA_MEM_RETRIEVE_REQ, besides its pages.' },
  { name: 'ffa.partitionInfo', dimension: 'time', doc: 'FFA_PARTITION_INFO_GET, for its caller.' },
  { name: 'ffa.pollInterval', dimension: 'time', doc: 'Time between two polls for events.' },
  { name: 'ffa.requestTimeout', dimension: 'time', doc: 'Time that a request may take.' },
  { name: 'ffa.busyRetry', dimension: 'time', doc: 'Time before a busy partition is asked again.' },
  {
    name: 'ffa.initRetry',
    dimension: 'time',
    doc: 'Time before a partition that does not run is looked for again.',
  },
  {
    name: 'ffa.reclaimRetry',
    dimension: 'time',
    doc: 'Time before FFA_MEM_RECLAIM is tried again.',
  },
  {
    name: 'ffa.notificationRetry',
    dimension: 'time',
    doc: 'Time before FFA_NOTIFICATION_SET is tried again; it doubles five times.',
  },
] as const satisfies readonly TimingDefinition[];

export type FfaTiming = { readonly [K in (typeof ffaTiming)[number]['name'] as Short<K>]: number };
type Short<K extends string> = K extends `ffa.${infer Name}` ? Name : never;

/** Ids of the constants by their short names. */
export function ffaTimingIds(costs: Costs): FfaTiming {
  const ids = ffaTiming.map(({ name }) => [name.slice('ffa.'.length), costs.idOf(name)]);
  return Object.fromEntries(ids) as FfaTiming;
}
