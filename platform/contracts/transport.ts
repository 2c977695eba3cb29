// What a driver sees of its device, whatever carries it: the operations of virtio 1.4 chapter 2.
// All are asynchronous; a driver has one operation under way at a time and hears of its end through
// `TransportListener`. Notifications are apart, they have no answer.
import type { DmaPort } from './dma.ts';
import type { RegionPort, SharedRegion } from './region.ts';

export interface DeviceInfo {
  /** Virtio device type, e.g. 2 for blk. */
  readonly deviceId: number;
  readonly vendorId: number;
  readonly featureBlocks: number;
  readonly configSize: number;
  /** Queues that the device has at the most, administration virtqueues among them. */
  readonly queuesMax: number;
  /** Index of the first administration virtqueue, and how many there are: 0 and 0 without any. */
  readonly adminStart: number;
  readonly adminCount: number;
}

export interface QueueSetup {
  readonly index: number;
  readonly size: number;
  readonly descriptorArea: number;
  readonly driverArea: number;
  readonly deviceArea: number;
}

/** How an operation ended. */
export type TransportReply =
  | { readonly type: 'reply.info'; readonly info: DeviceInfo }
  | { readonly type: 'reply.features'; readonly features: bigint }
  | { readonly type: 'reply.featuresSet' }
  | { readonly type: 'reply.status'; readonly status: number }
  | { readonly type: 'reply.config'; readonly data: Uint8Array }
  | { readonly type: 'reply.configSet'; readonly applied: boolean }
  | {
      readonly type: 'reply.queue';
      readonly index: number;
      readonly sizeMax: number;
      readonly size: number;
    }
  | { readonly type: 'reply.queueSet'; readonly index: number }
  | { readonly type: 'reply.queueReset'; readonly index: number }
  | { readonly type: 'reply.memory'; readonly address: number }
  /** Length 0 says that there is no such region. */
  | {
      readonly type: 'reply.region';
      readonly shmid: number;
      readonly length: number;
      readonly address: number;
    }
  | { readonly type: 'reply.failed'; readonly reason: string };

export interface TransportListener {
  /** The device can be talked to. Comes again after the carrier was reset. */
  online(): void;
  /** The device or its carrier is gone; operations under way have failed. */
  offline(reason: string): void;
  /**
   * The device is away for a while and has forgotten everything; operations under way get no reply. Memory
   * stays where it is. `online` or `offline` follows.
   */
  away(reason: string): void;
  reply(reply: TransportReply): void;
  /** The device has used buffers of this queue. */
  used(queue: number): void;
  /**
   * Configuration or status changed by the device's own doing: these bytes, or with length 0, as most transports
   * say it, nobody knows which.
   */
  configChanged(status: number, offset?: number, length?: number): void;
}

/** Buffers of which a device reaches those that its requests have, and no others. */
export interface BufferMapping {
  /** Whole pages of own RAM here are out of reach from now on, until they are mapped. */
  restrict(address: number, length: number): void;
  /** A segment of a request, by its bus address, is let in or shut out. */
  map(busAddress: number, length: number): void;
  unmap(busAddress: number, length: number): void;
  /** Charges what was mapped and unmapped since the last call; returns ps of a core. */
  takeCost(): number;
}

export interface DriverTransport {
  /** Features of the core that the transport has no way to do: a driver leaves them alone (virtio 1.4 §2.2.1). */
  readonly impossible: bigint;
  /** Largest queue memory alignment etc. are the driver's; these are the device's operations. */
  connect(listener: TransportListener): void;
  getInfo(): void;
  getFeatures(): void;
  setFeatures(features: bigint): void;
  getStatus(): void;
  setStatus(status: number): void;
  getConfig(offset: number, length: number): void;
  setConfig(offset: number, data: Uint8Array): void;
  getQueue(index: number): void;
  setQueue(setup: QueueSetup): void;
  resetQueue(index: number): void;
  /**
   * Asks for a region of shared memory, which cores may then load and store through `regions`, until the device
   * is reset or lost.
   */
  getRegion(shmid: number): void;
  /** Null where the carrier has no regions. */
  readonly regions: RegionPort | null;
  /** Takes page-aligned memory that the device may reach; replies with its address in own RAM. */
  allocate(length: number, common?: number): void;
  /** The address under which the device reaches a byte of allocated memory. */
  busAddress(address: number): number;
  /** Where buffers are mapped for each request; null, or left out, where they are in reach all the time. */
  readonly mapping?: BufferMapping | null;
  /** Tells the device of new buffers. `next` is 0 unless NOTIFICATION_DATA is negotiated. */
  notify(queue: number, next: number): void;
}

/** What a device model sees of its driver. */
export interface DeviceTransport {
  readonly dma: DmaPort;
  /** Tells the driver that buffers were used. */
  notifyUsed(queue: number): void;
  /** Tells the driver that these bytes of the configuration changed, or, with length 0, the status alone. */
  notifyConfig(offset?: number, length?: number): void;
}

/** Whoever executes the commands of an administration virtqueue. */
export interface AdminService {
  /** Executes a command, given as the bytes that the device reads; returns those that it writes. */
  execute(command: Uint8Array): Uint8Array;
  /** The queue can't go on: its ring was refused or makes no sense. */
  broken(): void;
}

/** What a transport sees of the device model behind it. */
export interface DeviceModel {
  readonly info: DeviceInfo;
  /** All feature bits offered. */
  readonly features: bigint;
  readonly status: number;
  readonly configGeneration: number;
  /** What it shares with its driver; none when left out. Their memory stays where it is, whatever happens. */
  readonly regions?: readonly SharedRegion[];
  /** Connects the model to what carries it; called once, before anything else. */
  connect(transport: DeviceTransport): void;
  /** Features as the driver has written them so far. */
  readonly driverFeatures: bigint;
  setDriverFeatures(features: bigint): void;
  /** Returns the resulting status: FEATURES_OK may not stick, 0 only when the reset is complete. */
  setStatus(status: number): number;
  readConfig(offset: number, target: Uint8Array, targetOffset: number, length: number): void;
  /** Returns false when the write was not applied. */
  writeConfig(offset: number, source: Uint8Array): boolean;
  queueSizeMax(index: number): number;
  queueSetup(index: number): QueueSetup | null;
  setQueue(setup: QueueSetup): void;
  resetQueue(index: number): void;
  /**
   * Serves an administration virtqueue of the transport's own, anew or (null) no longer: a split ring
   * without any features, whose index is that of no other queue. `available` tells of its buffers as well.
   * It is the transport's business, also when the device is reset.
   */
  serveAdminQueue(setup: QueueSetup | null, service: AdminService): void;
  /** The driver has made buffers available. */
  available(queue: number, next: number): void;
}
