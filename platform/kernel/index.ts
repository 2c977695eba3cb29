export { CalendarQueue } from './calendar-queue.ts';
export { CauseLog } from './cause-log.ts';
export { combineDigests, type DigestLanes } from './digest.ts';
export { doubled } from './doubled.ts';
export { EventQueue, Layout } from './event-queue.ts';
export {
  type Component,
  type ComponentId,
  type EventHandle,
  INSTANT_STEPS_MAX,
  Kernel,
  NO_EVENT,
  NODES_MAX,
  type Outbox,
  Rank,
} from './kernel.ts';
export { Packet, PacketPool } from './packet.ts';
export { type RandomStream, randomStream } from './random.ts';
export {
  type Duration,
  END_OF_TIME,
  formatTime,
  type Instant,
  PS_PER_MS,
  PS_PER_NS,
  PS_PER_S,
  PS_PER_US,
  transferTime,
} from './time.ts';
