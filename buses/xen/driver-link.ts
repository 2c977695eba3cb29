// The driver's side of a Xen bus: a domain that grants the other what it may reach, the page with the
// queues first. It also answers, as the hypervisor would, what the other asks about these grants.
import type {
  BusEnvironment,
  DriverBusClient,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { GrantTable } from '../../platform/memory/index.ts';
import { type CpuClient, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import { readU32, writeU8 } from '../../platform/wire/index.ts';
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

// Work on the own grant table.
const GRANT = 0;
const REVOKE = 1;

export class XenDriverLink implements DriverLink, CpuClient {
  readonly #environment: BusEnvironment<XenOptions>;
  readonly #client: LinkClient;
  readonly #table: GrantTable;
  readonly #channel: XenChannel;
  readonly #target: SharedMemoryTarget;
  readonly #path: OrderedLink;
  readonly #pages: DevicePages;
  /** Grant reference by page number, of what devices may reach. */
  readonly #references = new Map<number, number>();
  /** Who waits for the grants of memory at an address. */
  readonly #allocating = new Map<number, DriverBusClient>();
  readonly #ringReference: number;

  constructor(environment: BusEnvironment<XenOptions>, client: LinkClient) {
    const { node, plan } = environment;
    this.#environment = environment;
    this.#client = client;
    this.#path = coherentLink(node);
    this.#table = new GrantTable(node.memory, plan.options.grantFrames);
    this.#pages = new DevicePages(pagesOfMemory(node.memory));
    const page = node.memory.allocate(PAGE_SIZE, PAGE_SIZE);
    this.#ringReference = this.#table.grant(plan.device, page, 1, true);
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
      memory: () => new OwnRingMemory(node, page, node.timing.lineLatency, SPSC_SLOT_SIZE),
    });
  }

  /** The reference of the page with the queues is left in XenStore. */
  connect(): void {
    this.#channel.send(CONNECT, this.#charge('xen.xenstore'), this.#ringReference, 0);
  }

  send(bytes: Uint8Array, length: number): void {
    this.#channel.rings.send(bytes, length);
  }

  clear(): void {
    this.#channel.rings.clear();
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case EVENT:
        return this.#channel.notified();
      case DMA_READ:
      case DMA_WRITE:
        return this.#target.receive(packet);
      case CONNECTED:
        return this.#connected(packet.a === 1);
      case GRANT_MAP:
        return this.#map(packet);
      case GRANT_UNMAP:
        return this.#unmapped(packet.a, packet.b);
      default:
        assert(false, `${this.#environment.plan.name}: packet of kind ${packet.kind}`);
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
      this.#channel.send(GRANT_RELEASE, this.#charge('xen.xenstore'), first, count);
    }
  }

  statistics(): Statistics {
    return { ...this.#channel.statistics(), grants: this.#table.used };
  }

  #connected(success: boolean): void {
    if (!success) return this.#client.down('the other domain could not map the page of the queues');
    this.#channel.rings.open();
    this.#client.up();
  }

  /** The hypervisor maps what it may. */
  #map({ a: count, bytes }: Packet): void {
    const { node, plan } = this.#environment;
    const answer = node.kernel.packets.acquire(count);
    for (let i = 0; i < count; i++) {
      const reference = readU32(bytes, i * 4);
      const mapped = this.#table.map(reference, plan.device, true);
      writeU8(answer.bytes, i, mapped ? 1 : 0);
      if (!mapped) this.#fault(`mapping of grant ${reference}`);
    }
    this.#channel.send(GRANT_MAPPED, this.#line(), count, 0, answer);
  }

  #grant(address: number, count: number): void {
    const client = this.#allocating.get(address)!;
    this.#allocating.delete(address);
    const first = this.#table.grant(this.#environment.plan.device, address, count, true);
    if (first < 0) return client.allocated(0, 'the grant table is full');
    for (let i = 0; i < count; i++) this.#references.set(address / PAGE_SIZE + i, first + i);
    client.allocated(address, null);
  }

  /** The other domain is through with pages. */
  #unmapped(first: number, count: number): void {
    const { node, plan } = this.#environment;
    for (let i = 0; i < count; i++) {
      if (this.#table.isMapped(first + i)) this.#table.unmap(first + i, plan.device);
    }
    const cost = node.chargeTimes(node.costs.idOf('xen.grantEntry'), count);
    node.cpu.submit(Priority.task, cost, this, REVOKE, first, count);
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
