// The regions of shared memory that are mapped for the cores of a driver's node, and accesses to what is not.
import type { Node } from '../../platform/node/index.ts';

export interface MappedRegion {
  /** Number of the device that it is a region of. */
  readonly device: number;
  /** What the device's end has told. */
  readonly place: number;
  /** What it is called in transactions. */
  readonly handle: number;
  readonly address: number;
  readonly length: number;
}

export class MappedRegions {
  readonly #node: Node;
  readonly #name: string;
  #regions: readonly MappedRegion[] = [];

  /** `name` is that of the bus, for violations. */
  constructor(node: Node, name: string) {
    this.#node = node;
    this.#name = name;
  }

  add(region: MappedRegion): void {
    this.#regions = [...this.#regions, region];
  }

  /** The region that an address lies in, or null. */
  find(address: number): MappedRegion | null {
    for (const region of this.#regions) {
      if (address >= region.address && address < region.address + region.length) return region;
    }
    return null;
  }

  /** Unmaps the regions of a device, which are returned. */
  remove(device: number): readonly MappedRegion[] {
    const removed = this.#regions.filter((region) => region.device === device);
    if (removed.length > 0) {
      this.#regions = this.#regions.filter((region) => region.device !== device);
    }
    return removed;
  }

  /** Why an access is refused, which is reported; null when it is allowed. */
  refusal(address: number, length: number, write: boolean): string | null {
    const region = this.find(address);
    if (region !== null && address + length <= region.address + region.length) return null;
    const reason =
      region === null
        ? 'no region is mapped there'
        : `the access is outside the region of ${region.length} bytes`;
    const what = `${write ? 'store' : 'load'} of ${length} bytes at 0x${address.toString(16)}`;
    this.#node.violations.report('ACCESS_FAULT', `${this.#name}: ${what} refused: ${reason}`);
    return reason;
  }
}
