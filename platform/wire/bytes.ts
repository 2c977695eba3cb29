// Little-endian loads and stores on a Uint8Array, and hexadecimal text. The loads and stores check
// nothing and allocate nothing (but the 64-bit ones, which make a bigint): hot paths call them.

/** Reads the byte at `at`. */
export function readU8(bytes: Uint8Array, at: number): number {
  return bytes[at];
}

/** Reads a little-endian 16-bit number. */
export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

/** Reads a little-endian 32-bit number, 0 … 2^32-1. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Reads a little-endian 64-bit number. */
export function readU64(bytes: Uint8Array, at: number): bigint {
  return (BigInt(readU32(bytes, at + 4)) << 32n) | BigInt(readU32(bytes, at));
}

/** Writes the low 8 bits of `value`. */
export function writeU8(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
}

/** Writes the low 16 bits of `value`, least significant byte first. */
export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

/** Writes the low 32 bits of `value`, least significant byte first. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Writes the low 64 bits of `value`, least significant byte first. */
export function writeU64(bytes: Uint8Array, at: number, value: bigint): void {
  writeU32(bytes, at, Number(value & 0xffff_ffffn));
  writeU32(bytes, at + 4, Number((value >> 32n) & 0xffff_ffffn));
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
);

/** Writes bytes as lower-case hexadecimal, two digits each, without separators. */
export function toHex(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = '';
  for (let at = start; at < end; at++) text += HEX[bytes[at]];
  return text;
}

/**
 * Reads hexadecimal text: blanks, colons, commas, dashes, underscores and a `0x` before a group are
 * skipped. Null when anything else is left or a digit has no partner.
 */
export function fromHex(text: string): Uint8Array | null {
  const digits = text.replace(/0x/gi, ' ').replace(/[\s:,_-]+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return null;
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}
