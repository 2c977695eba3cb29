// Timing constants of the ivshmem bus.
import type { TimingDefinition } from '../../platform/contracts/index.ts';

export const ivshmemTiming = [
  {
    name: 'ivshmem.doorbell',
    dimension: 'time',
    doc: 'A write to DOORBELL, which leaves the VM, for the core that writes.',
  },
  {
    name: 'ivshmem.doorbellDelivery',
    dimension: 'time',
    doc: "From the doorbell to a pending interrupt in the peer's VM.",
  },
  {
    name: 'ivshmem.statusRead',
    dimension: 'time',
    doc: 'A read of INTR_STATUS, which leaves the VM and acknowledges INTx.',
  },
  {
    name: 'ivshmem.readyPoll',
    dimension: 'time',
    doc: 'Time between two looks at the flag of a peer that is not ready.',
  },
  {
    name: 'ivshmem.fullRetry',
    dimension: 'time',
    doc: 'Time before a full queue is looked at again.',
  },
  { name: 'ivshmem.requestTimeout', dimension: 'time', doc: 'Time that a request may take.' },
  {
    name: 'ivshmem.statusPoll',
    dimension: 'time',
    doc: 'Time before a device status is asked for again.',
  },
] as const satisfies readonly TimingDefinition[];
