// Which receive queue a frame goes to (virtio 1.4 §5.1.6.5.5): with automatic steering, that of the pair on
// which the driver last sent a packet of the same flow; with receive-side scaling, the one that the driver's
// table has for the hash of the flow. The last command of either kind decides.
import type { FlowHasher, FrameView } from '../../platform/network/index.ts';

const FLOWS = 1024;
const NONE = 0xffff;

/** What the driver has said of receive-side scaling. */
export interface RssTable {
  /** Pair for each value of the hash's low bits; their number is a power of two. */
  readonly pairs: Uint16Array;
  /** Pair for packets without a hash. */
  readonly unclassified: number;
}

export class Steering {
  /** Pairs in use with automatic steering; a device begins with one. */
  pairs = 1;
  #table: RssTable | null = null;
  readonly #hasher: FlowHasher;
  readonly #flows = new Uint16Array(FLOWS).fill(NONE);

  constructor(hasher: FlowHasher) {
    this.#hasher = hasher;
  }

  /** Steers automatically to so many pairs, and forgets all flows. */
  setPairs(pairs: number): void {
    this.pairs = pairs;
    this.#table = null;
    this.#flows.fill(NONE);
  }

  /** Steers by a table. */
  setTable(table: RssTable): void {
    this.#table = table;
  }

  /** True while it matters on which pair a packet is sent. */
  get learns(): boolean {
    return this.#table === null && this.pairs > 1;
  }

  /** The driver has sent a packet of this flow on this pair. */
  sent(flow: number, pair: number): void {
    this.#flows[flow % FLOWS] = pair;
  }

  /** The pair for a received frame that `view` has parsed; -1 when it is to be dropped. */
  pairFor(bytes: Uint8Array, view: FrameView, usable: (pair: number) => boolean): number {
    if (this.#table !== null) {
      const pair = this.#pairByTable(this.#table, bytes, view);
      return usable(pair) ? pair : -1;
    }
    let pair = this.pairs > 1 ? this.#pairByFlow(view.flowHash()) : 0;
    // While its queue is being reset, another one serves.
    for (let i = 0; i < this.pairs && !usable(pair); i++) pair = (pair + 1) % this.pairs;
    return usable(pair) ? pair : -1;
  }

  #pairByTable({ pairs, unclassified }: RssTable, bytes: Uint8Array, view: FrameView): number {
    const hasher = this.#hasher;
    hasher.hash(bytes, view);
    return hasher.hashed ? pairs[hasher.value & (pairs.length - 1)] : unclassified;
  }

  #pairByFlow(flow: number): number {
    const pair = this.#flows[flow % FLOWS];
    return pair < this.pairs ? pair : flow % this.pairs;
  }
}
