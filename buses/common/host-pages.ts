// Memory of a host that drivers take for their devices behind PCI Express: whole pages, mapped in the
// IOMMU if there is one.
import type { DriverBusClient } from '../../platform/contracts/index.ts';
import type { FaultInjector } from '../../platform/faults/index.ts';
import { type CpuClient, type Node, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import { pcieTimingIds, type Translation } from '../../platform/pcie/index.ts';
import { DevicePages, type PageRange, pagesOfMemory } from './device-pages.ts';
import { RequestMapping } from './request-mapping.ts';

interface Mapping {
  readonly range: PageRange;
  readonly busAddress: number;
}

interface Allocation {
  readonly client: Pick<DriverBusClient, 'allocated'>;
  readonly address: number;
}

/** What fault rules call the mapping of memory: it can be omitted, or fall short by pages. */
export const IOMMU_MAP = 'IOMMU_MAP';

export interface HostPagesOptions {
  readonly node: Node;
  readonly translation: Translation;
  /** There is an IOMMU: mapping a page costs something. */
  readonly iommu: boolean;
  /** Buffers are mapped for each request only. */
  readonly perRequest: boolean;
  readonly faults: FaultInjector;
}

export class HostPages implements CpuClient {
  readonly #node: Node;
  readonly #translation: Translation;
  readonly #faults: FaultInjector;
  readonly #pages: DevicePages;
  readonly #mapCost: number;
  readonly #perRequest: boolean;
  /** By device, how its buffers are mapped for requests. */
  readonly #requests = new Map<number, RequestMapping>();
  /** Bus address of each page by its own. */
  readonly #busPages = new Map<number, number>();
  readonly #mappings = new Map<number, Mapping[]>();
  /** Allocations that are being mapped, by number. */
  readonly #allocations = new Map<number, Allocation>();
  #allocated = 0;

  constructor({ node, translation, iommu, perRequest, faults }: HostPagesOptions) {
    this.#node = node;
    this.#translation = translation;
    this.#faults = faults;
    this.#perRequest = perRequest;
    this.#pages = new DevicePages(pagesOfMemory(node.memory));
    this.#mapCost = iommu ? pcieTimingIds(node.costs).iommuMap : -1;
  }

  /** Takes memory for a device; the client is told its address once it is mapped. */
  allocate(device: number, client: Pick<DriverBusClient, 'allocated'>, length: number): void {
    const { address, busAddress } = this.take(device, length);
    const pages = Math.ceil(length / PAGE_SIZE);
    const left = pages - this.#withheld(pages);
    this.#translation.unmap(busAddress + left * PAGE_SIZE, pages - left);
    const cost = this.#mapCost < 0 ? 0 : this.#node.chargeTimes(this.#mapCost, left);
    const number = this.#allocated++;
    this.#allocations.set(number, { client, address });
    this.#node.cpu.submit(Priority.task, cost, this, 0, number);
  }

  /** Takes and maps memory at once. */
  take(device: number, length: number): { readonly address: number; readonly busAddress: number } {
    // Taken from all of RAM, which throws when nothing is left.
    const range = this.#pages.allocate(device, length)!;
    const pages = range.length / PAGE_SIZE;
    const busAddress = this.#translation.map(range.address, pages, true);
    for (let offset = 0; offset < range.length; offset += PAGE_SIZE) {
      this.#busPages.set(range.address + offset, busAddress + offset);
    }
    const mapping = { range, busAddress };
    const known = this.#mappings.get(device);
    if (known === undefined) this.#mappings.set(device, [mapping]);
    else known.push(mapping);
    return { address: range.address, busAddress };
  }

  /** How buffers of a device are mapped for requests, or null where they stay mapped. */
  mappingOf(device: number): RequestMapping | null {
    if (!this.#perRequest) return null;
    const known = this.#requests.get(device);
    if (known !== undefined) return known;
    const busAddress = (address: number) => this.busAddress(address);
    const made = new RequestMapping({
      node: this.#node,
      translation: this.#translation,
      busAddress,
    });
    this.#requests.set(device, made);
    return made;
  }

  /** Its pages are mapped. */
  deliver(_kind: number, number: number): void {
    const { client, address } = this.#allocations.get(number)!;
    this.#allocations.delete(number);
    client.allocated(address, null);
  }

  /** The bus address of a byte of memory that was taken; -1 for other memory. */
  busAddress(address: number): number {
    const offset = address % PAGE_SIZE;
    const page = this.#busPages.get(address - offset);
    return page === undefined ? -1 : page + offset;
  }

  /** Pages at the end that a fault rule keeps from being mapped. */
  #withheld(pages: number): number {
    if (!this.#faults.active) return 0;
    if (this.#faults.omits(IOMMU_MAP)) return pages;
    return Math.min(pages, this.#faults.shrinksBy(IOMMU_MAP));
  }

  /** Unmaps what a device has and gives it back. */
  release(device: number): void {
    for (const { range, busAddress } of this.#mappings.get(device) ?? []) {
      this.#translation.unmap(busAddress, range.length / PAGE_SIZE);
      for (let offset = 0; offset < range.length; offset += PAGE_SIZE) {
        this.#busPages.delete(range.address + offset);
      }
    }
    this.#mappings.delete(device);
    this.#requests.delete(device);
    this.#pages.release(device);
  }
}
