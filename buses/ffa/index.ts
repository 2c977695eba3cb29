// The FF-A bus as a row of the table of buses.
import type { BusPlan, Finding, Topology } from '../../platform/contracts/index.ts';
import { checkCarries, codec } from '../../platform/virtio/messages/index.ts';
import { WireError } from '../../platform/wire/index.ts';
import { defineMessageBus } from '../common/index.ts';
import { FfaDeviceEnd } from './device-end.ts';
import { FfaDriverEnd } from './driver-end.ts';
import { dialects, ffaMessages } from './messages.ts';
import { type FfaOptions, ffaOptions } from './options.ts';
import { ffaTiming } from './timing.ts';

export const ffa = defineMessageBus({
  type: 'ffa',
  doc: 'FF-A between a normal-world VM and a secure partition: direct messages, shared memory.',
  spec: 'Arm DEN0077 (FF-A 1.2); bus messages as in the Linux driver of 2026',
  options: ffaOptions,
  timing: ffaTiming,
  latencies: ['ffa.worldSwitch', 'ffa.vmSwitch', 'ffa.notificationDelivery', 'memory.lineLatency'],
  calls: ['directCalls', 'indirectSent', 'notifications'],
  messages: codec('v1', ffaMessages).names,
  ownMessages: { linux: dialects.linux.messages, optee: dialects.optee.messages },
  dialectOf: ({ options }, side) => {
    const { dialect, deviceDialect } = options as FfaOptions;
    return side === 'device' ? (deviceDialect ?? dialect) : dialect;
  },
  hotPlug: true,
  regionsRefused: () => null,
  restarts: true,
  check: (plan, topology) => [
    ...checkMessageSize(plan as BusPlan),
    ...checkWorlds(plan as BusPlan, topology),
    ...checkWays(plan as BusPlan),
    ...checkService(plan as BusPlan, topology),
  ],
  createDriverEnd: (environment) => new FfaDriverEnd(environment),
  createDeviceEnd: (environment) => new FfaDeviceEnd(environment),
});

/** The SPMC stands between the worlds, a hypervisor between VMs of the normal world. */
function checkWorlds(
  { driver, device, options }: BusPlan,
  { nodes }: Topology,
): readonly Finding[] {
  const findings: Finding[] = [];
  const name = (index: number) => `'${nodes[index].name}'`;
  if (nodes[driver].world !== 'normal') {
    const message = `the driver's node ${name(driver)} is in the secure world`;
    findings.push({ field: 'driver', message, expected: 'a node of the normal world' });
  }
  const byHypervisor = options['mediator'] === 'hypervisor';
  const isSecure = nodes[device].world === 'secure' && nodes[device].kind === 'partition';
  if (byHypervisor && nodes[device].world !== 'normal') {
    const message = `the device's node ${name(device)} is no VM behind the hypervisor`;
    findings.push({ field: 'device', message, expected: 'a node of the normal world' });
  } else if (!byHypervisor && !isSecure) {
    const message = `the device's node ${name(device)} is no secure partition`;
    const expected = 'a partition of the secure world, or mediator: hypervisor';
    findings.push({ field: 'device', message, expected });
  }
  return findings;
}

/** What goes together of the ways that messages and events move, dialects and mediators. */
function checkWays({ options }: BusPlan): readonly Finding[] {
  const { messages, events, mediator, dialect, deviceDialect, memory, rings, buffers } =
    options as FfaOptions;
  const findings: Finding[] = [];
  const objects = (field: string, message: string, expected: string) =>
    findings.push({ field, message, expected });
  if (events === 'fifo' && messages !== 'fifo') {
    objects('events', 'events go through a FIFO only where messages do', 'messages: fifo');
  }
  if (mediator === 'hypervisor' && messages !== 'indirect') {
    objects('messages', 'VMs have no direct messages to each other', 'messages: indirect');
  }
  if (memory === 'grants' && mediator !== 'hypervisor') {
    objects('memory', 'only a hypervisor knows grants', 'mediator: hypervisor, or memory: handles');
  }
  if (memory === 'grants' && (rings !== 'share' || buffers !== 'share')) {
    objects('memory', 'what is granted is neither lent nor donated', 'rings and buffers: share');
  }
  const optee = dialect === 'optee' || deviceDialect === 'optee';
  if (optee && (messages !== 'direct' || (events ?? 'notification') !== 'poll')) {
    objects(
      'dialect',
      'OP-TEE has direct messages and polling only',
      'messages: direct, events: poll',
    );
  }
  return findings;
}

/** A partition has a service for a VM once: messages name nothing but the service. */
function checkService(plan: BusPlan, { buses }: Topology): readonly Finding[] {
  const uuid = deviceServiceOf(plan);
  const other = buses.find(
    (bus) =>
      bus.index < plan.index &&
      bus.type === plan.type &&
      bus.driver === plan.driver &&
      bus.device === plan.device &&
      deviceServiceOf(bus) === uuid,
  );
  if (other === undefined) return [];
  const message = `bus '${other.name}' is the service ${uuid} between these nodes already`;
  return [{ field: 'service', message, expected: 'another UUID' }];
}

function deviceServiceOf({ options }: BusPlan): string {
  const { service, deviceService } = options as FfaOptions;
  return deviceService ?? service;
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
