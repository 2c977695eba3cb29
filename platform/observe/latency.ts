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

/** Latencies kept as they are; a histogram of tens of kilobytes is made for more. */
const KEPT_MAX = 64;
/** Three digits: from here on buckets are wider than 1 ns, this many in each power of two. */
const NARROW_END = 2048;

export class LatencyRecorder {
  count = 0;
  #min = Infinity;
  #max = 0;
  #sum = 0;
  /** The first latencies in ns, until there is a histogram. */
  readonly #kept: number[] = [];
  #histogram: Histogram | null = null;

  /** Records one latency in ps. */
  record(ps: number): void {
    this.count++;
    this.#sum += ps;
    if (ps < this.#min) this.#min = ps;
    if (ps > this.#max) this.#max = ps;
    const ns = Math.round(ps / PS_PER_NS);
    if (this.#histogram !== null) this.#histogram.recordValue(ns);
    else if (this.#kept.length < KEPT_MAX) this.#kept.push(ns);
    else this.#beginHistogram(ns);
  }

  summary(): LatencySummary {
    if (this.count === 0) return NO_LATENCIES;
    const min = this.#min / PS_PER_NS;
    const max = this.#max / PS_PER_NS;
    this.#kept.sort((a, b) => a - b);
    // A bucket stands for its upper edge, which may lie beyond the greatest value.
    const percentile = (p: number) => Math.min(max, Math.max(min, this.#percentile(p)));
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

  #beginHistogram(ns: number): void {
    // A bucket is a nanosecond wide at the bottom; it grows only as far as the values need.
    const histogram = build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: 2 ** 20,
      numberOfSignificantValueDigits: 3,
      autoResize: true,
      bitBucketSize: 32,
    });
    for (const kept of this.#kept) histogram.recordValue(kept);
    histogram.recordValue(ns);
    this.#kept.length = 0;
    this.#histogram = histogram;
  }

  /** What the histogram would say, also while there is none. The kept ones are sorted. */
  #percentile(p: number): number {
    if (this.#histogram !== null) return this.#histogram.getValueAtPercentile(p);
    const rank = Math.ceil((p / 100) * this.count * (1 - Number.EPSILON));
    return upperEdge(this.#kept[Math.max(rank, 1) - 1]);
  }
}

/** Greatest value of the bucket that a value is in. */
function upperEdge(ns: number): number {
  if (ns < NARROW_END) return ns;
  const width = 2 ** (Math.floor(Math.log2(ns)) + 1) / NARROW_END;
  return (Math.floor(ns / width) + 1) * width - 1;
}
