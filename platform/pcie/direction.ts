// One direction of the path between a root port and an endpoint: packets go one after another, at the
// speed of a link, and arrive in the order in which they were sent. Switches pass them on as they come
// (cut-through), so that the bytes take their time once.
import { labels, type Node } from '../node/index.ts';
import { Credit } from './credit.ts';
import { psPerByte } from './generation.ts';
import type { Lane } from './lane.ts';
import type { PciePath } from './options.ts';
import type { PcieTiming } from './timing.ts';
import type { TlpTally } from './tlp.ts';

/** One direction of a link: one packet at a time. Not always free at a whole number of ps. */
export class Wire {
  /** Taken up to this instant. */
  freeAt = 0;
  /** ps in which it was moving packets. */
  busy = 0;
}

/** The link to the root port, where cards share it: packets to them go over it first. */
export interface SharedWire {
  readonly down: Wire;
  readonly psPerByte: number;
}

export class Direction implements Lane {
  /** Packets and their bytes sent so far, framing and headers included. */
  tlps = 0;
  bytes = 0;
  readonly #wire = new Wire();
  readonly #shared: SharedWire | null;
  readonly #node: Node;
  readonly #timing: PcieTiming;
  readonly #switches: number;
  readonly #psPerByte: number;
  readonly #posted: Credit | null;
  readonly requestCredit: Credit | null;
  #lastArrival = 0;
  /** When the last byte of the packets now sent has gone over the shared link. */
  #sharedEnd = 0;

  /** The node is the sender. */
  constructor(node: Node, path: PciePath, timing: PcieTiming, shared: SharedWire | null = null) {
    this.#node = node;
    this.#shared = shared;
    this.#timing = timing;
    this.#switches = path.switches;
    this.#psPerByte = psPerByte(path.generation, path.lanes);
    const { linkLatency, switchLatency } = timing;
    const { costs } = node;
    const oneWay =
      (path.switches + 1) * costs.value(linkLatency) + path.switches * costs.value(switchLatency);
    const { posted, requests } = path.credit;
    this.#posted = posted === null ? null : new Credit(posted, 2 * oneWay);
    this.requestCredit = requests === null ? null : new Credit(requests, 2 * oneWay);
  }

  /** ps in which the card's link was moving packets. */
  get busy(): number {
    return Math.round(this.#wire.busy);
  }

  /** ps until packets sent now have arrived, and then have gone through `further`, a constant or -1. */
  send(packets: TlpTally, further = -1): number {
    return this.#send(packets, this.#begin(packets) + packets.bytes * this.#psPerByte, further);
  }

  /**
   * The same for posted packets: each waits for the far end's credit. What is sent later waits behind it,
   * since nothing may pass a posted packet.
   */
  post(packets: TlpTally, further = -1): number {
    const credit = this.#posted;
    if (credit === null) return this.send(packets, further);
    let end = this.#begin(packets);
    for (let i = 0; i < packets.tlps; i++) {
      end = credit.roomFrom(end, packets.units[i]) + packets.sizes[i] * this.#psPerByte;
      credit.spend(packets.units[i], end);
    }
    return this.#send(packets, end, further);
  }

  /** The same for requests that are answered; `requestCredit` must have as many headers. */
  request(packets: TlpTally, further = -1): number {
    const end = this.#begin(packets) + packets.bytes * this.#psPerByte;
    const credit = this.requestCredit;
    if (credit !== null) for (let i = 0; i < packets.tlps; i++) credit.spend(0, end);
    return this.#send(packets, end, further);
  }

  /** When packets begin to go over the card's link. A shared link comes before it. */
  #begin(packets: TlpTally): number {
    const { now } = this.#node.kernel;
    if (this.#shared === null) return Math.max(now, this.#wire.freeAt);
    const { down, psPerByte: ps } = this.#shared;
    const start = Math.max(now, down.freeAt);
    const moving = packets.bytes * ps;
    down.freeAt = start + moving;
    down.busy += moving;
    this.#sharedEnd = down.freeAt;
    return Math.max(start, this.#wire.freeAt);
  }

  #send(packets: TlpTally, ownEnd: number, further: number): number {
    const node = this.#node;
    const end = Math.max(ownEnd, this.#sharedEnd);
    const { now } = node.kernel;
    const moving = packets.bytes * this.#psPerByte;
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
