// The driver's side of a Xen bus: a domain that grants the other what it may reach, the page with the
// queues first. It also answers, as the hypervisor would, what the other asks about these grants.
import type {
  BusEnvironment,
  DriverBusClient,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import type { GrantTable } from '../../platform/memory/index.ts';
import { type CpuClient, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import {
  coherentLink,
  DevicePages,
  DMA_READ,
  DMA_WRITE,
  type DriverLink,
  type LinkClient,
  type OrderedLink,
  OwnRingMemory,
  type PageRange,
  pagesOfMemory,
  SharedMemoryTarget,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';
import { XenChannel } from './channel.ts';
import { domainOf } from './domain.ts';
import { GrantedPages } from './granted-pages.ts';
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
import { type FrontEndEffect, type FrontEndEvent, frontEndChart } from './xenbus-chart.ts';

// Work on the own grant table.
const GRANT = 0;
const REVOKE = 1;
const NO_REFERENCE = -1;

export class XenDriverLink implements DriverLink, CpuClient {
  readonly #environment: BusEnvironment<XenOptions>;
  readonly #client: LinkClient;
  readonly #table: GrantTable;
  readonly #channel: XenChannel;
  readonly #target: SharedMemoryTarget;
  readonly path: OrderedLink;
  readonly pageMapping: number;
  readonly #pages: DevicePages;
  readonly #chart: Chart<unknown, FrontEndEvent>;
  /** Address of the page with the queues. */
  readonly #ring: number;
  #ringReference = NO_REFERENCE;
  /** What devices may reach. */
  readonly #granted: GrantedPages;
  /** Who waits for the grants of memory at an address. */
  readonly #allocating = new Map<number, DriverBusClient>();
  /** Pages that the back end was asked to unmap, by their first reference. */
  readonly #releasing = new Map<number, PageRange>();
  #hasBackEnd = true;

  constructor(environment: BusEnvironment<XenOptions>, client: LinkClient) {
    const { node, plan } = environment;
    this.#environment = environment;
    this.#client = client;
    this.path = coherentLink(node);
    this.pageMapping = node.costs.idOf('xen.grantMap');
    this.#table = domainOf(node, plan.options.grantFrames).grants;
    const copies = plan.options.grants === 'copy';
    this.#granted = new GrantedPages({ node, table: this.#table, plan, copies });
    this.#pages = new DevicePages(pagesOfMemory(node.memory));
    this.#ring = node.memory.allocate(PAGE_SIZE, PAGE_SIZE);
    this.#target = new SharedMemoryTarget({
      node,
      handles: this.#granted.guard,
      borrowerNode: plan.device,
      borrowerPort: plan.devicePort,
      name: plan.name,
      link: this.path,
    });
    this.#channel = new XenChannel({
      environment,
      side: 'driver',
      client,
      path: this.path,
      memory: () => new OwnRingMemory(node, this.#ring, node.timing.lineLatency, SPSC_SLOT_SIZE),
    });
    this.#chart = node.charts.start(frontEndChart, {
      name: `${plan.name}.frontEnd`,
      perform: (effect: FrontEndEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  connect(): void {
    this.#chart.send({ type: 'CONNECT' });
  }

  send(bytes: Uint8Array, length: number): void {
    this.#channel.rings.send(bytes, length);
  }

  clear(): void {
    this.#channel.rings.clear();
  }

  receive(packet: Packet): void {
    const { plan } = this.#environment;
    switch (packet.kind) {
      case EVENT:
        return this.#channel.notified(packet.a, plan.device);
      case DMA_READ:
      case DMA_WRITE:
        return this.#target.receive(packet);
      case CONNECTED:
        return this.#chart.send({ type: packet.a === 1 ? 'BACK_CONNECTED' : 'BACK_REFUSED' });
      case GRANT_MAP:
        return this.#map(packet);
      case GRANT_UNMAP:
        return this.#unmapped(packet.a);
      case BIND:
        return this.#channel.bound(plan.device, packet.b);
      case DESTROYED:
        return this.#destroyed();
      case BACK_END:
        return this.#chart.send({
          type: packet.a === BackEndState.closed ? 'BACK_CLOSED' : 'BACK_WAITS',
        });
      default:
        assert(false, `${plan.name}: packet of kind ${packet.kind}`);
    }
  }

  allocate(deviceNumber: number, client: DriverBusClient, length: number): void {
    const { node } = this.#environment;
    const range = this.#pages.allocate(deviceNumber, length)!;
    const count = range.length / PAGE_SIZE;
    const cost = this.#granted.costOf(count);
    this.#allocating.set(range.address, client);
    node.cpu.submit(Priority.task, cost, this, GRANT, range.address, count);
  }

  /** Entries of the grant table are written. */
  deliver(work: number, address: number, count: number): void {
    if (work === GRANT) this.#grant(address, count);
    else this.#revoke(address, count);
  }

  busAddress(address: number): number {
    return this.#granted.busAddress(address);
  }

  /** Pages come back when the other domain has unmapped them; until then nobody may use them. */
  release(deviceNumber: number): void {
    for (const range of this.#pages.detach(deviceNumber)) {
      const first = this.#granted.referenceOf(range.address);
      if (first < 0) continue;
      this.#releasing.set(first, range);
      if (!this.#hasBackEnd) this.#unmapped(first);
      else {
        const count = range.length / PAGE_SIZE;
        this.#channel.send(GRANT_RELEASE, this.#charge('xen.xenstore'), first, count);
      }
    }
  }

  statistics(): Statistics {
    return { ...this.#channel.statistics(), grants: this.#table.used };
  }

  #perform(effect: FrontEndEffect): void {
    switch (effect.type) {
      case 'offer':
        return this.#offer();
      case 'open':
        this.#channel.rings.open();
        return this.#client.up();
      case 'close':
        return this.#close();
      case 'refused':
        return this.#client.down('the other domain could not map the page of the queues');
    }
  }

  /** A fresh page is granted, a port offered, and both are left in XenStore. */
  #offer(): void {
    const { node, plan } = this.#environment;
    this.#hasBackEnd = true;
    node.memory.fill(this.#ring, PAGE_SIZE, 0);
    this.#ringReference = this.#table.grant(plan.device, this.#ring, 1, true);
    if (this.#ringReference < 0) return this.#client.down('the grant table is full');
    this.#channel.offer(plan.device);
    const { port } = this.#channel;
    this.#channel.send(CONNECT, this.#charge('xen.xenstore'), this.#ringReference, port);
  }

  /** Nobody reaches the page of the queues any more, nor anything else: it all comes back. */
  #close(): void {
    this.#channel.close();
    if (this.#ringReference >= 0) this.#table.revoke(this.#ringReference);
    this.#ringReference = NO_REFERENCE;
    for (const first of [...this.#releasing.keys()]) this.#unmapped(first);
    this.#client.away!('the device domain is gone');
  }

  /** The hypervisor has undone what the other domain had of this one. */
  #destroyed(): void {
    const { plan } = this.#environment;
    this.#hasBackEnd = false;
    this.#channel.unbound(plan.device);
    if (this.#table.isMapped(this.#ringReference)) {
      this.#table.unmap(this.#ringReference, plan.device);
    }
    this.#granted.unmapAll();
  }

  #map(packet: Packet): void {
    const answer = this.#granted.map(packet);
    this.#channel.send(GRANT_MAPPED, this.#line(), packet.a, 0, answer);
  }

  #grant(address: number, count: number): void {
    const client = this.#allocating.get(address)!;
    this.#allocating.delete(address);
    if (this.#granted.grant(address, count)) client.allocated(address, null);
    else client.allocated(0, 'the grant table is full');
  }

  /** The other domain is through with pages that it was asked to unmap. */
  #unmapped(first: number): void {
    const range = this.#releasing.get(first);
    if (range === undefined) return;
    this.#releasing.delete(first);
    const { address, length } = range;
    const count = length / PAGE_SIZE;
    this.#granted.unmap(address, count);
    const { cpu } = this.#environment.node;
    cpu.submit(Priority.task, this.#granted.costOf(count), this, REVOKE, address, count);
  }

  /** Nobody but the own domain reaches the pages any more: they may be used again. */
  #revoke(address: number, count: number): void {
    const isOver = this.#granted.revoke(address, count);
    if (isOver) this.#pages.giveBack({ address, length: count * PAGE_SIZE });
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
