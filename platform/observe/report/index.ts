export { checkExpectations, WORKLOADS_DONE } from './expectations.ts';
export {
  alignColumns,
  COLOURED,
  formatBytes,
  formatCount,
  formatEvents,
  formatShare,
  type Paint,
  PLAIN,
} from './format.ts';
export {
  type BusReport,
  buildReport,
  type DeviceReport,
  expectationsHold,
  type NetworkReport,
  type NodeReport,
  type Report,
  type RunFacts,
  type WorkloadReport,
} from './report.ts';
export { reportText } from './text.ts';
