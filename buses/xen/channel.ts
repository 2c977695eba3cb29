// What both ends of a Xen bus have: the two queues of the shared page, and an event channel that says
// when to look at them.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet, RandomStream } from '../../platform/kernel/index.ts';
import {
  headerSizeOf,
  type LinkClient,
  type OrderedLink,
  type RingMemory,
  RingPair,
} from '../common/index.ts';
import { domainOf } from './domain.ts';
import type { EventChannels } from './event-channels.ts';
import type { XenOptions } from './options.ts';
import { EVENT } from './packets.ts';
import { DEVICE_QUEUE, DRIVER_QUEUE } from './shared-page.ts';

const MILLION = 1_000_000;
const NO_PORT = 0;

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
  readonly #events: EventChannels;
  readonly #random: RandomStream;
  readonly #delivery: number;
  readonly #outlier: number;
  #port = NO_PORT;
  #outliers = 0;
  /** Events for a port that is closed, or not for this sender. */
  #denied = 0;
  /** Counters of ports that are no more. */
  #merged = 0;
  #masked = 0;
  #handled = 0;

  constructor(options: ChannelOptions) {
    this.#options = options;
    const { environment, side, client } = options;
    const { node, plan } = environment;
    const { costs } = node;
    this.#events = domainOf(node, plan.options.grantFrames).events;
    this.#delivery = costs.idOf('xen.eventDelivery');
    this.#outlier = costs.idOf('xen.eventOutlier');
    this.#random = node.random(`bus/${plan.name}/${side}`);
    const sends = side === 'driver';
    const { receiveBudget, quirks, maxMessageSize } = plan.options;
    this.rings = new RingPair({
      node,
      name: `${plan.name}.${side}`,
      maxMessageSize,
      headerSize: headerSizeOf(plan.options),
      client,
      sending: sends ? DRIVER_QUEUE : DEVICE_QUEUE,
      receiving: sends ? DEVICE_QUEUE : DRIVER_QUEUE,
      memory: options.memory,
      fullRetry: costs.value(costs.idOf('xen.fullRetry')),
      doorbell: costs.idOf('xen.eventSend'),
      ringDoorbell: () => this.#notify(),
      budget: receiveBudget,
      beyondBudget: quirks.includes('leftoverWaits') ? 'wait' : 'continue',
      rest: () => this.#events.unmask(this.#port),
    });
  }

  /** The own port; 0 while there is none. */
  get port(): number {
    return this.#port;
  }

  /** Takes a port that the other domain may bind. */
  offer(remoteDomain: number): void {
    this.#port = this.#events.allocateUnbound(remoteDomain, () => this.rings.deliver());
    assert(this.#port > 0, 'each bus takes one port of a domain');
  }

  /** The same for the hypervisor, whose own work the messages are. */
  offerForHypervisor(remoteDomain: number): void {
    this.#port = this.#events.allocateForHypervisor(remoteDomain, () => this.rings.rung());
    assert(this.#port > 0, 'each bus takes one port of a domain');
  }

  /** Takes a port and binds it to one that the other domain offers. */
  bind(remoteDomain: number, remotePort: number): void {
    const handler = () => this.rings.deliver();
    this.#port = this.#events.bindInterdomain(remoteDomain, remotePort, handler);
    assert(this.#port > 0, 'each bus takes one port of a domain');
  }

  /** The other domain has bound the port. */
  bound(remoteDomain: number, remotePort: number): void {
    if (!this.#events.bound(this.#port, remoteDomain, remotePort)) this.#denied++;
  }

  /** The other domain's end of the channel is no more. */
  unbound(remoteDomain: number): void {
    this.#events.unbound(this.#port, remoteDomain);
  }

  /** The queues and the port are given up. */
  close(): void {
    this.rings.close();
    if (this.#port === NO_PORT) return;
    const { merged, masked, handled } = this.#events.counters(this.#port);
    this.#merged += merged;
    this.#masked += masked;
    this.#handled += handled;
    this.#events.close(this.#port);
    this.#port = NO_PORT;
  }

  /** An event has come from the other domain. */
  notified(port: number, fromDomain: number): void {
    if (!this.#events.notified(port, fromDomain)) this.#denied++;
  }

  /** Sends a packet of the bus to the other end, not before what was sent before. */
  send(kind: number, delay: number, a: number, b: number, packet?: Packet): void {
    const { environment, side, path } = this.#options;
    const { node, plan } = environment;
    const sent = packet ?? node.kernel.packets.acquire(0);
    sent.label(kind, a, b);
    const total = delay + path.orderingDelay(delay);
    const toNode = side === 'driver' ? plan.device : plan.driver;
    const toPort = side === 'driver' ? plan.devicePort : plan.driverPort;
    node.kernel.send(node.index, toNode, toPort, total, sent);
  }

  statistics(): Statistics {
    const { path, side } = this.#options;
    const now = this.#port === NO_PORT ? null : this.#events.counters(this.#port);
    const eventsMerged = this.#merged + (now?.merged ?? 0);
    const eventsMasked = this.#masked + (now?.masked ?? 0);
    return {
      ...this.rings.statistics(),
      interrupts: this.#handled + (now?.handled ?? 0),
      interruptsCoalesced: eventsMerged + eventsMasked,
      eventsMerged,
      eventsMasked,
      eventsDenied: this.#denied,
      eventOutliers: this.#outliers,
      ...path.statistics(side),
    };
  }

  /** Most events are delivered alike; a few take very much longer. */
  #notify(): void {
    const { node, plan } = this.#options.environment;
    const target = this.#events.target(this.#port);
    if (target < 0) {
      this.#denied++;
      return;
    }
    const { outliersPerMillion } = plan.options;
    const late = outliersPerMillion > 0 && this.#random.ratio(outliersPerMillion, MILLION);
    if (late) this.#outliers++;
    this.send(EVENT, node.charge(late ? this.#outlier : this.#delivery), target, 0);
  }
}
