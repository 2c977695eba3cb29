export { defineWorkload } from './definition.ts';
export { driverChart } from './driver-chart.ts';
export { type SlotRange, SlotTable } from './slots.ts';
export {
  type DriverTraits,
  FIRST_OWN_STEP,
  VirtioDriver,
} from './virtio-driver.ts';
