// Quantities as scenario and profile files write them (`80us`, `4KiB`, `1.5GB/s`): parsing to plain
// numbers (ps, bytes, bytes/s) without rounding, and writing them back exactly.

import type { Limits } from '../contracts/index.ts';

export type Dimension = 'time' | 'size' | 'rate';

interface Unit {
  readonly name: string;
  /** Base units in one of these: numerator over denominator, whole numbers both. */
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const unit = (name: string, numerator: bigint, denominator = 1n): Unit => ({
  name,
  numerator,
  denominator,
});

const KI = 1024n;
const K = 1000n;

/** Units by dimension, smallest first. */
const UNITS: Readonly<Record<Dimension, readonly Unit[]>> = {
  time: [
    unit('ps', 1n),
    unit('ns', K),
    unit('us', K ** 2n),
    unit('ms', K ** 3n),
    unit('s', K ** 4n),
  ],
  size: [
    unit('B', 1n),
    unit('kB', K),
    unit('KiB', KI),
    unit('MB', K ** 2n),
    unit('MiB', KI ** 2n),
    unit('GB', K ** 3n),
    unit('GiB', KI ** 3n),
    unit('TB', K ** 4n),
    unit('TiB', KI ** 4n),
  ],
  rate: [
    unit('bit/s', 1n, 8n),
    unit('B/s', 1n),
    unit('kbit/s', K, 8n),
    unit('kB/s', K),
    unit('KiB/s', KI),
    unit('Mbit/s', K ** 2n, 8n),
    unit('MT/s', K ** 2n, 8n),
    unit('MB/s', K ** 2n),
    unit('MiB/s', KI ** 2n),
    unit('Gbit/s', K ** 3n, 8n),
    // One bit per transfer and lane, before any line coding.
    unit('GT/s', K ** 3n, 8n),
    unit('GB/s', K ** 3n),
    unit('GiB/s', KI ** 3n),
  ],
};

const EXAMPLES: Readonly<Record<Dimension, string>> = { time: '80us', size: '4KiB', rate: '2GB/s' };

/** True for a quantity that keeps within limits. */
export function isWithin(value: number, limits: Limits): boolean {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, multipleOf = 1, powerOfTwo } = limits;
  if (value < min || value > max || value % multipleOf !== 0) return false;
  return powerOfTwo === undefined || value === 0 || Number.isInteger(Math.log2(value));
}

/** Says in words what limits allow; `write` puts a value in words. */
export function limitsText(limits: Limits, write: (value: number) => string): string {
  const { min, max, multipleOf, powerOfTwo } = limits;
  const parts: string[] = [];
  if (min !== undefined && min > 0) parts.push(`at least ${write(min)}`);
  if (max !== undefined) parts.push(`at most ${write(max)}`);
  if (multipleOf !== undefined) parts.push(`a multiple of ${write(multipleOf)}`);
  if (powerOfTwo !== undefined)
    parts.push(min === 0 ? `${write(0)} or a power of two` : 'a power of two');
  return parts.join(', ');
}

export type QuantityErrorCode = 'BAD_UNIT' | 'BAD_VALUE' | 'OUT_OF_RANGE';

/** What is wrong with a quantity, for the caller to place in its file. */
export interface QuantityError {
  readonly code: QuantityErrorCode;
  readonly message: string;
  readonly expected: string;
  /** The unit that was written, when the unit is what is wrong. */
  readonly unit: string | null;
}

export type QuantityResult =
  | { readonly value: number; readonly error: null }
  | { readonly value: null; readonly error: QuantityError };

/** Lists the names of a dimension's units, smallest first. */
export function unitNames(dimension: Dimension): readonly string[] {
  return UNITS[dimension].map((entry) => entry.name);
}

/** Says in words what a quantity of this dimension looks like. */
export function describeDimension(dimension: Dimension): string {
  return `a ${dimension} such as ${EXAMPLES[dimension]} (units: ${unitNames(dimension).join(', ')})`;
}

const DECIMAL = /^(\d{1,30})(?:\.(\d{1,30}))?$/;
const QUANTITY = /^(\d+(?:\.\d+)?) ?([A-Za-zµ][A-Za-zµ/]*)?$/;

/** Returns the regular expression source that a quantity of this dimension matches. */
export function quantityPattern(dimension: Dimension): string {
  return `^\\d+(\\.\\d+)? ?(${unitNames(dimension).join('|')})$`;
}

function failure(
  dimension: Dimension,
  code: QuantityErrorCode,
  message: string,
  unitText: string | null = null,
): QuantityResult {
  return {
    value: null,
    error: { code, message, expected: describeDimension(dimension), unit: unitText },
  };
}

