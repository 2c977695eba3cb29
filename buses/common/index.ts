export { defineMessageBus, defineTransport } from './definition.ts';
export { FaultySender, type FaultySenderOptions } from './faulty-sender.ts';
export { FrameQueue } from './frame-queue.ts';
export { OrderedLink } from './link.ts';
export { MessageCounter } from './message-counter.ts';
export {
  DMA_DATA,
  DMA_READ,
  DMA_REFUSED,
  DMA_WRITE,
  type DmaWindow,
  SharedMemoryPort,
  SharedMemoryTarget,
} from './shared-memory.ts';
