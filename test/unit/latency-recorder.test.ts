// Latency statistics: exact ends and mean, percentiles to three digits, in ns.
import fc from 'fast-check';
import { build } from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import { LATENCY_KEYS, LatencyRecorder } from '../../platform/observe/index.ts';
import { measured } from '../support/measured.ts';

describe('a latency recorder', () => {
  it('has nothing to show when there was nothing', () => {
    const summary = new LatencyRecorder().summary();
    expect(summary).toEqual(Object.fromEntries(LATENCY_KEYS.map((key) => [key, null])));
  });

  it('keeps least, greatest and mean to the picosecond', () => {
    const recorder = new LatencyRecorder();
    for (const ps of [1_234_567, 2_000_001, 9_999_999]) recorder.record(ps);
    const { min, max, mean } = measured(recorder.summary());
    expect([min, max]).toEqual([1234.567, 9999.999]);
    expect(mean * 3).toBeCloseTo(13_234.567, 9);
    expect(recorder.count).toBe(3);
  });

  it('finds percentiles of a known distribution within a thousandth', () => {
    const recorder = new LatencyRecorder();
    // 1 … 10,000 us, each once.
    for (let us = 1; us <= 10_000; us++) recorder.record(us * 1_000_000);
    const { p50, p90, p99, p999 } = measured(recorder.summary());
    const expected = [5000e3, 9000e3, 9900e3, 9990e3];
    [p50, p90, p99, p999].forEach((value, i) => {
      expect(Math.abs(value / expected[i] - 1)).toBeLessThan(1e-3);
    });
  });

  it('takes anything from a nanosecond to hours', () => {
    const recorder = new LatencyRecorder();
    const hour = 3600e12;
    recorder.record(1000);
    recorder.record(hour);
    const { min, max, p999 } = measured(recorder.summary());
    expect([min, max]).toEqual([1, hour / 1000]);
    expect(Math.abs(p999 / (hour / 1000) - 1)).toBeLessThan(1e-3);
  });

  it('says the same of few latencies, which it keeps, as of many', () => {
    const latency = fc.oneof(fc.nat(5000), fc.nat(2 ** 31), fc.integer({ min: 1, max: 2 ** 43 }));
    const latencies = fc.array(latency, { minLength: 1, maxLength: 70 });
    fc.assert(
      fc.property(latencies, (values) => {
        const recorder = new LatencyRecorder();
        const histogram = build({
          lowestDiscernibleValue: 1,
          highestTrackableValue: 2 ** 44,
          numberOfSignificantValueDigits: 3,
          bitBucketSize: 32,
        });
        for (const ns of values) {
          recorder.record(ns * 1000);
          histogram.recordValue(ns);
        }
        const { p50, p90, p99, p999, max } = recorder.summary();
        const expected = [50, 90, 99, 99.9].map((p) => histogram.getValueAtPercentile(p));
        expect([p50, p90, p99, p999]).toEqual(expected.map((value) => Math.min(value, max!)));
      }),
      { seed: 1 },
    );
  });
});
