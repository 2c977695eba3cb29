export { LatencyRecorder, type LatencySummary } from './latency.ts';
