// What both ends of a Xen bus have: the two queues of the shared page, and an event channel that says
// when to look at them.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import type { Packet, RandomStream } from '../../platform/kernel/index.ts';
import { type LinkClient, type OrderedLink, type RingMemory, RingPair } from '../common/index.ts';
import { EventPort } from './event-port.ts';
import type { XenOptions } from './options.ts';
import { EVENT } from './packets.ts';
import { DEVICE_QUEUE, DRIVER_QUEUE } from './shared-page.ts';

const MILLION = 1_000_000;

export interface ChannelOptions {
  readonly environment: BusEnvironment<XenOptions>;
  readonly side: 'driver' | 'device';
  readonly client: LinkClient;
  /** Carries all that this end sends to the other. */
  readonly path: OrderedLink;
  memory(): RingMemory;
}

export class XenChannel {
  readonly rings: RingPair;
  readonly #options: ChannelOptions;
  readonly #port: EventPort;
  readonly #random: RandomStream;
  readonly #delivery: number;
  readonly #outlier: number;
  #outliers = 0;

  constructor(options: ChannelOptions) {
    this.#options = options;
    const { environment, side, client } = options;
    const { node, plan } = environment;
    const { costs } = node;
    this.#delivery = costs.idOf('xen.eventDelivery');
    this.#outlier = costs.idOf('xen.eventOutlier');
    this.#random = node.random(`bus/${plan.name}/${side}`);
    this.#port = new EventPort(() => this.rings.line.raise());
    const sends = side === 'driver';
    const { receiveBudget, quirks, maxMessageSize } = plan.options;
    this.rings = new RingPair({
      node,
      name: `${plan.name}.${side}`,
      maxMessageSize,
      client,
      sending: sends ? DRIVER_QUEUE : DEVICE_QUEUE,
      receiving: sends ? DEVICE_QUEUE : DRIVER_QUEUE,
      memory: options.memory,
      fullRetry: costs.value(costs.idOf('xen.fullRetry')),
      doorbell: costs.idOf('xen.eventSend'),
      ringDoorbell: () => this.#notify(),
      budget: receiveBudget,
      beyondBudget: quirks.includes('leftoverWaits') ? 'wait' : 'continue',
      acknowledge: () => this.#port.take(),
      rest: () => this.#port.unmask(),
    });
  }

  /** An event has come. */
  notified(): void {
    this.#port.notified();
  }

  /** Sends a packet of the bus to the other end, not before what was sent before. */
  send(kind: number, delay: number, a: number, b: number, packet?: Packet): void {
    const { environment, side, path } = this.#options;
    const { node, plan } = environment;
    const sent = packet ?? node.kernel.packets.acquire(0);
    sent.kind = kind;
    sent.a = a;
    sent.b = b;
    sent.c = 0;
    sent.d = 0;
    const total = delay + path.orderingDelay(delay);
    const toNode = side === 'driver' ? plan.device : plan.driver;
    const toPort = side === 'driver' ? plan.devicePort : plan.driverPort;
    node.kernel.send(node.index, toNode, toPort, total, sent);
  }

  statistics(): Statistics {
    const { path, side } = this.#options;
    const bytes = side === 'driver' ? 'bytesToDevice' : 'bytesToDriver';
    return {
      ...this.rings.statistics(),
      eventsMerged: this.#port.merged,
      eventsMasked: this.#port.masked,
      eventOutliers: this.#outliers,
      [bytes]: path.bytes,
      linkBusyPs: path.busy,
    };
  }

  /** Most events are delivered alike; a few take very much longer. */
  #notify(): void {
    const { node, plan } = this.#options.environment;
    const { outliersPerMillion } = plan.options;
    const late = outliersPerMillion > 0 && this.#random.ratio(outliersPerMillion, MILLION);
    if (late) this.#outliers++;
    this.send(EVENT, node.charge(late ? this.#outlier : this.#delivery), 0, 0);
  }
}
