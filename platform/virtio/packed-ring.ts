// The packed virtqueue (virtio 1.4 §2.8): its layout in memory, and the driver's side of it.
//
//   descriptor area: a ring of 16-byte descriptors      driver, device area: 4 bytes each
//   addr:8 len:4 id:2 flags:2                           place of event and wrap:2  flags:2
//
// A descriptor is available when its AVAIL bit equals the driver's wrap counter and its USED bit does
// not; it is used when both equal the device's.
import { assert } from '../errors.ts';
import type { Memory } from '../node/index.ts';
import {
  alignUp,
  checkQueueSize,
  type DriverRing,
  type DriverRingOptions,
  InOrderChains,
  type KeptChain,
  type KeptChains,
  keptChains,
  REAP_BROKEN,
  REAP_NONE,
  type RingAreas,
  SegmentList,
} from './driver-ring.ts';
import { DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE, DESC_SIZE } from './split-ring.ts';

/** Offsets in a packed descriptor (§2.8.13). */
export const PACKED_DESC = { address: 0, length: 8, id: 12, flags: 14 } as const;
export const PACKED_F_AVAIL = 1 << 7;
export const PACKED_F_USED = 1 << 15;

/** Bytes of an event suppression structure (§2.8.14). */
export const EVENT_SUPPRESSION_SIZE = 4;
/** Values of its flags. */
export const RingEvents = { enable: 0, disable: 1, desc: 2 } as const;

/** Places the ring and both event suppression structures one after another from `start`. */
export function packedRingAreas(start: number, size: number): RingAreas {
  const descriptor = alignUp(start, 16);
  const driver = descriptor + DESC_SIZE * size;
  const device = driver + EVENT_SUPPRESSION_SIZE;
  return { descriptor, driver, device, length: device + EVENT_SUPPRESSION_SIZE - start };
}

/** The driver's side of one packed virtqueue. */
export class PackedDriverRing implements DriverRing {
  readonly size: number;
  readonly areas: RingAreas;
  usedLength = 0;
  freeCount: number;
  readonly #memory: Memory;
  readonly #options: DriverRingOptions;
  readonly #kept: KeptChains | null;
  #segments = new SegmentList();
  /** Free buffer ids, used as a stack. */
  readonly #freeIds: Int32Array;
  #freeIdCount: number;
  /** Ring places that the chain with this id takes up; 0 when the id is free. */
  readonly #slots: Int32Array;
  readonly #order: InOrderChains | null;
  /** Bytes that the device may write to the chain of each id; kept under IN_ORDER only. */
  readonly #writable: Float64Array;
  /** The chain that the used descriptor read last names, and the length in it. */
  #named = 0;
  #namedLength = 0;
  #next = 0;
  #wrap = true;
  #usedNext = 0;
  #usedWrap = true;
  /** Ring places filled since the last `takeNotify`. */
  #unnotified = 0;
  #holding = false;
  /** Place and value of the flags that make available what is held, or -1 when nothing is. */
  #heldAt = -1;
  #heldFlags = 0;

  /** `start` is allocated memory of at least `packedRingAreas(start, size).length` bytes. */
  constructor(
    memory: Memory,
    start: number,
    size: number,
    options: DriverRingOptions = { eventIndex: false, indirect: null },
  ) {
    checkQueueSize(size, false);
    this.#memory = memory;
    this.#options = options;
    this.size = size;
    this.areas = packedRingAreas(start, size);
    memory.fill(start, this.areas.length, 0);
    this.freeCount = size;
    this.#freeIds = Int32Array.from({ length: size }, (_, i) => size - 1 - i);
    this.#freeIdCount = size;
    this.#slots = new Int32Array(size);
    this.#order = options.inOrder === true ? new InOrderChains(size) : null;
    this.#kept = keptChains(size, options);
    this.#writable = new Float64Array(this.#order === null ? 0 : size);
  }

  get nextOffset(): number {
    // Bit 15 of the word is the wrap counter; virtio-msg has it in bit 31 (§2.9, EVENT_AVAIL).
    return this.#next + (this.#wrap ? 2 ** 31 : 0);
  }

