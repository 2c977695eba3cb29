// The library: run a scenario from code and get its report.

export {
  loadScenario,
  type RunResult,
  type RunScenarioOptions,
  runScenario,
  type ScenarioSource,
} from './cli/run-scenario.ts';
export type { Topology } from './contracts/index.ts';
export { AssertionError, RunError, type RunErrorCode } from './errors.ts';
export type {
  BusReport,
  DeviceReport,
  NodeReport,
  Report,
  WorkloadReport,
} from './observe/report/index.ts';
export { type LoadedScenario, type Problem, ScenarioError } from './scenario/index.ts';
