// The registers that Xen's non-blocking virtio-mmio adds to the standard ones (virtio_mmio_ind_ext.h).
//
//   ACCESS  31 write │ 30 busy │ 29:28 log2 of the size │ 27 retry │ 16:0 offset of the register

/** MagicValue: a guest that expects the standard one keeps off. */
export const MAGIC_NON_BLOCKING = 0x626e_6d76;
/** VendorID: 'Xen '. */
export const VENDOR = 0x5865_6e20;
export const ACCESS = 0x018;
export const ACCESS_DATA = 0x01c;

const WRITE = 0x8000_0000;
const BUSY = 0x4000_0000;
const SIZE_SHIFT = 28;
const OFFSET_MASK = 0xffff;

export interface Access {
  readonly write: boolean;
  /** Bytes: 1, 2 or 4; 8 is none. */
  readonly size: number;
  readonly offset: number;
}

/** The value that starts an access. */
export function accessValue({ write, size, offset }: Access): number {
  return ((write ? WRITE : 0) | (Math.log2(size) << SIZE_SHIFT) | offset) >>> 0;
}

export function parseAccess(value: number): Access {
  return {
    write: value >= WRITE,
    size: 1 << ((value >>> SIZE_SHIFT) & 3),
    offset: value & OFFSET_MASK,
  };
}

export function isBusy(value: number): boolean {
  return (value & BUSY) !== 0;
}

export function withBusy(value: number, busy: boolean): number {
  return (busy ? value | BUSY : value & ~BUSY) >>> 0;
}
