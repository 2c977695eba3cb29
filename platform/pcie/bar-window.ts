// Addresses that system software gives to BARs: wide prefetchable ones above 4 GiB, others below.
import type { AddressRange } from './bridge.ts';

/** Where no port has a window, all that is beyond RAM. */
const ALL_LOW: AddressRange = { start: 0x1000_0000, end: 2 ** 32 };
const ALL_HIGH: AddressRange = { start: 0x40_0000_0000, end: 2 ** 52 };

export class BarWindow {
  #low: AddressRange;
  #high: AddressRange;

  constructor(low: AddressRange = ALL_LOW, high: AddressRange = ALL_HIGH) {
    this.#low = low;
    this.#high = high;
  }

  /** Takes room for a BAR, a power of two; returns -1 when there is none left. */
  take(size: number, isHigh: boolean): number {
    const { start, end } = isHigh ? this.#high : this.#low;
    const address = Math.ceil(start / size) * size;
    if (address + size > end) return -1;
    const left = { start: address + size, end };
    if (isHigh) this.#high = left;
    else this.#low = left;
    return address;
  }
}
