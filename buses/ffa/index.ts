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
  createDriverEnd: (environment) => new FfaDriverEnd(environment),
  createDeviceEnd: (environment) => new FfaDeviceEnd(environment),
});
