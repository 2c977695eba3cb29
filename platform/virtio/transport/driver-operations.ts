// The operations that a driver asks of a virtio-msg device, each as the requests it is made of. An
// operation is asked for its next request and told the response, until it has a reply.
import type { QueueSetup, TransportReply } from '../../contracts/index.ts';
import type { MessageOf } from '../../wire/index.ts';
import { FEATURE_BLOCKS_MAX, featureBlocks, STATUS, withFeatureBlocks } from '../bits.ts';
import type { StandardMessages } from '../messages/index.ts';
import { enablingFlags, type RevisionInfo } from '../messages/index.ts';

export type StandardMessage = MessageOf<StandardMessages>;
/** A message but for its header. */
export type Body<M> = M extends { type: infer T; body: infer B } ? { type: T; body: B } : never;
export type RequestBody = Body<StandardMessage>;

/** A region that the bus is to map, once the device has told of it. */
export interface MapRequest {
  readonly type: 'map';
  readonly shmid: number;
  readonly place: number;
  readonly length: number;
}

/** What an operation says after a response: it has a reply, needs another request now, or later. */
export type Progress = TransportReply | 'next' | 'later';

export interface Operation {
  request(): RequestBody | MapRequest;
  response(message: StandardMessage): Progress;
}

/** What operations remember of a device from one to the next. */
export interface DeviceMemory {
  readonly revision: RevisionInfo;
  /** What becomes of a write of a stale generation. */
  readonly staleGeneration: RevisionInfo['rules']['staleGeneration'];
  /** Feature blocks and config bytes one message carries on this bus. */
  readonly featureBlocksMax: number;
  readonly configBytesMax: number;
  /** Blocks that the driver reads and writes; a device may have more, which nobody knows. */
  featureBlockCount: number;
  generation: number;
}

/** Config reads that see a changing generation are started again this often at the most. */
export const CONFIG_RESTARTS_MAX = 8;

const UNEXPECTED: TransportReply = {
  type: 'reply.failed',
  reason: 'the response is of another kind',
};

export function getInfo(memory: DeviceMemory): Operation {
  return {
    request: () => ({ type: 'req.GET_DEVICE_INFO', body: {} }),
    response: (message) => {
      if (message.type !== 'res.GET_DEVICE_INFO') return UNEXPECTED;
      const { featureBits, maxVirtqueues, ...body } = message.body;
      memory.featureBlockCount = Math.min(featureBits / 32, FEATURE_BLOCKS_MAX);
      const info = {
        deviceId: body.deviceId,
        vendorId: body.vendorId,
        featureBlocks: featureBits / 32,
        configSize: body.configSize,
        queuesMax: maxVirtqueues,
        adminStart: body.adminStart,
        adminCount: body.adminCount,
      };
      return { type: 'reply.info', info };
    },
  };
}

export function getFeatures(memory: DeviceMemory): Operation {
  let index = 0;
  let features = 0n;
  return {
    request: () => {
      const left = memory.featureBlockCount - index;
      const blockCount = Math.min(left, memory.featureBlocksMax);
      return { type: 'req.GET_DEVICE_FEATURES', body: { blockIndex: index, blockCount } };
    },
    response: (message) => {
      if (message.type !== 'res.GET_DEVICE_FEATURES') return UNEXPECTED;
      const { blockIndex, features: blocks } = message.body;
      if (blocks.length === 0 || blockIndex !== index) {
        return { type: 'reply.failed', reason: `feature blocks from ${index} on did not come` };
      }
      features = withFeatureBlocks(features, index, blocks);
      index += blocks.length;
      return index < memory.featureBlockCount ? 'next' : { type: 'reply.features', features };
    },
  };
}

export function setFeatures(memory: DeviceMemory, features: bigint): Operation {
  let index = 0;
  const countAt = (start: number) =>
    Math.min(memory.featureBlockCount - start, memory.featureBlocksMax);
  return {
    request: () => {
      const blockCount = countAt(index);
      const blocks = featureBlocks(features, index, blockCount);
      const body = { blockIndex: index, blockCount, features: blocks };
      return { type: 'req.SET_DRIVER_FEATURES', body };
    },
    response: (message) => {
      if (message.type !== 'res.SET_DRIVER_FEATURES') return UNEXPECTED;
      index += countAt(index);
      return index < memory.featureBlockCount ? 'next' : { type: 'reply.featuresSet' };
    },
  };
}

export function getStatus(): Operation {
  return {
    request: () => ({ type: 'req.GET_DEVICE_STATUS', body: {} }),
    response: (message) =>
      message.type === 'res.GET_DEVICE_STATUS'
        ? { type: 'reply.status', status: message.body.status }
        : UNEXPECTED,
  };
}

