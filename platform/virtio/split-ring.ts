// The split virtqueue (virtio 1.4 §2.7): its layout in memory, and the driver's side of it. The device
// side reads the same bytes by DMA and lives with the devices.
//
//   descriptor area            driver area (avail)         device area (used)
//   16 B × size                flags idx ring[size]        flags idx {id len}[size]
//   addr:8 len:4 flags:2 next:2   2     2    2 × size         2     2    8 × size
import { assert } from '../errors.ts';
import type { Memory } from '../node/index.ts';

export const DESC_SIZE = 16;
/** Offsets in a descriptor (virtio 1.4 §2.7.5). */
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

/** `reap` found nothing new. */
export const REAP_NONE = -1;
/** `reap` found an element that names no chain of ours: the device has broken the ring. */
export const REAP_BROKEN = -2;

export interface RingAreas {
  readonly descriptor: number;
  readonly driver: number;
  readonly device: number;
  /** Bytes from the descriptor area's start to the device area's end. */
  readonly length: number;
}

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
export class SplitDriverRing {
  readonly size: number;
  readonly areas: RingAreas;
  /** Bytes the device wrote into the chain that `reap` returned last. */
  usedLength = 0;
  /** Descriptors not in any chain. */
  freeCount: number;
  readonly #memory: Memory;
  // The driver's own copy of what it linked: the device could overwrite the table.
  readonly #next: Int32Array;
  readonly #chainLength: Int32Array;
  #freeHead = 0;
  #availIndex = 0;
  #usedIndex = 0;
  #notifiedIndex = 0;
  #head = -1;
  #tail = -1;
  #building = 0;

  /** `start` is allocated memory of at least `splitRingAreas(start, size).length` bytes. */
  constructor(memory: Memory, start: number, size: number) {
    const powerOfTwo = size > 0 && (size & (size - 1)) === 0;
    assert(powerOfTwo && size <= QUEUE_SIZE_MAX, `queue size ${size} is not a power of 2 ≤ 32768`);
    this.#memory = memory;
    this.size = size;
    this.areas = splitRingAreas(start, size);
    memory.fill(start, this.areas.length, 0);
    this.freeCount = size;
    this.#next = new Int32Array(size);
    this.#chainLength = new Int32Array(size);
    for (let i = 0; i < size; i++) this.#next[i] = i + 1;
  }

  /** Appends a descriptor to the chain being built. Readable segments come before writable ones. */
  addSegment(busAddress: number, length: number, deviceWrites: boolean): void {
    assert(this.freeCount > 0, 'the ring has no free descriptor');
    const index = this.#freeHead;
    this.#freeHead = this.#next[index];
    this.freeCount--;
    const at = this.areas.descriptor + DESC_SIZE * index;
    this.#memory.writeU64(at + DESC.address, busAddress);
    this.#memory.writeU32(at + DESC.length, length);
    this.#memory.writeU16(at + DESC.flags, deviceWrites ? DESC_F_WRITE : 0);
    this.#memory.writeU16(at + DESC.next, 0);
    if (this.#building === 0) {
      this.#head = index;
    } else {
      const before = this.areas.descriptor + DESC_SIZE * this.#tail;
      const flags = this.#memory.readU16(before + DESC.flags);
      this.#memory.writeU16(before + DESC.flags, flags | DESC_F_NEXT);
      this.#memory.writeU16(before + DESC.next, index);
      this.#next[this.#tail] = index;
    }
    this.#tail = index;
    this.#building++;
  }

  /** Makes the built chain available and returns its head, which names it until it is reaped. */
  commit(): number {
    assert(this.#building > 0, 'a chain has at least one segment');
    const head = this.#head;
    this.#chainLength[head] = this.#building;
    this.#building = 0;
    const slot = this.#availIndex & (this.size - 1);
    this.#memory.writeU16(this.areas.driver + AVAIL.ring + 2 * slot, head);
    this.#availIndex = (this.#availIndex + 1) & 0xffff;
    this.#memory.writeU16(this.areas.driver + AVAIL.index, this.#availIndex);
    return head;
  }

  /** True when chains were added since the last call and the device wants to hear of them. */
  takeNotify(): boolean {
    if (this.#notifiedIndex === this.#availIndex) return false;
    this.#notifiedIndex = this.#availIndex;
    return (this.#memory.readU16(this.areas.device + USED.flags) & USED_F_NO_NOTIFY) === 0;
  }

  /** Where the next chain will go, as NOTIFICATION_DATA carries it (§2.9). */
  get nextOffset(): number {
    return this.#availIndex;
  }

  /** True when `reap` would find something. */
  get hasUsed(): boolean {
    return this.#memory.readU16(this.areas.device + USED.index) !== this.#usedIndex;
  }

  /** Takes one used element: the chain's head, REAP_NONE or REAP_BROKEN. Sets `usedLength`. */
  reap(): number {
    if (!this.hasUsed) return REAP_NONE;
    const slot = this.#usedIndex & (this.size - 1);
    const at = this.areas.device + USED.ring + USED_ELEMENT_SIZE * slot;
    const head = this.#memory.readU32(at);
    this.usedLength = this.#memory.readU32(at + 4);
    if (head >= this.size || this.#chainLength[head] === 0) return REAP_BROKEN;
    this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
    this.#freeChain(head);
    return head;
  }

  /** Asks the device not to signal used buffers; it may still do so (§2.7.7). */
  disableInterrupts(): void {
    this.#memory.writeU16(this.areas.driver + AVAIL.flags, AVAIL_F_NO_INTERRUPT);
  }

  /** Asks for signals again. Returns true when used buffers came in meanwhile. */
  enableInterrupts(): boolean {
    this.#memory.writeU16(this.areas.driver + AVAIL.flags, 0);
    return this.hasUsed;
  }

  #freeChain(head: number): void {
    const count = this.#chainLength[head];
    let tail = head;
    for (let i = 1; i < count; i++) tail = this.#next[tail];
    this.#next[tail] = this.#freeHead;
    this.#freeHead = head;
    this.freeCount += count;
    this.#chainLength[head] = 0;
  }
}

function alignUp(address: number, alignment: number): number {
  return Math.ceil(address / alignment) * alignment;
}
