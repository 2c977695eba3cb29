// virtio-pci as a row of the table of buses: a baseline to compare virtio-msg with.
import type { BusPlan } from '../../platform/contracts/index.ts';
import { PCIE_LATENCIES, pcieTiming } from '../../platform/pcie/index.ts';
import { defineTransport, IOMMU_MAP } from '../common/index.ts';
import { VirtioPciDeviceEnd } from './device-end.ts';
import { VirtioPciDriverEnd } from './driver-end.ts';
import { checkVirtioPci, virtioPciOptions } from './options.ts';

export const virtioPci = defineTransport({
  type: 'virtio-pci',
  doc: 'Each device a PCI Express function of a card: registers in a BAR, MSI-X for each queue.',
  spec: 'virtio 1.4 §4.1',
  options: virtioPciOptions,
  timing: pcieTiming,
  latencies: PCIE_LATENCIES,
  messages: [IOMMU_MAP],
  check: (plan) => checkVirtioPci(plan as BusPlan),
  createDriverEnd: (environment) => new VirtioPciDriverEnd(environment),
  createDeviceEnd: (environment) => new VirtioPciDeviceEnd(environment),
});
