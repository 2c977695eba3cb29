// Latencies of one device's requests: exact least, greatest and mean, percentiles to three digits.
import { build, type Histogram } from 'hdr-histogram-js';
import { PS_PER_NS } from '../kernel/index.ts';

/** Latencies in ns, as the report shows them. All are 0 when there was no request. */
export interface LatencySummary {
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly mean: number;
}

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
    if (this.count === 0) return { min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0, mean: 0 };
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
