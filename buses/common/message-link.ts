// What moves the messages of one bus between its two ends: rings with doorbells, or calls. The ends know
// virtio-msg and nothing of the way; a link knows the way and nothing of what it carries.
import type {
  BufferMapping,
  DmaPort,
  DriverBusClient,
  RegionMap,
  SharedRegion,
  Statistics,
} from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import type { OrderedLink } from './link.ts';

/** Who gets what a link carries. */
export interface LinkClient {
  /** The peer is there; messages may be sent. */
  up(): void;
  /** The link is broken; it may come up again. */
  down(reason: string): void;
  /** The peer has gone and forgotten everything; `up` says that another one has taken its place. */
  away?(reason: string): void;
  /** The device's side begins anew, as after power-on: so do its devices. */
  reset?(): void;
  /** A request for this device, with this token, has reached nobody. */
  undeliverable?(device: number, token: number): void;
  /** Numbers of the devices behind the device's side, ascending. */
  deviceNumbers?(): readonly number[];
  /** A message, on a core of the node; valid only during the call, perhaps padded. */
  frame(bytes: Uint8Array, length: number): void;
}

interface Link {
  /** Sends a message when there is room; copies the bytes. */
  send(bytes: Uint8Array, length: number): void;
  /** Takes a packet of the bus. */
  receive(packet: Packet): void;
  statistics(): Statistics;
}

/** The memory of drivers that their devices may reach. */
export interface DriverMemory {
  /** Takes memory that the device may reach, for the device of this number. */
  allocate(deviceNumber: number, client: DriverBusClient, length: number): void;
  /** The bus address of a byte of such memory; -1 for other memory. */
  busAddress(address: number): number;
  /** Where buffers of a device are mapped for each request; null where they are in reach all the time. */
  mappingOf?(deviceNumber: number): BufferMapping | null;
  /** The device uses its memory no more, having gone or been reset: it may be used again. */
  release(deviceNumber: number): void;
}

/** The driver's side. */
export interface DriverLink extends Link, DriverMemory {
  /** Sets the link up; the client hears when it is. */
  connect(): void;
  /** Forgets messages that wait: their receiver is gone. */
  clear(): void;
  /** Over coherent memory, the way of data to the device's node: cores reach regions over it. */
  readonly path?: OrderedLink;
  /** Regions of devices, where the link has a way of its own to them. */
  readonly regions?: RegionMap;
  /** Constant: mapping a page of a region, where that takes time. */
  readonly pageMapping?: number;
}

/** The device's side. */
export interface DeviceLink extends Link {
  readonly dma: DmaPort;
  /** Over coherent memory, the way of data to the driver's node. */
  readonly path?: OrderedLink;
  /** Shares a region, where the link has a way of its own to it; returns its place. */
  shareRegion?(deviceNumber: number, region: SharedRegion): number;
  /** A request was not understood, or is for nobody: links that can, say so. */
  refuse?(bytes: Uint8Array): void;
}
