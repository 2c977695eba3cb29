// The split virtqueue (virtio 1.4 §2.7): its layout in memory, and the driver's side of it. The device
// side reads the same bytes by DMA and lives with the devices.
//
//   descriptor area            driver area (avail)         device area (used)
//   16 B × size                flags idx ring[size] event  flags idx {id len}[size] event
//   addr:8 len:4 flags:2 next:2   2     2    2 × size   2     2    8 × size      2
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
  needsEvent,
  REAP_BROKEN,
  REAP_NONE,
  type RingAreas,
  SegmentList,
} from './driver-ring.ts';

export const DESC_SIZE = 16;
/** Offsets in a descriptor (§2.7.5). */
export const DESC = { address: 0, length: 8, flags: 12, next: 14 } as const;
export const DESC_F_NEXT = 1;
export const DESC_F_WRITE = 2;
export const DESC_F_INDIRECT = 4;

/** Offsets in the driver area, also called the available ring (§2.7.6). */
export const AVAIL = { flags: 0, index: 2, ring: 4 } as const;
export const AVAIL_F_NO_INTERRUPT = 1;

/** Offsets in the device area, also called the used ring (§2.7.8). */
export const USED = { flags: 0, index: 2, ring: 4 } as const;
export const USED_ELEMENT_SIZE = 8;
export const USED_F_NO_NOTIFY = 1;

/** Largest queue of the split format (§2.7). */
export const QUEUE_SIZE_MAX = 32768;

/** Places the three areas of a ring one after another from `start`, each aligned as §2.7 asks. */
export function splitRingAreas(start: number, size: number): RingAreas {
  const descriptor = alignUp(start, 16);
  const driver = alignUp(descriptor + DESC_SIZE * size, 2);
  // 2 more bytes each for used_event and avail_event, which only EVENT_IDX uses.
  const device = alignUp(driver + AVAIL.ring + 2 * size + 2, 4);
  const end = device + USED.ring + USED_ELEMENT_SIZE * size + 2;
  return { descriptor, driver, device, length: end - start };
}

/** The driver's side of one split virtqueue. Descriptors are real bytes in the driver's memory. */
export class SplitDriverRing implements DriverRing {
  readonly size: number;
  readonly areas: RingAreas;
  usedLength = 0;
  freeCount: number;
  readonly #memory: Memory;
  readonly #options: DriverRingOptions;
  readonly #kept: KeptChains | null;
  #segments = new SegmentList();
  // The driver's own copy of what it linked: the device could overwrite the table.
  readonly #next: Int32Array;
  readonly #chainLength: Int32Array;
  readonly #order: InOrderChains | null;
  /** Bytes that the device may write to the chain of each head; kept under IN_ORDER only. */
  readonly #writable: Float64Array;
  #freeHead = 0;
  #availIndex = 0;
  #usedIndex = 0;
  #notifiedIndex = 0;
  #holding = false;
  /** The chain that the used element read last names, and the length in it. */
  #named = 0;
  #namedLength = 0;

  /** `start` is allocated memory of at least `splitRingAreas(start, size).length` bytes. */
  constructor(
    memory: Memory,
    start: number,
    size: number,
    options: DriverRingOptions = { eventIndex: false, indirect: null },
  ) {
    checkQueueSize(size, true);
    this.#memory = memory;
    this.#options = options;
    this.size = size;
    this.areas = splitRingAreas(start, size);
    memory.fill(start, this.areas.length, 0);
    this.freeCount = size;
    this.#next = new Int32Array(size);
    this.#chainLength = new Int32Array(size);
    for (let i = 0; i < size; i++) this.#next[i] = (i + 1) % size;
    this.#order = options.inOrder === true ? new InOrderChains(size) : null;
    this.#kept = keptChains(size, options);
    this.#writable = new Float64Array(this.#order === null ? 0 : size);
  }

  get nextOffset(): number {
    return this.#availIndex;
  }

