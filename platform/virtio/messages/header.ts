// The eight-byte header of every virtio-msg message, and the events that hot paths send, straight
// in bytes: nothing here allocates or checks. codec.ts is the checked way.
//
//   0      1        2         4       6          8
//   +------+--------+---------+-------+----------+---------
//   | type | msg_id | dev_num | token | msg_size | payload …
//   +------+--------+---------+-------+----------+---------
//   type bit 0: response; bit 1: bus message; bits 7:2 zero.
//
// In no draft is the dialect with device numbers of 32 bits: their upper half follows msg_size, and the
// payload begins at 10. Functions that care take the size of the header.
import type { DeviceBits } from '../../contracts/index.ts';
import { readU16, readU32, writeU16, writeU32 } from '../../wire/index.ts';

/** Bytes of the header. */
export const HEADER_SIZE = 8;

/** Bytes of the header with a device number of 32 bits, which is in no draft. */
const WIDE_HEADER_SIZE = 10;

/** Bytes of the header with device numbers of this width. */
export function headerSizeFor(deviceBits: DeviceBits): number {
  return deviceBits === 16 ? HEADER_SIZE : WIDE_HEADER_SIZE;
}

/** Largest size that the 16-bit field can say. */
export const EXPRESSIBLE_SIZE_MAX = 65535;

/** Values of the type byte. */
export const MessageType = {
  transportRequest: 0,
  transportResponse: 1,
  busRequest: 2,
  busResponse: 3,
} as const;

/** Bits of the type byte. */
export const TYPE_RESPONSE = 0x01;
export const TYPE_BUS = 0x02;
/** The type bits with a meaning; the others are ignored when received. */
export const TYPE_MASK = 0x03;

/** Ids of the messages that hot paths handle as bytes. */
export const EVENT_CONFIG_ID = 0x40;
export const EVENT_AVAIL_ID = 0x41;
export const EVENT_USED_ID = 0x42;

const EVENT_AVAIL_BODY = 8;
const EVENT_USED_BODY = 4;

/** Reads the type, without its reserved bits. */
export function peekType(bytes: Uint8Array, at = 0): number {
  return bytes[at] & TYPE_MASK;
}

/** Reads msg_id. Its name space depends on `peekIsBus`. */
export function peekId(bytes: Uint8Array, at = 0): number {
  return bytes[at + 1];
}

/** Reads dev_num. */
export function peekDevice(bytes: Uint8Array, at = 0, headerSize = HEADER_SIZE): number {
  const low = readU16(bytes, at + 2);
  return headerSize === HEADER_SIZE ? low : low + readU16(bytes, at + HEADER_SIZE) * 65_536;
}

/** Reads the token. */
export function peekToken(bytes: Uint8Array, at = 0): number {
  return readU16(bytes, at + 4);
}

/** Reads msg_size, header included. */
export function peekSize(bytes: Uint8Array, at = 0): number {
  return readU16(bytes, at + 6);
}

/** True for a response. */
export function peekIsResponse(bytes: Uint8Array, at = 0): boolean {
  return (bytes[at] & TYPE_RESPONSE) !== 0;
}

/** True for a bus message. */
export function peekIsBus(bytes: Uint8Array, at = 0): boolean {
  return (bytes[at] & TYPE_BUS) !== 0;
}

/** True for an event: neither a response nor answered by one. */
export function peekIsEvent(bytes: Uint8Array, at = 0): boolean {
  return (bytes[at] & TYPE_RESPONSE) === 0 && (bytes[at + 1] & 0x40) !== 0;
}

/** True when the header is whole and its size lies within `length` bytes. */
export function headerIsSound(
  bytes: Uint8Array,
  length: number,
  at = 0,
  headerSize = HEADER_SIZE,
): boolean {
  if (length < headerSize) return false;
  const size = readU16(bytes, at + 6);
  return size >= headerSize && size <= length;
}

/** Puts another token in, as a bus does that keeps its own correlation. */
export function setToken(bytes: Uint8Array, token: number, at = 0): void {
  writeU16(bytes, at + 4, token);
}

