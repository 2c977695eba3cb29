// The library: run a scenario from code and get its report.

export {
  loadScenario,
  type RunResult,
  type RunScenarioOptions,
  runScenario,
  type ScenarioSource,
} from './cli/run-scenario.ts';
export type { Topology } from './contracts/index.ts';
export { AssertionError, RunError, type RunErrorCode, UsageError } from './errors.ts';
export type { Anatomy, AnatomyPhase, AnatomyStep, AnatomyTotal } from './observe/anatomy/index.ts';
export type {
  BusReport,
  DeviceReport,
  NetworkReport,
  NodeReport,
  Report,
  WorkloadReport,
} from './observe/report/index.ts';
export type { TracedMessage } from './observe/trace/index.ts';
export { type LoadedScenario, type Problem, ScenarioError } from './scenario/index.ts';
export { decodeLine as decodeMessage } from './virtio/messages/index.ts';
export { WireError } from './wire/index.ts';
