// One domain's port of an event channel: a pending bit and a mask bit. An event that finds the port
// pending is merged with the one before; one that finds it masked waits until it is unmasked.
export class EventPort {
  /** Events that came while one was pending. */
  merged = 0;
  /** Events that were kept back by the mask. */
  masked = 0;
  readonly #upcall: () => void;
  #pending = false;
  /** Nobody is bound yet. */
  #mask = true;

  /** `upcall` interrupts the domain. */
  constructor(upcall: () => void) {
    this.#upcall = upcall;
  }

  get isPending(): boolean {
    return this.#pending;
  }

  get isMasked(): boolean {
    return this.#mask;
  }

  /** The other domain has notified the channel. */
  notified(): void {
    if (this.#pending) {
      this.merged++;
      return;
    }
    this.#pending = true;
    if (this.#mask) this.masked++;
    else this.#upcall();
  }

  /** The upcall is handled: the bit is cleared, and the port masked until the handler is through. */
  take(): void {
    this.#pending = false;
    this.#mask = true;
  }

  /** Lets events through again; one that is pending makes an upcall now. */
  unmask(): void {
    if (!this.#mask) return;
    this.#mask = false;
    if (this.#pending) this.#upcall();
  }
}
