// Whether a flush can still keep its promise. A disk that writes back may lose completed writes when it
// fails; a flush that covers such a write must not succeed afterwards as if nothing had been lost.

export class FlushLedger {
  /** Writes completed so far, and how many of them a completed flush covers. */
  #written = 0;
  #flushed = 0;
  /** Writes completed before each flush under way was submitted, by slot. */
  readonly #covers = new Map<number, number>();
  #lost = false;

  /** A write has been completed that may be volatile. */
  wrote(): void {
    this.#written++;
  }

  /** A flush is given to the device: it covers what is completed now. */
  flushing(slot: number): void {
    this.#covers.set(slot, this.#written);
  }

  /** A flush has been completed with success. */
  flushed(slot: number): void {
    this.#flushed = Math.max(this.#flushed, this.#covers.get(slot) ?? 0);
    this.#covers.delete(slot);
  }

  /** The disk has failed: completed writes that no flush covers may be lost. */
  failed(): void {
    if (this.#written > this.#flushed) this.#lost = true;
    this.#flushed = this.#written;
    this.#covers.clear();
  }

  /** True once after writes may have been lost: the flush that asks has to fail. */
  takeLoss(): boolean {
    const lost = this.#lost;
    this.#lost = false;
    return lost;
  }
}
