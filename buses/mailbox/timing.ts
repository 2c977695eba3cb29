// Timing constants of the mailbox bus.
import type { TimingDefinition } from '../../platform/contracts/index.ts';

export const mailboxTiming = [
  {
    name: 'mailbox.registerWrite',
    dimension: 'time',
    doc: 'A write to the message unit that sets or clears a flag, for the core that writes.',
  },
  {
    name: 'mailbox.signal',
    dimension: 'time',
    doc: 'From a flag of the message unit to a pending interrupt at the other core.',
  },
  {
    name: 'mailbox.carveOutLatency',
    dimension: 'time',
    doc: 'One way of an access to the carve-out, which is not cached.',
  },
  {
    name: 'mailbox.carveOutBandwidth',
    dimension: 'rate',
    doc: 'Bytes between the device side and the carve-out.',
  },
  {
    name: 'mailbox.readyPoll',
    dimension: 'time',
    doc: 'Time between two looks at a shared area that is not set up.',
  },
  {
    name: 'mailbox.fullRetry',
    dimension: 'time',
    doc: 'Time before a full queue is looked at again.',
  },
  { name: 'mailbox.requestTimeout', dimension: 'time', doc: 'Time that a request may take.' },
  {
    name: 'mailbox.statusPoll',
    dimension: 'time',
    doc: 'Time before a device status is asked for again.',
  },
] as const satisfies readonly TimingDefinition[];
