export { adminChart } from './admin-chart.ts';
export { defineWorkload } from './definition.ts';
export { driverChart, RECOVERIES_MAX } from './driver-chart.ts';
export { type DriverTraits, FIRST_OWN_STEP } from './driver-hooks.ts';
export { FlushLedger } from './flush-ledger.ts';
export {
  FIRST_SLOT_DRIVER_STEP,
  RequestEnd,
  SlotDriver,
  type SlotDriverTraits,
} from './slot-driver.ts';
export { type SlotRange, SlotTable } from './slots.ts';
export { StaleRange } from './stale-range.ts';
export { VirtioDriver } from './virtio-driver.ts';
export { Watchdog, watchdogChart } from './watchdog.ts';
