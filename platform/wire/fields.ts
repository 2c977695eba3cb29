// Field codecs: what one field of a layout is on the wire, which values it can carry, and how it
// reads as text. Nothing here knows of messages; layout.ts puts fields together.
import { type BitTable, bitsText } from './bits.ts';
import { readU16, readU32, readU64, toHex, writeU16, writeU32, writeU64 } from './bytes.ts';

/** What values a test generator should draw for a field; plain data. */
export type Sample =
  | { readonly kind: 'integer'; readonly max: number; readonly step: number }
  | { readonly kind: 'bigint'; readonly max: bigint }
  | { readonly kind: 'uuid' }
  | { readonly kind: 'bytes'; readonly length: number }
  | { readonly kind: 'tail'; readonly unit: 'byte' | 'word' | 'bit' };

/** A field of fixed width. */
export interface FixedField<T> {
  readonly form: 'fixed';
  /** Name of the wire type, for tables: `le32`. */
  readonly kind: string;
  readonly width: number;
  readonly zero: T;
  readonly sample: Sample;
  /** Name in text where the wire's view differs from the value's (see `scaled`). */
  readonly label?: string;
  fits(value: T): boolean;
  write(bytes: Uint8Array, at: number, value: T): void;
  read(bytes: Uint8Array, at: number): T;
  text(value: T): string;
}

/** The variable end of a message. Only the last field may be one. */
export interface TailField<T> {
  readonly form: 'tail';
  readonly kind: string;
  readonly zero: T;
  readonly sample: Sample;
  /** Field of the same layout that says how many units follow; null for all that is left. */
  readonly countedBy: string | null;
  /** True when the units may be left out as a whole although the count is not zero. */
  readonly optional: boolean;
  /** The fewest bytes with which the field is of any use. */
  readonly usefulBytes: number;
  /** Bytes that `count` units take. */
  bytesFor(count: number): number;
  sizeOf(value: T): number;
  /** `count` is null for an uncounted tail. */
  fits(value: T, count: number | null): boolean;
  write(bytes: Uint8Array, at: number, value: T): void;
  /** Returns a copy, never a view of `bytes`. */
  read(bytes: Uint8Array, at: number, size: number): T;
  text(value: T): string;
}

/** Bytes that are sent as zero and ignored when received. Not part of the value. */
export interface ReservedField {
  readonly form: 'reserved';
  readonly kind: string;
  readonly width: number;
}

/** A field that another revision has and this one lacks: no bytes, always its zero value. */
export interface AbsentField<T> {
  readonly form: 'absent';
  readonly zero: T;
}

export type Field<T = unknown> = FixedField<T> | TailField<T> | AbsentField<T> | ReservedField;

function unsigned(
  kind: string,
  width: number,
  read: (bytes: Uint8Array, at: number) => number,
  write: (bytes: Uint8Array, at: number, value: number) => void,
): FixedField<number> {
  const max = 2 ** (8 * width) - 1;
  return {
    form: 'fixed',
    kind,
    width,
    zero: 0,
    sample: { kind: 'integer', max, step: 1 },
    fits: (value) => Number.isInteger(value) && value >= 0 && value <= max,
    read,
    write,
    text: String,
  };
}

/** An 8-bit number. */
export const u8: FixedField<number> = unsigned(
  'u8',
  1,
  (bytes, at) => bytes[at],
  (bytes, at, value) => {
    bytes[at] = value;
  },
);

/** A little-endian 16-bit number. */
export const le16: FixedField<number> = unsigned('le16', 2, readU16, writeU16);

/** A little-endian 32-bit number. */
export const le32: FixedField<number> = unsigned('le32', 4, readU32, writeU32);

const U64_MAX = 2n ** 64n - 1n;

/** A little-endian 64-bit number; text is hexadecimal, as these are addresses and handles. */
export const le64: FixedField<bigint> = {
  form: 'fixed',
  kind: 'le64',
  width: 8,
  zero: 0n,
  sample: { kind: 'bigint', max: U64_MAX },
  fits: (value) => typeof value === 'bigint' && value >= 0n && value <= U64_MAX,
  read: readU64,
  write: writeU64,
  text: (value) => `0x${value.toString(16)}`,
};

/** Four bytes whose value is a bigint: a field that a later revision made 64 bits wide. */
export const le32AsBigint: FixedField<bigint> = {
  ...le64,
  kind: 'le32',
  width: 4,
  sample: { kind: 'bigint', max: 2n ** 32n - 1n },
  fits: (value) => typeof value === 'bigint' && value >= 0n && value < 2n ** 32n,
  read: (bytes, at) => BigInt(readU32(bytes, at)),
  write: (bytes, at, value) => writeU32(bytes, at, Number(value)),
};

/** Makes a field whose text is `text(value)`. */
export function shown<T>(field: FixedField<T>, text: (value: T) => string): FixedField<T> {
  return { ...field, text };
}

/** Makes a number field whose text is hexadecimal. */
export function hex(field: FixedField<number>): FixedField<number> {
  return shown(field, (value) => `0x${value.toString(16)}`);
}

/** Makes a number field that only multiples of `step` may be sent in; any value is received. */
export function multipleOf(field: FixedField<number>, step: number): FixedField<number> {
  const max = field.sample.kind === 'integer' ? field.sample.max : 0;
  return {
    ...field,
    sample: { kind: 'integer', max, step },
    fits: (value) => field.fits(value) && value % step === 0,
  };
}

