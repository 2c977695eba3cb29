// What a disk has said of itself: its configuration space, as far as the negotiated features let it be
// read (virtio 1.4 §5.2.4).
import {
  BLK_CONFIG,
  BLK_CONFIG_SIZE,
  BLK_CONFIG_SIZE_LEAST,
  BLK_F,
  SECTOR_SIZE,
} from '../../platform/virtio/index.ts';
import { readU16, readU32 } from '../../platform/wire/index.ts';

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
  /** Largest range of a discard and of a write-zeroes request in bytes; 0 where there are none. */
  readonly discardMax: number;
  readonly writeZeroesMax: number;
  /** Write zeroes may deallocate. */
  readonly unmaps: boolean;
}

/** Bytes of the configuration space that exist and matter under these features. */
export function configBytes(features: bigint): number {
  const has = (feature: bigint) => (features & feature) !== 0n;
  if (has(BLK_F.WRITE_ZEROES)) return BLK_CONFIG_SIZE;
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
  const bytesOf = (feature: bigint, at: number) => field(feature, at) * SECTOR_SIZE;
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
    discardMax: bytesOf(BLK_F.DISCARD, BLK_CONFIG.maxDiscardSectors),
    writeZeroesMax: bytesOf(BLK_F.WRITE_ZEROES, BLK_CONFIG.maxWriteZeroesSectors),
    unmaps: has(BLK_F.WRITE_ZEROES) && config[BLK_CONFIG.writeZeroesMayUnmap] === 1,
  };
}

/** Bytes of the disk; a capacity beyond what a double holds exactly is cut. */
export function capacityOf(config: Uint8Array): number {
  const sectors =
    readU32(config, BLK_CONFIG.capacity) + readU32(config, BLK_CONFIG.capacity + 4) * 2 ** 32;
  return Math.min(Number.MAX_SAFE_INTEGER, sectors * SECTOR_SIZE);
}
