// What both sides of virtio-blk agree on (virtio 1.4 §5.2).

export const BLK_DEVICE_ID = 2;
export const SECTOR_SIZE = 512;

/** Request types (§5.2.6). */
export const BLK_T = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8 } as const;
/** Request results, the last byte of every chain (§5.2.6). */
export const BLK_S = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;

/** The request header: type le32, reserved le32, sector le64. */
export const BLK_HEADER_SIZE = 16;
/** Bytes of the string that GET_ID returns. */
export const BLK_ID_SIZE = 20;

/** Feature bits (§5.2.3). */
export const BLK_F = {
  SEG_MAX: 1n << 2n,
  BLK_SIZE: 1n << 6n,
  FLUSH: 1n << 9n,
} as const;

/** Offsets in the configuration space (§5.2.4). */
export const BLK_CONFIG = { capacity: 0, segMax: 12, blkSize: 20 } as const;
/** Bytes of configuration space up to and including blk_size. */
export const BLK_CONFIG_SIZE = 24;
