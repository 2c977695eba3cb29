// The device's side of a split ring (virtio 1.4 §2.7). A look reads flags and index of the driver area;
// then come the new entries, then descriptors, each to the end of its 64-byte line, then indirect
// tables. See platform/virtio/split-ring.ts for the layout.
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
import {
  BATCH_MAX,
  type DeviceRing,
  type DeviceRingOptions,
  Fetch,
  readAddress,
} from './device-ring.ts';

const DESC_PER_LINE = 64 / DESC_SIZE;

export class SplitDeviceRing implements DeviceRing {
  readonly setup: QueueSetup;
  readonly batch: Chain[] = [];
  problem = '';
  readonly #options: DeviceRingOptions;
  readonly #pool = new ChainPool();
  readonly #uses: Int32Array;
  /** First descriptor of each chain's read under way. */
  readonly #first = new Int32Array(BATCH_MAX);
  readonly #used = new Uint8Array(USED_ELEMENT_SIZE);
  readonly #index = new Uint8Array(2);
  readonly #event = new Uint8Array(2);
  #availIndex = 0;
  #lastAvail = 0;
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
    this.#uses = new Int32Array(setup.size);
  }

  gatherLook(dma: DmaPort): void {
    const { driverArea, size } = this.setup;
    this.#lookedAt = this.#usedCount;
    dma.readSegment(driverArea, AVAIL.ring);
    if (this.#options.eventIndex) dma.readSegment(driverArea + AVAIL.ring + 2 * size, 2);
  }

  looked(bytes: Uint8Array): Fetch {
    this.#flags = readU16(bytes, AVAIL.flags);
    this.#availIndex = readU16(bytes, AVAIL.index);
    if (this.#options.eventIndex) this.#usedEvent = readU16(bytes, AVAIL.ring);
    const pending = (this.#availIndex - this.#lastAvail) & 0xffff;
    if (pending > this.setup.size) return this.#bad(`the available index jumped by ${pending}`);
    this.#entries = Math.min(pending, BATCH_MAX);
    return pending === 0 ? Fetch.empty : Fetch.more;
  }

  gatherMore(dma: DmaPort): void {
    if (this.#entries > 0) this.#gatherEntries(dma);
    else this.#gatherDescriptors(dma);
  }

  fetched(bytes: Uint8Array): Fetch {
    if (this.#entries > 0) return this.#entriesRead(bytes);
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

  #gatherEntries(dma: DmaPort): void {
    const { driverArea, size } = this.setup;
    const first = this.#lastAvail & (size - 1);
    const untilWrap = Math.min(this.#entries, size - first);
    dma.readSegment(driverArea + AVAIL.ring + 2 * first, 2 * untilWrap);
    const rest = this.#entries - untilWrap;
    if (rest > 0) dma.readSegment(driverArea + AVAIL.ring, 2 * rest);
  }

  #entriesRead(bytes: Uint8Array): Fetch {
    const { size } = this.setup;
    for (let i = 0; i < this.#entries; i++) {
      const head = readU16(bytes, 2 * i);
      if (head >= size) return this.#bad(`head ${head} of a queue of ${size}`);
      const chain = this.#pool.take(head);
      chain.use = this.#uses[head]++;
      this.batch.push(chain);
    }
    this.#lastAvail = (this.#lastAvail + this.#entries) & 0xffff;
    this.#entries = 0;
    return Fetch.more;
  }

  /** For each incomplete chain: its indirect table, or the ring from its next descriptor on. */
  #gatherDescriptors(dma: DmaPort): void {
    const { descriptorArea } = this.setup;
    for (let i = 0; i < this.batch.length; i++) {
      const chain = this.batch[i];
      if (chain.complete) continue;
      if (chain.tableLength > 0) {
        dma.readSegment(chain.tableAddress, chain.tableLength);
        continue;
      }
      this.#first[i] = chain.next;
      const bytes = DESC_SIZE * this.#countToLineEnd(chain.next);
      dma.readSegment(descriptorArea + DESC_SIZE * chain.next, bytes);
    }
  }

  #descriptorsRead(bytes: Uint8Array): Fetch {
    let at = 0;
    let outcome: Fetch = Fetch.done;
    for (let i = 0; i < this.batch.length; i++) {
      const chain = this.batch[i];
      if (chain.complete) continue;
      const isTable = chain.tableLength > 0;
      const first = isTable ? 0 : this.#first[i];
      const count = isTable ? chain.tableLength / DESC_SIZE : this.#countToLineEnd(first);
      if (isTable) {
        chain.next = 0;
        chain.tableLength = 0;
      }
      if (!this.#walk(chain, bytes, at, { first, count, isTable })) return Fetch.bad;
      at += DESC_SIZE * count;
      if (!chain.complete) outcome = Fetch.more;
    }
    return outcome;
  }

  /** Follows a chain through the descriptors `first … first+count-1` that lie at `bytes[at]`. */
  #walk(
    chain: Chain,
    bytes: Uint8Array,
    at: number,
    { first, count, isTable }: { first: number; count: number; isTable: boolean },
  ): boolean {
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

  #countToLineEnd(index: number): number {
    const { descriptorArea, size } = this.setup;
    const inLine = Math.floor((descriptorArea + DESC_SIZE * index) / DESC_SIZE) % DESC_PER_LINE;
    return Math.min(DESC_PER_LINE - inLine, size - index);
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
