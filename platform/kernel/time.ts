// Simulated time: integer picoseconds in a double, exact up to 2^53 ps (2.5 h).
import { assert } from '../errors.ts';

declare const instant: unique symbol;
declare const duration: unique symbol;

/** A point of simulated time, in ps since the start of the run. */
export type Instant = number & { readonly [instant]?: true };
/** A length of simulated time, in ps. */
export type Duration = number & { readonly [duration]?: true };

export const PS_PER_NS = 1_000;
export const PS_PER_US = 1_000_000;
export const PS_PER_MS = 1_000_000_000;
export const PS_PER_S = 1_000_000_000_000;

/** The last instant the clock can show: 2^53 - 1 ps. */
export const END_OF_TIME: Instant = Number.MAX_SAFE_INTEGER;

const UNITS = [
  { unit: 's', ps: PS_PER_S },
  { unit: 'ms', ps: PS_PER_MS },
  { unit: 'us', ps: PS_PER_US },
  { unit: 'ns', ps: PS_PER_NS },
  { unit: 'ps', ps: 1 },
] as const;

/** Prints a duration with a unit that suits its size: `1.35 us`. `digits` are significant digits. */
export function formatTime(ps: Duration, digits = 4): string {
  if (ps === 0) return '0 s';
  const magnitude = Math.abs(ps);
  const fitting = UNITS.findIndex((candidate) => magnitude >= candidate.ps);
  const at = fitting < 0 ? UNITS.length - 1 : fitting;
  const { unit, ps: scale } = UNITS[at];
  const value = Number((ps / scale).toPrecision(digits));
  // Rounded up to a thousand, it is one of the next unit.
  if (at > 0 && Math.abs(value) >= 1000) return `${value / 1000} ${UNITS[at - 1].unit}`;
  return `${value} ${unit}`;
}

/** Picoseconds that `bytes` take at `bytesPerSecond`, rounded up so that a byte is never free. */
export function transferTime(bytes: number, bytesPerSecond: number): Duration {
  assert(bytesPerSecond > 0, 'bandwidth must be above zero');
  return Math.ceil((bytes * PS_PER_S) / bytesPerSecond);
}
