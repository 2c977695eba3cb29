// What a notification of new buffers is on the bus (virtio 1.4 §4.1.5.2): two bytes that name the queue, or
// with NOTIFICATION_DATA, in four, how far the ring is as well.
import { readU16, readU32, writeU16, writeU32 } from '../../platform/wire/index.ts';

/** Bytes of the longer form. */
export const DOORBELL_SIZE = 4;

const WRAP = 0x8000;
const OFFSET = 0x7fff;
/** The wrap counter's place in `next`. */
const NEXT_WRAP = 2 ** 31;

/** What a notification says. */
export interface Doorbell {
  /** The index of the queue, or what the device calls it. */
  readonly queue: number;
  /** As for `DriverTransport.notify`. */
  readonly next: number;
  /** NOTIFICATION_DATA was negotiated. */
  readonly tellsNext: boolean;
}

/** Writes a notification and returns its bytes. */
export function writeDoorbell(bytes: Uint8Array, { queue, next, tellsNext }: Doorbell): number {
  if (!tellsNext) {
    writeU16(bytes, 0, queue);
    return 2;
  }
  const upper = (next & OFFSET) + (next >= NEXT_WRAP ? WRAP : 0);
  writeU32(bytes, 0, queue + upper * 2 ** 16);
  return DOORBELL_SIZE;
}

/** Names that a device gives its queues are unlike any index, and as far apart as its queues' registers. */
const NAME = 0x8000;
const NAME_STEP = 16;

/** What the device calls a queue (NOTIF_CONFIG_DATA). */
export function nameOfQueue(index: number): number {
  return NAME + NAME_STEP * index;
}

/** The queue that has this name; -1 if none has. */
export function queueOfName(name: number): number {
  const index = (name - NAME) / NAME_STEP;
  return index >= 0 && Number.isInteger(index) ? index : -1;
}

/** `next` of a notification of so many bytes, as for `DeviceModel.available`. */
export function doorbellNext(bytes: Uint8Array, length: number): number {
  if (length < DOORBELL_SIZE) return 0;
  const upper = readU16(bytes, 2);
  return (upper & OFFSET) + (upper >= WRAP ? NEXT_WRAP : 0);
}

/** A number written to a register of one, two or four bytes. */
export function numberOf(source: Uint8Array, length: number): number {
  if (length >= 4) return readU32(source, 0);
  return length === 2 ? readU16(source, 0) : source[0];
}
