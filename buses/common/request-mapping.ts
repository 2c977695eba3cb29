// Buffers behind an IOMMU that a device reaches only while a request has them: their pages are let in when
// the request is made and shut out when it comes back, and the IOTLB forgets them (strict unmapping).
// Each page counts the requests that have a part of it.
import type { BufferMapping } from '../../platform/contracts/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import { pcieTimingIds, type Translation } from '../../platform/pcie/index.ts';

export interface RequestMappingOptions {
  readonly node: Node;
  readonly translation: Translation;
  /** The bus address of a byte that was taken for a device. */
  busAddress(address: number): number;
}

export class RequestMapping implements BufferMapping {
  readonly #options: RequestMappingOptions;
  readonly #costs: { readonly map: number; readonly unmap: number };
  /** By bus page: parts of requests that it holds. Pages that are not here are always in reach. */
  readonly #parts = new Map<number, number>();
  /** Segments since the cost was taken. */
  #mapped = 0;
  #unmapped = 0;

  constructor(options: RequestMappingOptions) {
    this.#options = options;
    const { dmaMap, dmaUnmap } = pcieTimingIds(options.node.costs);
    this.#costs = { map: dmaMap, unmap: dmaUnmap };
  }

  /** Pages that lie in it only in part stay in reach: they have rings as well. */
  restrict(address: number, length: number): void {
    const { translation, busAddress } = this.#options;
    const first = Math.ceil(address / PAGE_SIZE) * PAGE_SIZE;
    for (let page = first; page < address + length; page += PAGE_SIZE) {
      const bus = busAddress(page);
      this.#parts.set(bus, 0);
      translation.setPresent(bus, false);
    }
  }

  map(busAddress: number, length: number): void {
    this.#mapped++;
    const end = busAddress + length;
    for (let page = busAddress - (busAddress % PAGE_SIZE); page < end; page += PAGE_SIZE) {
      const parts = this.#parts.get(page);
      if (parts === undefined) continue;
      if (parts === 0) this.#options.translation.setPresent(page, true);
      this.#parts.set(page, parts + 1);
    }
  }

  unmap(busAddress: number, length: number): void {
    this.#unmapped++;
    const end = busAddress + length;
    for (let page = busAddress - (busAddress % PAGE_SIZE); page < end; page += PAGE_SIZE) {
      const parts = this.#parts.get(page);
      // Forgotten meanwhile, with all that was mapped.
      if (parts === undefined || parts === 0) continue;
      if (parts === 1) this.#options.translation.setPresent(page, false);
      this.#parts.set(page, parts - 1);
    }
  }

  takeCost(): number {
    const { node } = this.#options;
    const { map, unmap } = this.#costs;
    let cost = 0;
    if (this.#mapped > 0) cost += node.chargeTimes(map, this.#mapped);
    if (this.#unmapped > 0) cost += node.chargeTimes(unmap, this.#unmapped);
    this.#mapped = 0;
    this.#unmapped = 0;
    return cost;
  }
}
