// What a device does with each command of the transport.
import type { DeviceModel, QueueSetup } from '../../platform/contracts/index.ts';
import {
  ADMIN_QUALIFIER,
  type AdminCommand,
  type AdminQualifier,
  F,
} from '../../platform/virtio/index.ts';
import { type Layout, readU64, type Value, writeU64 } from '../../platform/wire/index.ts';
import { type Command, commands, FEATURE_WORDS, WORD_BITS, WORD_SIZE } from './commands.ts';
import { QUEUES_MAX } from './registers.ts';

/** What the function itself keeps: vectors and doorbells. */
export interface CommandTarget {
  /** Returns false for a vector that the function has not. */
  setConfigVector(vector: number): boolean;
  /** Returns where in BAR 0 the doorbell is, or -1 when the queue can't be made like this. */
  createQueue(setup: QueueSetup, vector: number): number;
  /** Returns false when there was no such queue. */
  destroyQueue(index: number): boolean;
}

/** Not offered over this transport: its own administration virtqueue is all that there is. */
const RESERVED_FEATURES = F.ADMIN_VQ;
const WORD_MASK = 2n ** BigInt(WORD_BITS) - 1n;
const { INVALID_FIELD, INVALID_COMMAND } = ADMIN_QUALIFIER;

/** Queues of a device besides those that only ADMIN_VQ would bring. */
export function ordinaryQueues({ info }: DeviceModel): number {
  return Math.min(info.queuesMax - info.adminCount, QUEUES_MAX);
}

/** All commands, on this model and the function that it is behind. */
export function deviceCommands(model: DeviceModel, target: CommandTarget): AdminCommand[] {
  const statusNow = () => ({ status: model.status, generation: model.configGeneration });
  const features = featureCommands(model);
  const config = configCommands(model);
  const { DEVICE_INFO_GET, STATUS_GET, STATUS_SET, CONFIG_VECTOR_SET } = commands;
  return [
    handle(DEVICE_INFO_GET, () => ({
      deviceId: model.info.deviceId,
      vendorId: model.info.vendorId,
      featureWords: FEATURE_WORDS,
      configSize: model.info.configSize,
      queues: ordinaryQueues(model),
    })),
    handle(STATUS_GET, statusNow),
    handle(STATUS_SET, ({ status }) => {
      // A reset would take the queue away by which it is asked for; it has a register.
      if (status === 0) return INVALID_FIELD;
      model.setStatus(status);
      return statusNow();
    }),
    handle(CONFIG_VECTOR_SET, ({ vector }) =>
      target.setConfigVector(vector) ? {} : INVALID_FIELD,
    ),
    ...features,
    ...config,
    ...queueCommands(model, target),
  ];
}

function featureCommands(model: DeviceModel): AdminCommand[] {
  const { FEATURES_GET, FEATURES_SET } = commands;
  const offered = model.features & ~RESERVED_FEATURES;
  const outside = (first: number, count: number) => first + count > FEATURE_WORDS;
  return [
    handle(FEATURES_GET, ({ firstWord, count }) => {
      if (outside(firstWord, count)) return INVALID_FIELD;
      const words = new Uint8Array(count * WORD_SIZE);
      for (let i = 0; i < count; i++) {
        writeU64(
          words,
          i * WORD_SIZE,
          (offered >> BigInt((firstWord + i) * WORD_BITS)) & WORD_MASK,
        );
      }
      return { words };
    }),
    handle(FEATURES_SET, ({ firstWord, count, words }) => {
      if (outside(firstWord, count)) return INVALID_FIELD;
      let features = model.driverFeatures;
      const given = wholeBytes(words, count * WORD_SIZE);
      for (let i = 0; i < count; i++) {
        const shift = BigInt((firstWord + i) * WORD_BITS);
        features &= ~(WORD_MASK << shift);
        features |= readU64(given, i * WORD_SIZE) << shift;
      }
      model.setDriverFeatures(features);
      // They can't change any more once FEATURES_OK is set.
      return model.driverFeatures === features ? {} : INVALID_COMMAND;
    }),
  ];
}

function configCommands(model: DeviceModel): AdminCommand[] {
  const { CONFIG_GET, CONFIG_SET } = commands;
  const outside = (offset: number, length: number) => offset + length > model.info.configSize;
  return [
    handle(CONFIG_GET, ({ offset, length }) => {
      if (outside(offset, length)) return INVALID_FIELD;
      const read = new Uint8Array(length);
      model.readConfig(offset, read, 0, length);
      return { generation: model.configGeneration, length, bytes: read };
    }),
    handle(CONFIG_SET, ({ offset, length, bytes }) => {
      if (outside(offset, length)) return INVALID_FIELD;
      return model.writeConfig(offset, wholeBytes(bytes, length)) ? {} : INVALID_FIELD;
    }),
  ];
}

function queueCommands(model: DeviceModel, target: CommandTarget): AdminCommand[] {
  const { QUEUE_GET, QUEUE_CREATE, QUEUE_DESTROY } = commands;
  const isQueue = (index: number) => index < ordinaryQueues(model);
  return [
    handle(QUEUE_GET, ({ index }) => ({
      sizeMax: isQueue(index) ? model.queueSizeMax(index) : 0,
      size: (isQueue(index) ? model.queueSetup(index)?.size : 0) ?? 0,
    })),
    handle(QUEUE_CREATE, ({ index, size, vector, ...areas }) => {
      if (!isQueue(index)) return INVALID_FIELD;
      const setup = {
        index,
        size,
        descriptorArea: Number(areas.descriptorArea),
        driverArea: Number(areas.driverArea),
        deviceArea: Number(areas.deviceArea),
      };
      const doorbell = target.createQueue(setup, vector);
      return doorbell < 0 ? INVALID_FIELD : { doorbell };
    }),
    handle(QUEUE_DESTROY, ({ index }) => {
      if ((model.driverFeatures & F.RING_RESET) === 0n) return INVALID_COMMAND;
      return target.destroyQueue(index) ? {} : INVALID_FIELD;
    }),
  ];
}

/** A command whose data and result are those of its row. */
function handle<Data extends Layout, Result extends Layout>(
  { opcode, data: dataCodec, result: resultCodec }: Command<Data, Result>,
  work: (data: Value<Data>) => Value<Result> | AdminQualifier,
): AdminCommand {
  return {
    opcode,
    dataSize: dataCodec.fixedSize,
    execute(data) {
      const outcome = work(dataCodec.decode(data, 0, data.length));
      if (typeof outcome === 'number') return outcome;
      const encoded = new Uint8Array(resultCodec.sizeOf(outcome));
      resultCodec.encode(outcome, encoded, 0);
      return encoded;
    },
  };
}

/** The first `length` bytes; what is missing is zero (§2.13). */
function wholeBytes(source: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length);
  whole.set(source.subarray(0, length));
  return whole;
}
