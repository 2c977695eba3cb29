// The device's side of a packed ring (virtio 1.4 §2.8). A look reads the driver's event suppression and
// the burst of descriptors at the current place; chains lie in the ring one after another. What was read
// beyond a full batch may be kept, from a descriptor on that was available. See
// platform/virtio/packed-ring.ts for the layout.
import type { DmaPort, QueueSetup } from '../../platform/contracts/index.ts';
import {
  DESC_F_INDIRECT,
  DESC_F_NEXT,
  DESC_F_WRITE,
  DESC_SIZE,
  EVENT_SUPPRESSION_SIZE,
  PACKED_DESC,
  PACKED_F_AVAIL,
  PACKED_F_USED,
  RingEvents,
} from '../../platform/virtio/index.ts';
import { readU16, readU32, writeU16, writeU32 } from '../../platform/wire/index.ts';
import type { Chain } from './chain.ts';
import { ChainPool } from './chain-pool.ts';
import {
  type DeviceRing,
  type DeviceRingOptions,
  Fetch,
  Purpose,
  readAddress,
} from './device-ring.ts';

/** A fetch that goes on reads twice as many bursts each time, up to so many bytes. */
const READ_MAX = 1024;

export class PackedDeviceRing implements DeviceRing {
  readonly setup: QueueSetup;
  readonly batch: Chain[] = [];
  problem = '';
  readonly #options: DeviceRingOptions;
  readonly #pool = new ChainPool();
  readonly #uses: Int32Array;
  readonly #used = new Uint8Array(DESC_SIZE);
  readonly #event = new Uint8Array(EVENT_SUPPRESSION_SIZE);
  /** Where the next descriptor is fetched, and the wrap counter there. */
  #next = 0;
  #wrap = true;
  /** Bursts of the next read, and how many they may become. */
  #bursts = 1;
  readonly #burstsMax: number;
  readonly #perBurst: number;
  /** Descriptors of the read under way. */
  #reading = 0;
  /** Descriptors from `#next` on that were read with the last batch. */
  readonly #kept: Uint8Array;
  #keptCount = 0;
  /** Where the next used descriptor goes, and the wrap counter there. */
  #usedNext = 0;
  #usedWrap = true;
  /** A chain whose last descriptor has not been read yet. */
  #open: Chain | null = null;
  #tables = 0;
  #eventFlags = 0;
  #eventPlace = 0;
  #armedAt = -1;
  /** Ring places used since the start: so far, when the last look began, and at the look before. */
  #usedPlaces = 0;
  #lookedAt = 0;
  #signalledAt = 0;

  constructor(setup: QueueSetup, options: DeviceRingOptions) {
    this.setup = setup;
    this.#options = options;
    const { descriptorBurst, descriptorCache } = options.fetch;
    this.#uses = new Int32Array(setup.size);
    this.#perBurst = descriptorBurst / DESC_SIZE;
    this.#burstsMax = Math.max(1, READ_MAX / descriptorBurst);
    this.#kept = new Uint8Array(descriptorCache - (descriptorCache % DESC_SIZE));
  }

