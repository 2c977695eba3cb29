export { adminChart } from './admin-chart.ts';
export { defineWorkload } from './definition.ts';
export { driverChart } from './driver-chart.ts';
export type { DriverTraits } from './driver-traits.ts';
export {
  FIRST_SLOT_DRIVER_STEP,
  RequestEnd,
  SlotDriver,
  type SlotDriverTraits,
} from './slot-driver.ts';
export { type SlotRange, SlotTable } from './slots.ts';
export { FIRST_OWN_STEP, VirtioDriver } from './virtio-driver.ts';
export { Watchdog, watchdogChart } from './watchdog.ts';
