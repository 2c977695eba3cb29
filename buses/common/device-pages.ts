// Memory that a bus hands out to the drivers of its devices, in whole pages, and gets back when a device
// goes. The pages come from all of the node's RAM, or from one range of it that the device may reach.
import { type Memory, PAGE_SIZE } from '../../platform/node/index.ts';

export interface PageRange {
  readonly address: number;
  readonly length: number;
}

/** Where pages come from. */
export interface PageSource {
  /** Takes zeroed bytes. Returns their address, or -1 when there are not so many. */
  take(length: number): number;
  give(range: PageRange): void;
}

/** All of a node's RAM. Throws RunError MEMORY when nothing is left. */
export function pagesOfMemory(memory: Memory): PageSource {
  return {
    take: (length) => memory.allocate(length, PAGE_SIZE),
    give: ({ address, length }) => memory.free(address, length),
  };
}

/** One range of a node's RAM, first fit. */
export function pagesOfRange(memory: Memory, range: PageRange): PageSource {
  let free: readonly PageRange[] = [range];
  return {
    take: (length) => {
      const found = free.find((candidate) => candidate.length >= length);
      if (found === undefined) return -1;
      const rest = { address: found.address + length, length: found.length - length };
      free = free.flatMap((each) => (each !== found ? [each] : rest.length > 0 ? [rest] : []));
      memory.fill(found.address, length, 0);
      return found.address;
    },
    give: (given) => {
      free = joined([...free, given]);
    },
  };
}

/** What each device has. */
export class DevicePages {
  readonly #source: PageSource;
  readonly #ofDevice = new Map<number, PageRange[]>();

  constructor(source: PageSource) {
    this.#source = source;
  }

  /** Takes whole pages for a device; null when there are not so many. */
  allocate(device: number, length: number): PageRange | null {
    const bytes = Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
    const address = this.#source.take(bytes);
    if (address < 0) return null;
    const range = { address, length: bytes };
    const taken = this.#ofDevice.get(device);
    if (taken === undefined) this.#ofDevice.set(device, [range]);
    else taken.push(range);
    return range;
  }

  /** True for a range of bytes that lies in what a device has. */
  holds(device: number, address: number, length: number): boolean {
    const taken = this.#ofDevice.get(device);
    if (taken === undefined) return false;
    for (const range of taken) {
      const offset = address - range.address;
      if (offset >= 0 && offset + length <= range.length) return true;
    }
    return false;
  }

  /** Takes everything back from a device; it may be used again at once. */
  release(device: number): void {
    for (const range of this.detach(device)) this.giveBack(range);
  }

  /** Takes everything back from a device, and tells what it was; it may not be used yet. */
  detach(device: number): readonly PageRange[] {
    const taken = this.#ofDevice.get(device) ?? [];
    this.#ofDevice.delete(device);
    return taken;
  }

  /** What was detached may be used again. */
  giveBack(range: PageRange): void {
    this.#source.give(range);
  }
}

/** The ranges sorted, and neighbours made one. */
function joined(ranges: readonly PageRange[]): PageRange[] {
  const result: PageRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.address - b.address)) {
    const last = result.at(-1);
    if (last !== undefined && last.address + last.length === range.address) {
      result[result.length - 1] = { address: last.address, length: last.length + range.length };
    } else result.push(range);
  }
  return result;
}
