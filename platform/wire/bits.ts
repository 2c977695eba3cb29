// Tables of named bits (status, features, flags) and their text, `ACKNOWLEDGE|DRIVER`.
import { assert } from '../errors.ts';

/** One named bit. */
export interface BitRow {
  readonly bit: number;
  /** Where the specification says so. */
  readonly spec: string;
  readonly doc: string;
}

export type BitTable = Readonly<Record<string, BitRow>>;

/** Checks a table of bits (every bit named once) and returns it with its exact type. */
export function defineBits<const T extends BitTable>(table: T): T {
  const seen = new Map<number, string>();
  for (const [name, row] of Object.entries(table)) {
    assert(/^[A-Z][A-Z0-9_]*$/.test(name), `bit name ${name} is not SCREAMING_SNAKE`);
    assert(Number.isInteger(row.bit) && row.bit >= 0, `bit ${name} has no valid number`);
    assert(!seen.has(row.bit), `bits ${seen.get(row.bit)} and ${name} share bit ${row.bit}`);
    seen.set(row.bit, name);
  }
  return table;
}

/** The mask of each bit of a table, by its name. */
export function masksOf<const T extends BitTable>(table: T): { readonly [K in keyof T]: bigint } {
  const masks = Object.entries(table).map(([name, { bit }]) => [name, 1n << BigInt(bit)]);
  return Object.fromEntries(masks) as { readonly [K in keyof T]: bigint };
}

/** Names the set bits, lowest first, as `A|B`; a bit without a name is `bit7`, none is `0`. */
export function bitsText(table: BitTable, value: number | bigint): string {
  const names = new Map(Object.entries(table).map(([name, row]) => [row.bit, name]));
  const parts: string[] = [];
  let rest = BigInt(value);
  for (let bit = 0; rest !== 0n; bit++, rest >>= 1n) {
    if ((rest & 1n) !== 0n) parts.push(names.get(bit) ?? `bit${bit}`);
  }
  return parts.length === 0 ? '0' : parts.join('|');
}
