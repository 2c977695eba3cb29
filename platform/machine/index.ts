export type {
  AnyChart,
  Chart,
  ChartEngine,
  ChartInstance,
  ChartOf,
  ChartOptions,
  ChartPort,
  ChartTimer,
  EngineName,
} from './chart.ts';
export { CHART_TIMER, ChartHost, type ChartHostOptions, createChartHost } from './chart-host.ts';
export type { ChartObserver } from './hosted-chart.ts';
export { MICROSTEPS_MAX, REENTRANT_EVENTS_MAX } from './limits.ts';
export { lintMachine, type MachineProblem, type MachineProblemCode } from './lint.ts';
export { ImpossibleStates } from './state-tree.ts';
