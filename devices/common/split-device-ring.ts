// The device's side of a split ring (virtio 1.4 §2.7). A look reads flags and index of the driver area, and
// perhaps the entries that may be next; then come the other new entries, then descriptors, in bursts, then
// indirect tables. What a read has brought along counts only for chains that were available when it was
// made (§2.7.13.3): all others are read again. See platform/virtio/split-ring.ts for the layout.
import type { DmaPort, QueueSetup } from '../../platform/contracts/index.ts';
import {
  AVAIL,
  AVAIL_F_NO_INTERRUPT,
  DESC,
  DESC_F_INDIRECT,
  DESC_F_NEXT,
  DESC_F_WRITE,
  DESC_SIZE,
  needsEvent,
  USED,
  USED_ELEMENT_SIZE,
} from '../../platform/virtio/index.ts';
import { readU16, readU32, writeU16, writeU32 } from '../../platform/wire/index.ts';
import type { Chain } from './chain.ts';
import { ChainPool } from './chain-pool.ts';
import { DescriptorCache } from './descriptor-cache.ts';
import {
  type DeviceRing,
  type DeviceRingOptions,
  Fetch,
  Purpose,
  readAddress,
} from './device-ring.ts';

/** Descriptors that lie at a place of some bytes: part of the ring's table, or an indirect table. */
interface Window {
  first: number;
  count: number;
  isTable: boolean;
}

export class SplitDeviceRing implements DeviceRing {
  readonly setup: QueueSetup;
  readonly batch: Chain[] = [];
  problem = '';
  readonly #options: DeviceRingOptions;
  readonly #pool = new ChainPool();
  readonly #uses: Int32Array;
  /** First descriptor of each chain's read under way. */
  readonly #first: Int32Array;
  readonly #window: Window = { first: 0, count: 0, isTable: false };
  /** What was brought along for chains to come, or null when nothing is kept. */
  readonly #cache: DescriptorCache | null;
  /** Chains not yet taken that were available when the oldest descriptor in the cache was read. */
  #vouched = 0;
  readonly #batchMax: number;
  /** Entries that a look reads at the most, and those that the last one has read. */
  readonly #prefetchMax: number;
  #prefetched = 0;
  readonly #used = new Uint8Array(USED_ELEMENT_SIZE);
  readonly #index = new Uint8Array(2);
  readonly #event = new Uint8Array(2);
  #availIndex = 0;
  #lastAvail = 0;
  /** Entries of this batch that are still to be read. */
  #entries = 0;
  #flags = 0;
  #usedEvent = 0;
  #armedAt = 0;
  /** Chains returned, modulo 65536: so far, when the last look began, and at the look before. */
  #usedCount = 0;
  #lookedAt = 0;
  #signalledAt = 0;

  constructor(setup: QueueSetup, options: DeviceRingOptions) {
    this.setup = setup;
    this.#options = options;
    const { size, descriptorArea } = setup;
    const { batch, availPrefetch, descriptorBurst, descriptorCache } = options.fetch;
    this.#uses = new Int32Array(size);
    this.#batchMax = Math.min(batch, size);
    this.#prefetchMax = Math.min(availPrefetch, this.#batchMax);
    this.#first = new Int32Array(this.#batchMax);
    const table = { size, address: descriptorArea };
    this.#cache =
      descriptorCache < descriptorBurst
        ? null
        : new DescriptorCache({ ...table, burst: descriptorBurst, capacity: descriptorCache });
  }

