export { Chain } from './chain.ts';
export { defineDevice } from './definition.ts';
export { deviceChart } from './device-chart.ts';
export { queueChart } from './queue-chart.ts';
export { BATCH_MAX, QueueEngine, type QueueOwner } from './queue-engine.ts';
export { FetchedRequest, RequestFetcher, scatter } from './request-fetcher.ts';
export { ServiceStation } from './server.ts';
export { type DeviceTraits, VENDOR_ID, VirtioDevice } from './virtio-device.ts';
