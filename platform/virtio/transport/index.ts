export { CONFIG_RESTARTS_MAX } from './driver-operations.ts';
export { exchangeChart } from './exchange-chart.ts';
export { type MsgDeviceOptions, MsgDeviceTransport } from './msg-device.ts';
export { type MsgDriverOptions, MsgDriverTransport, RETRIES_MAX } from './msg-driver.ts';