/** Puts another device number in, where routing needs it. */
export function setDevice(bytes: Uint8Array, device: number, at = 0): void {
  writeU16(bytes, at + 2, device);
}

/** Writes a header at `at`. */
export function writeHeader(
  bytes: Uint8Array,
  at: number,
  type: number,
  id: number,
  device: number,
  token: number,
  size: number,
  headerSize = HEADER_SIZE,
): void {
  bytes[at] = type;
  bytes[at + 1] = id;
  writeU16(bytes, at + 2, device % 65_536);
  writeU16(bytes, at + 4, token);
  writeU16(bytes, at + 6, size);
  if (headerSize !== HEADER_SIZE) writeU16(bytes, at + 8, Math.floor(device / 65_536));
}

/**
 * Writes EVENT_AVAIL at the start of `bytes` and returns its length. `nextOffset` has the wrap
 * counter in bit 31, and is 0 unless NOTIFICATION_DATA was agreed.
 */
export function writeEventAvail(
  bytes: Uint8Array,
  device: number,
  token: number,
  queue: number,
  nextOffset: number,
  headerSize = HEADER_SIZE,
): number {
  const size = headerSize + EVENT_AVAIL_BODY;
  writeHeader(bytes, 0, 0, EVENT_AVAIL_ID, device, token, size, headerSize);
  writeU32(bytes, headerSize, queue);
  writeU32(bytes, headerSize + 4, nextOffset);
  return size;
}

/** Writes EVENT_USED at the start of `bytes` and returns its length. */
export function writeEventUsed(
  bytes: Uint8Array,
  device: number,
  token: number,
  queue: number,
  headerSize = HEADER_SIZE,
): number {
  const size = headerSize + EVENT_USED_BODY;
  writeHeader(bytes, 0, 0, EVENT_USED_ID, device, token, size, headerSize);
  writeU32(bytes, headerSize, queue);
  return size;
}

/** Writes the empty response to a request: its header, turned round. Returns the length. */
export function writeEmptyResponse(bytes: Uint8Array, request: Uint8Array, at = 0): number {
  bytes[0] = (request[at] & TYPE_MASK) | TYPE_RESPONSE;
  bytes[1] = request[at + 1];
  bytes[2] = request[at + 2];
  bytes[3] = request[at + 3];
  bytes[4] = request[at + 4];
  bytes[5] = request[at + 5];
  bytes[6] = HEADER_SIZE;
  bytes[7] = 0;
  return HEADER_SIZE;
}

/** True when the `length` bytes at `at` are a whole EVENT_AVAIL. */
export function isEventAvail(
  bytes: Uint8Array,
  length: number,
  at = 0,
  headerSize = HEADER_SIZE,
): boolean {
  return isEvent(bytes, length, at, EVENT_AVAIL_ID, headerSize + EVENT_AVAIL_BODY);
}

/** True when the `length` bytes at `at` are a whole EVENT_USED. */
export function isEventUsed(
  bytes: Uint8Array,
  length: number,
  at = 0,
  headerSize = HEADER_SIZE,
): boolean {
  return isEvent(bytes, length, at, EVENT_USED_ID, headerSize + EVENT_USED_BODY);
}

/** Reads the queue index of an EVENT_AVAIL or EVENT_USED. */
export function peekEventQueue(bytes: Uint8Array, at = 0, headerSize = HEADER_SIZE): number {
  return readU32(bytes, at + headerSize);
}

/** Reads next_offset and wrap (bit 31) of an EVENT_AVAIL. */
export function peekEventNextOffset(bytes: Uint8Array, at = 0, headerSize = HEADER_SIZE): number {
  return readU32(bytes, at + headerSize + 4);
}

function isEvent(bytes: Uint8Array, length: number, at: number, id: number, least: number) {
  if (length < least || bytes[at + 1] !== id || (bytes[at] & TYPE_MASK) !== 0) return false;
  const size = readU16(bytes, at + 6);
  return size >= least && size <= length;
}