  gatherLook(dma: DmaPort): Purpose {
    this.#lookedAt = this.#usedPlaces;
    this.#bursts = 1;
    dma.readSegment(this.setup.driverArea, EVENT_SUPPRESSION_SIZE);
    // What is kept begins with a chain that is available: only the suppression has to be looked at.
    if (this.#keptCount > 0) return Purpose.index;
    this.#gatherBursts(dma);
    return Purpose.descriptors;
  }

  looked(bytes: Uint8Array): Fetch {
    this.signalsRead(bytes);
    const kept = this.#keptCount;
    this.#keptCount = 0;
    if (kept > 0) return this.#parse(this.#kept, 0, kept);
    return this.#parse(bytes, EVENT_SUPPRESSION_SIZE, this.#reading);
  }

  signalsRead(bytes: Uint8Array): void {
    this.#eventPlace = readU16(bytes, 0);
    this.#eventFlags = readU16(bytes, 2);
  }

  gatherMore(dma: DmaPort): Purpose {
    if (this.#tables === 0) {
      this.#bursts = Math.min(this.#burstsMax, this.#bursts * 2);
      this.#gatherBursts(dma);
      return Purpose.descriptors;
    }
    for (const chain of this.batch) {
      if (chain.tableLength > 0) dma.readSegment(chain.tableAddress, chain.tableLength);
    }
    return Purpose.tables;
  }

  fetched(bytes: Uint8Array): Fetch {
    return this.#tables > 0 ? this.#tablesRead(bytes) : this.#parse(bytes, 0, this.#reading);
  }

  gatherUsed(dma: DmaPort, chain: Chain, written: number): void {
    writeU32(this.#used, PACKED_DESC.length, written);
    writeU16(this.#used, PACKED_DESC.id, chain.head);
    const wrapFlags = this.#usedWrap ? PACKED_F_AVAIL | PACKED_F_USED : 0;
    const writes = written > 0 ? DESC_F_WRITE : 0;
    writeU16(this.#used, PACKED_DESC.flags, wrapFlags | writes);
    const at = this.setup.descriptorArea + DESC_SIZE * this.#usedNext;
    dma.writeSegment(at, this.#used, 0, DESC_SIZE);
  }

  usedWritten(chain: Chain): void {
    this.#usedPlaces += chain.slots;
    this.#usedNext += chain.slots;
    if (this.#usedNext >= this.setup.size) {
      this.#usedNext -= this.setup.size;
      this.#usedWrap = !this.#usedWrap;
    }
    this.#pool.give(chain);
  }

  /** The driver asks for all signals, for none, or for one when a certain place is used (§2.8.14). */
  takeSignal(): boolean {
    const from = this.#signalledAt;
    const to = this.#lookedAt;
    if (from === to) return false;
    this.#signalledAt = to;
    if (this.#eventFlags === RingEvents.disable) return false;
    if (this.#eventFlags !== RingEvents.desc || !this.#options.eventIndex) return true;
    const lapStart = this.#usedPlaces - this.#usedNext;
    const sameLap = this.#eventPlace >= 0x8000 === this.#usedWrap;
    const event = lapStart + (this.#eventPlace & 0x7fff) - (sameLap ? 0 : this.setup.size);
    return event >= from && event < to;
  }

  gatherArm(dma: DmaPort): boolean {
    if (!this.#options.eventIndex) return false;
    const place = this.#next | (this.#wrap ? 0x8000 : 0);
    if (place === this.#armedAt) return false;
    this.#armedAt = place;
    writeU16(this.#event, 0, place);
    writeU16(this.#event, 2, RingEvents.desc);
    dma.writeSegment(this.setup.deviceArea, this.#event, 0, EVENT_SUPPRESSION_SIZE);
    return true;
  }

  /** Gathers whole bursts of descriptors, up to the end of the ring. */
  #gatherBursts(dma: DmaPort): void {
    const { descriptorArea, size } = this.setup;
    const address = descriptorArea + DESC_SIZE * this.#next;
    const inBurst = Math.floor(address / DESC_SIZE) % this.#perBurst;
    this.#reading = Math.min(this.#perBurst * this.#bursts - inBurst, size - this.#next);
    dma.readSegment(address, DESC_SIZE * this.#reading);
  }

  /** Takes those of `count` descriptors that are available; when all are, more may be. */
  #parse(bytes: Uint8Array, start: number, count: number): Fetch {
    for (let i = 0; i < count; i++) {
      const at = start + DESC_SIZE * i;
      if (this.#open === null && !this.#isAvailable(readU16(bytes, at + PACKED_DESC.flags))) {
        return this.#parsed();
      }
      if (!this.#take(bytes, at)) return Fetch.bad;
      if (this.#open === null && this.batch.length === this.#options.fetch.batch) {
        this.#keep(bytes, at + DESC_SIZE, count - i - 1);
        return this.#parsed();
      }
    }
    return Fetch.more;
  }

  /** Keeps descriptors that a full batch has no room for, if the first of them is available. */
  #keep(bytes: Uint8Array, at: number, count: number): void {
    const kept = Math.min(count, this.#kept.length / DESC_SIZE);
    if (kept === 0 || !this.#isAvailable(readU16(bytes, at + PACKED_DESC.flags))) return;
    // When they were kept before, they move to the front.
    for (let i = 0; i < kept * DESC_SIZE; i++) this.#kept[i] = bytes[at + i];
    this.#keptCount = kept;
  }

  #parsed(): Fetch {
    if (this.batch.length === 0) return Fetch.empty;
    return this.#tables > 0 ? Fetch.more : Fetch.done;
  }

  #isAvailable(flags: number): boolean {
    const avail = (flags & PACKED_F_AVAIL) !== 0;
    const used = (flags & PACKED_F_USED) !== 0;
    return avail === this.#wrap && used !== this.#wrap;
  }

  /** Takes one descriptor of the ring into the open chain, or begins one with it. */
  #take(bytes: Uint8Array, at: number): boolean {
    const flags = readU16(bytes, at + PACKED_DESC.flags);
    const length = readU32(bytes, at + PACKED_DESC.length);
    const address = readAddress(bytes, at);
    const chain = this.#open ?? this.#pool.take(0);
    chain.slots++;
    this.#advance();
    const last = (flags & DESC_F_NEXT) === 0;
    if ((flags & DESC_F_INDIRECT) !== 0) {
      if (!last || !this.#indirect(chain, address, length)) {
        return this.#refuse('an indirect descriptor where none may be');
      }
    } else if (!chain.add(address, length, (flags & DESC_F_WRITE) !== 0)) {
      return this.#refuse('a readable descriptor after a writable one');
    }
    if (chain.slots > this.setup.size) return this.#refuse('a chain longer than the queue');
    this.#open = last ? null : chain;
    if (last) {
      // The buffer id is that of the chain's last descriptor.
      chain.head = readU16(bytes, at + PACKED_DESC.id);
      // Ids are any numbers that the driver likes, but drivers here take them below the size.
      if (chain.head < this.#uses.length) chain.use = this.#uses[chain.head]++;
      chain.next = -1;
      this.batch.push(chain);
    }
    return true;
  }

  #advance(): void {
    this.#next++;
    if (this.#next < this.setup.size) return;
    this.#next = 0;
    this.#wrap = !this.#wrap;
  }

  #indirect(chain: Chain, address: number, length: number): boolean {
    const sound = length > 0 && length % DESC_SIZE === 0 && length <= DESC_SIZE * this.setup.size;
    if (!this.#options.indirect || chain.count > 0 || !sound) return false;
    chain.tableAddress = address;
    chain.tableLength = length;
    this.#tables++;
    return true;
  }

  /** The descriptors of a table are one chain, in order; NEXT means nothing there (§2.8.7). */
  #tablesRead(bytes: Uint8Array): Fetch {
    let at = 0;
    for (const chain of this.batch) {
      const { tableLength } = chain;
      chain.tableLength = 0;
      for (const end = at + tableLength; at < end; at += DESC_SIZE) {
        const flags = readU16(bytes, at + PACKED_DESC.flags);
        const length = readU32(bytes, at + PACKED_DESC.length);
        const fine = (flags & DESC_F_INDIRECT) === 0;
        if (!fine || !chain.add(readAddress(bytes, at), length, (flags & DESC_F_WRITE) !== 0)) {
          this.#refuse('an indirect table that makes no chain');
          return Fetch.bad;
        }
      }
    }
    this.#tables = 0;
    return Fetch.done;
  }

  #refuse(problem: string): false {
    this.problem = problem;
    return false;
  }
}
