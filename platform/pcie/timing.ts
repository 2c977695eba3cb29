// Timing constants of PCI Express, for every bus on it. Speeds of links are no constants: they follow
// from generation and lanes.
import type { TimingDefinition } from '../contracts/index.ts';
import type { Costs } from '../timing/index.ts';

export const pcieTiming = [
  {
    name: 'pcie.linkLatency',
    dimension: 'time',
    doc: 'One way over one link, besides the time of the bytes: both PHYs, link layers, wire.',
  },
  { name: 'pcie.switchLatency', dimension: 'time', doc: 'One way through a switch (cut-through).' },
  {
    name: 'pcie.rootLatency',
    dimension: 'time',
    doc: 'One way through the root complex, between its port and cores or memory.',
  },
  {
    name: 'pcie.endpointLatency',
    dimension: 'time',
    doc: 'One way through the endpoint, between its port and its registers or DMA engine.',
  },
  { name: 'pcie.memoryRead', dimension: 'time', doc: 'The root complex reads host memory.' },
  {
    name: 'pcie.registerRead',
    dimension: 'time',
    doc: 'The endpoint reads a register, configuration word or memory in a BAR.',
  },
  {
    name: 'pcie.coreAccess',
    dimension: 'time',
    doc: 'A core issues one uncached load or store, or a combined one of 64 B, with its barrier.',
  },
  { name: 'pcie.iotlbHit', dimension: 'time', doc: 'The IOMMU translates from its IOTLB.' },
  { name: 'pcie.iotlbMiss', dimension: 'time', doc: 'The IOMMU walks the page table for a page.' },
  { name: 'pcie.iommuMap', dimension: 'time', doc: 'Software maps one page in the IOMMU.' },
  {
    name: 'pcie.dmaMap',
    dimension: 'time',
    doc: 'Software maps one segment of a request in the IOMMU, where that is done for each request.',
  },
  {
    name: 'pcie.dmaUnmap',
    dimension: 'time',
    doc: 'Software unmaps it, and waits until the IOTLB has forgotten it.',
  },
  {
    name: 'pcie.readBurst',
    dimension: 'size',
    limits: { min: 0, max: 4096, powerOfTwo: true },
    doc: 'A DMA engine joins reads of one go that lie in an aligned block of this size; 0B: none.',
  },
  {
    name: 'pcie.msiDelivery',
    dimension: 'time',
    doc: 'From an interrupt message at the root complex to a pending interrupt of a core.',
  },
  {
    name: 'pcie.readyTime',
    dimension: 'time',
    doc: 'Software waits this long for a function after its reset or a new link.',
  },
] as const satisfies readonly TimingDefinition[];

/** Every packet crosses a link at the least: what threads may look ahead. */
export const PCIE_LATENCIES = ['pcie.linkLatency'] as const;

export type PcieTiming = {
  readonly [K in (typeof pcieTiming)[number]['name'] as Short<K>]: number;
};
type Short<K extends string> = K extends `pcie.${infer Name}` ? Name : never;

/** Ids of the constants by their short names. */
export function pcieTimingIds(costs: Costs): PcieTiming {
  const ids = pcieTiming.map(({ name }) => [name.slice('pcie.'.length), costs.idOf(name)]);
  return Object.fromEntries(ids) as PcieTiming;
}
