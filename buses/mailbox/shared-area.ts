// What is in the first page of the carve-out: a definition of the area, a head for each side, and the
// elements of two static queues, as in open-amp (reference B6).
//
//   0   magic │ version │ driver and device ordinals                  le32 each
//   16  element size and count of the driver's queue, of the device's  le16 each
//   24  offsets: driver head, driver data, device head, device data    le64 each
//   56  device head, device data, driver head, driver data
//
//   head: status │ reserved │ w_idx │ r_idx, le16 each; a side writes its own head only
import { assert } from '../../platform/errors.ts';
import { readU16, writeU16, writeU32 } from '../../platform/wire/index.ts';
import type { RingLayout } from '../common/index.ts';
import type { MailboxOptions } from './options.ts';

const AREA_MAGIC = 0x1a2b3c4d;
const AREA_VERSION = 1;
export const DEFINITION_SIZE = 56;
export const HEAD_SIZE = 8;
/** Where both cores have the carve-out, by their device trees (that of SRAM on STM32MP157). */
export const CARVE_OUT_ADDRESS = 0x1000_0000;
/** Bit 0 of a head's status. */
export const READY = 1;

const DRIVER_ORDINAL = 0;
const DEVICE_ORDINAL = 1;
const W_INDEX = 4;
const R_INDEX = 6;

export interface SharedArea {
  readonly deviceHead: number;
  readonly deviceData: number;
  readonly driverHead: number;
  readonly driverData: number;
  readonly size: number;
  /** The queue that the driver fills, and that of the device. */
  readonly toDevice: RingLayout;
  readonly toDriver: RingLayout;
}

export function sharedArea({ maxMessageSize, elements, quirks }: MailboxOptions): SharedArea {
  const data = maxMessageSize * elements;
  const deviceHead = DEFINITION_SIZE;
  const deviceData = deviceHead + HEAD_SIZE;
  const driverHead = deviceData + data;
  const driverData = driverHead + HEAD_SIZE;
  const stride = quirks.includes('shortStride') ? elements : maxMessageSize;
  const ring = { slots: elements, slotSize: maxMessageSize, stride, indexBytes: 2 } as const;
  const counts = { indexSpan: elements, capacity: elements - 1 };
  return {
    deviceHead,
    deviceData,
    driverHead,
    driverData,
    size: driverData + data,
    toDevice: {
      ...ring,
      ...counts,
      firstSlot: driverData,
      producerIndex: driverHead + W_INDEX,
      consumerIndex: deviceHead + R_INDEX,
    },
    toDriver: {
      ...ring,
      ...counts,
      firstSlot: deviceData,
      producerIndex: deviceHead + W_INDEX,
      consumerIndex: driverHead + R_INDEX,
    },
  };
}

/** The bytes of the definition. */
export function areaDefinition(area: SharedArea): Uint8Array {
  const bytes = new Uint8Array(DEFINITION_SIZE);
  const { toDevice, toDriver } = area;
  writeU32(bytes, 0, AREA_MAGIC);
  writeU32(bytes, 4, AREA_VERSION);
  writeU32(bytes, 8, DRIVER_ORDINAL);
  writeU32(bytes, 12, DEVICE_ORDINAL);
  writeU16(bytes, 16, toDevice.slotSize);
  writeU16(bytes, 18, toDevice.slots);
  writeU16(bytes, 20, toDriver.slotSize);
  writeU16(bytes, 22, toDriver.slots);
  const { driverHead, driverData, deviceHead, deviceData } = area;
  [driverHead, driverData, deviceHead, deviceData].forEach((offset, i) => {
    assert(offset < 2 ** 32, 'offsets of the shared area are small');
    writeU32(bytes, 24 + 8 * i, offset);
  });
  return bytes;
}

/** True when the bytes are the definition of this very area. */
export function definesArea(bytes: Uint8Array, area: SharedArea): boolean {
  const expected = areaDefinition(area);
  return expected.every((byte, at) => bytes[at] === byte);
}

/** True when the status of a head says that its side is ready. */
export function headIsReady(bytes: Uint8Array): boolean {
  return (readU16(bytes, 0) & READY) !== 0;
}
