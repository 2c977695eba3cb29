// What both sides of virtio-blk agree on (virtio 1.4 §5.2).
import { defineBits, LayoutCodec, le16, le32, le64, reserved, u8 } from '../wire/index.ts';

export const BLK_DEVICE_ID = 2;
export const SECTOR_SIZE = 512;

/** Request types (§5.2.6). */
export const BLK_T = {
  IN: 0,
  OUT: 1,
  FLUSH: 4,
  GET_ID: 8,
  GET_LIFETIME: 10,
  DISCARD: 11,
  WRITE_ZEROES: 13,
  SECURE_ERASE: 14,
  ZONE_APPEND: 15,
  ZONE_REPORT: 16,
  ZONE_OPEN: 18,
  ZONE_CLOSE: 20,
  ZONE_FINISH: 22,
  ZONE_RESET: 24,
  ZONE_RESET_ALL: 26,
} as const;
/** Request results, the last byte of every chain (§5.2.6). */
export const BLK_S = {
  OK: 0,
  IOERR: 1,
  UNSUPP: 2,
  ZONE_INVALID_CMD: 3,
  ZONE_UNALIGNED_WP: 4,
  ZONE_OPEN_RESOURCE: 5,
  ZONE_ACTIVE_RESOURCE: 6,
} as const;

/** The request header: type le32, reserved le32, sector le64. */
export const BLK_HEADER_SIZE = 16;
/** Bytes of the string that GET_ID returns. */
export const BLK_ID_SIZE = 20;

/** What GET_LIFETIME returns: three le16, state of the reserved blocks and wear of both types of memory. */
export const BLK_LIFETIME = { preEol: 0, typeA: 2, typeB: 4 } as const;
export const BLK_LIFETIME_SIZE = 6;

/** Types of request whose data are ranges. */
export const BLK_RANGE_TYPES: ReadonlySet<number> = new Set([
  BLK_T.DISCARD,
  BLK_T.WRITE_ZEROES,
  BLK_T.SECURE_ERASE,
]);

/** One range of a discard, write-zeroes or secure-erase request: sector le64, number of sectors le32, flags le32. */
export const BLK_RANGE = { sector: 0, sectorCount: 8, flags: 12 } as const;
export const BLK_RANGE_SIZE = 16;
/** The only flag of a range. */
export const BLK_RANGE_UNMAP = 1;

/** Types of request that there are on zoned disks only. */
export const BLK_ZONE_TYPES: ReadonlySet<number> = new Set([
  BLK_T.ZONE_APPEND,
  BLK_T.ZONE_REPORT,
  BLK_T.ZONE_OPEN,
  BLK_T.ZONE_CLOSE,
  BLK_T.ZONE_FINISH,
  BLK_T.ZONE_RESET,
  BLK_T.ZONE_RESET_ALL,
]);

/** What the disk writes before the status of an append: the sector where the data went. */
export const BLK_APPEND_SECTOR_SIZE = 8;

/** How a disk is zoned; the driver must know of host-managed ones. */
export const BLK_Z = { NONE: 0, HM: 1, HA: 2 } as const;
/** Types and states of zones (§5.2.6). */
export const BLK_ZT = { CONV: 1, SWR: 2, SWP: 3 } as const;
export const BLK_ZS = {
  NOT_WP: 0,
  EMPTY: 1,
  IOPEN: 2,
  EOPEN: 3,
  CLOSED: 4,
  RDONLY: 13,
  FULL: 14,
  OFFLINE: 15,
} as const;

/** The header of a zone report, and the description of each zone behind it. */
export const blkZoneReport = new LayoutCodec('blk zone report', {
  nrZones: le64,
  reserved: reserved(56),
});
export const blkZone = new LayoutCodec('blk zone', {
  zCap: le64,
  zStart: le64,
  zWp: le64,
  zType: u8,
  zState: u8,
  reserved: reserved(38),
});

/** Queues that `num_queues` can tell of, as far as this project goes. */
export const BLK_QUEUES_MAX = 1024;

const SPEC = 'virtio 1.4 §5.2.3';

