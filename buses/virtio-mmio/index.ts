// virtio-mmio as a row of the table of buses: a baseline to compare virtio-msg with.
import type { BusPlan, Finding, Topology } from '../../platform/contracts/index.ts';
import { defineTransport } from '../common/index.ts';
import { MmioDeviceEnd } from './device-end.ts';
import { MmioDriverEnd } from './driver-end.ts';
import { mmioOptions } from './options.ts';
import { mmioTiming } from './timing.ts';

export { MmioMessageProxy } from './message-proxy.ts';
export { MmioDriverTransport, type RegisterPort } from './mmio-driver.ts';
export { ProxiedDriverEnd } from './proxied-driver-end.ts';
export { registers } from './registers.ts';
export { mmioTiming, mmioTimingIds } from './timing.ts';

export const virtioMmio = defineTransport({
  type: 'virtio-mmio',
  doc: 'Registers that trap to a device model in the host: the transport of small virtual machines.',
  spec: 'virtio 1.4 §4.2',
  options: mmioOptions,
  timing: mmioTiming,
  latencies: ['mmio.exit', 'mmio.wake', 'mmio.inject', 'memory.lineLatency'],
  calls: ['exits', 'kernelExits', 'notifications'],
  regionsRefused: () => null,
  check: (plan, topology) => checkGuest(plan as BusPlan, topology),
  createDriverEnd: (environment) => new MmioDriverEnd(environment),
  createDeviceEnd: (environment) => new MmioDeviceEnd(environment),
});

/** Registers trap only where a hypervisor runs the driver. */
function checkGuest({ driver }: BusPlan, { nodes }: Topology): readonly Finding[] {
  const { name, kind } = nodes[driver];
  if (kind === 'vm') return [];
  const message = `the driver's node '${name}' is a ${kind}, whose accesses don't trap`;
  return [{ field: 'driver', message, expected: 'a vm' }];
}
