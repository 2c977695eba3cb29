// The device's side of a Xen bus with a proxy: a privileged domain that gives a page of its own for the
// queues, speaks with the hypervisor of the other domain, and maps the guest's frames as it needs them.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import {
  coherentLink,
  type DeviceLink,
  DMA_DATA,
  DMA_READ,
  DMA_REFUSED,
  DMA_WRITE,
  type LinkClient,
  type OrderedLink,
  OwnRingMemory,
  RegionGuard,
  SharedMemoryPort,
  SharedMemoryTarget,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';
import { XenChannel } from './channel.ts';
import { GrantPort } from './grant-port.ts';
import { HeldMessages } from './held-messages.ts';
import type { XenOptions } from './options.ts';
import { BIND, CONNECT, CONNECTED, EVENT, GRANT_MAPPED } from './packets.ts';
import { SixByteFrames } from './six-byte-frames.ts';

const TOKEN_MAX = 0xffff;

export class ProxyDeviceLink implements DeviceLink, LinkClient, CpuClient {
  readonly dma: GrantPort;
  readonly #environment: BusEnvironment<XenOptions>;
  readonly #client: LinkClient;
  readonly #path: OrderedLink;
  readonly #inner: SharedMemoryPort;
  readonly #target: SharedMemoryTarget;
  readonly #channel: XenChannel;
  readonly #held: HeldMessages;
  readonly #frames = new SixByteFrames();
  readonly #short = new Uint8Array(SPSC_SLOT_SIZE);
  readonly #long = new Uint8Array(SPSC_SLOT_SIZE);
  readonly #page: number;
  #token = 0;

  constructor(environment: BusEnvironment<XenOptions>, client: LinkClient) {
    const { node, plan } = environment;
    this.#environment = environment;
    this.#client = client;
    this.#path = coherentLink(node);
    this.#held = new HeldMessages({
      maxMessageSize: SPSC_SLOT_SIZE,
      isBusy: () => this.dma.isBusy,
      forward: (bytes, length) => this.#channel.rings.send(bytes, length),
    });
    this.#page = node.memory.allocate(PAGE_SIZE, PAGE_SIZE);
    const owner = { ownerNode: plan.driver, ownerPort: plan.driverPort };
    this.#inner = new SharedMemoryPort({
      node,
      ...owner,
      window: (address) => ({ handle: Math.floor(address / PAGE_SIZE), length: PAGE_SIZE }),
      offset: (address) => address % PAGE_SIZE,
      link: this.#path,
    });
    this.#target = new SharedMemoryTarget({
      node,
      handles: new RegionGuard([{ address: this.#page, length: PAGE_SIZE }]),
      borrowerNode: plan.driver,
      borrowerPort: plan.driverPort,
      name: plan.name,
      borrower: 'the hypervisor',
      link: this.#path,
    });
    this.dma = new GrantPort({
      node,
      name: `${plan.name}.frames`,
      mode: 'map',
      inner: this.#inner,
      send: (kind, a, b, packet) => this.#channel.send(kind, this.#line(), a, b, packet),
      drained: () => this.#held.drained(),
    });
    this.#channel = new XenChannel({
      environment,
      side: 'device',
      client: this,
      path: this.#path,
      memory: () => new OwnRingMemory(node, this.#page, node.timing.lineLatency, SPSC_SLOT_SIZE),
    });
    const cost = node.charge(node.costs.idOf('xen.eventSend'));
    node.cpu.submit(Priority.task, cost, this, 0);
  }

  /** The hypercall that tells of the page has been made (XEN_DMOP_VIRTIO_MSG_BUS_XEN_CONNECT). */
  deliver(): void {
    this.#channel.send(CONNECT, this.#line(), this.#page / PAGE_SIZE, 0);
  }

  send(bytes: Uint8Array, length: number): void {
    const size = this.#frames.shorten(bytes, length, this.#short);
    this.#held.send(this.#short, size);
  }

  receive(packet: Packet): void {
    const { plan } = this.#environment;
    switch (packet.kind) {
      case EVENT:
        return this.#channel.notified(packet.a, plan.driver);
      case DMA_DATA:
      case DMA_REFUSED:
        return this.#inner.receive(packet);
      case DMA_READ:
      case DMA_WRITE:
        return this.#target.receive(packet);
      case CONNECTED:
        this.#channel.bind(plan.driver, packet.b);
        this.#channel.send(BIND, this.#line(), packet.b, this.#channel.port);
        return this.#channel.rings.open();
      case GRANT_MAPPED:
        return this.dma.answered(packet);
      default:
        assert(false, `${plan.name}: packet of kind ${packet.kind}`);
    }
  }

  up(): void {}

  down(reason: string): void {
    this.#client.down(reason);
  }

  /** The bus gives each request a token, which its response brings back and nobody beyond it sees. */
  frame(bytes: Uint8Array, length: number): void {
    this.#token = (this.#token % TOKEN_MAX) + 1;
    const size = this.#frames.lengthen(bytes, length, this.#token, this.#long);
    // What is no message is shown as it is: too short for a header.
    this.#client.frame(this.#long, Math.max(0, size));
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

  #line(): number {
    const { node } = this.#environment;
    return node.charge(node.timing.lineLatency);
  }
}
