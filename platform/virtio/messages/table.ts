// The transport messages and the standard bus messages of virtio-msg, once. The rows are those of
// rfc3 and v1, whose bodies are the same; `v2Rows` has the bodies that v2 changed. Field names are
// the same in all revisions: a field that a revision lacks is `absent` there and reads as zero.
import {
  absent,
  bitmap,
  bitset,
  blocks,
  bytes,
  defineBits,
  defineMessages,
  type Field,
  hex,
  type Layout,
  le16,
  le32,
  le32AsBigint,
  le64,
  multipleOf,
  oneOf,
  reserved,
  scaled,
  shown,
  uuid,
  type Value,
} from '../../wire/index.ts';
import { statusText } from '../bits.ts';

const V2_FLAGS = 'virtio-msg v2 SET_VQUEUE';

/** Flags of the GET_VQUEUE response, v2. */
export const queueFlags = defineBits({
  ENABLED: { bit: 0, spec: 'virtio-msg v2 GET_VQUEUE', doc: 'The queue is enabled.' },
});

/** Flags of the SET_VQUEUE request, v2. Bits 1:0 are one number, the state asked for. */
export const setQueueFlags = defineBits({
  ENABLE: { bit: 0, spec: V2_FLAGS, doc: 'State 1: enable the queue.' },
  KEEP_STATE: { bit: 1, spec: V2_FLAGS, doc: 'State 2: leave the state alone.' },
  SIZE_IGNORE: { bit: 2, spec: V2_FLAGS, doc: 'Keep the size.' },
  DESC_IGNORE: { bit: 3, spec: V2_FLAGS, doc: 'Keep the descriptor area.' },
  DRIVER_IGNORE: { bit: 4, spec: V2_FLAGS, doc: 'Keep the driver area.' },
  DEVICE_IGNORE: { bit: 5, spec: V2_FLAGS, doc: 'Keep the device area.' },
});

/** State operations, bits 1:0 of the SET_VQUEUE flags of v2. 3 is reserved. */
export const QueueState = { keepDisabled: 0, enable: 1, keep: 2, reserved: 3 } as const;

/** Mask of the state operation. */
export const QUEUE_STATE_MASK = 3;

/** Masks of the SET_VQUEUE flags of v2 that keep a field as it is. */
export const QueueIgnore = { size: 4, desc: 8, driver: 16, device: 32 } as const;

/** States of EVENT_DEVICE. v2 calls READY by the name ADDED. */
export const DeviceState = { READY: 1, REMOVED: 2 } as const;

/** Transport feature bits, v2. */
export const transportFeatures = defineBits({
  STRICT_CONFIG_GENERATION: {
    bit: 0,
    spec: 'virtio-msg v2 VIRTIO_MSG_F_STRICT_CONFIG_GENERATION',
    doc: 'SET_CONFIG is refused when its generation is not the current one.',
  },
});

const status = shown(le32, statusText);
const le16By8 = multipleOf(le16, 8);

// next_offset and the wrap counter share a word.
const nextOffset = shown(le32, (value) =>
  value >= 2 ** 31 ? `${value - 2 ** 31}+wrap` : String(value),
);

const queueAreas = { descriptorArea: le64, driverArea: le64, deviceArea: le64 } as const;

