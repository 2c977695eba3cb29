// Messages of the device's side that wait behind DMA writes that wait for a hypercall, so that none of them
// is there before what it tells of.
import { FrameQueue } from '../common/index.ts';

export interface HeldMessagesOptions {
  readonly maxMessageSize: number;
  /** DMA transactions wait. */
  isBusy(): boolean;
  forward(bytes: Uint8Array, length: number): void;
}

export class HeldMessages {
  readonly #options: HeldMessagesOptions;
  readonly #held: FrameQueue;

  constructor(options: HeldMessagesOptions) {
    this.#options = options;
    this.#held = new FrameQueue(options.maxMessageSize);
  }

  /** Sends a message, or keeps it for a while; copies the bytes. */
  send(bytes: Uint8Array, length: number): void {
    const { isBusy, forward } = this.#options;
    if (isBusy() || this.#held.length > 0) this.#held.push(bytes, length);
    else forward(bytes, length);
  }

  /** No transaction waits any more. */
  drained(): void {
    const { isBusy, forward } = this.#options;
    while (this.#held.length > 0 && !isBusy()) {
      const { bytes, length } = this.#held.shift();
      forward(bytes, length);
    }
  }

  clear(): void {
    this.#held.clear();
  }
}
