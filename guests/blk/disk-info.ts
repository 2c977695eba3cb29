// What a disk has said of itself: its configuration space, as far as the negotiated features let it be
// read (virtio 1.4 §5.2.4).
import {
  BLK_CONFIG,
  BLK_CONFIG_SIZE,
  BLK_CONFIG_SIZE_LEAST,
  BLK_CONFIG_SIZE_PLAIN,
  BLK_CONFIG_SIZE_UNZONED,
  BLK_F,
  BLK_T,
  BLK_Z,
  SECTOR_SIZE,
} from '../../platform/virtio/index.ts';
import { readU16, readU32 } from '../../platform/wire/index.ts';

/** What a disk takes in one discard, write-zeroes or secure-erase request. */
export interface RangeLimits {
  /** Bytes of one range. */
  readonly bytesMax: number;
  /** Ranges of one request. */
  readonly countMax: number;
}

/** What a host-managed disk says of its zones; sizes in bytes. */
export interface ZoneInfo {
  readonly size: number;
  /** Zones that may be open, or active, at a time. */
  readonly openMax: number;
  readonly activeMax: number;
  /** Largest append; 0 where there are none. */
  readonly appendMax: number;
  /** What writes must end at a multiple of. */
  readonly granularity: number;
}

/** Where the limits of each type of request with ranges are, and the feature that they come with. */
const RANGE_FIELDS = [
  {
    type: BLK_T.DISCARD,
    feature: BLK_F.DISCARD,
    sectors: BLK_CONFIG.maxDiscardSectors,
    count: BLK_CONFIG.maxDiscardSeg,
  },
  {
    type: BLK_T.WRITE_ZEROES,
    feature: BLK_F.WRITE_ZEROES,
    sectors: BLK_CONFIG.maxWriteZeroesSectors,
    count: BLK_CONFIG.maxWriteZeroesSeg,
  },
  {
    type: BLK_T.SECURE_ERASE,
    feature: BLK_F.SECURE_ERASE,
    sectors: BLK_CONFIG.maxSecureEraseSectors,
    count: BLK_CONFIG.maxSecureEraseSeg,
  },
] as const;

export interface DiskInfo {
  /** Bytes. */
  readonly capacity: number;
  readonly readOnly: boolean;
  readonly queues: number;
  /** Segments of data in a request, and bytes in a segment, at the most. */
  readonly segmentsMax: number;
  readonly segmentSizeMax: number;
  readonly flushes: boolean;
  /** Completed writes may be lost until they are flushed (§5.2.6.2). */
  readonly writesBack: boolean;
  /** What requests with ranges may have, by their type; none where the disk has no such requests. */
  readonly ranges: Readonly<Partial<Record<number, RangeLimits>>>;
  /** GET_LIFETIME can be asked. */
  readonly tellsLifetime: boolean;
  /** Null for a disk that is not zoned, or sees to its zones itself. */
  readonly zones: ZoneInfo | null;
  /** Write zeroes may deallocate. */
  readonly unmaps: boolean;
}

/** Bytes of the configuration space that exist and matter under these features. */
export function configBytes(features: bigint): number {
  const has = (feature: bigint) => (features & feature) !== 0n;
  if (has(BLK_F.ZONED)) return BLK_CONFIG_SIZE;
  if (has(BLK_F.SECURE_ERASE)) return BLK_CONFIG_SIZE_UNZONED;
  if (has(BLK_F.WRITE_ZEROES)) return BLK_CONFIG_SIZE_PLAIN;
  if (has(BLK_F.DISCARD)) return BLK_CONFIG.maxWriteZeroesSectors;
  if (has(BLK_F.MQ)) return BLK_CONFIG.numQueues + 2;
  if (has(BLK_F.CONFIG_WCE)) return BLK_CONFIG.writeback + 1;
  return BLK_CONFIG_SIZE_LEAST;
}

/** Reads the configuration. Fields of features that were not negotiated are not looked at. */
export function readDiskInfo(config: Uint8Array, features: bigint): DiskInfo {
  const has = (feature: bigint) => (features & feature) !== 0n;
  const field = (feature: bigint, at: number) =>
    has(feature) && config.length >= at + 4 ? readU32(config, at) : 0;
  const ranges = RANGE_FIELDS.flatMap(({ type, feature, sectors, count }) => {
    const bytesMax = field(feature, sectors) * SECTOR_SIZE;
    if (bytesMax === 0) return [];
    return [[type, { bytesMax, countMax: Math.max(1, field(feature, count)) }] as const];
  });
  const flushes = has(BLK_F.FLUSH);
  const mode = has(BLK_F.CONFIG_WCE) ? config[BLK_CONFIG.writeback] : 1;
  return {
    capacity: capacityOf(config),
    readOnly: has(BLK_F.RO),
    queues: has(BLK_F.MQ) ? Math.max(1, readU16(config, BLK_CONFIG.numQueues)) : 1,
    segmentsMax: Math.max(1, field(BLK_F.SEG_MAX, BLK_CONFIG.segMax)),
    segmentSizeMax: field(BLK_F.SIZE_MAX, BLK_CONFIG.sizeMax) || Infinity,
    flushes,
    writesBack: flushes && mode !== 0,
    ranges: Object.fromEntries(ranges),
    tellsLifetime: has(BLK_F.LIFETIME),
    zones: has(BLK_F.ZONED) ? readZoneInfo(config) : null,
    unmaps: has(BLK_F.WRITE_ZEROES) && config[BLK_CONFIG.writeZeroesMayUnmap] === 1,
  };
}

function readZoneInfo(config: Uint8Array): ZoneInfo | null {
  const short = config.length < BLK_CONFIG_SIZE;
  if (short || config[BLK_CONFIG.zoneModel] !== BLK_Z.HM) return null;
  const unlimited = (at: number) => readU32(config, at) || Infinity;
  return {
    size: readU32(config, BLK_CONFIG.zoneSectors) * SECTOR_SIZE,
    openMax: unlimited(BLK_CONFIG.maxOpenZones),
    activeMax: unlimited(BLK_CONFIG.maxActiveZones),
    appendMax: readU32(config, BLK_CONFIG.maxAppendSectors) * SECTOR_SIZE,
    granularity: readU32(config, BLK_CONFIG.writeGranularity),
  };
}

/** Bytes of the disk; a capacity beyond what a double holds exactly is cut. */
export function capacityOf(config: Uint8Array): number {
  const sectors =
    readU32(config, BLK_CONFIG.capacity) + readU32(config, BLK_CONFIG.capacity + 4) * 2 ** 32;
  return Math.min(Number.MAX_SAFE_INTEGER, sectors * SECTOR_SIZE);
}
