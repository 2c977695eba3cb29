// The messages of in-band data: accesses of a device to its driver's memory, in chunks that fit into a
// message. No draft of virtio-msg has them: the ids are implementation-defined ones.
//
//   read    MEM_READ 0 │ MEM_READ 1 │ …             each is answered with its bytes
//   write   EVENT_MEM_WRITE 0 │ … │ MEM_WRITE n     the last, and some between, are answered for all before
import {
  HEADER_SIZE,
  MessageType,
  peekId,
  peekIsBus,
  peekSize,
  peekType,
  writeHeader,
} from '../../../platform/virtio/messages/index.ts';
import {
  bytes,
  defineMessages,
  LayoutCodec,
  le16,
  le32,
  le64,
  oneOf,
  readU16,
  readU32,
  reserved,
  writeU16,
  writeU32,
} from '../../../platform/wire/index.ts';

const SPEC = 'busbar: in-band data, in no draft of virtio-msg';

/** What the driver's side says to an access. */
export const MemoryStatus = {
  /** Done. */
  OK: 0,
  /** Not in the memory that the driver of this device has shared. */
  DENIED: 1,
  /** A chunk before this one has not arrived. */
  LOST: 2,
} as const;

const status = oneOf(MemoryStatus, le32);

/** What every access begins with; chunks of one access are numbered from 0. */
const chunk = { address: le64, sequence: le16, length: le16 } as const;

export const inBandMessages = defineMessages({
  MEM_READ: {
    id: 0xa0,
    scope: 'transport',
    sender: 'device',
    spec: SPEC,
    doc: "Reads a chunk of the driver's memory.",
    optional: true,
    request: chunk,
    response: { sequence: le16, length: le16, status, data: bytes('length') },
  },
  MEM_WRITE: {
    id: 0xa1,
    scope: 'transport',
    sender: 'device',
    spec: SPEC,
    doc: "Writes a chunk of the driver's memory; the response is for all chunks of the write so far.",
    optional: true,
    request: { ...chunk, data: bytes('length') },
    response: { sequence: le16, reserved: reserved(2), status },
  },
  EVENT_MEM_WRITE: {
    id: 0xe1,
    scope: 'transport',
    sender: 'device',
    spec: SPEC,
    doc: "Writes a chunk of the driver's memory; a MEM_WRITE with the same token comes later.",
    optional: true,
    request: { ...chunk, data: bytes('length') },
  },
});

/** The least id of these messages among those of transports. */
const FIRST_ID = 0x80;

const chunkLayout = new LayoutCodec('chunk', chunk);
const readLayout = new LayoutCodec('res.MEM_READ', inBandMessages.MEM_READ.response);
const writeLayout = new LayoutCodec('res.MEM_WRITE', inBandMessages.MEM_WRITE.response);

const ADDRESS = HEADER_SIZE + chunkLayout.offsetOf('address');
const SEQUENCE = HEADER_SIZE + chunkLayout.offsetOf('sequence');
const LENGTH = HEADER_SIZE + chunkLayout.offsetOf('length');
const READ_SEQUENCE = HEADER_SIZE + readLayout.offsetOf('sequence');
const READ_LENGTH = HEADER_SIZE + readLayout.offsetOf('length');
const READ_STATUS = HEADER_SIZE + readLayout.offsetOf('status');
const WRITE_SEQUENCE = HEADER_SIZE + writeLayout.offsetOf('sequence');
const WRITE_STATUS = HEADER_SIZE + writeLayout.offsetOf('status');

/** Where the data of a written chunk begin in its message, and those of a read one in its response. */
export const WRITTEN_DATA = HEADER_SIZE + chunkLayout.fixedSize;
export const READ_DATA = HEADER_SIZE + readLayout.fixedSize;

/** Bytes of the response to a write. */
const WRITE_RESPONSE = HEADER_SIZE + writeLayout.fixedSize;

/** Chunks that one access can have. */
export const CHUNKS_MAX = 65_536;

/** Most bytes of a chunk that is read, and of one that is written, by the largest message. */
export function chunkBytes(maxMessageSize: number): {
  readonly read: number;
  readonly write: number;
} {
  return { read: maxMessageSize - READ_DATA, write: maxMessageSize - WRITTEN_DATA };
}

/** True for a message with one of the ids that transports have no use for. */
export function isInBand(bytes: Uint8Array): boolean {
  return !peekIsBus(bytes) && peekId(bytes) >= FIRST_ID;
}

/** An access or an answer as its header has it: type and id in one number. */
export const Kind = {
  read: kindOf(MessageType.transportRequest, inBandMessages.MEM_READ.id),
  readAnswer: kindOf(MessageType.transportResponse, inBandMessages.MEM_READ.id),
  write: kindOf(MessageType.transportRequest, inBandMessages.MEM_WRITE.id),
  writeAnswer: kindOf(MessageType.transportResponse, inBandMessages.MEM_WRITE.id),
  posted: kindOf(MessageType.transportRequest, inBandMessages.EVENT_MEM_WRITE.id),
} as const;

