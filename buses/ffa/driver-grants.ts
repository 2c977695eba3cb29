// Memory of a Xen domain as its peer over FF-A reaches it: by page grants, not by FF-A handles, as in
// demo-ffa-xen. Granting is a write into the own table and needs no message; the references are the bus
// addresses. Also answers, as the hypervisor would, what the peer asks about these grants.
import type { DriverBusClient } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, type Node, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import type { MemoryGuard } from '../common/index.ts';
import { domainOf, GrantedPages } from '../xen/index.ts';
import type { FfaPlan } from './options.ts';
import { GRANT_MAP, GRANT_MAPPED, GRANT_RELEASE, GRANT_UNMAP, GRANTS_LOST } from './packets.ts';

/** Pages of the grant table, as a Xen domain has by default. */
const GRANT_FRAMES = 64;

const GRANT = 0;
const REVOKE = 1;

interface Range {
  readonly address: number;
  readonly pages: number;
  readonly client: DriverBusClient;
}

export interface DriverGrantsOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  /** Sends a packet to the peer, or to the hypervisor on its behalf. */
  post(packet: Packet, kind: number, a: number, b: number): void;
}

export class DriverGrants implements CpuClient {
  readonly #options: DriverGrantsOptions;
  readonly #granted: GrantedPages;
  #ranges: Range[] = [];

  constructor(options: DriverGrantsOptions) {
    this.#options = options;
    const { node, plan } = options;
    const table = domainOf(node, GRANT_FRAMES).grants;
    this.#granted = new GrantedPages({ node, table, plan, copies: false });
  }

  /** What the peer may reach. */
  get guard(): MemoryGuard {
    return this.#granted.guard;
  }

  get count(): number {
    return this.#ranges.length;
  }

  /** Takes and grants pages for a client, who is told their address or why there are none. */
  allocate(client: DriverBusClient, length: number): void {
    if (this.#ranges.some((range) => range.client === client && this.#waits(range))) return;
    const { node } = this.#options;
    const pages = Math.ceil(length / PAGE_SIZE);
    const address = node.memory.allocate(pages * PAGE_SIZE, PAGE_SIZE);
    this.#ranges.push({ address, pages, client });
    node.cpu.submit(Priority.task, this.#granted.costOf(pages), this, GRANT, address);
  }

  busAddress(address: number): number {
    return this.#granted.busAddress(address);
  }

  /** A client needs its memory no more: the peer is asked to unmap it. */
  release(client: DriverBusClient): void {
    const { node, post } = this.#options;
    for (const range of this.#ranges) {
      if (range.client !== client) continue;
      const first = this.#granted.referenceOf(range.address);
      post(node.kernel.packets.acquire(0), GRANT_RELEASE, first, range.pages);
    }
  }

  /** The peer is away: whoever waits for memory will ask again. Grants stay, for whoever comes. */
  suspend(): void {
    for (const range of this.#ranges.filter((each) => this.#waits(each))) this.#free(range);
  }

  /** The node is down, and nobody has its memory any more. */
  forget(): void {
    this.#granted.unmapAll();
    for (const range of this.#ranges) this.#revoke(range);
  }

  /** Takes a packet that is about grants; false for others. */
  receive(packet: Packet): boolean {
    if (packet.kind === GRANT_MAP) this.#map(packet);
    else if (packet.kind === GRANT_UNMAP) this.#unmapped(packet.a);
    else if (packet.kind === GRANTS_LOST) this.#granted.unmapAll();
    else return false;
    return true;
  }

  /** Entries of the table are written. */
  deliver(step: number, address: number): void {
    const range = this.#ranges.find((each) => each.address === address);
    if (range === undefined) return;
    if (step === REVOKE) return this.#revoke(range);
    if (this.#granted.grant(address, range.pages)) return range.client.allocated(address, null);
    this.#free(range);
    range.client.allocated(0, 'the grant table is full');
  }

  #map(packet: Packet): void {
    this.#options.post(this.#granted.map(packet), GRANT_MAPPED, packet.a, packet.b);
  }

  #unmapped(first: number): void {
    const range = this.#ranges.find(({ address }) => this.#granted.referenceOf(address) === first);
    if (range === undefined) return;
    const { address, pages } = range;
    this.#granted.unmap(address, pages);
    const { cpu } = this.#options.node;
    cpu.submit(Priority.task, this.#granted.costOf(pages), this, REVOKE, address);
  }

  #revoke(range: Range): void {
    if (this.#granted.revoke(range.address, range.pages)) this.#free(range);
  }

  /** The entries of the table are still to be written. */
  #waits({ address }: Range): boolean {
    return this.#granted.referenceOf(address) < 0;
  }

  #free(range: Range): void {
    this.#ranges = this.#ranges.filter((each) => each !== range);
    this.#options.node.memory.free(range.address, range.pages * PAGE_SIZE);
  }
}
