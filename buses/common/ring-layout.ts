// Where the parts of a ring of message slots are, for rings with one producer and one consumer. Each
// index has one writer; what lies between the two is on its way.
//
//   consumer index ──▶ │ oldest │ … │ newest │ free │ … ◀── producer index
//
// The layouts of real implementations differ in places and widths only, and in what an index counts.
import { assert } from '../../platform/errors.ts';
import { readU16, readU32, writeU16, writeU32 } from '../../platform/wire/index.ts';

export interface RingLayout {
  readonly slots: number;
  /** Bytes of a slot, and the offset of the first. */
  readonly slotSize: number;
  /** Bytes from one slot to the next, when that is not its size. */
  readonly stride?: number;
  readonly firstSlot: number;
  /** Offsets of the indexes; each belongs to the side that writes it. */
  readonly producerIndex: number;
  readonly consumerIndex: number;
  readonly indexBytes: 2 | 4;
  /** How many values an index has: the number of slots, or all of its field when it only grows. */
  readonly indexSpan: number;
  /** Most frames that can be in the ring. */
  readonly capacity: number;
}

const SPSC_HEAD = 0x00;
const SPSC_TAIL = 0x40;
const SPSC_SLOTS = 0x80;
/** Bytes of a slot, which are those of a cache line. */
export const SPSC_SLOT_SIZE = 64;

/**
 * The queue of QEMU, Linux and Xen (`spsc_queue.h`), `size` bytes at `base`: 62 slots in 4 KiB, 14 in
 * 1 KiB. One slot always stays free, which tells full from empty.
 *
 *   0x00 head le32, 0x40 tail le32, 0x80 slots of 64 bytes
 */
export function spscLayout(base: number, size: number): RingLayout {
  const slots = Math.floor((size - 192) / SPSC_SLOT_SIZE) + 1;
  assert(slots >= 2, 'a queue has at least two slots');
  return {
    slots,
    slotSize: SPSC_SLOT_SIZE,
    firstSlot: base + SPSC_SLOTS,
    producerIndex: base + SPSC_HEAD,
    consumerIndex: base + SPSC_TAIL,
    indexBytes: 4,
    indexSpan: slots,
    capacity: slots - 1,
  };
}

const BRIDGE_SLOTS = 64;

/**
 * The ring of the Linux virtio-msg bridge: its indexes only grow, so that all slots are used.
 *
 *   0x00 prod le32, 0x04 cons le32, 0x08 entries le32, 0x0c entry_size le32, 0x10 flags, 0x14 reserved
 */
export function bridgeLayout(base: number, entries: number, entrySize: number): RingLayout {
  assert(entries > 0 && (entries & (entries - 1)) === 0, 'entries are a power of two');
  return {
    slots: entries,
    slotSize: entrySize,
    firstSlot: base + BRIDGE_SLOTS,
    producerIndex: base,
    consumerIndex: base + 4,
    indexBytes: 4,
    indexSpan: 2 ** 32,
    capacity: entries,
  };
}

/** Bytes of a ring of the bridge. */
export function bridgeSize(entries: number, entrySize: number): number {
  return BRIDGE_SLOTS + entries * entrySize;
}

/** How many frames are in the ring. More than its capacity means that an index makes no sense. */
export function ringUsed({ indexSpan }: RingLayout, producer: number, consumer: number): number {
  return producer >= consumer ? producer - consumer : producer - consumer + indexSpan;
}

/** The index after this one. */
export function nextIndex({ indexSpan }: RingLayout, index: number): number {
  return index + 1 === indexSpan ? 0 : index + 1;
}

/** Offset of the slot that an index points at. */
export function slotOffset(layout: RingLayout, index: number): number {
  const { firstSlot, slotSize, slots, stride = slotSize } = layout;
  return firstSlot + (index % slots) * stride;
}

/** True for a value that an index can have. */
export function indexIsSound({ indexSpan }: RingLayout, index: number): boolean {
  return index < indexSpan;
}

/** Reads an index out of the bytes of its field. */
export function readIndex({ indexBytes }: RingLayout, bytes: Uint8Array, at: number): number {
  return indexBytes === 2 ? readU16(bytes, at) : readU32(bytes, at);
}

/** Writes an index as the bytes of its field. */
export function writeIndex({ indexBytes }: RingLayout, bytes: Uint8Array, index: number): void {
  if (indexBytes === 2) writeU16(bytes, 0, index);
  else writeU32(bytes, 0, index);
}
