// A chip on an I2C bus, as the adapter sees it.

export interface I2cChip {
  /** Its 7-bit address. */
  readonly address: number;
  /** A start condition, or a repeated one, that addresses the chip. */
  start(now: number): void;
  /** A byte for the chip; returns false when it does not acknowledge it. */
  write(byte: number, now: number): boolean;
  /** The next byte of the chip. */
  read(now: number): number;
}
