// Sends the requests that cores wait for: each leaves as soon as the far end has room for its header. Stores
// are not held up by those that wait.
import type { Packet } from '../kernel/index.ts';
import { labels, type Node } from '../node/index.ts';
import { CreditTimer } from './credit.ts';
import type { Lane } from './lane.ts';
import type { PciePath } from './options.ts';
import { CONFIG_READ, CONFIG_WRITE, MEMORY_LOAD, MEMORY_STORE } from './packets.ts';
import { TlpTally } from './tlp.ts';

export interface RequestSenderOptions {
  readonly node: Node;
  readonly path: PciePath;
  readonly lane: Lane;
  readonly cardNode: number;
  readonly cardPort: number;
}

interface Waiting {
  readonly packet: Packet;
  /** Where its causes wait, or -1. */
  readonly ticket: number;
}

export class RequestSender {
  readonly #options: RequestSenderOptions;
  readonly #tally: TlpTally;
  /** Requests that wait for credit, oldest first. */
  readonly #waiting: Waiting[] = [];
  readonly #timer: CreditTimer | null;

  constructor(options: RequestSenderOptions) {
    this.#options = options;
    const { node, path, lane } = options;
    this.#tally = new TlpTally(path);
    const credit = lane.requestCredit;
    this.#timer = credit === null ? null : new CreditTimer(node, credit, () => this.#creditBack());
  }

  /** Sends a packet, which is the kernel's afterwards. */
  send(packet: Packet): void {
    const { node, lane } = this.#options;
    const { kernel } = node;
    const credit = lane.requestCredit;
    if (credit === null || (this.#waiting.length === 0 && credit.headersAt(kernel.now) > 0)) {
      return this.#leave(packet);
    }
    const ticket = kernel.causes?.suspend(kernel.currentKey, kernel.now) ?? -1;
    this.#waiting.push({ packet, ticket });
    this.#timer?.set();
  }

  /** The link is down: what waits never leaves. */
  clear(): void {
    const { packets } = this.#options.node.kernel;
    for (const { packet } of this.#waiting) packets.release(packet);
    this.#waiting.length = 0;
  }

  #creditBack(): void {
    const { node, lane } = this.#options;
    const { kernel } = node;
    while (this.#waiting.length > 0 && lane.requestCredit!.headersAt(kernel.now) > 0) {
      const { packet, ticket } = this.#waiting.shift()!;
      if (ticket >= 0) kernel.causes!.restore(ticket, labels.WAIT_LINK, kernel.now);
      this.#leave(packet);
    }
    if (this.#waiting.length > 0) this.#timer?.set();
  }

  #leave(packet: Packet): void {
    const { node, lane, cardNode, cardPort } = this.#options;
    this.#tally.clear();
    count(this.#tally, packet);
    node.kernel.send(node.index, cardNode, cardPort, lane.request(this.#tally), packet);
  }
}

/** Counts the packet on the link that a request is. */
function count(tally: TlpTally, { kind, a: address, length }: Packet): void {
  switch (kind) {
    case MEMORY_LOAD:
      return tally.readRequest(address);
    case MEMORY_STORE:
      return tally.write(address, length);
    case CONFIG_READ:
      return tally.headerOnly();
    case CONFIG_WRITE:
      return tally.configWrite();
  }
}
