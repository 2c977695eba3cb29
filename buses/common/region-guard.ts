// Protection by place alone: a peer may reach certain ranges of a node's memory, numbered from 0, and
// nothing beyond their ends. Carve-outs, pools and windows on a peer's RAM work so. The owner has the
// ranges by their own addresses, the peer by the bus addresses that it sees them at.
import type { PageRange } from './device-pages.ts';
import type { DmaWindow, MemoryGuard } from './shared-memory.ts';

export class RegionGuard implements MemoryGuard {
  denial = '';
  readonly #regions: readonly PageRange[];

  constructor(regions: readonly PageRange[]) {
    this.#regions = regions;
  }

  translate(region: number, _borrower: number, offset: number, length: number): number {
    const range = this.#regions[region] as PageRange | undefined;
    if (range !== undefined && offset + length <= range.length) return range.address + offset;
    this.denial =
      range === undefined
        ? 'there is no such region'
        : `the access is outside the region of ${range.length} bytes`;
    return -1;
  }
}

/** The ranges as the peer sees them. */
export class RegionWindows {
  readonly #regions: readonly (PageRange & DmaWindow)[];

  /** Ranges by bus address, in the order of their numbers at the owner. */
  constructor(regions: readonly PageRange[]) {
    this.#regions = regions.map((range, handle) => ({ ...range, handle }));
  }

  /** The region that an address lies in, or lies beyond the end of; null before all of them. */
  find(address: number): DmaWindow | null {
    return this.#regionOf(address);
  }

  offset(address: number): number {
    return address - (this.#regionOf(address)?.address ?? 0);
  }

  #regionOf(address: number): (PageRange & DmaWindow) | null {
    let best: (PageRange & DmaWindow) | null = null;
    for (const region of this.#regions) {
      if (region.address > address) continue;
      if (best === null || region.address > best.address) best = region;
    }
    return best;
  }
}
