// The virtio-msg PCI bus as a row of the table of buses.
import type { BusEnvironment, BusPlan } from '../../platform/contracts/index.ts';
import { PCIE_LATENCIES, pcieTiming } from '../../platform/pcie/index.ts';
import { codec } from '../../platform/virtio/messages/index.ts';
import { defineMessageBus, IOMMU_MAP, inBandMessages, linkEnds } from '../common/index.ts';
import { PciDeviceLink } from './device-link.ts';
import { PciDriverLink } from './driver-link.ts';
import { FIFO_MESSAGES } from './fifo.ts';
import { checkPci, type PciOptions, pciOptions } from './options.ts';
import { pciTiming } from './timing.ts';

export const pci = defineMessageBus({
  type: 'pci',
  doc: 'virtio-msg behind one PCI Express function of a card: FIFOs in a BAR or in host memory.',
  spec: 'QEMU virtio-msg-bus-amp-pci (10ee:9039); PCI Express Base Specification',
  options: pciOptions,
  timing: [...pcieTiming, ...pciTiming],
  latencies: PCIE_LATENCIES,
  calls: ['doorbells'],
  hotPlug: true,
  messages: [...codec('v1', inBandMessages).names, IOMMU_MAP],
  ownMessages: { inBand: inBandMessages },
  check: (plan, topology) => checkPci(plan as BusPlan, topology),
  ...linkEnds({
    requestTimeout: 'pci.requestTimeout',
    statusPoll: 'pci.statusPoll',
    room: () => FIFO_MESSAGES,
    driverLink: (environment: BusEnvironment<PciOptions>, client) =>
      new PciDriverLink(environment, client),
    deviceLink: (environment, client) => new PciDeviceLink(environment, client),
  }),
});