/** Makes a field whose value is `factor` wire units; text shows the units, under `label`. */
export function scaled(
  field: FixedField<number>,
  factor: number,
  label: string,
): FixedField<number> {
  const max = field.sample.kind === 'integer' ? field.sample.max : 0;
  return {
    ...field,
    label,
    sample: { kind: 'integer', max: max * factor, step: factor },
    fits: (value) => field.fits(value / factor),
    read: (bytes, at) => field.read(bytes, at) * factor,
    write: (bytes, at, value) => field.write(bytes, at, value / factor),
    text: (value) => field.text(value / factor),
  };
}

/** Makes a number field whose bits have names, shown as `A|B`. */
export function bitset(table: BitTable, field: FixedField<number> = le32): FixedField<number> {
  return shown(field, (value) => bitsText(table, value));
}

/**
 * Makes a number field whose values have names. Values without a name are carried all the same:
 * whether they make sense is for the receiver to judge.
 */
export function oneOf(
  table: Readonly<Record<string, number>>,
  field: FixedField<number> = le32,
): FixedField<number> {
  const names = new Map(Object.entries(table).map(([name, value]) => [value, name]));
  return shown(field, (value) => names.get(value) ?? field.text(value));
}

/** The UUID that means "none". */
export const NIL_UUID = '00000000-0000-0000-0000-000000000000';
const UUID = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/;

/** A UUID as lower-case text; its 16 bytes in the order the text shows them. */
export const uuid: FixedField<string> = {
  form: 'fixed',
  kind: 'uuid',
  width: 16,
  zero: NIL_UUID,
  sample: { kind: 'uuid' },
  fits: (value) => UUID.test(value),
  read(bytes, at) {
    const digits = toHex(bytes, at, at + 16);
    const parts = [
      [0, 8],
      [8, 12],
      [12, 16],
      [16, 20],
      [20, 32],
    ] as const;
    return parts.map(([start, end]) => digits.slice(start, end)).join('-');
  },
  write(bytes, at, value) {
    const digits = value.replaceAll('-', '');
    for (let i = 0; i < 16; i++) {
      bytes[at + i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16);
    }
  },
  text: String,
};

/** Makes a field of exactly `length` bytes. */
export function fixedBytes(length: number): FixedField<Uint8Array> {
  return {
    form: 'fixed',
    kind: `u8[${length}]`,
    width: length,
    zero: new Uint8Array(length),
    sample: { kind: 'bytes', length },
    fits: (value) => value.length === length,
    read: (bytes, at) => bytes.slice(at, at + length),
    write: (bytes, at, value) => bytes.set(value, at),
    text: (value) => toHex(value),
  };
}

/** Makes `width` reserved bytes. */
export function reserved(width: number): ReservedField {
  return { form: 'reserved', kind: `u8[${width}]`, width };
}

/** Makes the stand-in for a field that only another revision carries. */
export function absent<T>(field: FixedField<T>): AbsentField<T> {
  return { form: 'absent', zero: field.zero };
}

/** How a tail learns its size. */
export interface TailOptions {
  readonly optional?: boolean;
}

/** Makes a tail of bytes, as many as the field `countedBy` says, or all that is left. */
export function bytes(
  countedBy: string | null = null,
  options: TailOptions = {},
): TailField<Uint8Array> {
  const optional = options.optional ?? false;
  return {
    form: 'tail',
    kind: 'bytes',
    zero: new Uint8Array(0),
    sample: { kind: 'tail', unit: 'byte' },
    countedBy,
    optional,
    usefulBytes: optional ? 0 : 1,
    bytesFor: (count) => count,
    sizeOf: (value) => value.length,
    fits: (value, count) =>
      count === null || value.length === count || (optional && value.length === 0),
    write: (target, at, value) => target.set(value, at),
    read: (source, at, size) => source.slice(at, at + size),
    text: (value) => toHex(value),
  };
}

/** Makes a tail of 32-bit little-endian words, as many as the field `countedBy` says. */
export function blocks(countedBy: string): TailField<readonly number[]> {
  return {
    form: 'tail',
    kind: 'le32[]',
    zero: [],
    sample: { kind: 'tail', unit: 'word' },
    countedBy,
    optional: false,
    usefulBytes: 4,
    bytesFor: (count) => 4 * count,
    sizeOf: (value) => 4 * value.length,
    fits: (value, count) => value.length === count && value.every((word) => le32.fits(word)),
    write(target, at, value) {
      for (let i = 0; i < value.length; i++) writeU32(target, at + 4 * i, value[i]);
    },
    read(source, at, size) {
      const words: number[] = [];
      for (let i = 0; i < size; i += 4) words.push(readU32(source, at + i));
      return words;
    },
    text: (value) => value.map((word) => `0x${word.toString(16).padStart(8, '0')}`).join(','),
  };
}

/** Makes a tail of bits, lowest bit of the first byte first; bits beyond the count are sent 0. */
export function bitmap(countedBy: string): TailField<Uint8Array> {
  return {
    ...bytes(countedBy),
    kind: 'bits',
    sample: { kind: 'tail', unit: 'bit' },
    bytesFor: (count) => Math.ceil(count / 8),
    fits(value, count) {
      const bits = count ?? value.length * 8;
      if (value.length !== Math.ceil(bits / 8)) return false;
      return bits % 8 === 0 || value[value.length - 1] >> (bits % 8) === 0;
    },
  };
}
