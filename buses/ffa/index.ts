// The FF-A bus as a row of the table of buses.
import type { BusPlan, Finding, Topology } from '../../platform/contracts/index.ts';
import { checkCarries, codec } from '../../platform/virtio/messages/index.ts';
import { WireError } from '../../platform/wire/index.ts';
import { defineMessageBus } from '../common/index.ts';
import { FfaDeviceEnd } from './device-end.ts';
import { FfaDriverEnd } from './driver-end.ts';
import { ffaMessages } from './messages.ts';
import { ffaOptions } from './options.ts';
import { ffaTiming } from './timing.ts';

export const ffa = defineMessageBus({
  type: 'ffa',
  doc: 'FF-A between a normal-world VM and a secure partition: direct messages, shared memory.',
  spec: 'Arm DEN0077 (FF-A 1.2); bus messages as in the Linux driver of 2026',
  options: ffaOptions,
  timing: ffaTiming,
  latencies: ['ffa.worldSwitch', 'ffa.notificationDelivery', 'memory.lineLatency'],
  messages: codec('v1', ffaMessages).names,
  check: (plan, topology) => [
    ...checkMessageSize(plan as BusPlan),
    ...checkWorlds(plan as BusPlan, topology),
  ],
  createDriverEnd: (environment) => new FfaDriverEnd(environment),
  createDeviceEnd: (environment) => new FfaDeviceEnd(environment),
});

/** Direct messages go from the normal world to a partition of the secure world. */
function checkWorlds({ driver, device }: BusPlan, { nodes }: Topology): readonly Finding[] {
  const findings: Finding[] = [];
  if (nodes[driver].world !== 'normal') {
    const message = `the driver's node '${nodes[driver].name}' is in the secure world`;
    findings.push({ field: 'driver', message, expected: 'a node of the normal world' });
  }
  if (nodes[device].world !== 'secure' || nodes[device].kind !== 'partition') {
    const message = `the device's node '${nodes[device].name}' is no secure partition`;
    findings.push({ field: 'device', message, expected: 'a partition of the secure world' });
  }
  return findings;
}

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
