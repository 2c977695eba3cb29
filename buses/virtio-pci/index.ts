// virtio-pci as a row of the table of buses: a baseline to compare virtio-msg with.
import type { BusPlan } from '../../platform/contracts/index.ts';
import { PCIE_LATENCIES, pcieTiming } from '../../platform/pcie/index.ts';
import { defineTransport, IOMMU_MAP } from '../common/index.ts';
import { mmioTiming } from '../virtio-mmio/index.ts';
import { VirtioPciDeviceEnd } from './device-end.ts';
import { VirtioPciDriverEnd } from './driver-end.ts';
import { checkVirtioPci, virtioPciOptions } from './options.ts';

export const virtioPci = defineTransport({
  type: 'virtio-pci',
  doc: 'Each device a PCI Express function of a card: registers in a BAR, MSI-X for each queue.',
  spec: 'virtio 1.4 §4.1',
  options: virtioPciOptions,
  timing: [...pcieTiming, ...mmioTiming],
  // The emulated ones are crossed by packets only with the option of that name; the least counts.
  latencies: [...PCIE_LATENCIES, 'mmio.exit', 'mmio.wake', 'mmio.inject', 'memory.lineLatency'],
  messages: [IOMMU_MAP],
  check: (plan, topology) => checkVirtioPci(plan as BusPlan, topology),
  createDriverEnd: (environment) => new VirtioPciDriverEnd(environment),
  createDeviceEnd: (environment) => new VirtioPciDeviceEnd(environment),
});
