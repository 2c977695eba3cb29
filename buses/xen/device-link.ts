// The device's side of a Xen bus: a driver domain that maps or copies what the other domain has granted.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import { readU8, writeU32 } from '../../platform/wire/index.ts';
import {
  coherentLink,
  type DeviceLink,
  DMA_DATA,
  DMA_REFUSED,
  type DmaWindow,
  FrameQueue,
  type LinkClient,
  type OrderedLink,
  PeerRingMemory,
  SharedMemoryPort,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';
import { XenChannel } from './channel.ts';
import { GrantPort } from './grant-port.ts';
import type { XenOptions } from './options.ts';
import {
  CONNECT,
  CONNECTED,
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

export class XenDeviceLink implements DeviceLink, CpuClient {
  readonly dma: GrantPort;
  readonly #environment: BusEnvironment<XenOptions>;
  readonly #inner: SharedMemoryPort;
  readonly #path: OrderedLink;
  readonly #channel: XenChannel;
  /** Messages that wait behind DMA writes that wait. */
  readonly #held: FrameQueue;
  #ring: DmaWindow | null = null;
  #ringReference = 0;

  constructor(environment: BusEnvironment<XenOptions>, client: LinkClient) {
    const { node, plan } = environment;
    this.#environment = environment;
    this.#path = coherentLink(node);
    this.#held = new FrameQueue(plan.options.maxMessageSize);
    this.#inner = new SharedMemoryPort({
      node,
      ownerNode: plan.driver,
      ownerPort: plan.driverPort,
      window: (address) => this.#window(address),
      offset: (address) => address % PAGE_SIZE,
      link: this.#path,
    });
    this.dma = new GrantPort({
      node,
      name: `${plan.name}.grants`,
      mode: plan.options.grants,
      inner: this.#inner,
      send: (kind, a, b, packet) => this.#channel.send(kind, this.#line(), a, b, packet),
      drained: () => this.#sendHeld(),
    });
    this.#channel = new XenChannel({
      environment,
      side: 'device',
      client,
      path: this.#path,
      memory: () => new PeerRingMemory(node, this.#inner, RING_BUS_ADDRESS, SPSC_SLOT_SIZE),
    });
  }

  send(bytes: Uint8Array, length: number): void {
    if (this.dma.isBusy || this.#held.length > 0) this.#held.push(bytes, length);
    else this.#channel.rings.send(bytes, length);
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case EVENT:
        return this.#channel.notified();
      case DMA_DATA:
      case DMA_REFUSED:
        return this.#inner.receive(packet);
      case CONNECT:
        return this.#connect(packet.a);
      case GRANT_MAPPED:
        return this.#ring === null ? this.#ringMapped(packet) : this.dma.answered(packet);
      case GRANT_RELEASE:
        return this.#release(packet.a, packet.b);
      default:
        assert(false, `${this.#environment.plan.name}: packet of kind ${packet.kind}`);
    }
  }

  /** A hypercall of the link has been made. */
  deliver(call: number, a: number, b: number): void {
    if (call === UNMAP) return this.#channel.send(GRANT_UNMAP, this.#line(), a, b);
    const packet = this.#environment.node.kernel.packets.acquire(4);
    writeU32(packet.bytes, 0, this.#ringReference);
    this.#channel.send(GRANT_MAP, this.#line(), 1, 0, packet);
  }

  statistics(): Statistics {
    const { reads, writes, refusals } = this.#inner;
    return {
      ...this.#channel.statistics(),
      hypercalls: this.dma.hypercalls,
      grantMappings: this.dma.mappings,
      dmaReads: reads,
      dmaWrites: writes,
      dmaRefused: refusals + this.dma.refusals,
    };
  }

  #window(address: number): DmaWindow | null {
    if (address >= RING_BUS_ADDRESS) return this.#ring;
    return { handle: Math.floor(address / PAGE_SIZE), length: PAGE_SIZE };
  }

  /** XenStore tells of the page with the queues: it is mapped before anything else. */
  #connect(reference: number): void {
    this.#ringReference = reference;
    const { node } = this.#environment;
    node.cpu.submit(Priority.task, this.#charge('xen.grantMap'), this, MAP_RING);
  }

  #ringMapped({ bytes }: Packet): void {
    const mapped = readU8(bytes, 0) === 1;
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

  #sendHeld(): void {
    while (this.#held.length > 0 && !this.dma.isBusy) {
      const { bytes, length } = this.#held.shift();
      this.#channel.rings.send(bytes, length);
    }
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
