export { type ExplainedRun, explainParallel } from './explain-parallel.ts';
export type {
  AnatomyRecord,
  BusOutcome,
  DeviceOutcome,
  GroupOutcome,
  NetworkOutcome,
  NodeOutcome,
  WorkloadOutcome,
} from './group.ts';
export type { HostOutcome, Progress, ProgressListener } from './inline-host.ts';
export {
  type MessageRecord,
  piecesOf,
  type RecordedMessages,
  writeWhole,
} from './message-record.ts';
export { senderOf, type TracePart, type TraceScope, type TraceStore } from './message-recorder.ts';
export type {
  CutLinkStatistics,
  ParallelStatistics,
  ThreadStatistics,
} from './parallel-statistics.ts';
export { type RunOptions, type RunOutcome, runTopology } from './run.ts';
export type { Ending } from './stop-rule.ts';
