export { InBandDeviceSide } from './device-side.ts';
export { InBandDriverSide } from './driver-side.ts';
export { inBandMessages } from './messages.ts';
