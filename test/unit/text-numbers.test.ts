// Numbers with units, as they are printed: three or four digits, and never a thousand of a unit that has a
// greater one.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTime } from '../../platform/kernel/index.ts';
import { formatBytes, formatEvents, formatRate } from '../../platform/text/index.ts';

const SEED = 1;

describe('times', () => {
  test.each([
    [0, '0 s'],
    [999, '999 ps'],
    [1_350_000, '1.35 us'],
    [999_949_999, '999.9 us'],
    [999_950_000, '1 ms'],
    [-999_990_000, '-1 ms'],
    [999_999_999_999, '1 s'],
    [7_200_000_000_000_000, '7200 s'],
  ])('%d ps are %s', (ps, text) => {
    expect(formatTime(ps)).toBe(text);
  });

  test('have as many digits as are asked for', () => {
    expect([formatTime(994_000_000, 2), formatTime(995_000_000, 2)]).toEqual(['990 us', '1 ms']);
  });

  test('have the unit that suits them, whatever they are', () => {
    const length = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(length, fc.integer({ min: 1, max: 6 }), (ps, digits) => {
        const [value, unit] = formatTime(ps, digits).split(' ');
        expect(Number(value)).toBeGreaterThanOrEqual(1);
        if (unit !== 's') expect(Number(value)).toBeLessThan(1000);
      }),
      { seed: SEED },
    );
  });
});

describe('sizes, rates and counts', () => {
  test.each([
    [formatBytes, 1023, '1023 B'],
    [formatBytes, 1023.4 * 1024, '1023 KiB'],
    [formatBytes, 1023.6 * 1024, '1 MiB'],
    [formatBytes, 2 ** 52, '4096 TiB'],
    [formatRate, 999_400, '999 kB/s'],
    [formatRate, 999_700, '1 MB/s'],
    [formatEvents, 999_960_000, '1 G'],
  ])('%o of %d is %s', (format, value, text) => {
    expect(format(value)).toBe(text);
  });
});
