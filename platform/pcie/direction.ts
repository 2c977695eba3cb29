// One direction of the path between a root port and an endpoint: packets go one after another, at the
// speed of a link, and arrive in the order in which they were sent. Switches pass them on as they come
// (cut-through), so that the bytes take their time once.
import { labels, type Node } from '../node/index.ts';
import { psPerByte } from './generation.ts';
import type { PciePath } from './options.ts';
import type { PcieTiming } from './timing.ts';
import type { TlpTally } from './tlp.ts';
import type { Lane } from './way.ts';

/** One direction of a link: one packet at a time. Not always free at a whole number of ps. */
export class Wire {
  /** Taken up to this instant. */
  freeAt = 0;
  /** ps in which it was moving packets. */
  busy = 0;
}

export class Direction implements Lane {
  /** Packets and their bytes sent so far, framing and headers included. */
  tlps = 0;
  bytes = 0;
  readonly #wire: Wire;
  readonly #node: Node;
  readonly #timing: PcieTiming;
  readonly #switches: number;
  readonly #psPerByte: number;
  readonly #credit: CreditWindow | null;
  #lastArrival = 0;

  /** The node is the sender. The wire may be shared with other directions of the same node. */
  constructor(node: Node, path: PciePath, timing: PcieTiming, wire = new Wire()) {
    this.#node = node;
    this.#wire = wire;
    this.#timing = timing;
    this.#switches = path.switches;
    this.#psPerByte = psPerByte(path.generation, path.lanes);
    const { linkLatency, switchLatency } = timing;
    const { costs } = node;
    const oneWay =
      (path.switches + 1) * costs.value(linkLatency) + path.switches * costs.value(switchLatency);
    this.#credit =
      path.postedCredit === Infinity ? null : new CreditWindow(path.postedCredit, 2 * oneWay);
  }

  /** ps in which the link was moving packets, of others as well if it is shared. */
  get busy(): number {
    return Math.round(this.#wire.busy);
  }

  /** ps until packets sent now have arrived, and then have gone through `further`, a constant or -1. */
  send(packets: TlpTally, further = -1): number {
    return this.#send(packets, null, further);
  }

  /** The same for posted packets, for which the far end must have given credit. */
  post(packets: TlpTally, further = -1): number {
    return this.#send(packets, this.#credit, further);
  }

  #send(packets: TlpTally, credit: CreditWindow | null, further: number): number {
    const node = this.#node;
    const { now } = node.kernel;
    const moving = packets.bytes * this.#psPerByte;
    const start = Math.max(now, this.#wire.freeAt);
    const end = credit === null ? start + moving : credit.sent(packets, start, this.#psPerByte);
    this.#wire.freeAt = end;
    this.tlps += packets.tlps;
    this.bytes += packets.bytes;
    this.#wire.busy += moving;
    const delay = Math.ceil(end - now);
    const transfer = Math.min(delay, Math.ceil(moving));
    node.noteWait(labels.WAIT_LINK, delay - transfer);
    node.noteWait(labels.ON_LINK, transfer);
    return this.#inOrder(delay + this.#latency() + (further < 0 ? 0 : node.charge(further)));
  }

  /** Nothing overtakes what was sent before, though that may have further to go. */
  #inOrder(delay: number): number {
    const { now } = this.#node.kernel;
    const wait = Math.max(0, this.#lastArrival - (now + delay));
    this.#node.noteWait(labels.WAIT_ORDER, wait);
    this.#lastArrival = now + delay + wait;
    return delay + wait;
  }

  #latency(): number {
    const node = this.#node;
    const { rootLatency, linkLatency, switchLatency, endpointLatency } = this.#timing;
    const fixed = node.charge(rootLatency) + node.charge(endpointLatency);
    const links = node.chargeTimes(linkLatency, this.#switches + 1);
    if (this.#switches === 0) return fixed + links;
    return fixed + links + node.chargeTimes(switchLatency, this.#switches);
  }
}

/** What the far end can take in: bytes sent come back as credit a while after they have left. */
class CreditWindow {
  readonly #capacity: number;
  readonly #returnTime: number;
  #used = 0;
  // Packets whose credit is not back, oldest first, as a ring.
  #returnAt = new Float64Array(64);
  #size = new Float64Array(64);
  #head = 0;
  #count = 0;

  constructor(capacity: number, returnTime: number) {
    this.#capacity = capacity;
    this.#returnTime = returnTime;
  }

  /** Sends packets from `start` on, as credit allows, and returns when the last one has left. */
  sent(packets: TlpTally, start: number, ps: number): number {
    let at = start;
    for (let left = packets.bytes; left > 0; ) {
      const bytes = Math.min(left, packets.largest);
      while (this.#count > 0 && (this.#used + bytes > this.#capacity || this.#oldest <= at)) {
        at = Math.max(at, this.#oldest);
        this.#takeBack();
      }
      at += bytes * ps;
      this.#lend(bytes, at + this.#returnTime);
      left -= bytes;
    }
    return at;
  }

  get #oldest(): number {
    return this.#returnAt[this.#head];
  }

  #takeBack(): void {
    this.#used -= this.#size[this.#head];
    this.#head = (this.#head + 1) & (this.#size.length - 1);
    this.#count--;
  }

  #lend(bytes: number, returnAt: number): void {
    if (this.#count === this.#size.length) this.#grow();
    const at = (this.#head + this.#count++) & (this.#size.length - 1);
    this.#size[at] = bytes;
    this.#returnAt[at] = returnAt;
    this.#used += bytes;
  }

  #grow(): void {
    const length = this.#size.length;
    const size = new Float64Array(length * 2);
    const returnAt = new Float64Array(length * 2);
    for (let i = 0; i < length; i++) {
      const from = (this.#head + i) & (length - 1);
      size[i] = this.#size[from];
      returnAt[i] = this.#returnAt[from];
    }
    this.#size = size;
    this.#returnAt = returnAt;
    this.#head = 0;
  }
}
