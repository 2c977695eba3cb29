// Regions of shared memory behind a BAR of a card's function: one after another, each from a page on.
import type { SharedRegion } from '../../platform/contracts/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import type { BarPlan } from '../../platform/pcie/index.ts';

interface Placed {
  readonly offset: number;
  readonly region: SharedRegion;
}

export class CardRegions {
  readonly #node: Node;
  readonly #placed: Placed[] = [];
  #end = 0;

  constructor(node: Node) {
    this.#node = node;
  }

  /** Places a region; returns its offset in the BAR. */
  add(region: SharedRegion): number {
    const offset = this.#end;
    this.#placed.push({ offset, region });
    this.#end = offset + Math.ceil(region.length / PAGE_SIZE) * PAGE_SIZE;
    return offset;
  }

  /** The BAR that holds them all; none without regions. */
  bar(index: number): readonly BarPlan[] {
    if (this.#end === 0) return [];
    const size = 2 ** Math.ceil(Math.log2(this.#end));
    return [{ index, size, wide: true, prefetchable: true }];
  }

  /** True for bytes of one region. */
  claims(offset: number, length: number): boolean {
    return this.#find(offset, length) !== null;
  }

  read(offset: number, target: Uint8Array, length: number): void {
    const { region, offset: start } = this.#find(offset, length)!;
    this.#node.memory.copyOut(region.address + offset - start, target, 0, length);
  }

  write(offset: number, source: Uint8Array, length: number): void {
    const { region, offset: start } = this.#find(offset, length)!;
    this.#node.memory.copyIn(region.address + offset - start, source, 0, length);
    region.stored?.(offset - start, length);
  }

  #find(at: number, length: number): Placed | null {
    for (const placed of this.#placed) {
      const { offset, region } = placed;
      if (at >= offset && at + length <= offset + region.length) return placed;
    }
    return null;
  }
}