export const blkFeatures = defineBits({
  SIZE_MAX: { bit: 1, spec: SPEC, doc: 'A segment has at most `sizeMax` bytes.' },
  SEG_MAX: { bit: 2, spec: SPEC, doc: 'A request has at most `segMax` segments of data.' },
  RO: { bit: 5, spec: SPEC, doc: 'The disk cannot be written.' },
  BLK_SIZE: { bit: 6, spec: SPEC, doc: 'Blocks are of `blkSize` bytes.' },
  FLUSH: { bit: 9, spec: SPEC, doc: 'FLUSH requests.' },
  TOPOLOGY: { bit: 10, spec: SPEC, doc: 'How requests are best aligned and sized.' },
  CONFIG_WCE: { bit: 11, spec: SPEC, doc: 'The driver chooses the cache mode by `writeback`.' },
  MQ: { bit: 12, spec: SPEC, doc: 'There are `numQueues` queues.' },
  DISCARD: { bit: 13, spec: SPEC, doc: 'DISCARD requests.' },
  WRITE_ZEROES: { bit: 14, spec: SPEC, doc: 'WRITE_ZEROES requests.' },
  LIFETIME: { bit: 15, spec: SPEC, doc: 'GET_LIFETIME requests.' },
  SECURE_ERASE: { bit: 16, spec: SPEC, doc: 'SECURE_ERASE requests.' },
  ZONED: { bit: 17, spec: SPEC, doc: 'The disk has zones, which are written sequentially.' },
});

/** Masks of the feature bits. */
export const BLK_F = {
  SIZE_MAX: 1n << 1n,
  SEG_MAX: 1n << 2n,
  RO: 1n << 5n,
  BLK_SIZE: 1n << 6n,
  FLUSH: 1n << 9n,
  TOPOLOGY: 1n << 10n,
  CONFIG_WCE: 1n << 11n,
  MQ: 1n << 12n,
  DISCARD: 1n << 13n,
  WRITE_ZEROES: 1n << 14n,
  LIFETIME: 1n << 15n,
  SECURE_ERASE: 1n << 16n,
  ZONED: 1n << 17n,
} as const;

/** The configuration space (§5.2.4); sizes in sectors of 512 bytes, but for the granularity of writes. */
export const blkConfig = new LayoutCodec('blk config', {
  capacity: le64,
  sizeMax: le32,
  segMax: le32,
  geometry: reserved(4),
  blkSize: le32,
  physicalBlockExp: u8,
  alignmentOffset: u8,
  minIoSize: le16,
  optIoSize: le32,
  writeback: u8,
  unused0: reserved(1),
  numQueues: le16,
  maxDiscardSectors: le32,
  maxDiscardSeg: le32,
  discardSectorAlignment: le32,
  maxWriteZeroesSectors: le32,
  maxWriteZeroesSeg: le32,
  writeZeroesMayUnmap: u8,
  unused1: reserved(3),
  maxSecureEraseSectors: le32,
  maxSecureEraseSeg: le32,
  secureEraseSectorAlignment: le32,
  zoneSectors: le32,
  maxOpenZones: le32,
  maxActiveZones: le32,
  maxAppendSectors: le32,
  writeGranularity: le32,
  zoneModel: u8,
  unused2: reserved(3),
});

/** Offsets in the configuration space. */
export const BLK_CONFIG = {
  capacity: blkConfig.offsetOf('capacity'),
  sizeMax: blkConfig.offsetOf('sizeMax'),
  segMax: blkConfig.offsetOf('segMax'),
  blkSize: blkConfig.offsetOf('blkSize'),
  writeback: blkConfig.offsetOf('writeback'),
  numQueues: blkConfig.offsetOf('numQueues'),
  maxDiscardSectors: blkConfig.offsetOf('maxDiscardSectors'),
  maxDiscardSeg: blkConfig.offsetOf('maxDiscardSeg'),
  maxWriteZeroesSectors: blkConfig.offsetOf('maxWriteZeroesSectors'),
  maxWriteZeroesSeg: blkConfig.offsetOf('maxWriteZeroesSeg'),
  writeZeroesMayUnmap: blkConfig.offsetOf('writeZeroesMayUnmap'),
  maxSecureEraseSectors: blkConfig.offsetOf('maxSecureEraseSectors'),
  maxSecureEraseSeg: blkConfig.offsetOf('maxSecureEraseSeg'),
  zoneSectors: blkConfig.offsetOf('zoneSectors'),
  maxOpenZones: blkConfig.offsetOf('maxOpenZones'),
  maxActiveZones: blkConfig.offsetOf('maxActiveZones'),
  maxAppendSectors: blkConfig.offsetOf('maxAppendSectors'),
  writeGranularity: blkConfig.offsetOf('writeGranularity'),
  zoneModel: blkConfig.offsetOf('zoneModel'),
} as const;
export const BLK_CONFIG_SIZE = blkConfig.fixedSize;
/** Bytes up to what ZONED needs, and up to what SECURE_ERASE needs: what a disk without these has. */
export const BLK_CONFIG_SIZE_UNZONED = BLK_CONFIG.zoneSectors;
export const BLK_CONFIG_SIZE_PLAIN = BLK_CONFIG.maxSecureEraseSectors;
/** Bytes up to and including `blkSize`: what every disk has. */
export const BLK_CONFIG_SIZE_LEAST = 24;