/** Writes the status. After a 0 it looks until the device shows 0 (virtio-msg v2, RST-4). */
export function setStatus(status: number): Operation {
  let expected = 'res.SET_DEVICE_STATUS';
  let asks = false;
  return {
    request: () => {
      expected = asks ? 'res.GET_DEVICE_STATUS' : 'res.SET_DEVICE_STATUS';
      if (asks) return { type: 'req.GET_DEVICE_STATUS', body: {} };
      // The same bits suspend a device and resume it: a write that may have got lost is not repeated.
      asks = (status & STATUS.SUSPEND) !== 0;
      return { type: 'req.SET_DEVICE_STATUS', body: { status } };
    },
    response: (message) => {
      if (message.type !== expected) return UNEXPECTED;
      asks = true;
      const now = (message.body as { readonly status: number }).status;
      if (status === 0 && now !== 0) return 'later';
      return { type: 'reply.status', status: now };
    },
  };
}

/** Reads config bytes in as many messages as they need, all of one generation. */
export function getConfig(memory: DeviceMemory, offset: number, length: number): Operation {
  const data = new Uint8Array(length);
  let done = 0;
  let restarts = 0;
  const stepAt = (start: number) => Math.min(length - start, memory.configBytesMax);
  return {
    request: () => {
      const body = { offset: offset + done, length: stepAt(done) };
      return { type: 'req.GET_CONFIG', body };
    },
    response: (message) => {
      if (message.type !== 'res.GET_CONFIG') return UNEXPECTED;
      const { generation, offset: at, data: bytes } = message.body;
      if (at !== offset + done || bytes.length !== stepAt(done)) {
        return { type: 'reply.failed', reason: `config bytes at ${offset + done} are not there` };
      }
      if (done > 0 && generation !== memory.generation) {
        done = 0;
        if (++restarts > CONFIG_RESTARTS_MAX) {
          return { type: 'reply.failed', reason: 'the configuration never stood still' };
        }
        return 'next';
      }
      memory.generation = generation;
      data.set(bytes, done);
      done += bytes.length;
      return done < length ? 'next' : { type: 'reply.config', data };
    },
  };
}

/** Writes config bytes, which must fit one message so that they apply together. */
export function setConfig(memory: DeviceMemory, offset: number, data: Uint8Array): Operation {
  const generation = memory.staleGeneration === 'refused' ? memory.generation : 0;
  return {
    request: () => ({
      type: 'req.SET_CONFIG',
      body: { generation, offset, length: data.length, data },
    }),
    response: (message) => {
      if (message.type !== 'res.SET_CONFIG') return UNEXPECTED;
      memory.generation = message.body.generation;
      return { type: 'reply.configSet', applied: message.body.length === data.length };
    },
  };
}

export function getQueue(index: number): Operation {
  return {
    request: () => ({ type: 'req.GET_VQUEUE', body: { index } }),
    response: (message) => {
      if (message.type !== 'res.GET_VQUEUE') return UNEXPECTED;
      const { maxSize, size } = message.body;
      return { type: 'reply.queue', index, sizeMax: maxSize, size };
    },
  };
}

export function setQueue(memory: DeviceMemory, setup: QueueSetup): Operation {
  return {
    request: () => ({
      type: 'req.SET_VQUEUE',
      body: {
        index: setup.index,
        flags: enablingFlags(memory.revision),
        size: setup.size,
        descriptorArea: BigInt(setup.descriptorArea),
        driverArea: BigInt(setup.driverArea),
        deviceArea: BigInt(setup.deviceArea),
      },
    }),
    response: (message) =>
      message.type === 'res.SET_VQUEUE'
        ? { type: 'reply.queueSet', index: setup.index }
        : UNEXPECTED,
  };
}

export function resetQueue(index: number): Operation {
  return {
    request: () => ({ type: 'req.RESET_VQUEUE', body: { index } }),
    response: (message) =>
      message.type === 'res.RESET_VQUEUE' ? { type: 'reply.queueReset', index } : UNEXPECTED,
  };
}

/** Asks where a region of shared memory is, and has the bus map it if there is one. */
export function getRegion(shmid: number): Operation {
  let found: MapRequest | null = null;
  return {
    request: () => found ?? { type: 'req.GET_SHM', body: { index: shmid } },
    response: (message) => {
      if (message.type !== 'res.GET_SHM') return UNEXPECTED;
      const { length, address } = message.body;
      if (length === 0n) return { type: 'reply.region', shmid, length: 0, address: 0 };
      found = { type: 'map', shmid, place: Number(address), length: Number(length) };
      return 'next';
    },
  };
}
