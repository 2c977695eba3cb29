export { Chain } from './chain.ts';
export { defineDevice } from './definition.ts';
export { deviceChart } from './device-chart.ts';
export { type FetchOptions, type FetchPlan, fetchPlan } from './fetch.ts';
export { checkWriteBack, imageOptions } from './image-options.ts';
export {
  type CommonOptions,
  commonOptions,
  inOrderOption,
  powerLossOption,
  queueSize,
} from './options.ts';
export { queueChart } from './queue-chart.ts';
export { QueueEngine, type QueueOwner, type QueueReads, type SignalGate } from './queue-engine.ts';
export { FetchedRequest, RequestFetcher, scatter } from './request-fetcher.ts';
export { ServiceStation } from './server.ts';
export { type DeviceEntry, type DeviceTraits, VENDOR_ID, VirtioDevice } from './virtio-device.ts';
