export type { BusReport, NetworkReport } from './carriers.ts';
export type { DeviceReport, NodeReport, Report, WorkloadReport } from './data.ts';
export { checkExpectations, WORKLOADS_DONE } from './expectations.ts';
export { buildReport, expectationsHold, type RunFacts } from './report.ts';
export { reportText } from './text.ts';
