export { AlphaDeviceLink } from './device-link.ts';
export { AlphaDriverLink } from './driver-link.ts';
export { ALPHA_SIZE, CONFIG_BYTES } from './messages.ts';
