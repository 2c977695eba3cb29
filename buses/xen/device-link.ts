// The device's side of a Xen bus: a driver domain that maps or copies what the other domain has granted.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { GRANT_OKAY } from '../../platform/memory/index.ts';
import {
  type CpuClient,
  PAGE_SIZE,
  Priority,
  type RestartClient,
} from '../../platform/node/index.ts';
import { readU8, writeU32 } from '../../platform/wire/index.ts';
import {
  coherentLink,
  type DeviceLink,
  DMA_DATA,
  DMA_REFUSED,
  type DmaWindow,
  type LinkClient,
  type OrderedLink,
  PeerRingMemory,
  SharedMemoryPort,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';
import { XenChannel } from './channel.ts';
import { GrantPort } from './grant-port.ts';
import { HeldMessages } from './held-messages.ts';
import type { XenOptions } from './options.ts';
import {
  BACK_END,
  BackEndState,
  BIND,
  CONNECT,
  CONNECTED,
  DESTROYED,
  EVENT,
  GRANT_MAP,
  GRANT_MAPPED,
  GRANT_RELEASE,
  GRANT_UNMAP,
} from './packets.ts';

/** Where the page of the queues is among bus addresses: above all references. */
const RING_BUS_ADDRESS = 2 ** 48;

// Hypercalls of the link itself.
const MAP_RING = 0;
const UNMAP = 1;

export class XenDeviceLink implements DeviceLink, CpuClient, RestartClient {
  readonly dma: GrantPort;
  readonly #client: LinkClient;
  readonly #environment: BusEnvironment<XenOptions>;
  readonly #inner: SharedMemoryPort;
  readonly path: OrderedLink;
  readonly #channel: XenChannel;
  readonly #held: HeldMessages;
  #ring: DmaWindow | null = null;
  #ringReference = 0;
  /** Counts domains, one after the other: what one has begun, the next does not end. */
  #life = 0;

  constructor(environment: BusEnvironment<XenOptions>, client: LinkClient) {
    const { node, plan } = environment;
    this.#environment = environment;
    this.#client = client;
    this.path = coherentLink(node);
    this.#held = new HeldMessages({
      maxMessageSize: plan.options.maxMessageSize,
      isBusy: () => this.dma.isBusy,
      forward: (bytes, length) => this.#channel.rings.send(bytes, length),
    });
    this.#inner = new SharedMemoryPort({
      node,
      ownerNode: plan.driver,
      ownerPort: plan.driverPort,
      window: (address) => this.#window(address),
      offset: (address) => address % PAGE_SIZE,
      link: this.path,
    });
    this.dma = new GrantPort({
      node,
      name: `${plan.name}.grants`,
      mode: plan.options.grants,
      inner: this.#inner,
      send: (kind, a, b, packet) => this.#channel.send(kind, this.#line(), a, b, packet),
      drained: () => this.#held.drained(),
    });
    this.#channel = new XenChannel({
      environment,
      side: 'device',
      client,
      path: this.path,
      memory: () => new PeerRingMemory(node, this.#inner, RING_BUS_ADDRESS, SPSC_SLOT_SIZE),
    });
    node.restarts.subscribe(this);
  }

  get #isGone(): boolean {
    return !this.#environment.node.restarts.running;
  }

  send(bytes: Uint8Array, length: number): void {
    if (this.#isGone) return;
    this.#held.send(bytes, length);
  }

  receive(packet: Packet): void {
    const { kind, a, b } = packet;
    // Accesses that are under way come to their end, whoever began them.
    if (kind === DMA_DATA || kind === DMA_REFUSED) return this.#inner.receive(packet);
    if (this.#isGone) return;
    switch (kind) {
      case EVENT:
        return this.#channel.notified(a, this.#environment.plan.driver);
      case CONNECT:
        return this.#connect(a, b);
      case GRANT_MAPPED:
        return this.#ring === null ? this.#ringMapped(packet) : this.dma.answered(packet);
      case GRANT_RELEASE:
        return this.#release(a, b);
      default:
        assert(false, `${this.#environment.plan.name}: packet of kind ${kind}`);
    }
  }

  /** A hypercall of the link has been made. */
  deliver(call: number, a: number, b: number): void {
    if (this.#isGone) return;
    if (call === UNMAP) this.#channel.send(GRANT_UNMAP, this.#line(), a, b);
    else if (a === this.#life) this.#mapRing();
  }

  /** The domain is destroyed, and with it its mappings and channels, as the hypervisor sees to. */
  stopped(): void {
    this.#life++;
    this.#ring = null;
    this.#channel.close();
    this.#held.clear();
    this.dma.discard();
    this.#client.reset!();
    this.#channel.send(DESTROYED, this.#line(), 0, 0);
    this.#channel.send(BACK_END, this.#charge('xen.xenstore'), BackEndState.closed, 0);
  }

  /** The domain was built and booted anew, and its back end waits for a front end. */
  started(): void {
    this.#channel.send(BACK_END, this.#charge('xen.xenstore'), BackEndState.initWait, 0);
  }

  statistics(): Statistics {
    return {
      ...this.#channel.statistics(),
      hypercalls: this.dma.hypercalls,
      grantMappings: this.dma.mappings,
      ...this.#inner.statistics(),
      dmaRefused: this.#inner.refusals + this.dma.refusals,
    };
  }

  #window(address: number): DmaWindow | null {
    if (address >= RING_BUS_ADDRESS) return this.#ring;
    return { handle: Math.floor(address / PAGE_SIZE), length: PAGE_SIZE };
  }

  /** XenStore tells of the page with the queues and of the port: they come before anything else. */
  #connect(reference: number, port: number): void {
    const { node, plan } = this.#environment;
    this.#ringReference = reference;
    this.#channel.bind(plan.driver, port);
    this.#channel.send(BIND, this.#line(), port, this.#channel.port);
    node.cpu.submit(Priority.task, this.#charge('xen.grantMap'), this, MAP_RING, this.#life);
  }

  #mapRing(): void {
    const packet = this.#environment.node.kernel.packets.acquire(4);
    writeU32(packet.bytes, 0, this.#ringReference);
    this.#channel.send(GRANT_MAP, this.#line(), 1, 0, packet);
  }

  #ringMapped({ bytes }: Packet): void {
    const mapped = readU8(bytes, 0) === GRANT_OKAY;
    if (mapped) {
      this.#ring = { handle: this.#ringReference, length: PAGE_SIZE };
      this.#channel.rings.open();
    }
    this.#channel.send(CONNECTED, this.#charge('xen.xenstore'), mapped ? 1 : 0, 0);
  }

  /** The driver side wants pages back: they are unmapped, if they were mapped. */
  #release(first: number, count: number): void {
    const { node } = this.#environment;
    const mapped = this.dma.forget(first, count);
    const cost = node.chargeTimes(node.costs.idOf('xen.grantUnmap'), mapped);
    node.cpu.submit(Priority.task, cost, this, UNMAP, first, count);
  }

  #charge(name: string): number {
    const { node } = this.#environment;
    return node.charge(node.costs.idOf(name));
  }

  #line(): number {
    const { node } = this.#environment;
    return node.charge(node.timing.lineLatency);
  }
}
