// A layout is an object of fields in wire order. Its value type is inferred; encoding, decoding,
// text and tables derive from it. Message bodies and configuration spaces are layouts.
import { assert } from '../errors.ts';
import { WireError } from './errors.ts';
import type { Field, FixedField, ReservedField, TailField } from './fields.ts';

/** Fields in wire order. */
export type Layout = Readonly<Record<string, Field>>;

/** The object that a layout carries: reserved fields are left out. */
export type Value<L extends Layout> = {
  readonly [K in keyof L as L[K] extends ReservedField ? never : K]: L[K] extends {
    readonly zero: infer T;
  }
    ? T
    : never;
};

/** Where one field lies. `width` is null for the variable end. */
export interface FieldPlace {
  readonly name: string;
  readonly kind: string;
  readonly at: number;
  readonly width: number | null;
}

interface Placed<F> {
  readonly name: string;
  readonly at: number;
  readonly field: F;
}

/** Checks a layout (only the last field variable, counts come first) and returns it, typed. */
export function defineLayout<const L extends Layout>(layout: L): L {
  const seen: string[] = [];
  let tail: string | null = null;
  for (const [name, field] of Object.entries(layout)) {
    assert(/^[a-z][A-Za-z0-9]*$/.test(name), `field name ${name} is not camelCase`);
    if (field.form !== 'absent') assert(tail === null, `${name} follows the variable ${tail}`);
    if (field.form === 'tail') {
      tail = name;
      const count = field.countedBy;
      assert(count === null || seen.includes(count), `${name} is counted by unknown ${count}`);
    }
    if (field.form === 'fixed') seen.push(name);
  }
  return layout;
}

/** Encodes and decodes the values of one layout. */
export class LayoutCodec<L extends Layout = Layout> {
  readonly layout: L;
  /** Where each field lies, reserved ones included, absent ones not. */
  readonly places: readonly FieldPlace[];
  /** Bytes before the variable end; all of them when there is none. */
  readonly fixedSize: number;
  /** The least size with which the layout is of any use. */
  readonly usefulSize: number;
  /** Names what is encoded, for error texts. */
  readonly #title: string;
  readonly #fixed: Placed<FixedField<unknown>>[] = [];
  readonly #reserved: Placed<ReservedField>[] = [];
  readonly #absent: { readonly name: string; readonly zero: unknown }[] = [];
  readonly #tail: Placed<TailField<unknown>> | null = null;

