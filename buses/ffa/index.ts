// The FF-A bus as a row of the table of buses.
import type { BusPlan, Finding } from '../../platform/contracts/index.ts';
import { checkCarries } from '../../platform/virtio/messages/index.ts';
import { WireError } from '../../platform/wire/index.ts';
import { defineBus } from '../common/index.ts';
import { FfaDeviceEnd } from './device-end.ts';
import { FfaDriverEnd } from './driver-end.ts';
import { ffaOptions } from './options.ts';
import { ffaTiming } from './timing.ts';

export const ffa = defineBus({
  type: 'ffa',
  doc: 'FF-A between a normal-world VM and a secure partition: direct messages, shared memory.',
  spec: 'Arm DEN0077 (FF-A 1.2); bus messages as in the Linux driver of 2026',
  options: ffaOptions,
  timing: ffaTiming,
  latencies: ['ffa.worldSwitch', 'ffa.notificationDelivery', 'memory.lineLatency'],
  check: (plan) => checkMessageSize(plan as BusPlan),
  createDriverEnd: (environment) => new FfaDriverEnd(environment),
  createDeviceEnd: (environment) => new FfaDeviceEnd(environment),
});

/** A bus must carry every message that a device of its revision has to understand. */
function checkMessageSize({ revision, options }: BusPlan): readonly Finding[] {
  try {
    checkCarries(revision, options['maxMessageSize'] as number);
    return [];
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const expected = 'a maximum that every mandatory message fits into';
    return [{ field: 'maxMessageSize', message: error.message, expected }];
  }
}
