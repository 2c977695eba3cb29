// Bytes in the steps of scripts: how a scenario writes them, and how what was found is compared with them.
import { z } from 'zod';
import { count } from '../../platform/scenario/fields.ts';

const DIGITS = /^(?:[0-9a-fA-F]{2})+$/;
const DIGITS_OR_ANY = /^(?:[0-9a-fA-F?]{2})+$/;
const BYTES_TEXT = 'bytes are a number up to 255, or pairs of hexadecimal digits in quotes';
const PATTERN_TEXT = `${BYTES_TEXT}, ? for any digit`;

/** A number for one byte, or hexadecimal digits. */
export type Bytes = number | string;

/** Bytes to be written. */
export const bytesField = () =>
  z.union([count({ max: 255 }), z.string().regex(DIGITS, BYTES_TEXT)], { error: BYTES_TEXT });

/** Bytes to be found. */
export const patternField = () =>
  z.union([count({ max: 255 }), z.string().regex(DIGITS_OR_ANY, PATTERN_TEXT)], {
    error: PATTERN_TEXT,
  });

/** The value of a field of the configuration: a number, or its bytes as they lie there. */
export const valueField = () =>
  z.union([count(), z.string().regex(DIGITS_OR_ANY, PATTERN_TEXT)], { error: PATTERN_TEXT });

/** Fields of a step that sends bytes: as text, or as they are. */
export const sentFields = {
  text: z.string().min(1).optional().describe('What to send, as text.'),
  bytes: bytesField().optional().describe('Or as bytes: a number, or hexadecimal digits.'),
} as const;

/** Fields of a step that awaits bytes. */
export const awaitedFields = {
  text: z.string().min(1).optional().describe('What must come, as text.'),
  bytes: patternField()
    .optional()
    .describe('Or as bytes: a number, or hexadecimal digits, ? for any.'),
} as const;

/** How many bytes these are. */
export function lengthOf(bytes: Bytes): number {
  return typeof bytes === 'number' ? 1 : bytes.length / 2;
}

/** What a step with the fields above sends or awaits. */
export function contentOf(step: {
  readonly text?: string | undefined;
  readonly bytes?: Bytes | undefined;
}): Bytes {
  const { text, bytes = 0 } = step;
  return text === undefined ? bytes : Buffer.from(text, 'utf8').toString('hex');
}

/** Writes bytes over and over, `length` in all. */
export function fillBytes(target: Uint8Array, length: number, bytes: Bytes): void {
  const { values } = patternOf(bytes);
  for (let i = 0; i < length; i++) target[i] = values[i % values.length];
}

/** The bytes themselves. */
export function bytesOf(bytes: Bytes): Uint8Array {
  return patternOf(bytes).values;
}

/** Compares what was found with bytes, over and over; says where they differ, or null. */
export function differenceOf(found: Uint8Array, length: number, bytes: Bytes): string | null {
  const { values, masks } = patternOf(bytes);
  for (let i = 0; i < length; i++) {
    const at = i % values.length;
    if (((found[i] ^ values[at]) & masks[at]) === 0) continue;
    const wanted = typeof bytes === 'number' ? hex(bytes) : bytes.slice(2 * at, 2 * at + 2);
    return `found ${hex(found[i])} at byte ${i}, not ${wanted.toLowerCase()}`;
  }
  return null;
}

/** Values of bytes, and masks of the bits that matter. */
function patternOf(bytes: Bytes): { readonly values: Uint8Array; readonly masks: Uint8Array } {
  const digits = typeof bytes === 'number' ? hex(bytes) : bytes;
  return {
    values: Uint8Array.from(Buffer.from(digits.replaceAll('?', '0'), 'hex')),
    masks: Uint8Array.from(Buffer.from(digits.replace(/[^?]/g, 'f').replaceAll('?', '0'), 'hex')),
  };
}

/** Two digits for each byte. */
export function hex(...bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
