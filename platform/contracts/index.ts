export type {
  BusParameters,
  DeviceBusClient,
  DeviceBusEnd,
  DriverBusClient,
  DriverBusEnd,
} from './bus.ts';
export type * from './definitions.ts';
export type { DmaClient, DmaFault, DmaPort } from './dma.ts';
export type * from './models.ts';
export * from './topology.ts';
export type {
  DeviceInfo,
  DeviceModel,
  DeviceTransport,
  DriverTransport,
  QueueSetup,
  TransportListener,
  TransportReply,
} from './transport.ts';
