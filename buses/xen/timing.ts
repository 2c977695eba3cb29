// Timing constants of the Xen bus.
import type { TimingDefinition } from '../../platform/contracts/index.ts';

export const xenTiming = [
  { name: 'xen.eventSend', dimension: 'time', doc: 'EVTCHNOP_send, for its caller.' },
  {
    name: 'xen.eventDelivery',
    dimension: 'time',
    doc: 'From the send to a pending upcall in the other domain, as a rule.',
  },
  {
    name: 'xen.eventOutlier',
    dimension: 'time',
    doc: 'The same when it takes exceptionally long.',
  },
  {
    name: 'xen.grantEntry',
    dimension: 'time',
    doc: 'Writing or clearing one entry of the own grant table.',
  },
  { name: 'xen.grantMap', dimension: 'time', doc: 'GNTTABOP_map_grant_ref, for each page.' },
  { name: 'xen.grantUnmap', dimension: 'time', doc: 'GNTTABOP_unmap_grant_ref, for each page.' },
  {
    name: 'xen.grantCopy',
    dimension: 'time',
    doc: 'GNTTABOP_copy, for each piece, besides its bytes.',
  },
  { name: 'xen.xenstore', dimension: 'time', doc: 'A key of XenStore is written and seen.' },
  {
    name: 'xen.mmioTrap',
    dimension: 'time',
    doc: 'An access to the window of a proxy: into the hypervisor, served there, and back.',
  },
  {
    name: 'xen.accessPoll',
    dimension: 'time',
    doc: 'Time between two looks of a guest at a busy proxy.',
  },
  { name: 'xen.fullRetry', dimension: 'time', doc: 'Time before a full queue is looked at again.' },
  { name: 'xen.requestTimeout', dimension: 'time', doc: 'Time that a request may take.' },
  {
    name: 'xen.statusPoll',
    dimension: 'time',
    doc: 'Time before a device status is asked for again.',
  },
] as const satisfies readonly TimingDefinition[];
