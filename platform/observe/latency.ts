// Latencies of one device's requests: exact least, greatest and mean, percentiles to three digits.
import { build, type Histogram } from 'hdr-histogram-js';
import { PS_PER_NS } from '../kernel/index.ts';

/** What a summary has, in the order of the report. */
export const LATENCY_KEYS = ['min', 'p50', 'p90', 'p99', 'p999', 'max', 'mean'] as const;
export type LatencyKey = (typeof LATENCY_KEYS)[number];

/** Latencies in ns. */
export type Latencies = Readonly<Record<LatencyKey, number>>;

/** Latencies as the report shows them; all are null when no request has come to an end. */
export type LatencySummary = Latencies | Readonly<Record<LatencyKey, null>>;

/** The summary of no request at all. */
export const NO_LATENCIES: LatencySummary = {
  min: null,
  p50: null,
  p90: null,
  p99: null,
  p999: null,
  max: null,
  mean: null,
};

export class LatencyRecorder {
  count = 0;
  #min = Infinity;
  #max = 0;
  #sum = 0;
  // A bucket is a nanosecond wide at the bottom; it grows only as far as the values need.
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 20,
    numberOfSignificantValueDigits: 3,
    autoResize: true,
    bitBucketSize: 32,
  });

  /** Records one latency in ps. */
  record(ps: number): void {
    this.count++;
    this.#sum += ps;
    if (ps < this.#min) this.#min = ps;
    if (ps > this.#max) this.#max = ps;
    this.#histogram.recordValue(Math.round(ps / PS_PER_NS));
  }

  summary(): LatencySummary {
    if (this.count === 0) return NO_LATENCIES;
    const min = this.#min / PS_PER_NS;
    const max = this.#max / PS_PER_NS;
    // A bucket stands for its upper edge, which may lie beyond the greatest value.
    const percentile = (p: number) =>
      Math.min(max, Math.max(min, this.#histogram.getValueAtPercentile(p)));
    return {
      min,
      p50: percentile(50),
      p90: percentile(90),
      p99: percentile(99),
      p999: percentile(99.9),
      max,
      mean: this.#sum / this.count / PS_PER_NS,
    };
  }
}