  constructor(title: string, layout: L) {
    this.layout = defineLayout(layout);
    this.#title = title;
    const places: FieldPlace[] = [];
    let at = 0;
    for (const [name, field] of Object.entries(layout)) {
      if (field.form === 'absent') {
        this.#absent.push({ name, zero: field.zero });
        continue;
      }
      const width = field.form === 'tail' ? null : field.width;
      places.push({ name, kind: field.kind, at, width });
      if (field.form === 'fixed') this.#fixed.push({ name, at, field });
      else if (field.form === 'reserved') this.#reserved.push({ name, at, field });
      else this.#tail = { name, at, field };
      at += width ?? 0;
    }
    this.places = places;
    this.fixedSize = at;
    this.usefulSize = at + (this.#tail?.field.usefulBytes ?? 0);
  }

  /** Byte offset of a field. */
  offsetOf(name: keyof L & string): number {
    const place = this.places.find((row) => row.name === name);
    assert(place !== undefined, `${this.#title} carries no field ${name}`);
    return place.at;
  }

  /** Bytes that this value takes. */
  sizeOf(value: Value<L>): number {
    const tail = this.#tail;
    if (tail === null) return this.fixedSize;
    return this.fixedSize + tail.field.sizeOf((value as Record<string, unknown>)[tail.name]);
  }

  /**
   * Writes `value` at `at` and returns the bytes written. The caller has made sure of the space.
   * Throws WireError RANGE or SIZE, before anything is written.
   */
  encode(value: Value<L>, bytes: Uint8Array, at: number): number {
    const record = value as Record<string, unknown>;
    this.#check(record);
    for (const { name, at: offset, field } of this.#fixed) {
      field.write(bytes, at + offset, record[name]);
    }
    for (const { at: offset, field } of this.#reserved) {
      bytes.fill(0, at + offset, at + offset + field.width);
    }
    const tail = this.#tail;
    if (tail === null) return this.fixedSize;
    tail.field.write(bytes, at + tail.at, record[tail.name]);
    return this.fixedSize + tail.field.sizeOf(record[tail.name]);
  }

  /**
   * Reads a value from the `size` bytes at `at`; bytes beyond the layout are ignored, as padding.
   * Throws WireError SIZE when there are too few.
   */
  decode(bytes: Uint8Array, at: number, size: number): Value<L> {
    if (size < this.fixedSize) {
      throw new WireError('SIZE', `${this.#title} has ${size} bytes, needs ${this.fixedSize}`);
    }
    const value: Record<string, unknown> = {};
    for (const { name, at: offset, field } of this.#fixed) {
      value[name] = field.read(bytes, at + offset);
    }
    for (const { name, zero } of this.#absent) value[name] = zero;
    const tail = this.#tail;
    if (tail !== null) {
      const length = this.#tailSize(tail, value, size);
      value[tail.name] = tail.field.read(bytes, at + tail.at, length);
    }
    return value as Value<L>;
  }

  /** Counts the bytes of `size` that belong to the value at `at`; what follows is padding. */
  usedSize(bytes: Uint8Array, at: number, size: number): number {
    const tail = this.#tail;
    if (tail === null) return this.fixedSize;
    const value: Record<string, unknown> = {};
    for (const { name, at: offset, field } of this.#fixed) {
      value[name] = field.read(bytes, at + offset);
    }
    return this.fixedSize + this.#tailSize(tail, value, size);
  }

  /** True when every reserved byte at `at` is zero. */
  reservedIsZero(bytes: Uint8Array, at: number): boolean {
    for (const { at: offset, field } of this.#reserved) {
      for (let i = 0; i < field.width; i++) if (bytes[at + offset + i] !== 0) return false;
    }
    return true;
  }

  /** Makes `offset=0 length=4`; reserved and absent fields and empty tails are left out. */
  text(value: Value<L>): string {
    const record = value as Record<string, unknown>;
    const parts = this.#fixed.map(
      ({ name, field }) => `${field.label ?? name}=${field.text(record[name])}`,
    );
    const tail = this.#tail;
    if (tail !== null && tail.field.sizeOf(record[tail.name]) > 0) {
      parts.push(`${tail.name}=${tail.field.text(record[tail.name])}`);
    }
    return parts.join(' ');
  }

  #tailSize(tail: Placed<TailField<unknown>>, value: Record<string, unknown>, size: number) {
    const left = size - this.fixedSize;
    const { countedBy, optional } = tail.field;
    if (countedBy === null) return left;
    const count = value[countedBy] as number;
    const needed = tail.field.bytesFor(count);
    if (needed <= left) return needed;
    if (optional && left === 0) return 0;
    throw new WireError(
      'SIZE',
      `${this.#title} says ${countedBy} ${count}, but ${left} bytes of ${tail.name} follow`,
    );
  }

  #check(record: Record<string, unknown>): void {
    for (const { name, field } of this.#fixed) {
      if (!field.fits(record[name])) {
        throw new WireError('RANGE', `${this.#title}: ${name} cannot be ${String(record[name])}`);
      }
    }
    const tail = this.#tail;
    if (tail === null) return;
    const { countedBy } = tail.field;
    const count = countedBy === null ? null : (record[countedBy] as number);
    const value = record[tail.name];
    if (tail.field.fits(value, count)) return;
    const size = tail.field.sizeOf(value);
    const sizeIsWrong = count !== null && size !== tail.field.bytesFor(count);
    throw new WireError(
      sizeIsWrong ? 'SIZE' : 'RANGE',
      `${this.#title}: ${size} bytes of ${tail.name} do not fit ${countedBy} ${count}`,
    );
  }
}
