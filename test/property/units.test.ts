// Quantities with units: exact, whatever the digits; written and read back without loss.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nearestName } from '../../platform/scenario/nearest.ts';
import {
  type Dimension,
  parseQuantity,
  unitNames,
  writeQuantity,
} from '../../platform/timing/index.ts';

const RUNS = { seed: 1, numRuns: 200 };
const DIMENSIONS: readonly Dimension[] = ['time', 'size', 'rate'];
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('examples', () => {
  test.each([
    ['1.2us', 'time', 1_200_000],
    ['80us', 'time', 80_000_000],
    ['0.001ns', 'time', 1],
    ['1s', 'time', 1e12],
    ['80 us', 'time', 80_000_000],
    ['4KiB', 'size', 4096],
    ['1.5KiB', 'size', 1536],
    ['4kB', 'size', 4000],
    ['256MiB', 'size', 268_435_456],
    ['100MB/s', 'rate', 1e8],
    ['8GT/s', 'rate', 1e9],
    ['10Gbit/s', 'rate', 1.25e9],
    ['1bit/s', 'rate', 0.125],
    ['512MiB/s', 'rate', 536_870_912],
  ] as const)('%s', (text, dimension, value) => {
    expect(parseQuantity(text, dimension)).toEqual({ value, error: null });
  });

  test.each([
    ['1000', 'time', 'BAD_UNIT'],
    ['5MiB', 'time', 'BAD_UNIT'],
    ['5us', 'size', 'BAD_UNIT'],
    ['5MB', 'rate', 'BAD_UNIT'],
    ['5US', 'time', 'BAD_UNIT'],
    ['0.5ps', 'time', 'BAD_VALUE'],
    ['0.3B', 'size', 'BAD_VALUE'],
    ['-5us', 'time', 'BAD_VALUE'],
    ['1e3us', 'time', 'BAD_VALUE'],
    ['', 'time', 'BAD_VALUE'],
    ['us', 'time', 'BAD_VALUE'],
    ['1.us', 'time', 'BAD_VALUE'],
    ['10000s', 'time', 'OUT_OF_RANGE'],
    [`${'9'.repeat(31)}ps`, 'time', 'BAD_VALUE'],
  ] as const)('%s is no %s: %s', (text, dimension, code) => {
    expect(parseQuantity(text, dimension).error?.code).toBe(code);
  });
});

test('a value written and read again is the same', () => {
  for (const dimension of DIMENSIONS) {
    fc.assert(
      fc.property(whole, (value) => {
        expect(parseQuantity(writeQuantity(value, dimension), dimension).value).toBe(value);
      }),
      RUNS,
    );
  }
});

test('a whole number of ps reads exactly in every unit, however it is split into digits', () => {
  const units = ['ps', 'ns', 'us', 'ms', 's'];
  fc.assert(
    fc.property(whole, fc.integer({ min: 0, max: 4 }), (ps, step) => {
      const digits = String(ps).padStart(3 * step + 1, '0');
      const split = digits.length - 3 * step;
      const fraction = step === 0 ? '' : `.${digits.slice(split)}`;
      const text = `${digits.slice(0, split)}${fraction}${units[step]}`;
      expect(parseQuantity(text, 'time').value).toBe(ps);
    }),
    RUNS,
  );
});

test('a number without a unit is never accepted, nor a unit of another dimension', () => {
  fc.assert(
    fc.property(whole, fc.constantFrom(...DIMENSIONS), (value, dimension) => {
      expect(parseQuantity(String(value), dimension).error?.code).toBe('BAD_UNIT');
      for (const other of DIMENSIONS.filter((each) => each !== dimension)) {
        const [unit] = unitNames(other);
        expect(parseQuantity(`${value}${unit}`, dimension).error?.code).toBe('BAD_UNIT');
      }
    }),
    RUNS,
  );
});

test('any text gives a value or an error, never an exception', () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom(...DIMENSIONS), (text, dimension) => {
      const { value, error } = parseQuantity(text, dimension);
      expect(value === null).toBe(error !== null);
    }),
    RUNS,
  );
});

describe('nearest name', () => {
  const names = ['memory', 'queueSize', 'queues', 'ring', 'us', 'ns'];

  test.each([
    ['memroy', 'memory'],
    ['queuesize', 'queueSize'],
    ['queue', 'queues'],
    ['rings', 'ring'],
    ['US', 'us'],
    ['placement', null],
    ['', null],
  ])('%s: %s', (name, nearest) => {
    expect(nearestName(name, names)).toBe(nearest);
  });

  test('one slip in a name of four letters or more is always found', () => {
    const long = names.filter((name) => name.length >= 4);
    fc.assert(
      fc.property(fc.constantFrom(...long), fc.nat(20), (name, at) => {
        const place = at % name.length;
        const slipped = name.slice(0, place) + name.slice(place + 1);
        expect(nearestName(slipped, [name])).toBe(name);
      }),
      RUNS,
    );
  });
});
