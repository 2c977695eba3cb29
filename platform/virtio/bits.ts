// The status bits and the feature bits that all virtio devices share, with their names, and the
// 32-bit blocks in which features travel. A device's own features are in the device's folder.
import { bitsText, defineBits } from '../wire/index.ts';

const STATUS_SPEC = 'virtio 1.4 §2.1';

/** The device status field. */
export const statusBits = defineBits({
  ACKNOWLEDGE: { bit: 0, spec: STATUS_SPEC, doc: 'The driver side has noticed the device.' },
  DRIVER: { bit: 1, spec: STATUS_SPEC, doc: 'There is a driver for the device.' },
  DRIVER_OK: { bit: 2, spec: STATUS_SPEC, doc: 'The driver is ready to drive.' },
  FEATURES_OK: { bit: 3, spec: STATUS_SPEC, doc: 'Features are agreed.' },
  SUSPEND: { bit: 4, spec: STATUS_SPEC, doc: 'The driver has suspended the device.' },
  DEVICE_NEEDS_RESET: { bit: 6, spec: STATUS_SPEC, doc: 'The device cannot go on.' },
  FAILED: { bit: 7, spec: STATUS_SPEC, doc: 'The driver has given up.' },
});

/** Masks of the status bits. */
export const STATUS = {
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  SUSPEND: 16,
  DEVICE_NEEDS_RESET: 64,
  FAILED: 128,
} as const;

const FEATURE_SPEC = 'virtio 1.4 §6';

/** Feature bits of the virtio core, legacy ones included so that they have names. */
export const coreFeatures = defineBits({
  NOTIFY_ON_EMPTY: { bit: 24, spec: FEATURE_SPEC, doc: 'Legacy: used event on an empty ring.' },
  ANY_LAYOUT: { bit: 27, spec: FEATURE_SPEC, doc: 'Legacy: buffers may be framed in any way.' },
  INDIRECT_DESC: { bit: 28, spec: FEATURE_SPEC, doc: 'Descriptors may point to a table of them.' },
  EVENT_IDX: { bit: 29, spec: FEATURE_SPEC, doc: 'Notifications are asked for by index.' },
  VERSION_1: { bit: 32, spec: FEATURE_SPEC, doc: 'Follows virtio 1.0 or later.' },
  ACCESS_PLATFORM: { bit: 33, spec: FEATURE_SPEC, doc: 'Device access to memory is limited.' },
  RING_PACKED: { bit: 34, spec: FEATURE_SPEC, doc: 'Packed virtqueues.' },
  IN_ORDER: { bit: 35, spec: FEATURE_SPEC, doc: 'Buffers are used in the order made available.' },
  ORDER_PLATFORM: { bit: 36, spec: FEATURE_SPEC, doc: 'Memory ordering needs real barriers.' },
  SR_IOV: { bit: 37, spec: FEATURE_SPEC, doc: 'Single-root I/O virtualisation.' },
  NOTIFICATION_DATA: { bit: 38, spec: FEATURE_SPEC, doc: 'Notifications say how far the ring is.' },
  NOTIF_CONFIG_DATA: { bit: 39, spec: FEATURE_SPEC, doc: 'The device chooses notification data.' },
  RING_RESET: { bit: 40, spec: FEATURE_SPEC, doc: 'One queue can be reset alone.' },
  ADMIN_VQ: { bit: 41, spec: FEATURE_SPEC, doc: 'The device has administration virtqueues.' },
  SUSPEND: { bit: 43, spec: FEATURE_SPEC, doc: 'The driver can suspend the device.' },
});

/** Masks of the core's feature bits (VIRTIO_F_…), for sets of features kept as bigint. */
export const F = {
  INDIRECT_DESC: 1n << 28n,
  EVENT_IDX: 1n << 29n,
  VERSION_1: 1n << 32n,
  ACCESS_PLATFORM: 1n << 33n,
  RING_PACKED: 1n << 34n,
  IN_ORDER: 1n << 35n,
  ORDER_PLATFORM: 1n << 36n,
  SR_IOV: 1n << 37n,
  NOTIFICATION_DATA: 1n << 38n,
  NOTIF_CONFIG_DATA: 1n << 39n,
  RING_RESET: 1n << 40n,
  ADMIN_VQ: 1n << 41n,
  SUSPEND: 1n << 43n,
} as const;

/** Names the bits of a status, `ACKNOWLEDGE|DRIVER`; a status of 0 is `RESET`. */
export function statusText(status: number): string {
  return status === 0 ? 'RESET' : bitsText(statusBits, status);
}

/** Names a set of features; `device` is the device's own table, if it has one. */
export function featuresText(
  features: bigint,
  device: Parameters<typeof bitsText>[0] = {},
): string {
  return bitsText({ ...device, ...coreFeatures }, features);
}

/** Blocks that a set of features can have; those beyond are read as zero and never written. */
export const FEATURE_BLOCKS_MAX = 64;

/**
 * Cuts `count` 32-bit blocks, from block `index` on, out of a set of features; zero beyond it. The
 * caller has bounded `count` by what a message carries.
 */
export function featureBlocks(features: bigint, index: number, count: number): number[] {
  const blocks: number[] = [];
  let rest = features >> (32n * BigInt(index));
  for (let i = 0; i < count; i++, rest >>= 32n) blocks.push(Number(rest & 0xffff_ffffn));
  return blocks;
}

/** Returns `features` with the blocks from `index` on replaced and all others kept. */
export function withFeatureBlocks(
  features: bigint,
  index: number,
  blocks: readonly number[],
): bigint {
  let result = features;
  // The index of a hostile request (up to 2^32-1) must not build a number of that many blocks.
  const end = Math.min(blocks.length, FEATURE_BLOCKS_MAX - index);
  for (let i = 0; i < end; i++) {
    const at = 32n * BigInt(index + i);
    result = (result & ~(0xffff_ffffn << at)) | (BigInt(blocks[i]) << at);
  }
  return result;
}
