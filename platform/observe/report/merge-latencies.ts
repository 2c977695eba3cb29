// The latencies of a device that several workloads use. Each workload hands over its summary only, so
// that percentiles of the whole are bounds: a percentile of a mixture lies between those of its parts.
import { type Latencies, type LatencySummary, NO_LATENCIES } from '../latency.ts';

/** Merges summaries: least, greatest and mean are exact, percentiles are the largest of the parts. */
export function mergeLatencies(
  parts: readonly { readonly requests: number; readonly latency: LatencySummary }[],
): LatencySummary {
  const used = parts.flatMap(({ requests, latency }) =>
    latency.min === null ? [] : [{ requests, latency }],
  );
  if (used.length === 0) return NO_LATENCIES;
  const requests = used.reduce((sum, part) => sum + part.requests, 0);
  const largest = (key: keyof Latencies) => Math.max(...used.map(({ latency }) => latency[key]));
  const weighted = used.reduce((sum, part) => sum + part.latency.mean * part.requests, 0);
  return {
    min: Math.min(...used.map(({ latency }) => latency.min)),
    p50: largest('p50'),
    p90: largest('p90'),
    p99: largest('p99'),
    p999: largest('p999'),
    max: largest('max'),
    mean: used.length === 1 ? used[0].latency.mean : weighted / requests,
  };
}
