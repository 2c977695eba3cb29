// Persistent memory as a row of the table of devices.
import type { DevicePlan } from '../../platform/contracts/index.ts';
import { defineDevice } from '../common/index.ts';
import { checkPmem, pmemOptions } from './options.ts';
import { PmemDevice } from './pmem-device.ts';

export const pmem = defineDevice({
  type: 'pmem',
  doc: 'Persistent memory: a region that the driver loads and stores, made durable by flushes.',
  spec: 'virtio 1.4 §5.19',
  options: pmemOptions,
  sharesMemory: true,
  check: (plan, topology) => checkPmem(plan as DevicePlan, topology),
  timing: [
    {
      name: 'pmem.flush',
      dimension: 'time',
      doc: 'The host makes what was stored durable, besides its bytes.',
    },
    { name: 'pmem.flushRate', dimension: 'rate', doc: 'Bytes that a flush makes durable.' },
  ],
  create: (environment) => new PmemDevice(environment),
});
