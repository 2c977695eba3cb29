// The commands by which everything else is done, each once: opcode, what the driver gives, what it gets.
// They are administration commands of the self group (virtio 1.4 §2.12.1) with opcodes that the
// specification has not given out. The README's tables are generated from here.
import { statusText } from '../../platform/virtio/index.ts';
import {
  bytes,
  hex,
  type Layout,
  LayoutCodec,
  le32,
  le64,
  reserved,
  shown,
} from '../../platform/wire/index.ts';

/** A command: its `command_specific_data` and its `command_specific_result`. */
export interface Command<Data extends Layout, Result extends Layout> {
  readonly opcode: number;
  readonly doc: string;
  readonly data: LayoutCodec<Data>;
  readonly result: LayoutCodec<Result>;
}

function command<const Data extends Layout, const Result extends Layout>(
  opcode: number,
  doc: string,
  { data, result }: { readonly data: Data; readonly result: Result },
): Command<Data, Result> {
  return {
    opcode,
    doc,
    data: new LayoutCodec(`data of command 0x${opcode.toString(16)}`, data),
    result: new LayoutCodec(`result of command 0x${opcode.toString(16)}`, result),
  };
}

const status = shown(le32, statusText);
const statusResult = { status, generation: le32 } as const;
const queueData = { index: le32, reserved: reserved(4) } as const;

export const commands = {
  DEVICE_INFO_GET: command(0x40, 'What the device is, and how large its parts are.', {
    data: {},
    result: {
      deviceId: le32,
      vendorId: hex(le32),
      featureWords: le32,
      configSize: le32,
      queues: le32,
      reserved: reserved(4),
    },
  }),
  FEATURES_GET: command(0x41, 'Reads words of 64 features that the device offers.', {
    data: { firstWord: le32, count: le32 },
    result: { words: bytes() },
  }),
  FEATURES_SET: command(0x42, 'Writes words of features that the driver takes.', {
    data: { firstWord: le32, count: le32, words: bytes() },
    result: {},
  }),
  STATUS_GET: command(0x43, 'Reads device status and generation of the configuration.', {
    data: {},
    result: statusResult,
  }),
  STATUS_SET: command(0x44, 'Writes the status, but for 0, and tells what it has become.', {
    data: { status, reserved: reserved(4) },
    result: statusResult,
  }),
  CONFIG_GET: command(0x45, 'Reads bytes of the configuration, all of one generation.', {
    data: { offset: le32, length: le32 },
    result: { generation: le32, length: le32, bytes: bytes() },
  }),
  CONFIG_SET: command(0x46, 'Writes bytes of the configuration, all or none.', {
    data: { offset: le32, length: le32, bytes: bytes() },
    result: {},
  }),
  CONFIG_VECTOR_SET: command(0x47, 'Chooses the vector that tells of changes.', {
    data: { vector: le32, reserved: reserved(4) },
    result: {},
  }),
  QUEUE_GET: command(0x48, 'How large a queue may be, 0 for none, and how large it is.', {
    data: queueData,
    result: { sizeMax: le32, size: le32 },
  }),
  QUEUE_CREATE: command(0x49, 'Makes a queue; tells where in BAR 0 its doorbell is.', {
    data: {
      index: le32,
      size: le32,
      vector: le32,
      reserved: reserved(4),
      descriptorArea: le64,
      driverArea: le64,
      deviceArea: le64,
    },
    result: { doorbell: hex(le32), reserved: reserved(4) },
  }),
  QUEUE_DESTROY: command(0x4a, 'Resets one queue; needs RING_RESET.', {
    data: queueData,
    result: {},
  }),
} as const;

export type CommandName = keyof typeof commands;

/** Features in a word. */
export const WORD_BITS = 64;
/** Bytes of a word. */
export const WORD_SIZE = 8;
/** Words of features that a device here has. */
export const FEATURE_WORDS = 1;
