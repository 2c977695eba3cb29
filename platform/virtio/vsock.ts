// What both sides of virtio-vsock agree on (virtio 1.4 §5.10): packets, operations and addresses.
import {
  bitset,
  defineBits,
  LayoutCodec,
  le16,
  le32,
  le64,
  masksOf,
  oneOf,
  readU16,
  readU32,
  writeU16,
  writeU32,
} from '../wire/index.ts';

export const VSOCK_DEVICE_ID = 19;

const SPEC = 'virtio 1.4 §5.10.3';

export const vsockFeatures = defineBits({
  STREAM: { bit: 0, spec: SPEC, doc: 'Stream sockets.' },
  SEQPACKET: { bit: 1, spec: SPEC, doc: 'Sequential packet sockets.' },
  NO_IMPLIED_STREAM: { bit: 2, spec: SPEC, doc: 'Stream sockets are there only if they say so.' },
});

export const VSOCK_F = masksOf(vsockFeatures);

export const vsockConfig = new LayoutCodec('vsock config', { guestCid: le64 });

/** Queues (§5.10.2). */
export const VSOCK_QUEUE = { rx: 0, tx: 1, event: 2 } as const;

/** The host's context id; those below are reserved, and so are the last ones. */
export const VSOCK_HOST_CID = 2;
export const VSOCK_FIRST_GUEST_CID = 3;
export const VSOCK_LAST_GUEST_CID = 0xffff_fffe;

export const VSOCK_OP = {
  INVALID: 0,
  REQUEST: 1,
  RESPONSE: 2,
  RST: 3,
  SHUTDOWN: 4,
  RW: 5,
  CREDIT_UPDATE: 6,
  CREDIT_REQUEST: 7,
} as const;

export const VSOCK_TYPE = { STREAM: 1, SEQPACKET: 2 } as const;

export const vsockShutdown = defineBits({
  RECEIVE: { bit: 0, spec: 'virtio 1.4 §5.10.6.5', doc: 'The sender will receive no more.' },
  SEND: { bit: 1, spec: 'virtio 1.4 §5.10.6.5', doc: 'The sender will send no more.' },
});
export const VSOCK_SHUTDOWN = { RECEIVE: 1, SEND: 2, BOTH: 3 } as const;

/** Flags of a packet of a seqpacket socket: it ends a message, and a record (§5.10.6.6). */
export const VSOCK_SEQ = { EOM: 1, EOR: 2 } as const;

/** What comes first in every packet. */
export const vsockHeader = new LayoutCodec('vsock packet header', {
  srcCid: le64,
  dstCid: le64,
  srcPort: le32,
  dstPort: le32,
  len: le32,
  type: oneOf(VSOCK_TYPE, le16),
  op: oneOf(VSOCK_OP, le16),
  flags: bitset(vsockShutdown, le32),
  bufAlloc: le32,
  fwdCnt: le32,
});
export const VSOCK_HEADER_SIZE = vsockHeader.fixedSize;

/** Payload of one packet at the most, as in Linux. */
export const VSOCK_PAYLOAD_MAX = 65536;

/** Events of the event queue (§5.10.6.7). */
export const VSOCK_EVENT = { TRANSPORT_RESET: 0 } as const;
export const vsockEvent = new LayoutCodec('vsock event', { id: oneOf(VSOCK_EVENT, le32) });
export const VSOCK_EVENT_SIZE = vsockEvent.fixedSize;

const AT = {
  srcCid: vsockHeader.offsetOf('srcCid'),
  dstCid: vsockHeader.offsetOf('dstCid'),
  srcPort: vsockHeader.offsetOf('srcPort'),
  dstPort: vsockHeader.offsetOf('dstPort'),
  len: vsockHeader.offsetOf('len'),
  type: vsockHeader.offsetOf('type'),
  op: vsockHeader.offsetOf('op'),
  flags: vsockHeader.offsetOf('flags'),
  bufAlloc: vsockHeader.offsetOf('bufAlloc'),
  fwdCnt: vsockHeader.offsetOf('fwdCnt'),
} as const;

/** A packet without payload, as its sender sees it. */
export interface VsockReply {
  readonly localPort: number;
  readonly peerPort: number;
  readonly type: number;
  readonly op: number;
  readonly flags: number;
  /** What it says of the buffer of its connection; 0 when it has none. */
  readonly bufAlloc: number;
  readonly fwdCnt: number;
}

/** A packet's header as numbers, filled again for every packet. */
export class VsockHeader {
  /** Context ids; -1 when the reserved upper half is not zero. */
  srcCid = 0;
  dstCid = 0;
  srcPort = 0;
  dstPort = 0;
  len = 0;
  type: number = VSOCK_TYPE.STREAM;
  op: number = VSOCK_OP.INVALID;
  flags = 0;
  bufAlloc = 0;
  fwdCnt = 0;

  /** Takes over all that a packet without payload says; between whom is the caller's. */
  setReply(reply: VsockReply): void {
    this.srcPort = reply.localPort;
    this.dstPort = reply.peerPort;
    this.len = 0;
    this.type = reply.type;
    this.op = reply.op;
    this.flags = reply.flags;
    this.bufAlloc = reply.bufAlloc;
    this.fwdCnt = reply.fwdCnt;
  }

  read(bytes: Uint8Array, at: number): void {
    this.srcCid = readCid(bytes, at + AT.srcCid);
    this.dstCid = readCid(bytes, at + AT.dstCid);
    this.srcPort = readU32(bytes, at + AT.srcPort);
    this.dstPort = readU32(bytes, at + AT.dstPort);
    this.len = readU32(bytes, at + AT.len);
    this.type = readU16(bytes, at + AT.type);
    this.op = readU16(bytes, at + AT.op);
    this.flags = readU32(bytes, at + AT.flags);
    this.bufAlloc = readU32(bytes, at + AT.bufAlloc);
    this.fwdCnt = readU32(bytes, at + AT.fwdCnt);
  }

  write(bytes: Uint8Array, at: number): void {
    writeU32(bytes, at + AT.srcCid, this.srcCid);
    writeU32(bytes, at + AT.srcCid + 4, 0);
    writeU32(bytes, at + AT.dstCid, this.dstCid);
    writeU32(bytes, at + AT.dstCid + 4, 0);
    writeU32(bytes, at + AT.srcPort, this.srcPort);
    writeU32(bytes, at + AT.dstPort, this.dstPort);
    writeU32(bytes, at + AT.len, this.len);
    writeU16(bytes, at + AT.type, this.type);
    writeU16(bytes, at + AT.op, this.op);
    writeU32(bytes, at + AT.flags, this.flags);
    writeU32(bytes, at + AT.bufAlloc, this.bufAlloc);
    writeU32(bytes, at + AT.fwdCnt, this.fwdCnt);
  }
}

function readCid(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 4) === 0 ? readU32(bytes, at) : -1;
}
