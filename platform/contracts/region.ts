// Memory that a device shares with its driver (virtio 1.4 §2.10): bytes in the RAM of the device's node, which the
// driver's cores load and store as their carrier lets them.

/** A region as its device has it. */
export interface SharedRegion {
  /** Which of the device's regions it is. */
  readonly shmid: number;
  /** Of its first byte in the RAM of the device's node; at the start of a page. */
  readonly address: number;
  readonly length: number;
  /** Told of stores as they land, as the page tables of its host would tell. */
  stored?(offset: number, length: number): void;
}

/** Whoever loads from a region. It is called on the core that loads, which has waited. */
export interface RegionClient {
  /** The bytes are valid only during the call. */
  loaded(tag: number, bytes: Uint8Array, length: number): void;
  /** Nothing was loaded: no region is mapped there, or nobody has answered. */
  loadRefused(tag: number, reason: string): void;
}

/** How cores reach mapped regions; addresses are those that mapping has given. */
export interface RegionPort {
  /** Loads. Called on a core, which waits until the bytes are there. */
  load(address: number, length: number, client: RegionClient, tag: number): void;
  /**
   * Stores, and goes on: stores are posted, and land in order and ahead of whatever the device reads later. The
   * bytes are copied now. Returns false when the store was refused.
   */
  store(address: number, source: Uint8Array, from: number, length: number): boolean;
  /** Charges what it costs a core to make the stores of so many bytes; returns its ps. */
  storeCost(length: number): number;
}

/** Told of a mapping that was asked for. */
export interface RegionMapClient {
  /** Where the region is for the driver's cores, or why it could not be mapped. */
  regionMapped(address: number, reason: string | null): void;
}

/** The regions of the devices of one bus on the driver's node. */
export interface RegionMap extends RegionPort {
  /** Maps what the device's end has told of a region: a place that only the bus understands, and a length. */
  map(deviceNumber: number, place: number, length: number, client: RegionMapClient): void;
  /** Ends all access to the regions of a device. */
  unmap(deviceNumber: number): void;
}
