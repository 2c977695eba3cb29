// The self-describing FIFO (`virtio_msg_amp_shmem`, reference B3, G2): a header tells where the rings and
// the heads of both sides are. The device writes it, the magic last; the driver checks it.
//
// Each side writes only its own head: its tail says how far it has filled its own ring, its head how far
// it has emptied the peer's.
import {
  hex,
  LayoutCodec,
  le16,
  le64,
  reserved,
  u8,
  type Value,
} from '../../platform/wire/index.ts';
import type { RingLayout } from '../common/index.ts';

/** 'OL', little-endian. */
export const LAYOUT_MAGIC = 0x4c4f;
const LAYOUT_VERSION = 1;

export const layoutHeader = new LayoutCodec('virtio_msg_amp_shmem', {
  magic: hex(le16),
  length: le16,
  version: le16,
  features: hex(le16),
  notificationCount: u8,
  notificationsPerDevice: u8,
  elementCount: le16,
  elementSize: le16,
  unused: reserved(2),
  deviceNotifications: le64,
  deviceHead: le64,
  deviceElements: le64,
  driverNotifications: le64,
  driverHead: le64,
  driverElements: le64,
});
export type LayoutHeader = Value<typeof layoutHeader.layout>;

export const HEADER_SIZE = layoutHeader.fixedSize;

/** One side's head. */
export const queueHead = new LayoutCodec('queue head', {
  magic: hex(le16),
  status: le16,
  tail: le16,
  head: le16,
});
export const HEAD_MAGIC = 0x514f;
export const HEAD_SIZE = queueHead.fixedSize;

/** How far a side has come; the low bits of its status. */
export const PeerState = { INIT: 0, READY: 1, RUN: 2, SHUTDOWN: 3, PEER_DEAD: 4 } as const;
export const PEER_STATE_MASK = 0x1f;

const NOTIFICATIONS_MAX = 64;
const NOTIFICATION_SIZE = 8;
const PER_DEVICE = [1, 2, 4, 8, 16];

/** QEMU's instance: 8 KiB, no notification words, 63 slots of 64 bytes each way. */
export const QEMU_LAYOUT: LayoutHeader = {
  magic: LAYOUT_MAGIC,
  length: HEADER_SIZE,
  version: LAYOUT_VERSION,
  features: 0,
  notificationCount: 0,
  notificationsPerDevice: 0,
  elementCount: 63,
  elementSize: 64,
  deviceNotifications: 0n,
  deviceHead: 64n,
  deviceElements: 80n,
  driverNotifications: 0n,
  driverHead: 72n,
  driverElements: 4112n,
};

/** What the driver makes of a header: it is not there yet, it makes no sense, or it is good. */
export type LayoutVerdict = 'absent' | 'invalid' | 'valid';

/** Checks a header against the window of so many bytes that it is in. */
export function checkLayout(header: LayoutHeader, windowSize: number): LayoutVerdict {
  if (header.magic !== LAYOUT_MAGIC) return 'absent';
  const { notificationCount: words, notificationsPerDevice, elementCount, elementSize } = header;
  const fieldsAreSound =
    header.length === HEADER_SIZE &&
    header.version === LAYOUT_VERSION &&
    words <= NOTIFICATIONS_MAX &&
    (words === 0 || PER_DEVICE.includes(notificationsPerDevice)) &&
    elementCount >= 2 &&
    elementSize > 0;
  if (!fieldsAreSound) return 'invalid';
  const rings = elementCount * elementSize;
  const regions: Region[] = [
    { start: 0n, size: HEADER_SIZE, alignment: 1 },
    { start: header.deviceHead, size: HEAD_SIZE, alignment: 2 },
    { start: header.driverHead, size: HEAD_SIZE, alignment: 2 },
    { start: header.deviceElements, size: rings, alignment: 1 },
    { start: header.driverElements, size: rings, alignment: 1 },
  ];
  if (words > 0) {
    const size = words * NOTIFICATION_SIZE;
    regions.push({ start: header.deviceNotifications, size, alignment: 8 });
    regions.push({ start: header.driverNotifications, size, alignment: 8 });
  }
  return regionsAreSound(regions, windowSize) ? 'valid' : 'invalid';
}

interface Region {
  readonly start: bigint;
  readonly size: number;
  readonly alignment: number;
}

/** The header lies at 0 and nothing else there; all lie in the window, none in another. */
function regionsAreSound(regions: readonly Region[], windowSize: number): boolean {
  const sorted = [...regions].sort((a, b) => Number(a.start - b.start));
  let end = 0n;
  for (const { start, size, alignment } of sorted) {
    if (start < end || start % BigInt(alignment) !== 0n) return false;
    end = start + BigInt(size);
  }
  return end <= BigInt(windowSize);
}

/** The rings that a valid header describes. */
export function describedRings(header: LayoutHeader): {
  readonly driver: RingLayout;
  readonly device: RingLayout;
} {
  const deviceHead = Number(header.deviceHead);
  const driverHead = Number(header.driverHead);
  const ring = (elements: bigint, producer: number, consumer: number): RingLayout => ({
    slots: header.elementCount,
    slotSize: header.elementSize,
    firstSlot: Number(elements),
    producerIndex: producer + queueHead.offsetOf('tail'),
    consumerIndex: consumer + queueHead.offsetOf('head'),
    indexBytes: 2,
    indexSpan: header.elementCount,
    capacity: header.elementCount - 1,
  });
  return {
    driver: ring(header.driverElements, driverHead, deviceHead),
    device: ring(header.deviceElements, deviceHead, driverHead),
  };
}
