// BAR0 of an ivshmem device (PCI 1af4:1110), as far as a peer uses it: its own id, the doorbell, and mask
// and status of INTx.
import { assert } from '../../platform/errors.ts';

/** Offsets of the 32-bit registers. */
export const Register = {
  INTR_MASK: 0x0,
  INTR_STATUS: 0x4,
  IV_POSITION: 0x8,
  DOORBELL: 0xc,
} as const;
export type Register = (typeof Register)[keyof typeof Register];

export class IvshmemRegisters {
  readonly #position: number;
  readonly #ring: (peer: number, vector: number) => void;
  #mask = 0;
  #status = 0;

  /** `position` is the own id; `ring` sends an interrupt to a peer. */
  constructor(position: number, ring: (peer: number, vector: number) => void) {
    this.#position = position;
    this.#ring = ring;
  }

  /** Reads a register. Reading INTR_STATUS acknowledges the interrupt. */
  read(register: Register): number {
    switch (register) {
      case Register.INTR_MASK:
        return this.#mask;
      case Register.INTR_STATUS: {
        const status = this.#status;
        this.#status = 0;
        return status;
      }
      case Register.IV_POSITION:
        return this.#position;
      case Register.DOORBELL:
        return 0;
    }
  }

  write(register: Register, value: number): void {
    switch (register) {
      case Register.INTR_MASK:
        this.#mask = value >>> 0;
        return;
      case Register.INTR_STATUS:
        this.#status = value >>> 0;
        return;
      case Register.IV_POSITION:
        return;
      case Register.DOORBELL:
        return this.#ring(value >>> 16, value & 0xffff);
    }
  }

  /** A peer has rung. Returns true when INTx is to be raised. */
  rung(): boolean {
    this.#status |= 1;
    return (this.#status & this.#mask) !== 0;
  }
}

/** The value that rings a peer's doorbell. */
export function doorbellValue(peer: number, vector: number): number {
  assert(peer <= 0xffff && vector <= 0xffff, 'a peer and a vector have 16 bits');
  return peer * 0x1_0000 + vector;
}
