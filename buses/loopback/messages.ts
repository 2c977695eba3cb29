// Messages private to the bridge, after linux/virtio_msg_bus_bridge.h of 2026 (reference B7).
import type { StandardMessages } from '../../platform/virtio/messages/index.ts';
import {
  defineMessages,
  fixedBytes,
  le16,
  le32,
  le64,
  type MessageOf,
  reserved,
  u8,
} from '../../platform/wire/index.ts';

const SPEC = 'Linux virtio-msg bridge 2026';

export const loopbackMessages = defineMessages({
  ERROR: {
    id: 0x88,
    scope: 'bus',
    sender: 'device',
    spec: SPEC,
    doc: 'A request has reached no device; the token is that of the request.',
    response: { originalDevice: le16, originalId: u8, reserved: reserved(1), error: le32 },
  },
  MAP_ADD: {
    id: 0x89,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'Memory that the process may map: its bus address, and where it is in the file of the bridge.',
    request: {
      epoch: le64,
      sequence: le64,
      mapId: le64,
      busAddress: le64,
      length: le64,
      mmapOffset: le64,
      mmapLength: le64,
      flags: le32,
      reserved: reserved(4),
    },
    response: { epoch: le64, sequence: le64, mapId: le64, status: le32, reserved: reserved(4) },
  },
  MAP_DEL: {
    id: 0x8a,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'The process is to give up what it has mapped; it answers when that is done.',
    request: {
      epoch: le64,
      sequence: le64,
      mapId: le64,
      busAddress: le64,
      length: le64,
      reserved: reserved(8),
    },
    response: { epoch: le64, sequence: le64, mapId: le64, status: le32, reserved: reserved(4) },
  },
  ENDPOINT_ONLINE: {
    id: 0xc0,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'The bus is there; its devices may be added.',
    request: {
      epoch: le64,
      busName: fixedBytes(16),
      maxMessageSize: le32,
      reserved: reserved(4),
    },
  },
  ENDPOINT_OFFLINE: {
    id: 0xc1,
    scope: 'bus',
    sender: 'driver',
    spec: SPEC,
    doc: 'The bus is gone; what belongs to its epoch is to be forgotten.',
    request: { epoch: le64, reason: le32, reserved: reserved(4) },
  },
  TOPOLOGY_RESET: {
    id: 0xc2,
    scope: 'bus',
    sender: 'device',
    spec: SPEC,
    doc: 'The devices of this epoch follow; those that were added before are none any more.',
    request: { epoch: le64, reserved: reserved(8) },
  },
  DEV_ADD: {
    id: 0xc3,
    scope: 'bus',
    sender: 'device',
    spec: SPEC,
    doc: 'The process has a device of this number.',
    request: { epoch: le64, number: le16, reserved: reserved(6) },
  },
  COMMIT: {
    id: 0xc4,
    scope: 'bus',
    sender: 'device',
    spec: SPEC,
    doc: 'All devices were added, so many.',
    request: { epoch: le64, count: le16, reserved: reserved(6) },
  },
});

export type LoopbackMessages = typeof loopbackMessages;
export type LoopbackMessage = MessageOf<StandardMessages & LoopbackMessages>;

/** Ids of private messages start here. */
export const PRIVATE_IDS = 0x80;
/** The epoch of the first time that a bus is online; each further time has the next one. */
export const FIRST_EPOCH = 1n;
/** Reasons of ENDPOINT_OFFLINE. */
export const OfflineReason = { removed: 1, reset: 2 } as const;
/** The one mapping: the pool. */
export const POOL_MAP_ID = 1n;
/** Errors as the kernel has them, negative in 32 bits. */
export const NO_SUCH_DEVICE = 2 ** 32 - 19;
export const OK = 0;
