// The loopback bus as a row of the table of buses.
import type { BusEnvironment, BusPlan, Finding, Topology } from '../../platform/contracts/index.ts';
import { codec } from '../../platform/virtio/messages/index.ts';
import { checkMessageSize, defineMessageBus, inBandMessages, linkEnds } from '../common/index.ts';
import { BridgeKernel } from './bridge-kernel.ts';
import { BridgeProcess } from './bridge-process.ts';
import { loopbackMessages } from './messages.ts';
import { type LoopbackOptions, loopbackOptions } from './options.ts';
import { SpinKernel } from './spin-kernel.ts';
import { SpinProcess } from './spin-process.ts';
import { loopbackTiming } from './timing.ts';

/** Devices that Linux lets a bridge have. */
const DEVICES_MAX = 32;

export const loopback = defineMessageBus({
  type: 'loopback',
  doc: 'Drivers in the kernel and devices in a process of one node: rings and eventfds, or read and write.',
  spec: 'Linux virtio-msg loopback: the RFC of 2025 (spin) and the bridge of 2026 (rings)',
  options: loopbackOptions,
  timing: loopbackTiming,
  latencies: ['memory.lineLatency', 'loopback.wakeUp'],
  calls: ['doorbells'],
  messages: codec('v1', inBandMessages).names,
  ownMessages: { bridge: { ...loopbackMessages, ...inBandMessages } },
  withinNode: true,
  check: (plan, topology) => [
    ...checkMessageSize(plan as BusPlan),
    ...checkNode(plan as BusPlan, topology),
    ...checkDevices(plan as BusPlan, topology),
    ...checkData(plan as BusPlan),
    ...checkResets(plan as BusPlan),
  ],
  ...linkEnds({
    requestTimeout: 'loopback.requestTimeout',
    statusPoll: 'loopback.statusPoll',
    room: ({ entries }: LoopbackOptions) => entries,
    driverLink: (environment: BusEnvironment<LoopbackOptions>, client) =>
      environment.plan.options.style === 'spin'
        ? new SpinKernel(environment, client)
        : new BridgeKernel(environment, client),
    deviceLink: (environment, client) =>
      environment.plan.options.style === 'spin'
        ? new SpinProcess(environment, client)
        : new BridgeProcess(environment, client),
  }),
});

/** Both sides are on one node; and while cores spin, one must be left for the processes. */
function checkNode(plan: BusPlan, { nodes, buses }: Topology): readonly Finding[] {
  const { name, cpus } = nodes[plan.driver];
  if (plan.driver !== plan.device) {
    const message = `the device's node '${nodes[plan.device].name}' is not that of the driver`;
    return [{ field: 'device', message, expected: `'${name}'; loopback stays within one node` }];
  }
  const spinning = buses.filter(
    ({ type, driver, options }) =>
      type === plan.type && driver === plan.driver && options['style'] === 'spin',
  ).length;
  if (plan.options['style'] !== 'spin' || cpus > spinning) return [];
  const message = `node '${name}' has ${cpus} CPU${cpus === 1 ? '' : 's'}, all of which may spin`;
  return [{ field: 'style', message, expected: `at least ${spinning + 1} CPUs, or style: rings` }];
}

/** What a device writes to the character device of 2025 are responses and events, never requests. */
function checkData({ options }: BusPlan): readonly Finding[] {
  if (options['style'] !== 'spin' || options['data'] !== 'inBand') return [];
  const message = 'the kernel takes no requests of a device';
  return [{ field: 'data', message, expected: 'data: shared, or style: rings' }];
}

function checkDevices(plan: BusPlan, { devices }: Topology): readonly Finding[] {
  const count = devices.filter(({ bus }) => bus === plan.index).length;
  if (count <= DEVICES_MAX) return [];
  const message = `${count} devices are on bus '${plan.name}'`;
  return [{ field: null, message, expected: `at most ${DEVICES_MAX}` }];
}

/** The character device of the RFC is never reset. */
function checkResets({ options }: BusPlan): readonly Finding[] {
  const { style, resets } = options as LoopbackOptions;
  if (style === 'rings' || resets.length === 0) return [];
  const message = 'a bus whose kernel spins is not reset';
  return [{ field: 'resets', message, expected: 'style: rings' }];
}
