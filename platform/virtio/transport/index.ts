export { CONFIG_RESTARTS_MAX } from './driver-operations.ts';
export { exchangeChart } from './exchange-chart.ts';
export { MsgDeviceTransport, type MsgDeviceOptions } from './msg-device.ts';
export { MsgDriverTransport, type MsgDriverOptions, RETRIES_MAX } from './msg-driver.ts';
