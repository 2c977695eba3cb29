// What a driver says of itself to the part that all drivers share, and what all of them can do.
import { F } from '../../platform/virtio/index.ts';

export interface DriverTraits {
  readonly deviceId: number;
  /** Queues that the device must have at the least; see `queuesWanted`. */
  readonly queueCount: number;
  /** Queue size the driver would like; the device's limit may be lower. */
  readonly queueSize: number;
  /** Features it would take, besides those every driver here takes. */
  readonly features: bigint;
  /** Those of them without which it can't work. */
  readonly requiredFeatures?: bigint;
  readonly configSize: number;
  /** Most segments of a chain that may lie in an indirect table. Default: SEGMENTS_MAX. */
  readonly segmentsMax?: number;
  /** How often it resets a device in a row without getting any further. Default: 0, it gives up. */
  readonly recoveriesMax?: number;
}

/** Segments of an indirect table unless the driver says otherwise. */
export const SEGMENTS_MAX = 4;

/** What every driver here can do, and takes when it is offered. */
export const CORE_FEATURES =
  F.VERSION_1 |
  F.ACCESS_PLATFORM |
  F.RING_PACKED |
  F.EVENT_IDX |
  F.INDIRECT_DESC |
  F.NOTIFICATION_DATA |
  F.ADMIN_VQ;