/** The kind of a message whose header is sound, or -1 when it is none or its size contradicts its length. */
export function peekKind(bytes: Uint8Array): number {
  const kind = kindOf(peekType(bytes), peekId(bytes));
  const size = peekSize(bytes);
  switch (kind) {
    case Kind.read:
      return size >= WRITTEN_DATA ? kind : -1;
    case Kind.write:
    case Kind.posted:
      return size >= WRITTEN_DATA && size >= WRITTEN_DATA + peekLength(bytes) ? kind : -1;
    case Kind.readAnswer:
      return size >= READ_DATA && size >= READ_DATA + peekReadLength(bytes) ? kind : -1;
    case Kind.writeAnswer:
      return size >= WRITE_RESPONSE ? kind : -1;
    default:
      return -1;
  }
}

export function peekAddress(bytes: Uint8Array): number {
  return readU32(bytes, ADDRESS) + readU32(bytes, ADDRESS + 4) * 2 ** 32;
}

export function peekSequence(bytes: Uint8Array): number {
  return readU16(bytes, SEQUENCE);
}

/** Bytes that a chunk asks for or brings. */
export function peekLength(bytes: Uint8Array): number {
  return readU16(bytes, LENGTH);
}

/** The chunk that a response to MEM_READ brings, or the last of those that one to MEM_WRITE is for. */
export function peekAnswerSequence(bytes: Uint8Array): number {
  return readU16(
    bytes,
    peekId(bytes) === inBandMessages.MEM_READ.id ? READ_SEQUENCE : WRITE_SEQUENCE,
  );
}

/** Bytes that the response to MEM_READ brings. */
export function peekReadLength(bytes: Uint8Array): number {
  return readU16(bytes, READ_LENGTH);
}

export function peekAnswerStatus(bytes: Uint8Array): number {
  return readU32(bytes, peekId(bytes) === inBandMessages.MEM_READ.id ? READ_STATUS : WRITE_STATUS);
}

/** Writes MEM_READ at the start of `bytes` and returns its size. */
export function writeReadRequest(
  bytes: Uint8Array,
  device: number,
  token: number,
  address: number,
  sequence: number,
  length: number,
): number {
  const { id } = inBandMessages.MEM_READ;
  writeHeader(bytes, 0, MessageType.transportRequest, id, device, token, WRITTEN_DATA);
  writeChunk(bytes, address, sequence, length);
  return WRITTEN_DATA;
}

/**
 * Writes MEM_WRITE, or EVENT_MEM_WRITE for a chunk that needs no answer, at the start of `bytes` and
 * returns its size. The data from WRITTEN_DATA on are the caller's.
 */
export function writeWriteRequest(
  bytes: Uint8Array,
  isAnswered: boolean,
  device: number,
  token: number,
  address: number,
  sequence: number,
  length: number,
): number {
  const { MEM_WRITE, EVENT_MEM_WRITE } = inBandMessages;
  const { id } = isAnswered ? MEM_WRITE : EVENT_MEM_WRITE;
  const size = WRITTEN_DATA + length;
  writeHeader(bytes, 0, MessageType.transportRequest, id, device, token, size);
  writeChunk(bytes, address, sequence, length);
  return size;
}

/**
 * Writes the response to MEM_READ at the start of `bytes` and returns its size. The data from READ_DATA on
 * are the caller's.
 */
export function writeReadAnswer(
  bytes: Uint8Array,
  device: number,
  token: number,
  sequence: number,
  length: number,
  result: number,
): number {
  const size = READ_DATA + length;
  const { id } = inBandMessages.MEM_READ;
  writeHeader(bytes, 0, MessageType.transportResponse, id, device, token, size);
  writeU16(bytes, READ_SEQUENCE, sequence);
  writeU16(bytes, READ_LENGTH, length);
  writeU32(bytes, READ_STATUS, result);
  return size;
}

/** Writes the response to MEM_WRITE at the start of `bytes` and returns its size. */
export function writeWriteAnswer(
  bytes: Uint8Array,
  device: number,
  token: number,
  sequence: number,
  result: number,
): number {
  const { id } = inBandMessages.MEM_WRITE;
  writeHeader(bytes, 0, MessageType.transportResponse, id, device, token, WRITE_RESPONSE);
  writeU16(bytes, WRITE_SEQUENCE, sequence);
  writeU16(bytes, WRITE_SEQUENCE + 2, 0);
  writeU32(bytes, WRITE_STATUS, result);
  return WRITE_RESPONSE;
}

function writeChunk(bytes: Uint8Array, address: number, sequence: number, length: number): void {
  writeU32(bytes, ADDRESS, address % 2 ** 32);
  writeU32(bytes, ADDRESS + 4, Math.floor(address / 2 ** 32));
  writeU16(bytes, SEQUENCE, sequence);
  writeU16(bytes, LENGTH, length);
}

function kindOf(type: number, id: number): number {
  return type * 256 + id;
}
