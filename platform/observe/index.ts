export {
  LATENCY_KEYS,
  type Latencies,
  LatencyRecorder,
  type LatencySummary,
  NO_LATENCIES,
} from './latency.ts';
