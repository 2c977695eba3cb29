// Where a virtio-msg transport meets the bus that carries its messages. A bus knows of transport
// messages only their header; a transport knows of its bus only what stands here.
import type { DmaPort } from './dma.ts';
import type { RegionMap, SharedRegion } from './region.ts';
import type { DeviceBits, Revision } from './topology.ts';
import type { BufferMapping } from './transport.ts';

/** What a bus tells of itself before any transport message (virtio-msg: bus parameters). */
export interface BusParameters {
  readonly name: string;
  readonly revision: Revision;
  /** 16 when left out; 32 is a dialect that is in no draft. */
  readonly deviceBits?: DeviceBits | undefined;
  /** Largest message in bytes, both directions. */
  readonly maxMessageSize: number;
  /** ps that a response may take before the request is sent again. */
  readonly requestTimeout: number;
  /** ps between two looks at a device status that is not yet what it should be. */
  readonly statusPollInterval: number;
}

/** The driver-side transport of one device, as its bus sees it. */
export interface DriverBusClient {
  /** The bus has found and validated the device's number. */
  online(): void;
  offline(reason: string): void;
  /**
   * The device is away for a while, and has forgotten everything: `online` says that it is back, `offline` that
   * it will not be. Memory stays where it is, and cannot be reached by the device until then.
   */
  away(reason: string): void;
  /** A response or event from the device; the bytes are valid only during the call. */
  message(bytes: Uint8Array, length: number): void;
  /** The bus could not deliver the request with this token. */
  undeliverable(token: number, reason: string): void;
  /** Memory asked for by `allocate` is there (address in own RAM), or could not be had. */
  allocated(address: number, reason: string | null): void;
}

/** A bus instance on the driver's node. */
export interface DriverBusEnd extends BusParameters {
  attach(deviceNumber: number, client: DriverBusClient): void;
  /** Sends a request or an event; copies the bytes. */
  send(bytes: Uint8Array, length: number): void;
  /**
   * Takes memory for a device; `allocated` tells where it is. Both sides use the first `common` bytes at the same
   * time, by default all, and the rest in turn. A bus may make nothing of that.
   */
  allocate(deviceNumber: number, length: number, common?: number): void;
  busAddress(address: number): number;
  /** Regions of shared memory; only buses that carry them have it. */
  readonly regions?: RegionMap | undefined;
  /** Where buffers of a device are mapped for each request; null where they are in reach all the time. */
  mappingOf?(deviceNumber: number): BufferMapping | null;
  /** Starts the bus; called once all clients are attached. */
  start(): void;
}

/** The device-side transport of one device, as its bus sees it. */
export interface DeviceBusClient {
  /**
   * A request or event from the driver; the bytes are valid only during the call. Returns false when
   * it was discarded: no response will come.
   */
  message(bytes: Uint8Array, length: number): boolean;
  /** The bus was reset: the device is as if its driver had written status 0. */
  reset(): void;
}

/** A bus instance on the device's node. */
export interface DeviceBusEnd extends BusParameters {
  /** How a device reaches its driver's memory; asked for once by each. */
  dmaOf(deviceNumber: number): DmaPort;
  attach(deviceNumber: number, client: DeviceBusClient): void;
  /** Sends a response or an event; copies the bytes. */
  send(bytes: Uint8Array, length: number): void;
  /**
   * Lets the driver's side reach a region of a device. Returns its place, as GET_SHM tells it: what it means is
   * the bus's own. Only buses that carry regions have it.
   */
  shareRegion?(deviceNumber: number, region: SharedRegion): number;
  /**
   * Lets an attached device come or go. While the bus is up its driver is told. Only buses whose row says
   * `hotPlug` have it.
   */
  setPresent?(deviceNumber: number, present: boolean): void;
}