/** All standard messages, with the bodies of rfc3 and v1. */
export const standardMessages = defineMessages({
  GET_DEVICE_INFO: {
    id: 0x02,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_GET_DEVICE_INFO',
    doc: 'Asks what the device is and how large its parts are.',
    request: {},
    response: {
      deviceId: le32,
      vendorId: hex(le32),
      uuid: absent(uuid),
      featureBits: multipleOf(le32, 32),
      configSize: le32,
      maxVirtqueues: le32,
      adminStart: le16,
      adminCount: le16,
    },
  },
  GET_DEVICE_FEATURES: {
    id: 0x03,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_GET_DEVICE_FEATURES',
    doc: 'Reads features in blocks of 32 bits.',
    request: { blockIndex: le32, blockCount: le32 },
    response: { blockIndex: le32, blockCount: le32, features: blocks('blockCount') },
  },
  SET_DRIVER_FEATURES: {
    id: 0x04,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_SET_DRIVER_FEATURES',
    doc: 'Writes the features that the driver takes, in blocks of 32 bits.',
    request: { blockIndex: le32, blockCount: le32, features: blocks('blockCount') },
    response: {},
  },
  GET_CONFIG: {
    id: 0x05,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_GET_CONFIG',
    doc: 'Reads bytes of the configuration space.',
    request: { offset: le32, length: le32 },
    response: { generation: le32, offset: le32, length: le32, data: bytes('length') },
  },
  SET_CONFIG: {
    id: 0x06,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_SET_CONFIG',
    doc: 'Writes bytes of the configuration space; a response of length 0 did not apply them.',
    request: { generation: le32, offset: le32, length: le32, data: bytes('length') },
    response: {
      generation: le32,
      offset: le32,
      length: le32,
      data: bytes('length', { optional: true }),
    },
  },
  GET_DEVICE_STATUS: {
    id: 0x07,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_GET_DEVICE_STATUS',
    doc: 'Reads the device status.',
    request: {},
    response: { status },
  },
  SET_DEVICE_STATUS: {
    id: 0x08,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_SET_DEVICE_STATUS',
    doc: 'Writes the device status; 0 resets. The response has the resulting status.',
    request: { status },
    response: { status },
  },
  GET_VQUEUE: {
    id: 0x09,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_GET_VQUEUE',
    doc: 'Reads size limit, size and addresses of a queue; a limit of 0 means no such queue.',
    request: { index: le32 },
    response: {
      index: le32,
      maxSize: le32,
      size: le32,
      flags: absent(le32),
      reserved: reserved(4),
      ...queueAreas,
    },
  },
  SET_VQUEUE: {
    id: 0x0a,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_SET_VQUEUE',
    doc: 'Sets size and addresses of a queue and, before v2, enables it.',
    request: {
      index: le32,
      flags: absent(le32),
      reserved: reserved(4),
      size: le32,
      reserved2: reserved(4),
      ...queueAreas,
    },
    response: {},
  },
  RESET_VQUEUE: {
    id: 0x0b,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_RESET_VQUEUE',
    doc: 'Resets one queue.',
    request: { index: le32 },
    response: {},
  },
  GET_SHM: {
    id: 0x0c,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_GET_SHM',
    doc: 'Reads place and length of a shared memory region; length 0 means none.',
    optional: true,
    request: { index: le32 },
    response: { index: le32, length: le32AsBigint, address: le32AsBigint },
  },
  EVENT_CONFIG: {
    id: 0x40,
    scope: 'transport',
    sender: 'device',
    spec: 'virtio-msg VIRTIO_MSG_EVENT_CONFIG',
    doc: 'Says that configuration or status changed, with or without the new bytes.',
    request: {
      status,
      generation: le32,
      offset: le32,
      length: le32,
      data: bytes('length', { optional: true }),
    },
  },
  EVENT_AVAIL: {
    id: 0x41,
    scope: 'transport',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_EVENT_AVAIL',
    doc: 'Says that buffers were made available on a queue.',
    request: { index: le32, nextOffset },
  },
  EVENT_USED: {
    id: 0x42,
    scope: 'transport',
    sender: 'device',
    spec: 'virtio-msg VIRTIO_MSG_EVENT_USED',
    doc: 'Says that buffers of a queue were used.',
    request: { index: le32 },
  },
  GET_DEVICES: {
    id: 0x02,
    scope: 'bus',
    sender: 'driver',
    spec: 'virtio-msg VIRTIO_MSG_BUS_GET_DEVICES',
    doc: 'Reads which device numbers of a window exist, one bit each.',
    request: { offset: le16By8, count: le16By8 },
    response: { offset: le16By8, count: le16By8, nextOffset: le16, bitmap: bitmap('count') },
  },
  PING: {
    id: 0x03,
    scope: 'bus',
    sender: 'either',
    spec: 'virtio-msg VIRTIO_MSG_BUS_PING',
    doc: 'Asks whether the other side lives; the response has the same data.',
    request: { data: hex(le32) },
    response: { data: hex(le32) },
  },
  EVENT_DEVICE: {
    id: 0x40,
    scope: 'bus',
    sender: 'device',
    spec: 'virtio-msg VIRTIO_MSG_BUS_EVENT_DEVICE',
    doc: 'Says that a device came or went.',
    request: { number: le16, state: oneOf(DeviceState, le16) },
  },
});