  /** The index comes first: an entry is read at the same time or later, so that it is no older. */
  gatherLook(dma: DmaPort): Purpose {
    const { driverArea, size } = this.setup;
    this.#lookedAt = this.#usedCount;
    dma.readSegment(driverArea, AVAIL.ring);
    if (this.#options.eventIndex) dma.readSegment(driverArea + AVAIL.ring + 2 * size, 2);
    this.#prefetched = this.#prefetchMax;
    if (this.#prefetched > 0) this.#gatherEntries(dma, this.#prefetched);
    return Purpose.index;
  }

  looked(bytes: Uint8Array): Fetch {
    this.signalsRead(bytes);
    this.#availIndex = readU16(bytes, AVAIL.index);
    const pending = (this.#availIndex - this.#lastAvail) & 0xffff;
    if (pending > this.setup.size) return this.#bad(`the available index jumped by ${pending}`);
    if (pending === 0) return Fetch.empty;
    this.#entries = Math.min(pending, this.#batchMax);
    this.#vouchFor(pending);
    // Entries beyond the index are no entries yet, whatever they say.
    const known = Math.min(this.#entries, this.#prefetched);
    return this.#entriesRead(bytes, this.#options.eventIndex ? AVAIL.ring + 2 : AVAIL.ring, known);
  }

  signalsRead(bytes: Uint8Array): void {
    this.#flags = readU16(bytes, AVAIL.flags);
    if (this.#options.eventIndex) this.#usedEvent = readU16(bytes, AVAIL.ring);
  }

  gatherMore(dma: DmaPort): Purpose {
    if (this.#entries === 0) return this.#gatherDescriptors(dma);
    this.#gatherEntries(dma, this.#entries);
    return Purpose.entries;
  }

  fetched(bytes: Uint8Array): Fetch {
    if (this.#entries > 0) return this.#entriesRead(bytes, 0, this.#entries);
    return this.#descriptorsRead(bytes);
  }

  gatherUsed(dma: DmaPort, chain: Chain, written: number): void {
    const { deviceArea, size } = this.setup;
    const slot = this.#usedCount & (size - 1);
    writeU32(this.#used, 0, chain.head);
    writeU32(this.#used, 4, written);
    const element = deviceArea + USED.ring + USED_ELEMENT_SIZE * slot;
    dma.writeSegment(element, this.#used, 0, USED_ELEMENT_SIZE);
    writeU16(this.#index, 0, this.#usedCount + 1);
    dma.writeSegment(deviceArea + USED.index, this.#index, 0, 2);
  }

  usedWritten(chain: Chain): void {
    this.#usedCount = (this.#usedCount + 1) & 0xffff;
    this.#pool.give(chain);
  }

  takeSignal(): boolean {
    const from = this.#signalledAt;
    const to = this.#lookedAt;
    if (from === to) return false;
    this.#signalledAt = to;
    if (this.#options.eventIndex) return needsEvent(this.#usedEvent, from, to);
    return (this.#flags & AVAIL_F_NO_INTERRUPT) === 0;
  }

  gatherArm(dma: DmaPort): boolean {
    if (!this.#options.eventIndex || this.#armedAt === this.#lastAvail) return false;
    this.#armedAt = this.#lastAvail;
    writeU16(this.#event, 0, this.#lastAvail);
    const { deviceArea, size } = this.setup;
    dma.writeSegment(deviceArea + USED.ring + USED_ELEMENT_SIZE * size, this.#event, 0, 2);
    return true;
  }

  /**
   * So many chains are available. What the cache holds is only of use to those that were available when
   * it was read; unless that is all of the next batch, it is dropped.
   */
  #vouchFor(pending: number): void {
    if (this.#cache === null || this.#entries <= this.#vouched) return;
    this.#cache.clear();
    this.#vouched = pending;
  }

  /** Gathers the next `count` entries. */
  #gatherEntries(dma: DmaPort, count: number): void {
    const { driverArea, size } = this.setup;
    const first = this.#lastAvail & (size - 1);
    const untilWrap = Math.min(count, size - first);
    dma.readSegment(driverArea + AVAIL.ring + 2 * first, 2 * untilWrap);
    const rest = count - untilWrap;
    if (rest > 0) dma.readSegment(driverArea + AVAIL.ring, 2 * rest);
  }

  /** Begins a chain for each of the next `count` entries, which lie at `bytes[at]`. */
  #entriesRead(bytes: Uint8Array, at: number, count: number): Fetch {
    const { size } = this.setup;
    for (let i = 0; i < count; i++) {
      const head = readU16(bytes, at + 2 * i);
      if (head >= size) return this.#bad(`head ${head} of a queue of ${size}`);
      const chain = this.#pool.take(head);
      chain.use = this.#uses[head]++;
      this.batch.push(chain);
    }
    this.#lastAvail = (this.#lastAvail + count) & 0xffff;
    this.#entries -= count;
    if (this.#entries > 0 || this.#cache === null) return Fetch.more;
    this.#vouched -= this.batch.length;
    return this.#walkHeld(this.#cache);
  }

  /** For each incomplete chain: its indirect table, or the ring from its next descriptor on. */
  #gatherDescriptors(dma: DmaPort): Purpose {
    let purpose: Purpose = Purpose.tables;
    for (let i = 0; i < this.batch.length; i++) {
      const chain = this.batch[i];
      if (chain.complete) continue;
      if (chain.tableLength > 0) {
        dma.readSegment(chain.tableAddress, chain.tableLength);
        continue;
      }
      purpose = Purpose.descriptors;
      if (this.#cache !== null) {
        this.#gatherBurst(dma, this.#cache, this.#cache.burstOf(chain.next));
        continue;
      }
      this.#first[i] = chain.next;
      this.#readDescriptors(dma, chain.next, this.#countToBurstEnd(chain.next));
    }
    return purpose;
  }

  #gatherBurst(dma: DmaPort, cache: DescriptorCache, burst: number): void {
    if (cache.ask(burst)) this.#readDescriptors(dma, cache.startOf(burst), cache.countIn(burst));
  }

  #readDescriptors(dma: DmaPort, first: number, count: number): void {
    dma.readSegment(this.setup.descriptorArea + DESC_SIZE * first, DESC_SIZE * count);
  }

  #descriptorsRead(bytes: Uint8Array): Fetch {
    let at = 0;
    let outcome: Fetch = Fetch.done;
    for (let i = 0; i < this.batch.length; i++) {
      const chain = this.batch[i];
      if (chain.complete) continue;
      if (chain.tableLength > 0) {
        const count = chain.tableLength / DESC_SIZE;
        chain.next = 0;
        chain.tableLength = 0;
        if (!this.#walk(chain, bytes, at, this.#windowOf(0, count, true))) return Fetch.bad;
        at += DESC_SIZE * count;
      } else if (this.#cache !== null) {
        at += this.#cache.take(this.#cache.burstOf(chain.next), bytes, at);
      } else {
        const first = this.#first[i];
        const count = this.#countToBurstEnd(first);
        if (!this.#walk(chain, bytes, at, this.#windowOf(first, count, false))) return Fetch.bad;
        at += DESC_SIZE * count;
      }
      if (!chain.complete) outcome = Fetch.more;
    }
    return this.#cache === null ? outcome : this.#walkHeld(this.#cache);
  }

  /** Follows all chains as far as the cache holds them, and then lets it forget what is too much. */
  #walkHeld(cache: DescriptorCache): Fetch {
    let outcome: Fetch = Fetch.done;
    for (const chain of this.batch) {
      while (chain.next >= 0 && chain.tableLength === 0) {
        const burst = cache.burstOf(chain.next);
        if (!cache.holds(burst)) break;
        const first = cache.startOf(burst);
        const window = this.#windowOf(first, cache.countIn(burst), false);
        if (!this.#walk(chain, cache.bytes, DESC_SIZE * first, window)) return Fetch.bad;
      }
      if (!chain.complete) outcome = Fetch.more;
    }
    cache.trim();
    return outcome;
  }

  #windowOf(first: number, count: number, isTable: boolean): Window {
    const window = this.#window;
    window.first = first;
    window.count = count;
    window.isTable = isTable;
    return window;
  }

  /** Follows a chain through the descriptors `first … first+count-1` that lie at `bytes[at]`. */
  #walk(chain: Chain, bytes: Uint8Array, at: number, { first, count, isTable }: Window): boolean {
    const limit = isTable ? count : this.setup.size;
    while (chain.next >= first && chain.next < first + count) {
      const desc = at + DESC_SIZE * (chain.next - first);
      const flags = readU16(bytes, desc + DESC.flags);
      const length = readU32(bytes, desc + DESC.length);
      const address = readAddress(bytes, desc + DESC.address);
      chain.next = (flags & DESC_F_NEXT) === 0 ? -1 : readU16(bytes, desc + DESC.next);
      if (chain.next >= limit) return this.#refuse(`next descriptor ${chain.next} of ${limit}`);
      if ((flags & DESC_F_INDIRECT) !== 0) {
        if (isTable || !this.#indirect(chain, address, length)) {
          return this.#refuse('an indirect descriptor where none may be');
        }
        return true;
      }
      if (!chain.add(address, length, (flags & DESC_F_WRITE) !== 0)) {
        return this.#refuse('a readable descriptor after a writable one');
      }
      if (chain.count > this.setup.size) return this.#refuse('a chain longer than the queue');
    }
    return true;
  }

  /** Takes an indirect table (§2.7.5.3): the last of its chain, of whole descriptors, not too many. */
  #indirect(chain: Chain, address: number, length: number): boolean {
    const sound = length > 0 && length % DESC_SIZE === 0 && length <= DESC_SIZE * this.setup.size;
    if (!this.#options.indirect || chain.next >= 0 || !sound) return false;
    chain.tableAddress = address;
    chain.tableLength = length;
    return true;
  }

  #countToBurstEnd(index: number): number {
    const { descriptorArea, size } = this.setup;
    const perBurst = this.#options.fetch.descriptorBurst / DESC_SIZE;
    const inBurst = (Math.floor(descriptorArea / DESC_SIZE) + index) % perBurst;
    return Math.min(perBurst - inBurst, size - index);
  }

  #bad(problem: string): Fetch {
    this.problem = problem;
    return Fetch.bad;
  }

  #refuse(problem: string): false {
    this.problem = problem;
    return false;
  }
}
