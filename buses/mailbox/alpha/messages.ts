// The messages of 2024 (ALPHA), as open-amp has them: a header of four bytes, a payload of 36, no token and no
// size. What open-amp, and the Linux driver beside it, leave open is said in the README.
//
//   0      1    2        4
//   +------+----+--------+---------
//   | type | id | dev_id | payload, 36 bytes
//   +------+----+--------+---------
import {
  fixedBytes,
  type Layout,
  LayoutCodec,
  layoutMarkdown,
  le16,
  le32,
  le64,
  reserved,
  u8,
} from '../../../platform/wire/index.ts';

/** Bytes of every message. */
export const ALPHA_SIZE = 40;
const HEADER_SIZE = 4;
/** Words of features in one message. */
export const FEATURE_WORDS = 8;
/** Bytes of the configuration in one message, and in an event. */
export const CONFIG_BYTES = 32;
export const EVENT_CONFIG_BYTES = 16;
/** Version that DEVICE_INFO tells. */
export const ALPHA_VERSION = 1;

const header = new LayoutCodec('header', { type: u8, id: u8, device: le16 });

const index = { index: le32 } as const;
const features = { index: le32, features: fixedBytes(4 * FEATURE_WORDS) } as const;
/** An offset of 24 bits, and above it a size of 8. */
const range = { range: le32 } as const;
const config = { ...range, value: fixedBytes(CONFIG_BYTES) } as const;
const status = { status: le32 } as const;

interface AlphaRow {
  readonly id: number;
  readonly doc: string;
  readonly request: Layout;
  /** Left out where none comes: events, and what only sets something. */
  readonly response?: Layout;
}

/** All messages of the transport. */
const alphaMessages = {
  DEVICE_INFO: {
    id: 0x03,
    doc: 'Asks what the device is.',
    request: {},
    response: { version: le32, deviceId: le32, vendorId: le32 },
  },
  GET_FEATURES: {
    id: 0x04,
    doc: 'Reads eight words of features.',
    request: index,
    response: features,
  },
  SET_FEATURES: { id: 0x05, doc: 'Writes eight words of features.', request: features },
  GET_CONFIG: {
    id: 0x06,
    doc: 'Reads bytes of the configuration space.',
    request: range,
    response: config,
  },
  SET_CONFIG: {
    id: 0x07,
    doc: 'Writes bytes of the configuration space; a response of size 0 did not apply them.',
    request: config,
    response: config,
  },
  GET_CONFIG_GEN: {
    id: 0x08,
    doc: 'Reads the generation of the configuration.',
    request: {},
    response: { generation: le32 },
  },
  GET_DEVICE_STATUS: {
    id: 0x09,
    doc: 'Reads the device status.',
    request: {},
    response: status,
  },
  SET_DEVICE_STATUS: { id: 0x0a, doc: 'Writes the device status; 0 resets.', request: status },
  GET_VQUEUE: {
    id: 0x0b,
    doc: 'Reads the size limit of a queue.',
    request: index,
    response: { index: le32, maxSize: le32 },
  },
  SET_VQUEUE: {
    id: 0x0c,
    doc: 'Sets size and addresses of a queue, and enables it.',
    request: {
      index: le32,
      reserved: reserved(4),
      size: le32,
      descriptorArea: le64,
      driverArea: le64,
      deviceArea: le64,
    },
  },
  RESET_VQUEUE: { id: 0x0d, doc: 'Resets one queue.', request: index },
  EVENT_CONFIG: {
    id: 0x10,
    doc: 'Says that configuration or status changed.',
    request: { status: le64, ...range, value: fixedBytes(EVENT_CONFIG_BYTES) },
  },
  EVENT_AVAIL: {
    id: 0x11,
    doc: 'Says that buffers were made available on a queue.',
    request: { index: le32, nextOffset: le64, nextWrap: le64 },
  },
  EVENT_USED: { id: 0x12, doc: 'Says that buffers of a queue were used.', request: index },
} as const satisfies Readonly<Record<string, AlphaRow>>;

export type AlphaName = keyof typeof alphaMessages;
type Field = number | bigint | Uint8Array;
/** Values of a payload by field. */
export type AlphaBody = Readonly<Record<string, Field>>;

export interface AlphaMessage {
  readonly name: AlphaName;
  readonly isResponse: boolean;
  readonly device: number;
  readonly body: AlphaBody;
}

interface AlphaCodecs {
  readonly name: AlphaName;
  readonly id: number;
  readonly request: LayoutCodec;
  readonly response: LayoutCodec | null;
}

const codecs: readonly AlphaCodecs[] = Object.entries(alphaMessages).map(([name, row]) => {
  const { id, request, response }: AlphaRow = row;
  return {
    name: name as AlphaName,
    id,
    request: new LayoutCodec(`req.${name}`, request),
    response: response === undefined ? null : new LayoutCodec(`res.${name}`, response),
  };
});

const RESPONSE = 1;
const BUS = 2;

/** Writes a message over the 40 bytes at the start of `bytes`. */
export function encodeAlpha({ name, isResponse, device, body }: AlphaMessage, bytes: Uint8Array) {
  const { id, request, response } = codecs.find((row) => row.name === name)!;
  bytes.fill(0, 0, ALPHA_SIZE);
  header.encode({ type: isResponse ? RESPONSE : 0, id, device }, bytes, 0);
  (isResponse ? response! : request).encode(body as never, bytes, HEADER_SIZE);
}

/**
 * Reads a message. `side` is where it has arrived: whether it answers something is told by its id, as
 * open-amp sends answers with the type of their requests. Null for what is none.
 */
export function decodeAlpha(
  bytes: Uint8Array,
  length: number,
  side: 'driver' | 'device',
): AlphaMessage | null {
  if (length < ALPHA_SIZE) return null;
  const { type, id, device } = header.decode(bytes, 0, HEADER_SIZE);
  const found = codecs.find((row) => row.id === id);
  if (found === undefined || (type & BUS) !== 0) return null;
  const isResponse = side === 'driver' && found.response !== null;
  const layout = isResponse ? found.response! : found.request;
  const body = layout.decode(bytes, HEADER_SIZE, ALPHA_SIZE - HEADER_SIZE) as AlphaBody;
  return { name: found.name, isResponse, device, body };
}

/** An offset and a size as one word. */
export function rangeOf(offset: number, size: number): number {
  return offset + size * 2 ** 24;
}

/** Offset and size of a range. */
export function splitRange(word: Field): { readonly offset: number; readonly size: number } {
  const value = word as number;
  return { offset: value % 2 ** 24, size: Math.floor(value / 2 ** 24) };
}

/** All messages as tables. */
export function alphaMarkdown(): string {
  return Object.entries(alphaMessages)
    .map(([name, row]) => {
      const { id, doc, request, response }: AlphaRow = row;
      const parts = { Request: request, ...(response === undefined ? {} : { Response: response }) };
      const bodies = Object.entries(parts).map(([leg, layout]) =>
        Object.keys(layout).length === 0 ? `${leg}: empty` : `${leg}:\n\n${layoutMarkdown(layout)}`,
      );
      return [`#### ${name} (0x${id.toString(16).padStart(2, '0')})`, doc, ...bodies].join('\n\n');
    })
    .join('\n\n');
}
