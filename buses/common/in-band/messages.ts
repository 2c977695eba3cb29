// The messages of in-band data: accesses of a device to its driver's memory, in chunks that fit into a
// message. No draft of virtio-msg has them: the ids are implementation-defined ones.
//
//   read    MEM_READ 0 │ MEM_READ 1 │ …             each is answered with its bytes
//   write   EVENT_MEM_WRITE 0 │ … │ MEM_WRITE n     the last, and some between, are answered for all before
import { MessageType, peekId, peekIsBus } from '../../../platform/virtio/messages/index.ts';
import {
  bytes,
  defineMessages,
  le16,
  le32,
  le64,
  oneOf,
  reserved,
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
export const chunk = { address: le64, sequence: le16, length: le16 } as const;

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

/** Chunks that one access can have. */
export const CHUNKS_MAX = 65_536;

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

export function kindOf(type: number, id: number): number {
  return type * 256 + id;
}