/** The largest quantity in whole numbers of a unit. */
function largestText({ name, numerator, denominator }: Unit): string {
  return `${(BigInt(Number.MAX_SAFE_INTEGER) * denominator) / numerator}${name}`;
}

function scale(dimension: Dimension, text: string, chosen: Unit): QuantityResult {
  const parts = DECIMAL.exec(text);
  if (parts === null) return failure(dimension, 'BAD_VALUE', `'${text}' has too many digits`);
  const fraction = parts[2] ?? '';
  const numerator = BigInt(parts[1] + fraction) * chosen.numerator;
  const denominator = 10n ** BigInt(fraction.length) * chosen.denominator;
  if (numerator > BigInt(Number.MAX_SAFE_INTEGER) * denominator) {
    const message = `'${text}${chosen.name}' is too large`;
    const expected = `at most ${largestText(chosen)}`;
    return { value: null, error: { code: 'OUT_OF_RANGE', message, expected, unit: null } };
  }
  if (numerator % denominator === 0n)
    return { value: Number(numerator / denominator), error: null };
  // A rate may be any number; a time is whole picoseconds and a size whole bytes.
  if (dimension === 'rate') return { value: Number(numerator) / Number(denominator), error: null };
  const smallest = UNITS[dimension][0].name;
  return failure(
    dimension,
    'BAD_VALUE',
    `'${text}${chosen.name}' is not a whole number of ${smallest}`,
  );
}

/** Reads one quantity. The value is in ps, bytes or bytes/s; a bare number is refused. */
export function parseQuantity(text: string, dimension: Dimension): QuantityResult {
  const parts = QUANTITY.exec(text.trim());
  if (parts === null) return failure(dimension, 'BAD_VALUE', `'${text}' is not a ${dimension}`);
  const name = parts[2];
  if (name === undefined) return failure(dimension, 'BAD_UNIT', `'${text}' has no unit`, '');
  const chosen = UNITS[dimension].find((entry) => entry.name === name);
  if (chosen === undefined) {
    return failure(dimension, 'BAD_UNIT', `'${name}' is not a unit of ${dimension}`, name);
  }
  return scale(dimension, parts[1], chosen);
}

/** Reads a whole number, which has no unit. */
export function parseCount(text: string): QuantityResult {
  const value = /^\d{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return { value, error: null };
  const expected = 'a whole number such as 32';
  const message = `'${text}' is not a whole number`;
  return { value: null, error: { code: 'BAD_VALUE', message, expected, unit: null } };
}

/** Names the dimension that has a unit of this name, or null. */
export function dimensionOfUnit(name: string): Dimension | null {
  for (const dimension of ['time', 'size', 'rate'] as const) {
    if (UNITS[dimension].some((entry) => entry.name === name)) return dimension;
  }
  return null;
}

/** Decimal digits of numerator / 10^digits, without trailing zeros. */
function decimal(value: bigint, digits: number): string {
  const text = value.toString().padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const fraction = text.slice(text.length - digits).replace(/0+$/, '');
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

function writeTime(ps: number): string {
  const value = BigInt(ps);
  const steps = ['ps', 'ns', 'us', 'ms', 's'];
  let index = 0;
  while (index < 4 && value >= K ** BigInt(index + 1)) index++;
  return `${decimal(value, 3 * index)}${steps[index]}`;
}

/** The largest unit, out of `names`, that divides the value. */
function writeWhole(value: number, dimension: Dimension, names: readonly string[]): string {
  const fitting = UNITS[dimension].filter(
    (entry) => names.includes(entry.name) && BigInt(value) % entry.numerator === 0n,
  );
  const chosen =
    value === 0 ? UNITS[dimension].find((entry) => names.includes(entry.name))! : fitting.at(-1)!;
  return `${BigInt(value) / chosen.numerator}${chosen.name}`;
}

function writeRate(bytesPerSecond: number): string {
  if (!Number.isInteger(bytesPerSecond)) return `${bytesPerSecond}B/s`;
  return writeWhole(bytesPerSecond, 'rate', ['B/s', 'kB/s', 'MB/s', 'GB/s']);
}

/** Writes a value (ps, bytes, bytes/s) so that parseQuantity gives the same value back. */
export function writeQuantity(value: number, dimension: Dimension): string {
  if (dimension === 'time') return writeTime(value);
  if (dimension === 'rate') return writeRate(value);
  return writeWhole(value, 'size', ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
}
