// What virtio-ccw keeps in guest memory, as bytes: channel command words, their data (big-endian, but for
// feature words), and the interruption response block.
//
//   CCW, format 1:  code u8 │ flags u8 │ count be16 │ data address be32 (31 bits)
//   IRB:            SCSW 12 bytes │ extended status 20 bytes │ extended control (sense) 32 bytes
import type { QueueSetup } from '../../platform/contracts/index.ts';

const TWO_32 = 2 ** 32;

export function readBe16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

function readBe32(bytes: Uint8Array, at: number): number {
  return readBe16(bytes, at) * 0x1_0000 + readBe16(bytes, at + 2);
}

/** Exact below 2^53. */
export function readBe64(bytes: Uint8Array, at: number): number {
  return readBe32(bytes, at) * TWO_32 + readBe32(bytes, at + 4);
}

export function writeBe16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

function writeBe32(bytes: Uint8Array, at: number, value: number): void {
  writeBe16(bytes, at, value >>> 16);
  writeBe16(bytes, at + 2, value);
}

function writeBe64(bytes: Uint8Array, at: number, value: number): void {
  writeBe32(bytes, at, Math.floor(value / TWO_32));
  writeBe32(bytes, at + 4, value % TWO_32);
}

export const CCW_SIZE = 8;
/** Flags of a CCW: the next one follows, and a wrong length is no error. */
export const CHAIN_COMMAND = 0x40;
export const SUPPRESS_LENGTH = 0x20;
/** Programs and their data lie below this address. */
export const CHANNEL_END = 2 ** 31;

export interface ChannelCommand {
  readonly code: number;
  readonly flags: number;
  readonly count: number;
  readonly address: number;
}

export function encodeCommand(bytes: Uint8Array, at: number, command: ChannelCommand): void {
  bytes[at] = command.code;
  bytes[at + 1] = command.flags;
  writeBe16(bytes, at + 2, command.count);
  writeBe32(bytes, at + 4, command.address);
}

export function decodeCommand(bytes: Uint8Array, at: number): ChannelCommand {
  const [code, flags] = [bytes[at], bytes[at + 1]];
  return { code, flags, count: readBe16(bytes, at + 2), address: readBe32(bytes, at + 4) };
}

/** struct virtio_rev_info without options. */
export function revisionBlock(revision: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeBe16(bytes, 0, revision);
  return bytes;
}

/** struct virtio_feature_desc: the one that is little-endian. */
export function featureBlock(features: number, index: number): Uint8Array {
  return Uint8Array.of(features, features >>> 8, features >>> 16, features >>> 24, index);
}

/** struct vq_config_block. */
export function queueConfigBlock(index: number, sizeMax: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeBe16(bytes, 0, index);
  writeBe16(bytes, 2, sizeMax);
  return bytes;
}

/** struct vq_info_block. */
export function queueInfoBlock(setup: QueueSetup): Uint8Array {
  const bytes = new Uint8Array(32);
  writeBe64(bytes, 0, setup.descriptorArea);
  writeBe16(bytes, 12, setup.index);
  writeBe16(bytes, 14, setup.size);
  writeBe64(bytes, 16, setup.driverArea);
  writeBe64(bytes, 24, setup.deviceArea);
  return bytes;
}

export function readQueueInfo(bytes: Uint8Array): QueueSetup {
  return {
    index: readBe16(bytes, 12),
    size: readBe16(bytes, 14),
    descriptorArea: readBe64(bytes, 0),
    driverArea: readBe64(bytes, 16),
    deviceArea: readBe64(bytes, 24),
  };
}

/** An address as SET_IND and SET_CONF_IND take it. */
export function addressBlock(address: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeBe64(bytes, 0, address);
  return bytes;
}

/** Where the two stages of adapter indicators are. */
export interface AdapterArea {
  readonly summary: number;
  readonly indicators: number;
  /** Bit of queue 0, counted from the left of the first byte. */
  readonly firstBit: number;
}

/** Interruption subclass of adapter interrupts. Linux takes another for the subchannels' own. */
const ADAPTER_SUBCLASS = 1;

/** struct virtio_thinint_area. */
export function adapterBlock({ summary, indicators, firstBit }: AdapterArea): Uint8Array {
  const bytes = new Uint8Array(25);
  writeBe64(bytes, 0, summary);
  writeBe64(bytes, 8, indicators);
  writeBe64(bytes, 16, firstBit);
  bytes[24] = ADAPTER_SUBCLASS;
  return bytes;
}

export function readAdapterArea(bytes: Uint8Array): AdapterArea {
  return {
    summary: readBe64(bytes, 0),
    indicators: readBe64(bytes, 8),
    firstBit: readBe64(bytes, 16),
  };
}

export const IRB_SIZE = 64;
/** Device status: the program has ended, or in an error whose cause is in the sense bytes. */
export const CHANNEL_AND_DEVICE_END = 0x0c;
export const UNIT_CHECK = 0x02;
/** Subchannel status: what stopped the program was in itself. */
export const INCORRECT_LENGTH = 0x40;
export const PROGRAM_CHECK = 0x20;
export const PROTECTION_CHECK = 0x10;
/** First sense byte: the command was not taken. */
export const COMMAND_REJECT = 0x80;

const START_FUNCTION = 0x4000;
const CONTROL_VALID = 0x2_0000;
const ALERT_PENDING = 0x11;
const ENDED_PENDING = 0x07;
const PRIMARY = 0x04;
const SENSE_AT = 32;

/** What TSCH tells. */
export interface SubchannelStatus {
  /** A program has ended; otherwise the device has something to say by itself. */
  readonly ended: boolean;
  readonly deviceStatus: number;
  readonly subchannelStatus: number;
  /** Bytes of the last command that were not transferred. */
  readonly residue: number;
  readonly sense: number;
}

/** `commandAddress` is one command word behind the last that was looked at. */
export function encodeIrb(
  bytes: Uint8Array,
  commandAddress: number,
  status: SubchannelStatus,
): void {
  bytes.fill(0);
  const checked = status.sense === 0 ? 0 : CONTROL_VALID | ALERT_PENDING;
  const control = status.ended ? START_FUNCTION | ENDED_PENDING | checked : ALERT_PENDING;
  writeBe32(bytes, 0, control);
  writeBe32(bytes, 4, commandAddress);
  bytes[8] = status.deviceStatus;
  bytes[9] = status.subchannelStatus;
  writeBe16(bytes, 10, status.residue);
  bytes[SENSE_AT] = status.sense;
}

/** Tells whether a program has ended. */
export function hasEnded(bytes: Uint8Array): boolean {
  return (readBe32(bytes, 0) & PRIMARY) !== 0;
}

export function decodeIrb(bytes: Uint8Array): SubchannelStatus & { commandAddress: number } {
  return {
    ended: hasEnded(bytes),
    commandAddress: readBe32(bytes, 4),
    deviceStatus: bytes[8],
    subchannelStatus: bytes[9],
    residue: readBe16(bytes, 10),
    sense: bytes[SENSE_AT],
  };
}

// channel report word: 0 │ source 4 bits │ 0 │ recovery code 6 bits │ id 16 bits
const SOURCE_SUBCHANNEL = 3;
/** What is installed there is to be looked at anew. */
const PARAMETERS_INITIALIZED = 4;

/** The report that something has changed about a subchannel. */
export function subchannelReport(subchannel: number): number {
  return (SOURCE_SUBCHANNEL << 24) | (PARAMETERS_INITIALIZED << 16) | subchannel;
}

/** The subchannel that a report names. */
export function reportedSubchannel(report: number): number {
  return report & 0xffff;
}
