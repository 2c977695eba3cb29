// What both sides of virtio-i2c agree on (virtio 1.4 §5.16): requests, flags and results.
import {
  bitset,
  defineBits,
  LayoutCodec,
  le16,
  le32,
  masksOf,
  reserved,
  u8,
} from '../wire/index.ts';

export const I2C_DEVICE_ID = 34;

export const i2cFeatures = defineBits({
  ZERO_LENGTH_REQUEST: {
    bit: 0,
    spec: 'virtio 1.4 §5.16.3',
    doc: 'Requests without data, and the read flag; both sides must have it.',
  },
});

export const I2C_F = masksOf(i2cFeatures);

export const i2cFlags = defineBits({
  FAIL_NEXT: { bit: 0, spec: 'virtio 1.4 §5.16.6.1', doc: 'The next request is of this group.' },
  M_RD: { bit: 1, spec: 'virtio 1.4 §5.16.6.1', doc: 'The request reads.' },
});

export const I2C_FLAGS = { FAIL_NEXT: 1, M_RD: 2, KNOWN: 3 } as const;

/** What comes first in every request, for the device to read. */
export const i2cRequestHeader = new LayoutCodec('i2c request header', {
  addr: le16,
  padding: reserved(2),
  flags: bitset(i2cFlags, le32),
});
/** What comes last in every request, for the device to write. */
export const i2cStatus = new LayoutCodec('i2c status', { status: u8 });

export const I2C_HEADER = {
  addr: i2cRequestHeader.offsetOf('addr'),
  flags: i2cRequestHeader.offsetOf('flags'),
} as const;
export const I2C_HEADER_SIZE = i2cRequestHeader.fixedSize;

/** Results of a request. */
export const I2C_MSG = { OK: 0, ERR: 1 } as const;

/** The `addr` field of a request for a chip with a 7-bit address. */
export function i2cAddrField(address: number): number {
  return address << 1;
}
