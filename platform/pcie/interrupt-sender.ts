// How a function signals: by MSI-X, MSI or INTx, whichever software has enabled in its configuration
// space. MSI-X entries lie in a BAR. A vector that is masked remembers that it was signalled.
import { readU32 } from '../wire/index.ts';
import {
  CAPABILITY_ID,
  CONFIG,
  MSI_CAPABILITY,
  MSI_ENABLE,
  MSIX_CAPABILITY,
  MSIX_ENABLE,
  MSIX_ENTRY,
  MSIX_ENTRY_MASKED,
  MSIX_ENTRY_SIZE,
  MSIX_FUNCTION_MASK,
  msixPendingOffset,
  STATUS_INTERRUPT,
} from './config-registers.ts';
import type { ConfigSpace } from './config-space.ts';

/** Vectors that MSI can have. */
const MSI_VECTORS_MAX = 32;

export interface InterruptSenderOptions {
  readonly config: ConfigSpace;
  readonly vectors: number;
  /** Sends a message signalled interrupt. */
  message(address: number, data: number): void;
  /** Sends Assert_INTA or Deassert_INTA. */
  line(asserted: boolean): void;
}

export class InterruptSender {
  /** Signals that found their vector masked, or interrupts not enabled. */
  held = 0;
  readonly #options: InterruptSenderOptions;
  readonly #table: Uint8Array;
  readonly #pending: Uint8Array;
  readonly #msi: number;
  readonly #msix: number;
  /** INTx: something is signalled; and the line is asserted. */
  #level = false;
  #asserted = false;

  constructor(options: InterruptSenderOptions) {
    this.#options = options;
    const { config, vectors } = options;
    this.#table = new Uint8Array(vectors * MSIX_ENTRY_SIZE);
    this.#pending = new Uint8Array(Math.ceil(vectors / 64) * 8);
    this.#msi = config.capability(CAPABILITY_ID.msi);
    this.#msix = config.capability(CAPABILITY_ID.msix);
    this.#maskAll();
  }

