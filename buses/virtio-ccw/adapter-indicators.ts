// The driver's two stages of indicators for adapter interrupts: one summary byte for the whole bus, and a
// bit for each queue, taken from areas that devices share.
//
//   summary ─► area:  │ bits of device 0 │ bits of device 1 │ …      bit 0 is the first byte's highest
import { assert } from '../../platform/errors.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import type { AdapterArea } from './blocks.ts';

const BITS_PER_AREA = PAGE_SIZE * 8;

/** Is told of the queues whose bits were set. */
export interface IndicatorOwner {
  indicated(queue: number): void;
}

interface Area {
  readonly address: number;
  /** Bits taken so far. */
  used: number;
  /** Whose bit each is, and for which queue. */
  readonly owners: IndicatorOwner[];
  readonly queues: number[];
}

export class AdapterIndicators {
  readonly summary: number;
  readonly #node: Node;
  readonly #areas: Area[] = [];

  constructor(node: Node) {
    this.#node = node;
    this.summary = node.memory.allocate(1, 8);
  }

  /** Takes bits for the queues 0 … count-1 of a device. */
  take(owner: IndicatorOwner, count: number): AdapterArea {
    assert(count <= BITS_PER_AREA, 'a device has more queues than an area has bits');
    let area = this.#areas.at(-1);
    if (area === undefined || area.used + count > BITS_PER_AREA) {
      const address = this.#node.memory.allocate(PAGE_SIZE, PAGE_SIZE);
      area = { address, used: 0, owners: [], queues: [] };
      this.#areas.push(area);
    }
    const firstBit = area.used;
    for (let queue = 0; queue < count; queue++) {
      area.owners.push(owner);
      area.queues.push(queue);
    }
    area.used += count;
    return { summary: this.summary, indicators: area.address, firstBit };
  }

  /** The handler of the adapter interrupt: the summary is cleared first (§4.3.3.1.2). */
  interrupted(): void {
    this.#node.memory.writeU8(this.summary, 0);
    for (const area of this.#areas) this.#scan(area);
  }

  #scan(area: Area): void {
    const { memory } = this.#node;
    const bytes = Math.ceil(area.used / 8);
    for (let i = 0; i < bytes; i++) {
      const set = memory.readU8(area.address + i);
      if (set === 0) continue;
      memory.writeU8(area.address + i, 0);
      for (let bit = 0; bit < 8; bit++) {
        const index = i * 8 + bit;
        if ((set & (0x80 >> bit)) !== 0 && index < area.used) {
          area.owners[index].indicated(area.queues[index]);
        }
      }
    }
  }
}
