// virtio-ccw as a row of the table of buses: a baseline to compare virtio-msg with.
import type { BusPlan, Finding, Topology } from '../../platform/contracts/index.ts';
import { defineTransport } from '../common/index.ts';
import { CcwDeviceEnd } from './device-end.ts';
import { CcwDriverEnd } from './driver-end.ts';
import { ccwOptions } from './options.ts';
import { ccwTiming } from './timing.ts';

export const virtioCcw = defineTransport({
  type: 'virtio-ccw',
  doc: 'Channel programs, indicator bits and adapter interrupts: the transport of mainframe guests.',
  spec: 'virtio 1.4 §4.3',
  options: ccwOptions,
  timing: ccwTiming,
  latencies: ['ccw.exit', 'ccw.wake', 'ccw.inject', 'memory.lineLatency'],
  calls: ['exits', 'kernelExits', 'notifications'],
  hotPlug: true,
  check: (plan, topology) => checkGuest(plan as BusPlan, topology),
  createDriverEnd: (environment) => new CcwDriverEnd(environment),
  createDeviceEnd: (environment) => new CcwDeviceEnd(environment),
});

/** I/O instructions exit only where a hypervisor runs the driver. */
function checkGuest({ driver }: BusPlan, { nodes }: Topology): readonly Finding[] {
  const { name, kind } = nodes[driver];
  if (kind === 'vm') return [];
  const message = `the driver's node '${name}' is a ${kind}, whose I/O instructions don't exit`;
  return [{ field: 'driver', message, expected: 'a vm' }];
}