/** The table's exact type. */
export type StandardMessages = typeof standardMessages;

/** Name of a standard message. */
export type StandardName = keyof StandardMessages;

/** A layout with fields of the same names and value types as L, in any order and width. */
type SameValues<L> = L extends Layout
  ? Layout & { readonly [F in keyof Value<L>]: Field<Value<L>[F]> }
  : never;

type BodyOf<R, D extends string> = R extends { readonly [K in D]: infer L } ? L : never;

/** What a revision may change of the rows: the bodies, and whether devices may lack a message. */
export type Differences = {
  readonly [K in StandardName]?: {
    readonly request?: SameValues<BodyOf<StandardMessages[K], 'request'>>;
    readonly response?: SameValues<BodyOf<StandardMessages[K], 'response'>>;
    readonly optional?: boolean;
  };
};

/** v2 has another name for READY. */
const v2DeviceState = { ADDED: DeviceState.READY, REMOVED: DeviceState.REMOVED } as const;

/** The rows that v2 changed. */
export const v2Rows = {
  GET_DEVICE_INFO: {
    response: {
      deviceId: le32,
      vendorId: hex(le32),
      uuid,
      // v2 counts blocks where the others count bits.
      featureBits: scaled(le32, 32, 'featureBlocks'),
      configSize: le32,
      maxVirtqueues: le32,
      adminStart: le32,
      adminCount: le32,
    },
  },
  GET_VQUEUE: {
    response: {
      index: le32,
      maxSize: le32,
      size: le32,
      flags: bitset(queueFlags),
      ...queueAreas,
    },
  },
  SET_VQUEUE: {
    request: {
      index: le32,
      flags: bitset(setQueueFlags),
      size: le32,
      reserved: reserved(4),
      ...queueAreas,
    },
  },
  GET_SHM: {
    optional: false,
    response: { index: le32, reserved: reserved(4), length: le64, address: le64 },
  },
  GET_DEVICES: {
    request: { offset: le16, count: le16 },
    response: { offset: le16, nextOffset: le16, count: le16, bitmap: bitmap('count') },
  },
  EVENT_DEVICE: {
    request: { number: le16, state: oneOf(v2DeviceState, le16) },
  },
} as const satisfies Differences;

const le32By8 = multipleOf(le32, 8);

/** The bodies of rfc3 and v1 with device numbers of 32 bits, which are in no draft. */
export const wideRows = {
  GET_DEVICES: {
    request: { offset: le32By8, count: le16By8 },
    response: { offset: le32By8, count: le16By8, nextOffset: le32, bitmap: bitmap('count') },
  },
  EVENT_DEVICE: {
    request: { number: le32, state: oneOf(DeviceState, le16) },
  },
} as const satisfies Differences;

/** The same for v2. */
export const v2WideRows = {
  GET_DEVICES: {
    request: { offset: le32, count: le16 },
    response: { offset: le32, nextOffset: le32, count: le16, bitmap: bitmap('count') },
  },
  EVENT_DEVICE: {
    request: { number: le32, state: oneOf(v2DeviceState, le16) },
  },
} as const satisfies Differences;
