// Which receive queue a frame goes to: that of the pair on which the driver last sent a packet of the
// same flow, as automatic receive steering has it (virtio 1.4 §5.1.6.5.6).

const FLOWS = 1024;
const NONE = 0xffff;

export class Steering {
  /** Pairs in use; a device begins with one. */
  pairs = 1;
  readonly #flows = new Uint16Array(FLOWS).fill(NONE);

  /** Sets the number of pairs and forgets all flows. */
  setPairs(pairs: number): void {
    this.pairs = pairs;
    this.#flows.fill(NONE);
  }

  /** The driver has sent a packet of this flow on this pair. */
  sent(flow: number, pair: number): void {
    this.#flows[flow % FLOWS] = pair;
  }

  /** The pair for a received packet of this flow. */
  pairOf(flow: number): number {
    const pair = this.#flows[flow % FLOWS];
    return pair < this.pairs ? pair : flow % this.pairs;
  }
}
