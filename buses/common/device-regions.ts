// Regions of shared memory on the device's node, where buses of coherent memory have them: the driver's cores reach
// their bytes by transactions like those of DMA, the other way round.
import type { SharedRegion } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import type { OrderedLink } from './link.ts';
import {
  type MemoryGuard,
  REGION_KINDS,
  REGION_READ,
  REGION_WRITE,
  SharedMemoryTarget,
} from './shared-memory.ts';

export interface DeviceRegionsOptions {
  readonly node: Node;
  readonly plan: {
    readonly name: string;
    readonly driver: number;
    readonly driverPort: number;
  };
  /** The way of the device's DMA to the driver's node, which answers share with it. */
  readonly link: OrderedLink;
}

export class DeviceRegions {
  readonly #target: SharedMemoryTarget;
  /** By handle: the page among those of all regions that it begins at. */
  readonly #shared = new Map<number, SharedRegion>();
  #pages = 0;

  constructor({ node, plan, link }: DeviceRegionsOptions) {
    this.#target = new SharedMemoryTarget({
      node,
      handles: new RegionsGuard(this.#shared),
      borrowerNode: plan.driver,
      borrowerPort: plan.driverPort,
      name: plan.name,
      borrower: 'the driver side',
      link,
      written: (address, length) => noteStore(this.#shared.values(), address, length),
      kinds: REGION_KINDS,
    });
  }

  /** Shares a region. Its place is where it begins among all that are shared, one behind the other. */
  share(region: SharedRegion): number {
    const handle = this.#pages;
    this.#shared.set(handle, region);
    this.#pages += Math.ceil(region.length / PAGE_SIZE);
    return handle * PAGE_SIZE;
  }

  /** Shares a region under a handle that both sides know. */
  shareAs(handle: number, region: SharedRegion): void {
    this.#shared.set(handle, region);
  }

  /** Takes a packet that is about regions; false for others. */
  receive(packet: Packet): boolean {
    if (packet.kind !== REGION_READ && packet.kind !== REGION_WRITE) return false;
    this.#target.receive(packet);
    return true;
  }
}

/** Tells of a store whoever has the region that it is in. */
export function noteStore(regions: Iterable<SharedRegion>, address: number, length: number): void {
  for (const region of regions) {
    const offset = address - region.address;
    if (offset >= 0 && offset < region.length) return region.stored?.(offset, length);
  }
}

class RegionsGuard implements MemoryGuard {
  denial = '';
  readonly #regions: ReadonlyMap<number, SharedRegion>;

  constructor(regions: ReadonlyMap<number, SharedRegion>) {
    this.#regions = regions;
  }

  translate(handle: number, _borrower: number, offset: number, length: number): number {
    const region = this.#regions.get(handle);
    if (region !== undefined && offset + length <= region.length) return region.address + offset;
    this.denial =
      region === undefined
        ? 'there is no such region'
        : `the access is outside the region of ${region.length} bytes`;
    return -1;
  }
}