  /** Signals a vector. With INTx all are one line, which stays asserted until `lower`. */
  raise(vector: number): void {
    if (this.#msixControl !== 0) return this.#raiseMsix(vector);
    if (this.#msiEnabled) return this.#raiseMsi(vector);
    this.#level = true;
    this.#driveLine();
  }

  /** Software has read why: the INTx line goes down. */
  lower(): void {
    this.#level = false;
    this.#driveLine();
  }

  /** Configuration space was written: interrupts may be enabled now. */
  configWritten(offset: number, size: number): void {
    const touches = (start: number, length: number) =>
      offset < start + length && offset + size > start;
    if (touches(CONFIG.command, 2)) this.#driveLine();
    if (this.#msix >= 0 && touches(this.#msix + MSIX_CAPABILITY.control, 2)) this.#sendPending();
    if (this.#msi >= 0 && touches(this.#msi + MSI_CAPABILITY.mask, 4)) this.#sendPendingMsi();
  }

  /** Reads bytes of the BAR with table and pending bits. */
  readTable(offset: number, target: Uint8Array, length: number): void {
    const pendingStart = msixPendingOffset(this.#options.vectors);
    for (let i = 0; i < length; i++) {
      const at = offset + i;
      const inTable = at < pendingStart;
      target[i] = (inTable ? this.#table[at] : this.#pending[at - pendingStart]) ?? 0;
    }
  }

  writeTable(offset: number, source: Uint8Array, length: number): void {
    for (let i = 0; i < length && offset + i < this.#table.length; i++) {
      this.#table[offset + i] = source[i];
    }
    this.#sendPending();
  }

  reset(): void {
    this.#table.fill(0);
    this.#pending.fill(0);
    this.#maskAll();
    this.#level = false;
    this.#asserted = false;
  }

  /** The enable bit and what is beside it, or 0 when MSI-X is off. */
  get #msixControl(): number {
    if (this.#msix < 0) return 0;
    const control = this.#options.config.get16(this.#msix + MSIX_CAPABILITY.control);
    return (control & MSIX_ENABLE) === 0 ? 0 : control;
  }

  get #msiEnabled(): boolean {
    if (this.#msi < 0) return false;
    const control = this.#options.config.get16(this.#msi + MSI_CAPABILITY.control);
    return (control & MSI_ENABLE) !== 0;
  }

  #raiseMsix(vector: number): void {
    if (this.#isMasked(vector) || (this.#msixControl & MSIX_FUNCTION_MASK) !== 0) {
      this.held++;
      this.#pending[vector >> 3] |= 1 << (vector & 7);
      return;
    }
    const entry = vector * MSIX_ENTRY_SIZE;
    this.#sendMessage(
      readU32(this.#table, entry + MSIX_ENTRY.addressLow),
      readU32(this.#table, entry + MSIX_ENTRY.addressHigh),
      readU32(this.#table, entry + MSIX_ENTRY.data),
    );
  }

  #isMasked(vector: number): boolean {
    const at = vector * MSIX_ENTRY_SIZE + MSIX_ENTRY.control;
    return (readU32(this.#table, at) & MSIX_ENTRY_MASKED) !== 0;
  }

  #raiseMsi(vector: number): void {
    const { config } = this.#options;
    const { addressLow, addressHigh, data, mask, pending } = MSI_CAPABILITY;
    const bit = 2 ** vector;
    if ((config.get32(this.#msi + mask) & bit) !== 0) {
      this.held++;
      config.set32(this.#msi + pending, (config.get32(this.#msi + pending) | bit) >>> 0);
      return;
    }
    this.#sendMessage(
      config.get32(this.#msi + addressLow),
      config.get32(this.#msi + addressHigh),
      // The low bits tell the vector; software has left them 0.
      config.get16(this.#msi + data) | vector,
    );
  }

  /** Masks were written: what is not masked any more is sent. */
  #sendPendingMsi(): void {
    const { config } = this.#options;
    const { mask, pending } = MSI_CAPABILITY;
    const masked = config.get32(this.#msi + mask);
    const signalled = config.get32(this.#msi + pending);
    config.set32(this.#msi + pending, (signalled & masked) >>> 0);
    for (let vector = 0; vector < MSI_VECTORS_MAX; vector++) {
      if ((signalled & ~masked & (2 ** vector)) !== 0) this.#raiseMsi(vector);
    }
  }

  /** A message is a write by the function: nothing is sent unless it is a bus master. */
  #sendMessage(low: number, high: number, data: number): void {
    const { config, message } = this.#options;
    if (config.busMaster) message(low + high * 2 ** 32, data);
    else this.held++;
  }

  #sendPending(): void {
    const control = this.#msixControl;
    if (control === 0 || (control & MSIX_FUNCTION_MASK) !== 0) return;
    for (let vector = 0; vector < this.#options.vectors; vector++) {
      const bit = 1 << (vector & 7);
      if ((this.#pending[vector >> 3] & bit) === 0 || this.#isMasked(vector)) continue;
      this.#pending[vector >> 3] &= ~bit;
      this.#raiseMsix(vector);
    }
  }

  #driveLine(): void {
    const { config, line } = this.#options;
    const status = config.get16(CONFIG.status);
    const wanted = this.#level && !config.intxDisabled;
    config.set16(
      CONFIG.status,
      (status & ~STATUS_INTERRUPT) | (this.#level ? STATUS_INTERRUPT : 0),
    );
    if (wanted === this.#asserted) return;
    this.#asserted = wanted;
    line(wanted);
  }

  /** After a reset every entry is masked. */
  #maskAll(): void {
    for (let at = MSIX_ENTRY.control; at < this.#table.length; at += MSIX_ENTRY_SIZE) {
      this.#table[at] = MSIX_ENTRY_MASKED;
    }
  }
}
