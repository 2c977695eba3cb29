export { adminChart } from './admin-chart.ts';
export { CommonPlayer, commonRows, type DeviceTables, withinField } from './common-steps.ts';
export { type DriverRow, defineWorkload } from './definition.ts';
export { driverChart, RECOVERIES_MAX } from './driver-chart.ts';
export type { DriverWatcher } from './driver-control.ts';
export { type DriverTraits, FIRST_OWN_STEP } from './driver-hooks.ts';
export { FlushLedger } from './flush-ledger.ts';
export { Inbox } from './inbox.ts';
export type { RingCosts } from './ring-costs.ts';
export {
  FIRST_SLOT_DRIVER_STEP,
  RequestEnd,
  SlotDriver,
  type SlotDriverTraits,
} from './slot-driver.ts';
export { type SlotRange, SlotTable } from './slots.ts';
export { StaleRange } from './stale-range.ts';
export {
  awaitedFields,
  type Bytes,
  bytesField,
  bytesOf,
  contentOf,
  differenceOf,
  fillBytes,
  hex,
  lengthOf,
  patternField,
  sentFields,
} from './step-bytes.ts';
export {
  type AnyStep,
  type DriverSteps,
  defineRows,
  defineSteps,
  oneOf,
  type ScriptPort,
  type StepEnd,
  type StepOf,
  type StepPlayer,
  type StepRows,
  stepSchema,
} from './steps.ts';
export { VirtioDriver } from './virtio-driver.ts';
export { Watchdog, watchdogChart } from './watchdog.ts';
