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
import { GRANT_OKAY, type GrantTable } from '../../platform/memory/index.ts';
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
  pagesOfMemory,
  SharedMemoryTarget,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';
import { XenChannel } from './channel.ts';
import { domainOf } from './domain.ts';
import { mappingAnswer } from './mapping-answer.ts';
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
  readonly #path: OrderedLink;
  readonly #pages: DevicePages;
  readonly #chart: Chart<unknown, FrontEndEvent>;
  /** Address of the page with the queues. */
  readonly #ring: number;
  #ringReference = NO_REFERENCE;
  /** Grant reference by page number, of what devices may reach. */
  readonly #references = new Map<number, number>();
  /** Who waits for the grants of memory at an address. */
  readonly #allocating = new Map<number, DriverBusClient>();
  /** Pages that the back end was asked to unmap: how many, by their first reference. */
  readonly #releasing = new Map<number, number>();
  #hasBackEnd = true;

  constructor(environment: BusEnvironment<XenOptions>, client: LinkClient) {
    const { node, plan } = environment;
    this.#environment = environment;
    this.#client = client;
    this.#path = coherentLink(node);
    this.#table = domainOf(node, plan.options.grantFrames).grants;
    this.#pages = new DevicePages(pagesOfMemory(node.memory));
    this.#ring = node.memory.allocate(PAGE_SIZE, PAGE_SIZE);
    this.#target = new SharedMemoryTarget({
      node,
      handles: grantGuard(this.#table, plan.options.grants === 'copy'),
      borrowerNode: plan.device,
      borrowerPort: plan.devicePort,
      name: plan.name,
      link: this.#path,
    });
    this.#channel = new XenChannel({
      environment,
      side: 'driver',
      client,
      path: this.#path,
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
        return this.#unmapped(packet.a, packet.b);
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
    const cost = node.chargeTimes(node.costs.idOf('xen.grantEntry'), count);
    this.#allocating.set(range.address, client);
    node.cpu.submit(Priority.task, cost, this, GRANT, range.address, count);
  }

  /** Entries of the grant table are written: pages from an address on, or from a reference on. */
  deliver(work: number, first: number, count: number): void {
    if (work === GRANT) this.#grant(first, count);
    else this.#revoke(first, count);
  }

  busAddress(address: number): number {
    const reference = this.#references.get(Math.floor(address / PAGE_SIZE));
    return reference === undefined ? -1 : reference * PAGE_SIZE + (address % PAGE_SIZE);
  }

  /** Pages come back when the other domain has unmapped them; until then nobody may use them. */
  release(deviceNumber: number): void {
    for (const { address, length } of this.#pages.detach(deviceNumber)) {
      const first = this.#references.get(address / PAGE_SIZE);
      if (first === undefined) continue;
      const count = length / PAGE_SIZE;
      this.#releasing.set(first, count);
      if (!this.#hasBackEnd) this.#unmapped(first, count);
      else this.#channel.send(GRANT_RELEASE, this.#charge('xen.xenstore'), first, count);
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
    for (const [first, count] of [...this.#releasing]) this.#unmapped(first, count);
    this.#client.away!('the device domain is gone');
  }

  /** The hypervisor has undone what the other domain had of this one. */
  #destroyed(): void {
    const { plan } = this.#environment;
    this.#hasBackEnd = false;
    this.#channel.unbound(plan.device);
    this.#unmap(this.#ringReference);
    for (const reference of this.#references.values()) this.#unmap(reference);
  }

  /** The hypervisor maps what it may. */
  #map(packet: Packet): void {
    const { node, plan } = this.#environment;
    const answer = mappingAnswer(node, packet, (reference) => {
      if (this.#table.map(reference, plan.device, true)) return GRANT_OKAY;
      this.#fault(`mapping of grant ${reference}`);
      return this.#table.status;
    });
    this.#channel.send(GRANT_MAPPED, this.#line(), packet.a, 0, answer);
  }

  #grant(address: number, count: number): void {
    const client = this.#allocating.get(address)!;
    this.#allocating.delete(address);
    const first = this.#table.grant(this.#environment.plan.device, address, count, true);
    if (first < 0) return client.allocated(0, 'the grant table is full');
    for (let i = 0; i < count; i++) this.#references.set(address / PAGE_SIZE + i, first + i);
    client.allocated(address, null);
  }

  /** The other domain is through with pages that it was asked to unmap. */
  #unmapped(first: number, count: number): void {
    if (!this.#releasing.delete(first)) return;
    for (let i = 0; i < count; i++) this.#unmap(first + i);
    const { node } = this.#environment;
    const cost = node.chargeTimes(node.costs.idOf('xen.grantEntry'), count);
    node.cpu.submit(Priority.task, cost, this, REVOKE, first, count);
  }

  #unmap(reference: number): void {
    const { plan } = this.#environment;
    if (this.#table.isMapped(reference)) this.#table.unmap(reference, plan.device);
  }

  /** Nobody but the own domain reaches the pages any more: they may be used again. */
  #revoke(first: number, count: number): void {
    const address = this.#addressOf(first);
    for (let i = 0; i < count; i++) {
      if (!this.#table.revoke(first + i)) return this.#fault(`revocation of grant ${first + i}`);
      this.#references.delete(address / PAGE_SIZE + i);
    }
    this.#pages.giveBack({ address, length: count * PAGE_SIZE });
  }

  #addressOf(reference: number): number {
    for (const [page, known] of this.#references) if (known === reference) return page * PAGE_SIZE;
    assert(false, 'pages are given back that were granted');
  }

  #fault(what: string): void {
    const { node, plan } = this.#environment;
    node.violations.report('DMA_FAULT', `${plan.name}: ${what} refused: ${this.#table.denial}`);
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

/** Handles of DMA packets are grant references. */
function grantGuard(table: GrantTable, copies: boolean) {
  return {
    get denial(): string {
      return table.denial;
    },
    translate: (
      reference: number,
      domain: number,
      offset: number,
      length: number,
      write: boolean,
    ): number => table.translate(reference, domain, offset, length, write, copies),
  };
}
