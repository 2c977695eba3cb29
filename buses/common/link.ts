// One direction of a path between two nodes with a latency and a bandwidth. What goes in comes out in
// order; `arrivalDelay` also charges and notes the parts of the delay.
import type { Statistics } from '../../platform/contracts/index.ts';
import { labels, type Node } from '../../platform/node/index.ts';

export class OrderedLink {
  /** Bytes carried so far. */
  bytes = 0;
  /** ps in which the link was moving bytes. */
  busy = 0;
  readonly #node: Node;
  readonly #latency: number;
  readonly #bandwidth: number;
  #freeAt = 0;
  #lastArrival = 0;

  /** Bytes that memory on this path moves at a time, whatever is asked for; 0 for just that. */
  readonly line: number;

  /** `latency` and `bandwidth` are ids of timing constants; the node is the sender. */
  constructor(node: Node, latency: number, bandwidth: number, line = 0) {
    this.line = line;
    this.#node = node;
    this.#latency = latency;
    this.#bandwidth = bandwidth;
  }

  /** ps from now until `bytes` sent now have all arrived: queueing, serialisation, latency. */
  arrivalDelay(bytes: number): number {
    const node = this.#node;
    const { now } = node.kernel;
    const wait = Math.max(0, this.#freeAt - now);
    node.noteWait(labels.WAIT_LINK, wait);
    const transfer = bytes === 0 ? 0 : node.chargeBytes(this.#bandwidth, bytes);
    this.#freeAt = now + wait + transfer;
    this.bytes += bytes;
    this.busy += transfer;
    const delay = wait + transfer + node.charge(this.#latency);
    this.#lastArrival = now + delay;
    return delay;
  }

  /** ps to add to `delay` so that what is sent now doesn't overtake what the link carries. */
  orderingDelay(delay: number): number {
    const extra = Math.max(0, this.#lastArrival - (this.#node.kernel.now + delay));
    this.#node.noteWait(labels.WAIT_ORDER, extra);
    return extra;
  }

  /** What a side tells of the link on which it sends to the other. */
  statistics(side: 'driver' | 'device'): Statistics {
    const bytes = side === 'driver' ? 'bytesToDevice' : 'bytesToDriver';
    return { [bytes]: this.bytes, linkBusyPs: this.busy };
  }
}
