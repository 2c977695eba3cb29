// Options that buses over links share, and the check of their largest message.
import { z } from 'zod';
import type { BusPlan, DeviceBits, Finding, Topology } from '../../platform/contracts/index.ts';
import { oneOfNames, time } from '../../platform/scenario/fields.ts';
import { checkCarries, headerSizeFor } from '../../platform/virtio/messages/index.ts';
import { WireError } from '../../platform/wire/index.ts';

/** How the driver's side learns which devices there are. */
export const discovery = (usual: 'messages' | 'static') =>
  z
    .enum(['messages', 'static'])
    .default(usual)
    .describe('How devices are found: asked for with GET_DEVICES, or known from a static table.');

/** Time between two PINGs. */
export const pingInterval = () =>
  time({ min: 1 })
    .optional()
    .describe(
      'Time between two PINGs of the driver side; devices are offline while nothing is heard. ' +
        'None are sent when left out (Linux AMP: 1000ms).',
    );

/** How devices reach the memory of their drivers. */
export const dataPath = () =>
  oneOfNames(['shared', 'inBand'])
    .default('shared')
    .describe(
      'How devices reach rings and buffers: in memory that the bus shares, or by MEM_READ and MEM_WRITE ' +
        'messages (inBand), which are in no draft of virtio-msg.',
    );

/** How wide device numbers are in headers. */
export const deviceNumbers = () =>
  oneOfNames(['16bit', '32bit'])
    .default('16bit')
    .describe(
      'Device numbers in headers: of 16 bits, or of 32, which makes every message two bytes longer and is in ' +
        'no draft of virtio-msg.',
    );

/** Bits of the device numbers of a bus. */
export function deviceBitsOf(options: Readonly<Record<string, unknown>>): DeviceBits {
  return options['deviceNumbers'] === '32bit' ? 32 : 16;
}

/** Bytes of the header of a message of a bus. */
export function headerSizeOf(options: Readonly<Record<string, unknown>>): number {
  return headerSizeFor(deviceBitsOf(options));
}

/** A bus must carry every message that a device of its revision has to understand. */
export function checkMessageSize({ revision, options }: BusPlan): readonly Finding[] {
  try {
    checkCarries(revision, options['maxMessageSize'] as number, deviceBitsOf(options));
    return [];
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const expected = 'a maximum that every mandatory message fits into';
    return [{ field: 'maxMessageSize', message: error.message, expected }];
  }
}

/** Devices that come or go are found by message only: a static table has them from the start. */
export function checkHotPlug(plan: BusPlan, { devices }: Topology): readonly Finding[] {
  if (plan.options['discovery'] !== 'static') return [];
  const moving = devices.find(
    ({ bus, addAt, removeAt }) =>
      bus === plan.index && (addAt !== undefined || removeAt !== undefined),
  );
  if (moving === undefined) return [];
  const message = `device '${moving.name}' comes or goes, but the table of devices is static`;
  return [{ field: null, message, expected: 'discovery: messages' }];
}