  get hasUsed(): boolean {
    if (this.#order !== null && this.#order.batchEnd >= 0) return true;
    const at = this.areas.descriptor + DESC_SIZE * this.#usedNext + PACKED_DESC.flags;
    const flags = this.#memory.readU16(at);
    const used = (flags & PACKED_F_USED) !== 0;
    return used === this.#usedWrap && ((flags & PACKED_F_AVAIL) !== 0) === used;
  }

  get outstanding(): readonly KeptChain[] {
    return this.#options.keepsChains === true ? this.#kept!.all : [];
  }

  hasRoom(segments: number): boolean {
    return this.freeCount >= (this.#usesTable(segments) ? 1 : segments);
  }

  addSegment(busAddress: number, length: number, deviceWrites: boolean): void {
    this.#segments.add(busAddress, length, deviceWrites);
  }

  commit(): number {
    const { count } = this.#segments;
    assert(count > 0 && this.hasRoom(count), 'a chain has segments, and the ring room for them');
    const id = this.#freeIds[--this.#freeIdCount];
    if (this.#order !== null) {
      this.#order.push(id);
      this.#writable[id] = this.#segments.writableBytes;
    }
    const slots = this.#usesTable(count) ? this.#writeIndirect(id) : this.#writeDirect(id);
    if (this.#kept === null) this.#segments.count = 0;
    else this.#segments = this.#kept.keep(id, this.#segments);
    this.#slots[id] = slots;
    this.freeCount -= slots;
    this.#unnotified += slots;
    return id;
  }

  hold(): void {
    this.#holding = true;
  }

  release(): void {
    this.#holding = false;
    if (this.#heldAt >= 0) this.#memory.writeU16(this.#heldAt, this.#heldFlags);
    this.#heldAt = -1;
  }

  takeNotify(): boolean {
    const added = this.#unnotified;
    if (added === 0) return false;
    this.#unnotified = 0;
    const { device } = this.areas;
    const flags = this.#memory.readU16(device + 2);
    if (flags === RingEvents.disable) return false;
    if (flags !== RingEvents.desc || !this.#options.eventIndex) return true;
    const word = this.#memory.readU16(device);
    const sameLap = word >= 0x8000 === this.#wrap;
    const behind = this.#next - (word & 0x7fff) + (sameLap ? 0 : this.size);
    return behind > 0 && behind <= added;
  }

  reap(): number {
    if (!this.hasUsed) return REAP_NONE;
    const id = this.#nextUsed();
    if (id === REAP_BROKEN) return id;
    this.#order?.shift();
    // Of a chain that the device has skipped it has written all that it might.
    this.usedLength = id === this.#named ? this.#namedLength : this.#writable[id];
    const slots = this.#slots[id];
    this.#slots[id] = 0;
    this.#freeIds[this.#freeIdCount++] = id;
    this.freeCount += slots;
    this.#kept?.drop(id);
    this.#usedNext += slots;
    if (this.#usedNext >= this.size) {
      this.#usedNext -= this.size;
      this.#usedWrap = !this.#usedWrap;
    }
    return id;
  }

  unmapUsed(): void {
    if (this.#kept === null || !this.hasUsed) return;
    const id = this.#nextUsed();
    if (id !== REAP_BROKEN) this.#kept.unmap(id);
  }

  /** The chain that is used next; there is one, unless the ring is broken. */
  #nextUsed(): number {
    const order = this.#order;
    if (order === null || order.batchEnd < 0) {
      const at = this.areas.descriptor + DESC_SIZE * this.#usedNext;
      const named = this.#memory.readU16(at + PACKED_DESC.id);
      this.#namedLength = this.#memory.readU32(at + PACKED_DESC.length);
      if (named >= this.size || this.#slots[named] === 0) return REAP_BROKEN;
      this.#named = named;
      if (order !== null) order.batchEnd = named;
    }
    return order === null ? this.#named : order.oldest;
  }

  abandon(): void {
    this.#kept?.abandon();
  }

  disableInterrupts(): void {
    this.#memory.writeU16(this.areas.driver + 2, RingEvents.disable);
  }

  enableInterrupts(): boolean {
    const { driver } = this.areas;
    if (this.#options.eventIndex) {
      this.#memory.writeU16(driver, this.#usedNext | (this.#usedWrap ? 0x8000 : 0));
      this.#memory.writeU16(driver + 2, RingEvents.desc);
    } else {
      this.#memory.writeU16(driver + 2, RingEvents.enable);
    }
    return this.hasUsed;
  }

  #usesTable(segments: number): boolean {
    const { indirect } = this.#options;
    // No chain is longer than the queue is large, in a table or not.
    const most = Math.min(indirect?.segmentsMax ?? 0, this.size);
    return segments > 1 && segments <= most;
  }

  /** A descriptor for each segment; the first one's flags are written last (§2.8.21.1). */
  #writeDirect(id: number): number {
    const { count, addresses, lengths, writable } = this.#segments;
    const first = this.areas.descriptor + DESC_SIZE * this.#next;
    let firstFlags = 0;
    for (let i = 0; i < count; i++) {
      const at = this.areas.descriptor + DESC_SIZE * this.#next;
      const shape = (writable[i] === 1 ? DESC_F_WRITE : 0) | (i < count - 1 ? DESC_F_NEXT : 0);
      const flags = shape | this.#availableFlags();
      this.#writeBody(at, addresses[i], lengths[i], id);
      if (i === 0) firstFlags = flags;
      else this.#memory.writeU16(at + PACKED_DESC.flags, flags);
      this.#advance();
    }
    this.#publish(first + PACKED_DESC.flags, firstFlags);
    return count;
  }

  /** Writes the flags of a chain's first descriptor. Behind one that is held, none is available. */
  #publish(at: number, flags: number): void {
    if (!this.#holding || this.#heldAt >= 0) return this.#memory.writeU16(at, flags);
    this.#heldAt = at;
    this.#heldFlags = flags;
  }

  #writeIndirect(id: number): number {
    const { count, addresses, lengths, writable } = this.#segments;
    const { address, busAddress, segmentsMax } = this.#options.indirect!;
    const table = DESC_SIZE * segmentsMax * id;
    for (let i = 0; i < count; i++) {
      const at = address + table + DESC_SIZE * i;
      this.#writeBody(at, addresses[i], lengths[i], 0);
      this.#memory.writeU16(at + PACKED_DESC.flags, writable[i] === 1 ? DESC_F_WRITE : 0);
    }
    const at = this.areas.descriptor + DESC_SIZE * this.#next;
    this.#writeBody(at, busAddress + table, DESC_SIZE * count, id);
    this.#publish(at + PACKED_DESC.flags, DESC_F_INDIRECT | this.#availableFlags());
    this.#advance();
    return 1;
  }

  #writeBody(at: number, address: number, length: number, id: number): void {
    this.#memory.writeU64(at + PACKED_DESC.address, address);
    this.#memory.writeU32(at + PACKED_DESC.length, length);
    this.#memory.writeU16(at + PACKED_DESC.id, id);
  }

  #availableFlags(): number {
    return this.#wrap ? PACKED_F_AVAIL : PACKED_F_USED;
  }

  #advance(): void {
    this.#next++;
    if (this.#next < this.size) return;
    this.#next = 0;
    this.#wrap = !this.#wrap;
  }
}
