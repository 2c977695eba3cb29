// What stands between a card and the host's memory: an IOMMU with a page table of its own for the card,
// or nothing. Addresses that a card uses are bus addresses; the IOMMU makes the host's own of them.
import { assert } from '../errors.ts';
import { type Memory, PAGE_SIZE } from '../node/index.ts';

/** Decides what a card reaches, and where. */
export interface Translation {
  /** Why the last access was not allowed. */
  readonly denial: string;
  /** Page table walks since this was last set to 0. */
  walks: number;
  readonly hits: number;
  readonly misses: number;
  readonly faults: number;
  /** Lets the card reach whole pages, and returns their bus address. */
  map(address: number, pages: number, writable: boolean): number;
  /** Lets a mapped page be reached, or not for a while; the IOTLB forgets one that is not. */
  setPresent(busAddress: number, present: boolean): void;
  /** Takes pages back. */
  unmap(busAddress: number, pages: number): void;
  /** True when every byte may be reached; counts as the translations that the access needs. */
  allows(busAddress: number, length: number, write: boolean): boolean;
  /** The host's address of a byte that may be reached, or -1. */
  find(busAddress: number): number;
  /** Bytes from a bus address on that are contiguous in the host's memory. */
  run(busAddress: number, length: number): number;
}

/** Every byte of RAM at its own address: no protection. */
export class DirectTranslation implements Translation {
  denial = '';
  walks = 0;
  readonly hits = 0;
  readonly misses = 0;
  faults = 0;
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  map(address: number): number {
    return address;
  }

  setPresent(): void {}

  unmap(): void {}

  allows(busAddress: number, length: number): boolean {
    if (this.#memory.contains(busAddress, length)) return true;
    this.faults++;
    this.denial = 'there is no memory at this address';
    return false;
  }

  find(busAddress: number): number {
    return busAddress;
  }

  run(_busAddress: number, length: number): number {
    return length;
  }
}

/** Bus addresses are given out downwards from 4 GiB, then upwards: short ones first. */
const LOW_END = 2 ** 32;
const LOW_START = 2 ** 28;
const WAYS = 4;

interface PageEntry {
  readonly address: number;
  readonly writable: boolean;
  present: boolean;
}

export class Iommu implements Translation {
  denial = '';
  walks = 0;
  hits = 0;
  misses = 0;
  faults = 0;
  readonly #pages = new Map<number, PageEntry>();
  #low = LOW_END;
  #high = LOW_END;
  // The IOTLB: sets of four pages, each with the time of its last use.
  readonly #setCount: number;
  readonly #cached: Float64Array;
  readonly #usedAt: Float64Array;
  #clock = 0;

  constructor(entries: number) {
    this.#setCount = Math.max(1, Math.floor(entries / WAYS));
    this.#cached = new Float64Array(this.#setCount * WAYS).fill(-1);
    this.#usedAt = new Float64Array(this.#setCount * WAYS);
  }

  map(address: number, pages: number, writable: boolean): number {
    assert(address % PAGE_SIZE === 0, 'the IOMMU maps whole pages');
    const length = pages * PAGE_SIZE;
    let start: number;
    if (this.#low - length >= LOW_START) {
      start = this.#low -= length;
    } else {
      start = this.#high;
      this.#high += length;
    }
    for (let offset = 0; offset < length; offset += PAGE_SIZE) {
      this.#pages.set(start + offset, { address: address + offset, writable, present: true });
    }
    return start;
  }

  setPresent(busAddress: number, present: boolean): void {
    const entry = this.#pages.get(busAddress);
    // A fault rule may have kept the page from being mapped at all.
    if (entry === undefined) return;
    entry.present = present;
    if (!present) this.#invalidate(busAddress);
  }

  unmap(busAddress: number, pages: number): void {
    for (let i = 0; i < pages; i++) {
      const page = busAddress + i * PAGE_SIZE;
      this.#pages.delete(page);
      this.#invalidate(page);
    }
  }

  allows(busAddress: number, length: number, write: boolean): boolean {
    const first = busAddress - (busAddress % PAGE_SIZE);
    for (let page = first; page < busAddress + length; page += PAGE_SIZE) {
      const entry = this.#pages.get(page);
      if (entry?.present !== true) return this.#deny('the page is not mapped');
      if (write && !entry.writable) return this.#deny('the page is mapped read-only');
      this.#lookUp(page);
    }
    return true;
  }

  find(busAddress: number): number {
    const offset = busAddress % PAGE_SIZE;
    const entry = this.#pages.get(busAddress - offset);
    return entry?.present === true ? entry.address + offset : -1;
  }

  run(busAddress: number, length: number): number {
    return Math.min(length, PAGE_SIZE - (busAddress % PAGE_SIZE));
  }

  #invalidate(page: number): void {
    const way = this.#wayOf(page);
    if (way >= 0) this.#cached[way] = -1;
  }

  #deny(reason: string): false {
    this.denial = reason;
    this.faults++;
    return false;
  }

  /** Looks a page up in the IOTLB, and puts it there in place of the one used longest ago. */
  #lookUp(page: number): void {
    this.#clock++;
    const way = this.#wayOf(page);
    if (way >= 0) {
      this.hits++;
      this.#usedAt[way] = this.#clock;
      return;
    }
    this.misses++;
    this.walks++;
    const start = this.#setOf(page);
    let oldest = start;
    for (let i = start + 1; i < start + WAYS; i++) {
      if (this.#usedAt[i] < this.#usedAt[oldest]) oldest = i;
    }
    this.#cached[oldest] = page;
    this.#usedAt[oldest] = this.#clock;
  }

  #setOf(page: number): number {
    return ((page / PAGE_SIZE) % this.#setCount) * WAYS;
  }

  #wayOf(page: number): number {
    const start = this.#setOf(page);
    for (let way = start; way < start + WAYS; way++) if (this.#cached[way] === page) return way;
    return -1;
  }
}
