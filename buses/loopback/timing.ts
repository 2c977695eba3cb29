// Timing constants of the loopback bus.
import type { TimingDefinition } from '../../platform/contracts/index.ts';

export const loopbackTiming = [
  {
    name: 'loopback.systemCall',
    dimension: 'time',
    doc: 'A read, write or ioctl of a process, without what it does.',
  },
  {
    name: 'loopback.eventfdSignal',
    dimension: 'time',
    doc: 'The kernel signals an eventfd, for the core that does it.',
  },
  {
    name: 'loopback.wakeUp',
    dimension: 'time',
    doc: 'From making a thread runnable until its core hears of it.',
  },
  {
    name: 'loopback.fullRetry',
    dimension: 'time',
    doc: 'Time before a full ring is looked at again.',
  },
  { name: 'loopback.requestTimeout', dimension: 'time', doc: 'Time that a request may take.' },
  {
    name: 'loopback.statusPoll',
    dimension: 'time',
    doc: 'Time before a device status is asked for again.',
  },
] as const satisfies readonly TimingDefinition[];
