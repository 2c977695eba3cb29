// virtio-pci as a row of the table of buses: a baseline to compare virtio-msg with. What other transports
// share with it whose devices are PCI functions is passed on.
import type { BusPlan } from '../../platform/contracts/index.ts';
import { PCIE_LATENCIES, pcieTiming } from '../../platform/pcie/index.ts';
import { defineTransport, IOMMU_MAP } from '../common/index.ts';
import { mmioTiming } from '../virtio-mmio/index.ts';
import { FunctionDeviceEnd } from './device-end.ts';
import { DeviceFunction } from './device-function.ts';
import { FunctionDriverEnd } from './driver-end.ts';
import { VirtioPciDriver } from './driver-transport.ts';
import { checkFunctionOptions, virtioPciOptions } from './options.ts';

export { type DeviceFunctionOptions, FunctionDeviceEnd } from './device-end.ts';
export { doorbellNext, numberOf } from './doorbell.ts';
export { FunctionDriverEnd } from './driver-end.ts';
export { FunctionRegions } from './function-regions.ts';
export { FunctionTransport, type FunctionTransportOptions } from './function-transport.ts';
export {
  checkFunctionOptions,
  type FunctionOptions,
  functionOptions,
} from './options.ts';
export { CLASS_CODE, NO_VECTOR, REGIONS_BAR, REVISION, VENDOR_ID } from './structures.ts';

/** Constants of functions on a card or made believe. */
export const functionTiming = [...pcieTiming, ...mmioTiming];
/** Of these the least counts, though a device model's are crossed with the option `emulated` only. */
export const functionLatencies = [
  ...PCIE_LATENCIES,
  'mmio.exit',
  'mmio.wake',
  'mmio.inject',
  'memory.lineLatency',
];

export const virtioPci = defineTransport({
  type: 'virtio-pci',
  doc: 'Each device a PCI Express function of a card: registers in a BAR, MSI-X for each queue.',
  spec: 'virtio 1.4 §4.1',
  options: virtioPciOptions,
  timing: functionTiming,
  latencies: functionLatencies,
  calls: ['exits', 'notifications'],
  hotPlug: true,
  regionsRefused: () => null,
  messages: [IOMMU_MAP],
  check: (plan, topology) => checkFunctionOptions(plan as BusPlan, topology),
  createDriverEnd: (environment) =>
    new FunctionDriverEnd({
      environment,
      interrupts: environment.plan.options.interrupts,
      make: (options) => new VirtioPciDriver(options),
    }),
  createDeviceEnd: (environment) =>
    new FunctionDeviceEnd(environment, (options) => new DeviceFunction(options)),
});