  get hasUsed(): boolean {
    return this.#memory.readU16(this.areas.device + USED.index) !== this.#usedIndex;
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
    const head = this.#freeHead;
    if (this.#order !== null) {
      this.#order.push(head);
      this.#writable[head] = this.#segments.writableBytes;
    }
    if (this.#usesTable(count)) this.#writeIndirect(head);
    else this.#writeDirect();
    if (this.#kept === null) this.#segments.count = 0;
    else this.#segments = this.#kept.keep(head, this.#segments);
    const slot = this.#availIndex & (this.size - 1);
    this.#memory.writeU16(this.areas.driver + AVAIL.ring + 2 * slot, head);
    this.#availIndex = (this.#availIndex + 1) & 0xffff;
    if (!this.#holding) this.#publish();
    return head;
  }

  hold(): void {
    this.#holding = true;
  }

  release(): void {
    this.#holding = false;
    this.#publish();
  }

  takeNotify(): boolean {
    const from = this.#notifiedIndex;
    if (from === this.#availIndex) return false;
    this.#notifiedIndex = this.#availIndex;
    if (this.#options.eventIndex) {
      const at = this.areas.device + USED.ring + USED_ELEMENT_SIZE * this.size;
      return needsEvent(this.#memory.readU16(at), from, this.#availIndex);
    }
    return (this.#memory.readU16(this.areas.device + USED.flags) & USED_F_NO_NOTIFY) === 0;
  }

  reap(): number {
    if (!this.hasUsed) return REAP_NONE;
    const head = this.#nextUsed();
    if (head === REAP_BROKEN) return head;
    this.#order?.shift();
    // Of a chain that the device has skipped it has written all that it might.
    this.usedLength = head === this.#named ? this.#namedLength : this.#writable[head];
    this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
    this.#freeChain(head);
    this.#kept?.drop(head);
    return head;
  }

  unmapUsed(): void {
    if (this.#kept === null || !this.hasUsed) return;
    const head = this.#nextUsed();
    if (head !== REAP_BROKEN) this.#kept.unmap(head);
  }

  /** The chain that is used next; there is one, unless the ring is broken. */
  #nextUsed(): number {
    const order = this.#order;
    if (order === null || order.batchEnd < 0) {
      const slot = this.#usedIndex & (this.size - 1);
      const at = this.areas.device + USED.ring + USED_ELEMENT_SIZE * slot;
      const named = this.#memory.readU32(at);
      this.#namedLength = this.#memory.readU32(at + 4);
      if (named >= this.size || this.#chainLength[named] === 0) return REAP_BROKEN;
      this.#named = named;
      if (order !== null) order.batchEnd = named;
    }
    return order === null ? this.#named : order.oldest;
  }

  abandon(): void {
    this.#kept?.abandon();
  }

  disableInterrupts(): void {
    // With EVENT_IDX the event index stays behind, which asks for nothing.
    if (this.#options.eventIndex) return;
    this.#memory.writeU16(this.areas.driver + AVAIL.flags, AVAIL_F_NO_INTERRUPT);
  }

  enableInterrupts(): boolean {
    const { driver } = this.areas;
    if (this.#options.eventIndex) {
      this.#memory.writeU16(driver + AVAIL.ring + 2 * this.size, this.#usedIndex);
    } else {
      this.#memory.writeU16(driver + AVAIL.flags, 0);
    }
    return this.hasUsed;
  }

  #publish(): void {
    this.#memory.writeU16(this.areas.driver + AVAIL.index, this.#availIndex);
  }

  #usesTable(segments: number): boolean {
    const { indirect } = this.#options;
    // No chain is longer than the queue is large, in a table or not.
    const most = Math.min(indirect?.segmentsMax ?? 0, this.size);
    return segments > 1 && segments <= most;
  }

  /** One descriptor for each segment, linked by `next`. */
  #writeDirect(): void {
    const { count, addresses, lengths, writable } = this.#segments;
    const head = this.#freeHead;
    let index = head;
    for (let i = 0; i < count; i++) {
      index = this.#freeHead;
      this.#freeHead = this.#next[index];
      const last = i === count - 1;
      const flags = (writable[i] === 1 ? DESC_F_WRITE : 0) | (last ? 0 : DESC_F_NEXT);
      const at = this.areas.descriptor + DESC_SIZE * index;
      this.#writeDescriptor(at, addresses[i], lengths[i], flags, last ? 0 : this.#freeHead);
    }
    this.freeCount -= count;
    this.#chainLength[head] = count;
  }

  /** One descriptor for the whole chain, which lies in the table of its own (§2.7.5.3). */
  #writeIndirect(head: number): void {
    const { count, addresses, lengths, writable } = this.#segments;
    const { address, busAddress, segmentsMax } = this.#options.indirect!;
    const table = DESC_SIZE * segmentsMax * head;
    for (let i = 0; i < count; i++) {
      const last = i === count - 1;
      const flags = (writable[i] === 1 ? DESC_F_WRITE : 0) | (last ? 0 : DESC_F_NEXT);
      const at = address + table + DESC_SIZE * i;
      this.#writeDescriptor(at, addresses[i], lengths[i], flags, last ? 0 : i + 1);
    }
    this.#freeHead = this.#next[head];
    const at = this.areas.descriptor + DESC_SIZE * head;
    this.#writeDescriptor(at, busAddress + table, DESC_SIZE * count, DESC_F_INDIRECT, 0);
    this.freeCount--;
    this.#chainLength[head] = 1;
  }

  #writeDescriptor(at: number, address: number, length: number, flags: number, next: number): void {
    this.#memory.writeU64(at + DESC.address, address);
    this.#memory.writeU32(at + DESC.length, length);
    this.#memory.writeU16(at + DESC.flags, flags);
    this.#memory.writeU16(at + DESC.next, next);
  }

  #freeChain(head: number): void {
    const count = this.#chainLength[head];
    this.freeCount += count;
    this.#chainLength[head] = 0;
    // §2.7.5: under IN_ORDER descriptors are used in the order of the table, round and round.
    if (this.#order !== null) return;
    let tail = head;
    for (let i = 1; i < count; i++) tail = this.#next[tail];
    this.#next[tail] = this.#freeHead;
    this.#freeHead = head;
  }
}
