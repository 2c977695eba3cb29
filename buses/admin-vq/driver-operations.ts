// The operations that a driver asks of its transport, each as the command that it is, and what the answer
// means to the driver.
import type { QueueSetup, TransportReply } from '../../platform/contracts/index.ts';
import {
  ADMIN_QUALIFIER,
  ADMIN_REQUEST_HEADER,
  ADMIN_RESPONSE_HEADER,
  ADMIN_STATUS,
  type AdminResponse,
  encodeAdminRequest,
} from '../../platform/virtio/index.ts';
import { type Layout, readU64, type Value, writeU64 } from '../../platform/wire/index.ts';
import { PART_SIZE } from './admin-channel.ts';
import {
  type Command,
  type CommandName,
  commands,
  FEATURE_WORDS,
  WORD_BITS,
  WORD_SIZE,
} from './commands.ts';

/** A command to send, and what is replied once it is answered. */
export interface Operation {
  readonly command: Uint8Array;
  reply(response: AdminResponse): TransportReply;
}

/** Blocks of 32 features in a word. */
const BLOCKS_OF_WORD = WORD_BITS / 32;
/** Bytes of configuration that one command carries at the most, either way. */
export const CONFIG_BYTES_MAX =
  PART_SIZE -
  Math.max(
    ADMIN_REQUEST_HEADER + commands.CONFIG_SET.data.fixedSize,
    ADMIN_RESPONSE_HEADER + commands.CONFIG_GET.result.fixedSize,
  );

export function getInfo(): Operation {
  return operation('DEVICE_INFO_GET', commands.DEVICE_INFO_GET, {}, (result) => ({
    type: 'reply.info',
    info: {
      deviceId: result.deviceId,
      vendorId: result.vendorId,
      featureBlocks: result.featureWords * BLOCKS_OF_WORD,
      configSize: result.configSize,
      queuesMax: result.queues,
      adminStart: 0,
      adminCount: 0,
    },
  }));
}

export function getFeatures(): Operation {
  const data = { firstWord: 0, count: FEATURE_WORDS };
  return operation('FEATURES_GET', commands.FEATURES_GET, data, ({ words }) => ({
    type: 'reply.features',
    features: readU64(words, 0),
  }));
}

export function setFeatures(features: bigint): Operation {
  const words = new Uint8Array(FEATURE_WORDS * WORD_SIZE);
  writeU64(words, 0, features);
  const data = { firstWord: 0, count: FEATURE_WORDS, words };
  return operation('FEATURES_SET', commands.FEATURES_SET, data, () => ({
    type: 'reply.featuresSet',
  }));
}

export function getStatus(): Operation {
  return operation('STATUS_GET', commands.STATUS_GET, {}, statusReply);
}

/** Writes a status other than 0, which is for the reset register. */
export function setStatus(status: number): Operation {
  return operation('STATUS_SET', commands.STATUS_SET, { status }, statusReply);
}

export function getConfig(offset: number, length: number): Operation {
  return operation('CONFIG_GET', commands.CONFIG_GET, { offset, length }, ({ bytes }) => ({
    type: 'reply.config',
    data: bytes.slice(0, length),
  }));
}

/** The device applies all of it or refuses all of it. */
export function setConfig(offset: number, bytes: Uint8Array): Operation {
  const { command } = operation(
    'CONFIG_SET',
    commands.CONFIG_SET,
    { offset, length: bytes.length, bytes },
    () => ({ type: 'reply.configSet', applied: true }),
  );
  return {
    command,
    reply: ({ status }) => ({ type: 'reply.configSet', applied: status === ADMIN_STATUS.OK }),
  };
}

export function setConfigVector(vector: number): Operation {
  return operation('CONFIG_VECTOR_SET', commands.CONFIG_VECTOR_SET, { vector }, () => ({
    type: 'reply.configSet',
    applied: true,
  }));
}

export function getQueue(index: number): Operation {
  return operation('QUEUE_GET', commands.QUEUE_GET, { index }, ({ sizeMax, size }) => ({
    type: 'reply.queue',
    index,
    sizeMax,
    size,
  }));
}

/** `made` is told where the doorbell is. */
export function createQueue(
  setup: QueueSetup,
  vector: number,
  made: (doorbell: number) => void,
): Operation {
  const { index, size } = setup;
  const data = {
    index,
    size,
    vector,
    descriptorArea: BigInt(setup.descriptorArea),
    driverArea: BigInt(setup.driverArea),
    deviceArea: BigInt(setup.deviceArea),
  };
  return operation('QUEUE_CREATE', commands.QUEUE_CREATE, data, ({ doorbell }) => {
    made(doorbell);
    return { type: 'reply.queueSet', index };
  });
}

export function destroyQueue(index: number): Operation {
  return operation('QUEUE_DESTROY', commands.QUEUE_DESTROY, { index }, () => ({
    type: 'reply.queueReset',
    index,
  }));
}

function statusReply({ status }: { readonly status: number }): TransportReply {
  return { type: 'reply.status', status };
}

/** A command whose failure is the operation's. */
function operation<Data extends Layout, Result extends Layout>(
  name: CommandName,
  { opcode, data: dataCodec, result: resultCodec }: Command<Data, Result>,
  data: Value<Data>,
  reply: (result: Value<Result>) => TransportReply,
): Operation {
  const encoded = new Uint8Array(dataCodec.sizeOf(data));
  dataCodec.encode(data, encoded, 0);
  return {
    command: encodeAdminRequest(opcode, encoded),
    reply(response) {
      const { status, statusQualifier, commandSpecificResult } = response;
      if (status !== ADMIN_STATUS.OK) {
        const why = nameIn(ADMIN_QUALIFIER, statusQualifier);
        const reason = `the device answers ${name} by ${nameIn(ADMIN_STATUS, status)}, ${why}`;
        return { type: 'reply.failed', reason };
      }
      const whole = new Uint8Array(Math.max(resultCodec.fixedSize, commandSpecificResult.length));
      whole.set(commandSpecificResult);
      return reply(resultCodec.decode(whole, 0, whole.length));
    },
  };
}

function nameIn(table: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(table).find((name) => table[name] === value) ?? String(value);
}
