// Which features a disk offers, and what its configuration space says of them.
import {
  BLK_CONFIG_SIZE,
  BLK_CONFIG_SIZE_PLAIN,
  BLK_CONFIG_SIZE_UNZONED,
  BLK_F,
  BLK_Z,
  blkConfig,
  SECTOR_SIZE,
} from '../../platform/virtio/index.ts';
import type { BlkOptions } from './options.ts';

/** Ranges in one discard or write-zeroes request, and sectors in one range, at the most. */
export const RANGES_MAX = 16;
export const RANGE_SECTORS_MAX = 2 ** 22;

/** The feature bits that these options offer. */
export function offeredFeatures(options: BlkOptions): bigint {
  const when = (condition: boolean, feature: bigint) => (condition ? feature : 0n);
  return (
    BLK_F.SEG_MAX |
    BLK_F.BLK_SIZE |
    BLK_F.FLUSH |
    when(options.segmentSize !== undefined, BLK_F.SIZE_MAX) |
    when(options.readOnly, BLK_F.RO) |
    when(options.topology !== undefined, BLK_F.TOPOLOGY) |
    when(options.writeCache > 0, BLK_F.CONFIG_WCE) |
    when(options.queues > 1, BLK_F.MQ) |
    when(options.discard, BLK_F.DISCARD) |
    when(options.writeZeroes, BLK_F.WRITE_ZEROES) |
    when(options.lifetime !== undefined, BLK_F.LIFETIME) |
    when(options.secureErase, BLK_F.SECURE_ERASE) |
    when(options.zones !== undefined, BLK_F.ZONED)
  );
}

/** The configuration space of a disk of so many bytes. Fields of features not offered are 0. */
export function configSpace(options: BlkOptions, bytes: number): Uint8Array {
  const { blockSize, topology, discard, writeZeroes, secureErase, zones } = options;
  const config = new Uint8Array(BLK_CONFIG_SIZE);
  const ranges = (offered: boolean) => ({
    sectors: offered ? RANGE_SECTORS_MAX : 0,
    count: offered ? RANGES_MAX : 0,
  });
  const value = {
    capacity: BigInt(Math.floor(bytes / SECTOR_SIZE)),
    sizeMax: options.segmentSize ?? 0,
    segMax: options.segments,
    blkSize: blockSize,
    physicalBlockExp: topology === undefined ? 0 : Math.log2(topology.physicalBlock / blockSize),
    alignmentOffset: topology?.alignmentOffset ?? 0,
    minIoSize: Math.floor((topology?.minimumIo ?? 0) / blockSize),
    optIoSize: Math.floor((topology?.optimalIo ?? 0) / blockSize),
    writeback: options.writeCache > 0 ? 1 : 0,
    numQueues: options.queues > 1 ? options.queues : 0,
    maxDiscardSectors: ranges(discard).sectors,
    maxDiscardSeg: ranges(discard).count,
    discardSectorAlignment: discard ? blockSize / SECTOR_SIZE : 0,
    maxWriteZeroesSectors: ranges(writeZeroes).sectors,
    maxWriteZeroesSeg: ranges(writeZeroes).count,
    writeZeroesMayUnmap: writeZeroes ? 1 : 0,
    maxSecureEraseSectors: ranges(secureErase).sectors,
    maxSecureEraseSeg: ranges(secureErase).count,
    secureEraseSectorAlignment: secureErase ? blockSize / SECTOR_SIZE : 0,
    zoneSectors: (zones?.size ?? 0) / SECTOR_SIZE,
    maxOpenZones: zones?.maxOpen ?? 0,
    maxActiveZones: zones?.maxActive ?? 0,
    maxAppendSectors: (zones?.append ?? 0) / SECTOR_SIZE,
    writeGranularity: zones === undefined ? 0 : blockSize,
    zoneModel: zones === undefined ? BLK_Z.NONE : BLK_Z.HM,
  };
  blkConfig.encode(value, config, 0);
  if (zones !== undefined) return config;
  return config.subarray(0, secureErase ? BLK_CONFIG_SIZE_UNZONED : BLK_CONFIG_SIZE_PLAIN);
}
