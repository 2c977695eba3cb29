// Buffers that an IOMMU maps for each request: what a device reaches and when, what that costs, and that all
// devices live with it.
import { describe, expect, it } from 'vitest';
import { HostPages } from '../../buses/common/host-pages.ts';
import { tables } from '../../platform/cli/tables.ts';
import { FaultInjector } from '../../platform/faults/index.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';
import { Iommu, pcieTimingIds } from '../../platform/pcie/index.ts';
import { parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import { PcieBench } from '../support/pcie-bench.ts';
import { Rig } from '../support/rig.ts';
import { testNodes } from '../support/test-nodes.ts';

const DEVICE = 3;

function setUp() {
  const timing = { 'pcie.dmaMap': '100ns', 'pcie.dmaUnmap': '1us' };
  const { kernel, linux: node } = testNodes({ timing });
  const translation = new Iommu(64);
  const faults = new FaultInjector(kernel, []);
  const pages = new HostPages({ node, translation, iommu: true, perRequest: true, faults });
  const { address, busAddress } = pages.take(DEVICE, 4 * PAGE_SIZE);
  const mapping = pages.mappingOf(DEVICE)!;
  return { node, translation, pages, mapping, address, busAddress };
}

describe('memory of a device behind an IOMMU', () => {
  it('is in reach until it is restricted, and then whole pages are not', () => {
    const { translation, mapping, address, busAddress } = setUp();
    expect(translation.allows(busAddress, 4 * PAGE_SIZE, true)).toBe(true);
    // Rings end within the first page.
    mapping.restrict(address + 1000, 4 * PAGE_SIZE - 1000);
    expect(translation.allows(busAddress, PAGE_SIZE, true)).toBe(true);
    expect(translation.allows(busAddress + PAGE_SIZE, 1, false)).toBe(false);
    expect(translation.denial).toBe('the page is not mapped');
    expect(translation.find(busAddress + PAGE_SIZE)).toBe(-1);
  });

  it('is in reach while any request has a part of the page', () => {
    const { translation, mapping, address, busAddress } = setUp();
    mapping.restrict(address, 4 * PAGE_SIZE);
    const page = busAddress + PAGE_SIZE;
    const reaches = () => translation.allows(page, 64, true);
    mapping.map(page, 16);
    mapping.map(page + 100, PAGE_SIZE);
    expect([reaches(), translation.allows(page + PAGE_SIZE, 4, false)]).toEqual([true, true]);
    mapping.unmap(page, 16);
    expect(reaches()).toBe(true);
    mapping.unmap(page + 100, PAGE_SIZE);
    expect([reaches(), translation.allows(page + PAGE_SIZE, 4, false)]).toEqual([false, false]);
  });

  it('has the IOTLB forget what is unmapped: the next request walks the page table again', () => {
    const { translation, mapping, address, busAddress } = setUp();
    mapping.restrict(address, PAGE_SIZE);
    for (let request = 0; request < 3; request++) {
      mapping.map(busAddress, 8);
      translation.allows(busAddress, 8, false);
      translation.allows(busAddress, 8, false);
      mapping.unmap(busAddress, 8);
    }
    expect([translation.misses, translation.hits]).toEqual([3, 3]);
  });

  it('costs each segment that is mapped and unmapped, once', () => {
    const { node, mapping, busAddress } = setUp();
    expect(mapping.takeCost()).toBe(0);
    for (let i = 0; i < 3; i++) mapping.map(busAddress, 8);
    mapping.unmap(busAddress, 8);
    expect(mapping.takeCost()).toBe(3 * 100_000 + 1_000_000);
    expect(mapping.takeCost()).toBe(0);
    const { dmaMap, dmaUnmap } = pcieTimingIds(node.costs);
    expect([node.costs.charges.counts[dmaMap], node.costs.charges.counts[dmaUnmap]]).toEqual([
      3, 1,
    ]);
  });

  it('begins anew when it is given back, or restricted again', () => {
    const { translation, pages, mapping, address, busAddress } = setUp();
    mapping.restrict(address, PAGE_SIZE);
    mapping.map(busAddress, 8);
    // The device was reset; what was under way is forgotten.
    mapping.restrict(address, PAGE_SIZE);
    expect(translation.allows(busAddress, 8, false)).toBe(false);
    pages.release(DEVICE);
    mapping.unmap(busAddress, 8);
    expect(pages.mappingOf(DEVICE)).not.toBe(mapping);
  });
});

it('lets a device read and write what a request has, and refuses it afterwards', () => {
  const bench = new PcieBench().start();
  const { host: node, translation, kernel, endpoint, own, client } = bench;
  const faults = new FaultInjector(kernel, []);
  const pages = new HostPages({ node, translation, iommu: true, perRequest: true, faults });
  const { address, busAddress } = pages.take(DEVICE, PAGE_SIZE);
  const mapping = pages.mappingOf(DEVICE)!;
  mapping.restrict(address, PAGE_SIZE);
  const dma = endpoint.dmaOf(own);
  const access = (tag: number) => {
    dma.writeSegment(busAddress, Uint8Array.of(tag), 0, 1);
    dma.write(client, tag);
    dma.readSegment(busAddress, 1);
    dma.read(client, tag);
    bench.run();
  };
  access(1);
  mapping.map(busAddress, 1);
  access(2);
  mapping.unmap(busAddress, 1);
  access(3);
  expect(client.done.map(({ tag, bytes }) => [tag, ...bytes])).toEqual([[2, 2]]);
  expect(client.faults.map(({ tag }) => tag)).toEqual([1, 3]);
  expect(node.memory.readU8(address)).toBe(2);
  const told = node.violations.described.map(({ code, text }) => [code, text.slice(-22)]);
  expect(told).toEqual(new Array(4).fill(['DMA_FAULT', 'the page is not mapped']));
});

it('adds to a lone read what its three segments take, and page walks', () => {
  const latencyOf = (mapping: string, iotlbMiss: string) => {
    const timing = { 'pcie.dmaMap': '10ns', 'pcie.dmaUnmap': '1us', 'pcie.iotlbMiss': iotlbMiss };
    const workload = { type: 'fio', device: 'disk0', rw: 'randread', blockSize: '4KiB', depth: 1 };
    const rig = new Rig({
      timing,
      linux: { kind: 'host' },
      storage: { kind: 'card', world: 'normal' },
      bus: { type: 'virtio-pci', mapping },
      workloads: [{ ...workload, operations: 20, thinkTime: '1ms' }],
    });
    expect(rig.run()).toBe('done');
    return rig.result().latency.p50!;
  };
  const fixed = latencyOf('static', '0ns');
  expect(latencyOf('perRequest', '0ns') - fixed).toBeCloseTo(3 * 10 + 3 * 1000, 3);
  // The IOTLB has forgotten the pages of the header and of the data. Nothing else goes on during the walk
  // for the header; that for the data passes in part beside the look for signals.
  const walks = latencyOf('perRequest', '100ns') - fixed - 3030;
  expect(walks).toBeGreaterThan(100);
  expect(walks).toBeLessThanOrEqual(200);
});

it.each([
  ['pci', 'iommu: false', 'nothing maps memory without an IOMMU'],
  ['pci', 'data: inBand', 'data in band are not mapped at all'],
  ['virtio-pci', 'emulated: true', 'a device model in the host has no IOMMU before it'],
])('is nothing for %s with %s', (type, option, expected) => {
  const text = [
    'name: test',
    'nodes: { host: { kind: vm }, card: { kind: card } }',
    `buses: { pci0: { type: ${type}, driver: host, device: card, mapping: perRequest, ${option} } }`,
  ].join('\n');
  const load = () => parseScenario({ text, file: 'test.yaml', folder: '.' }, tables);
  expect(load).toThrow(ScenarioError);
  expect(load).toThrow(expected);
});
