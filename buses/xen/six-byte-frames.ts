// The header of six bytes that Xen's proxy of 2025 speaks, from before there were tokens, and the messages
// of today: the bus turns one into the other.
//
//   six:   type │ msg_id │ dev_num le16 │ msg_size le16 │ payload, 38 bytes at most
//   eight: type │ msg_id │ dev_num le16 │ token le16 │ msg_size le16 │ payload
//
// The response of GET_VQUEUE and the request of SET_VQUEUE have no reserved word after their sizes, and the
// response of SET_VQUEUE repeats the request.
import { assert } from '../../platform/errors.ts';
import { copyBytes } from '../../platform/node/index.ts';
import {
  HEADER_SIZE,
  peekId,
  peekIsBus,
  peekIsResponse,
} from '../../platform/virtio/messages/index.ts';
import { readU16, writeU16 } from '../../platform/wire/index.ts';

const SIX = 6;
/** Largest message with the short header. */
const SIX_BYTE_MAX = 44;
const SIZE_AT_SIX = 4;
const TOKEN_AT = 4;
const SIZE_AT_EIGHT = 6;
/** Place of the reserved word in the payload of messages that describe a queue. */
const RESERVED_AT = 12;
const RESERVED_SIZE = 4;
const QUEUE_PAYLOAD_SIX = 36;

const GET_VQUEUE = 0x09;
const SET_VQUEUE = 0x0a;

/** The message describes a queue, with a reserved word in the long form. */
function describesQueue(bytes: Uint8Array): boolean {
  if (peekIsBus(bytes)) return false;
  return peekId(bytes) === (peekIsResponse(bytes) ? GET_VQUEUE : SET_VQUEUE);
}

function answersSetQueue(bytes: Uint8Array): boolean {
  return !peekIsBus(bytes) && peekIsResponse(bytes) && peekId(bytes) === SET_VQUEUE;
}

/** One end of the bus: it remembers the queue that is being set, for the response repeats it. */
export class SixByteFrames {
  readonly #queue = new Uint8Array(QUEUE_PAYLOAD_SIX);

  /** Writes the short form of a message to `target` and returns its length. */
  shorten(bytes: Uint8Array, length: number, target: Uint8Array): number {
    const payload = length - HEADER_SIZE;
    copyBytes(bytes, 0, target, 0, SIZE_AT_SIX);
    let size = SIX + payload;
    if (describesQueue(bytes)) {
      size -= RESERVED_SIZE;
      copyBytes(bytes, HEADER_SIZE, target, SIX, RESERVED_AT);
      const from = HEADER_SIZE + RESERVED_AT + RESERVED_SIZE;
      copyBytes(bytes, from, target, SIX + RESERVED_AT, QUEUE_PAYLOAD_SIX - RESERVED_AT);
    } else if (answersSetQueue(bytes)) {
      size = SIX + QUEUE_PAYLOAD_SIX;
      copyBytes(this.#queue, 0, target, SIX, QUEUE_PAYLOAD_SIX);
    } else copyBytes(bytes, HEADER_SIZE, target, SIX, payload);
    assert(size <= SIX_BYTE_MAX, 'options keep messages small enough for the short header');
    writeU16(target, SIZE_AT_SIX, size);
    return size;
  }

  /**
   * Writes the long form of a message to `target`, with a token, and returns its length; -1 for bytes that
   * are no message with a short header.
   */
  lengthen(bytes: Uint8Array, length: number, token: number, target: Uint8Array): number {
    if (length < SIX) return -1;
    const told = readU16(bytes, SIZE_AT_SIX);
    if (told < SIX || told > Math.min(length, SIX_BYTE_MAX)) return -1;
    copyBytes(bytes, 0, target, 0, SIZE_AT_SIX);
    let size = told - SIX + HEADER_SIZE;
    if (describesQueue(bytes)) {
      if (told !== SIX + QUEUE_PAYLOAD_SIX) return -1;
      size += RESERVED_SIZE;
      copyBytes(bytes, SIX, this.#queue, 0, QUEUE_PAYLOAD_SIX);
      copyBytes(bytes, SIX, target, HEADER_SIZE, RESERVED_AT);
      const reserved = HEADER_SIZE + RESERVED_AT;
      target.fill(0, reserved, reserved + RESERVED_SIZE);
      const rest = QUEUE_PAYLOAD_SIX - RESERVED_AT;
      copyBytes(bytes, SIX + RESERVED_AT, target, reserved + RESERVED_SIZE, rest);
    } else if (answersSetQueue(bytes)) size = HEADER_SIZE;
    else copyBytes(bytes, SIX, target, HEADER_SIZE, told - SIX);
    writeU16(target, TOKEN_AT, token);
    writeU16(target, SIZE_AT_EIGHT, size);
    return size;
  }
}
