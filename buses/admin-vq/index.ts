// The transport by administration virtqueue as a row of the table of buses: a baseline to compare virtio-msg
// with.
import type { BusPlan } from '../../platform/contracts/index.ts';
import { defineTransport, IOMMU_MAP } from '../common/index.ts';
import {
  checkFunctionOptions,
  FunctionDeviceEnd,
  functionLatencies,
  functionTiming,
} from '../virtio-pci/index.ts';
import { AdminFunction } from './admin-function.ts';
import { AdminVqDriverEnd } from './driver-end.ts';
import { adminVqOptions } from './options.ts';
import { adminTiming } from './timing.ts';

export { adminTiming } from './timing.ts';

export const adminVq = defineTransport({
  type: 'admin-vq',
  doc: 'Reset and one administration virtqueue by registers of a PCI function, all else by commands.',
  spec: 'the counter-proposal to virtio-msg; commands as in virtio 1.4 §2.12',
  options: adminVqOptions,
  timing: [...adminTiming, ...functionTiming],
  latencies: functionLatencies,
  calls: ['exits', 'notifications'],
  hotPlug: true,
  regionsRefused: () => null,
  messages: [IOMMU_MAP],
  check: (plan, topology) => checkFunctionOptions(plan as BusPlan, topology),
  createDriverEnd: (environment) => new AdminVqDriverEnd(environment),
  createDeviceEnd: (environment) =>
    new FunctionDeviceEnd(environment, (options) => new AdminFunction(options)),
});
