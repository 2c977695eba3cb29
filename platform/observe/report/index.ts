export type { BusReport, NetworkReport } from './carriers.ts';
export { checkExpectations, WORKLOADS_DONE } from './expectations.ts';
export {
  buildReport,
  type DeviceReport,
  expectationsHold,
  type NodeReport,
  type Report,
  type RunFacts,
  type WorkloadReport,
} from './report.ts';
export { reportText } from './text.ts';
