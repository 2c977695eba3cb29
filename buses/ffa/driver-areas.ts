// Areas of the bus address space: memory of the driver's node that is shared with the partition and
// announced to it. Allocations of drivers come out of areas.
import { PAGE_SIZE } from '../../platform/node/index.ts';
import { AREA_SPAN, AREAS_MAX } from './messages.ts';

export interface Area {
  readonly id: number;
  readonly address: number;
  readonly pages: number;
  /** Bytes handed out so far. */
  used: number;
}

export class DriverAreas {
  readonly #areas: Area[] = [];

  get count(): number {
    return this.#areas.length;
  }

  /** Adds an area over these pages, or null when all numbers are taken. */
  add(address: number, pages: number): Area | null {
    if (this.#areas.length === AREAS_MAX) return null;
    const area = { id: this.#areas.length + 1, address, pages, used: 0 };
    this.#areas.push(area);
    return area;
  }

  /** Takes pages of an area that has room for them; -1 when none has. */
  take(length: number): number {
    const rounded = pagesOf(length) * PAGE_SIZE;
    const area = this.#areas.find(({ pages, used }) => used + rounded <= pages * PAGE_SIZE);
    if (area === undefined) return -1;
    const address = area.address + area.used;
    area.used += rounded;
    return address;
  }

  /** The bus address of a byte of an area; -1 for memory in none. */
  busAddress(address: number): number {
    for (const area of this.#areas) {
      const offset = address - area.address;
      if (offset >= 0 && offset < area.pages * PAGE_SIZE) return area.id * AREA_SPAN + offset;
    }
    return -1;
  }
}

/** Whole pages that hold `length` bytes. */
export function pagesOf(length: number): number {
  return Math.ceil(length / PAGE_SIZE);
}
