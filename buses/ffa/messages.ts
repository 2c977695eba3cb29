// Messages private to the FF-A bus, in the dialect of the Linux driver of 2026 (reference B1).
import type { StandardMessages } from '../../platform/virtio/messages/index.ts';
import {
  absent,
  defineMessages,
  hex,
  le16,
  le32,
  le64,
  type MessageOf,
  oneOf,
  u8,
} from '../../platform/wire/index.ts';

const SPEC = 'FF-A bus, Linux 2026';

export const FfaResult = { SUCCESS: 0, ERROR: 1, BUSY: 2 } as const;

/** How the driver side hears of events. */
export const EventMethod = { POLL: 0, NOTIFICATION: 1, INDIRECT: 2, FIFO: 3 } as const;

const result = oneOf(FfaResult, le16);

export const ffaMessages = defineMessages({
  /** An event is acknowledged by a bus response with id 0. */
  EVENT_ACK: {
    id: 0x00,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'Acknowledges an event that came by direct message.',
    response: {},
  },
  VERSION: {
    id: 0x80,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'Agrees on the versions of bus, transport and FF-A: first a probe, then the echo.',
    request: { busVersion: le32, transportRevision: le32, ffaVersion: hex(le32) },
    response: {
      busVersion: le32,
      transportRevision: le32,
      ffaVersion: hex(le32),
      featureBits: hex(le32),
      busFeatures: hex(le32),
      maxAreas: le16,
    },
  },
  AREA_SHARE: {
    id: 0x81,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'Announces memory that was shared under a handle, as an area of the bus address space.',
    request: {
      areaId: le16,
      memHandle: le64,
      memTag: le64,
      pageCount: le32,
      sharingAttributes: hex(le32),
    },
    response: { areaId: le16, result },
  },
  AREA_UNSHARE: {
    id: 0x82,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'Asks the device side to give an area back.',
    request: { areaId: le16 },
    response: { areaId: le16, result },
  },
  RESET: {
    id: 0x83,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'Drops all areas and all negotiation, and resets every device.',
    request: {},
    response: { result },
  },
  EVENT_POLL: {
    id: 0x84,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'Asks for the next event; the event itself comes in place of a response.',
    request: {},
    response: {},
  },
  EVENT_CONFIGURE: {
    id: 0x85,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'Chooses how the driver side hears of events.',
    request: { eventMethod: oneOf(EventMethod, u8), reserved: u8, notificationId: le16 },
    response: { result },
  },
  FIFO_CONFIGURE: {
    id: 0x86,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'Announces the memory of the FIFOs and exchanges notification ids.',
    request: { memHandle: le64, pageCount: le16, driverNotificationId: le16 },
    response: { result, deviceNotificationId: le16 },
  },
  ERROR: {
    id: 0x87,
    scope: 'bus',
    sender: 'device',
    spec: SPEC,
    doc: 'A request could not be delivered; the header repeats its device number and token.',
    namesDevice: true,
    response: { originalId: le16 },
  },
  AREA_RELEASE: {
    id: 0xc0,
    scope: 'bus',
    sender: 'device',
    spec: SPEC,
    doc: 'The device side no longer uses an area.',
    request: { areaId: le16 },
  },
});

export type FfaMessages = typeof ffaMessages;

/** Any message that crosses an FF-A bus. */
export type FfaMessage = MessageOf<StandardMessages & FfaMessages>;
/** A message but for its header. */
export type FfaBody = BodyOf<FfaMessage>;
type BodyOf<M> = M extends { type: infer T; body: infer B } ? { type: T; body: B } : never;
export type FfaMessageOf<T extends FfaMessage['type']> = Extract<FfaMessage, { type: T }>;

/** VERSION as OP-TEE speaks it: no FF-A version in the request, and another order in the response. */
const opteeVersion = {
  request: { busVersion: hex(le32), transportRevision: le32, ffaVersion: absent(le32) },
  response: {
    busVersion: hex(le32),
    transportRevision: le32,
    busFeatures: hex(le32),
    featureBits: hex(le32),
    maxAreas: le16,
    ffaVersion: absent(le32),
  },
} as const;

/** The two known dialects. A pair of different ones does not agree on VERSION. */
export const dialects = {
  linux: {
    messages: ffaMessages,
    busVersion: 1,
    probes: true,
    hasErrors: true,
    featureBits: 0b1111111,
  },
  optee: {
    // The bodies have the same values, so that both ends are written once.
    messages: {
      ...ffaMessages,
      VERSION: { ...ffaMessages.VERSION, spec: 'FF-A bus, OP-TEE', ...opteeVersion },
    } as unknown as FfaMessages,
    busVersion: 0x0001_0000,
    probes: false,
    // What it cannot answer gets a message of zeroes.
    hasErrors: false,
    // Direct RX alone.
    featureBits: 0b1,
  },
} as const;

export type DialectName = keyof typeof dialects;
export type Dialect = (typeof dialects)[DialectName];

/** True for the messages that set a session up: beside a FIFO they go by direct call. */
export function isControl(id: number): boolean {
  const { VERSION, RESET, EVENT_CONFIGURE, FIFO_CONFIGURE } = ffaMessages;
  return (
    id === VERSION.id || id === RESET.id || id === EVENT_CONFIGURE.id || id === FIFO_CONFIGURE.id
  );
}

/** FF-A 1.2 as FFA_VERSION packs it. */
export const FFA_VERSION = 0x0001_0002;
/** Areas are numbered 1 … 31, so that a bus address (area << 48 | offset) is exact in a double. */
export const AREAS_MAX = 31;
export const AREA_SPAN = 2 ** 48;
/** Older Trusty: the area is in the top 8 bits of a bus address. */
export const TOP_BYTE_SPAN = 2 ** 56;
/** Writable, inner shareable, write-back, normal memory, non-secure; shared (reference B1). */
export const SHARING_ATTRIBUTES = 0x6f4;
/** Bits of the attributes that tell how memory is given: 0 shared, 1 lent, 2 donated. */
export const SHARING_MODE_MASK = 3;

/** Number that VERSION gives a revision of virtio-msg. */
export const TRANSPORT_REVISION = { rfc3: 1, v1: 1, v2: 2 } as const;
