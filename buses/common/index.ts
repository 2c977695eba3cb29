export { BarRegions } from './bar-regions.ts';
export { CardRegions } from './card-regions.ts';
export { checkSlotOptions, planSlot, type SlotOptions, slotOptions } from './card-slot.ts';
export { defineMessageBus, defineTransport, transportFeatures } from './definition.ts';
export { DeviceClients } from './device-clients.ts';
export { DevicePages, type PageRange, pagesOfMemory, pagesOfRange } from './device-pages.ts';
export { DeviceRegions, noteStore } from './device-regions.ts';
export { DriverRegions, REGION_WINDOW } from './driver-regions.ts';
export { FaultySender, type FaultySenderOptions } from './faulty-sender.ts';
export { FrameQueue } from './frame-queue.ts';
export { GuestMemory, guestMemoryPort } from './guest-memory.ts';
export { HostPages, IOMMU_MAP } from './host-pages.ts';
export { planHotPlug } from './hot-plug.ts';
export { inBandMessages } from './in-band/index.ts';
export { OrderedLink } from './link.ts';
export { linkEnds } from './link-ends.ts';
export {
  checkHotPlug,
  checkMessageSize,
  dataPath,
  deviceBitsOf,
  deviceNumbers,
  discovery,
  headerSizeOf,
  pingInterval,
} from './link-options.ts';
export type { MappedRegion } from './mapped-regions.ts';
export { MessageBacklog } from './message-backlog.ts';
export { MessageCounter } from './message-counter.ts';
export type { DeviceLink, DriverLink, DriverMemory, LinkClient } from './message-link.ts';
export { RegionGuard, RegionWindows } from './region-guard.ts';
export {
  bridgeLayout,
  bridgeSize,
  type RingLayout,
  SPSC_SLOT_SIZE,
  spscLayout,
} from './ring-layout.ts';
export {
  NO_COST,
  OwnRingMemory,
  PeerRingMemory,
  type RingMemory,
  type RingReader,
} from './ring-memory.ts';
export { RingPair } from './ring-pair.ts';
export {
  coherentLink,
  DMA_DATA,
  DMA_READ,
  DMA_REFUSED,
  DMA_WRITE,
  type DmaWindow,
  type MemoryGuard,
  REGION_KINDS,
  REGION_READ,
  REGION_WRITE,
  SharedMemoryPort,
  SharedMemoryTarget,
} from './shared-memory.ts';
