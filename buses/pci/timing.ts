// Timing constants of the virtio-msg PCI bus, besides those of PCI Express.
import type { TimingDefinition } from '../../platform/contracts/index.ts';
import type { Costs } from '../../platform/timing/index.ts';

export const pciTiming = [
  {
    name: 'pci.slotStore',
    dimension: 'time',
    doc: 'A core puts a message into a FIFO in a BAR: slot (combined), index and doorbell.',
  },
  { name: 'pci.pollInterval', dimension: 'time', doc: 'Time between two polls of the FIFOs.' },
  { name: 'pci.fullRetry', dimension: 'time', doc: 'Time before a full FIFO is looked at again.' },
  {
    name: 'pci.driverHandshake',
    dimension: 'time',
    doc: 'Time between two looks of the driver at a peer that is not ready.',
  },
  {
    name: 'pci.deviceHandshake',
    dimension: 'time',
    doc: 'Time between two looks of the device at a peer that is not ready.',
  },
  { name: 'pci.requestTimeout', dimension: 'time', doc: 'Time that a request may take.' },
  {
    name: 'pci.statusPoll',
    dimension: 'time',
    doc: 'Time before a device status is asked for again.',
  },
] as const satisfies readonly TimingDefinition[];

export type PciTiming = { readonly [K in (typeof pciTiming)[number]['name'] as Short<K>]: number };
type Short<K extends string> = K extends `pci.${infer Name}` ? Name : never;

/** Ids of the constants by their short names. */
export function pciTimingIds(costs: Costs): PciTiming {
  const ids = pciTiming.map(({ name }) => [name.slice('pci.'.length), costs.idOf(name)]);
  return Object.fromEntries(ids) as PciTiming;
}
