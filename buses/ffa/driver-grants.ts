// Memory of a Xen domain as its peer over FF-A reaches it: by page grants, not by FF-A handles, as in
// demo-ffa-xen. Granting is a write into the own table and needs no message; the references are the bus
// addresses. Also answers, as the hypervisor would, what the peer asks about these grants.
import type { DriverBusClient } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { GRANT_OKAY, type GrantTable } from '../../platform/memory/index.ts';
import { type CpuClient, type Node, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import { readU32, writeU8 } from '../../platform/wire/index.ts';
import type { MemoryGuard } from '../common/index.ts';
import { domainOf } from '../xen/domain.ts';
import type { FfaPlan } from './options.ts';
import { GRANT_MAP, GRANT_MAPPED, GRANT_RELEASE, GRANT_UNMAP, GRANTS_LOST } from './packets.ts';

/** Pages of the grant table, as a Xen domain has by default. */
const GRANT_FRAMES = 64;

const GRANT = 0;
const REVOKE = 1;

interface GrantedRange {
  readonly address: number;
  readonly pages: number;
  readonly client: DriverBusClient;
  /** First of its references, or -1 before it is granted. */
  first: number;
}

export interface DriverGrantsOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  /** Sends a packet to the peer, or to the hypervisor on its behalf. */
  post(packet: Packet, kind: number, a: number, b: number): void;
}

export class DriverGrants implements CpuClient {
  /** What the peer may reach. */
  readonly guard: MemoryGuard;
  readonly #options: DriverGrantsOptions;
  readonly #table: GrantTable;
  readonly #entryCost: number;
  #ranges: GrantedRange[] = [];

  constructor(options: DriverGrantsOptions) {
    this.#options = options;
    const { node } = options;
    const table = domainOf(node, GRANT_FRAMES).grants;
    this.#table = table;
    this.#entryCost = node.costs.idOf('xen.grantEntry');
    this.guard = {
      get denial() {
        return table.denial;
      },
      translate: (reference, domain, offset, length, write) =>
        table.translate(reference, domain, offset, length, write, false),
    };
  }

  get count(): number {
    return this.#ranges.length;
  }

  /** Takes and grants pages for a client, who is told their address or why there are none. */
  allocate(client: DriverBusClient, length: number): void {
    if (this.#ranges.some((range) => range.client === client && range.first < 0)) return;
    const { node } = this.#options;
    const pages = Math.ceil(length / PAGE_SIZE);
    const address = node.memory.allocate(pages * PAGE_SIZE, PAGE_SIZE);
    this.#ranges.push({ address, pages, client, first: -1 });
    const cost = node.chargeTimes(this.#entryCost, pages);
    node.cpu.submit(Priority.task, cost, this, GRANT, address);
  }

  busAddress(address: number): number {
    for (const range of this.#ranges) {
      const offset = address - range.address;
      if (range.first < 0 || offset < 0 || offset >= range.pages * PAGE_SIZE) continue;
      return range.first * PAGE_SIZE + offset;
    }
    return -1;
  }

  /** A client needs its memory no more: the peer is asked to unmap it. */
  release(client: DriverBusClient): void {
    const { node, post } = this.#options;
    for (const range of this.#ranges) {
      if (range.client !== client) continue;
      post(node.kernel.packets.acquire(0), GRANT_RELEASE, range.first, range.pages);
    }
  }

  /** The peer is away: whoever waits for memory will ask again. Grants stay, for whoever comes. */
  suspend(): void {
    for (const range of this.#ranges.filter(({ first }) => first < 0)) this.#free(range);
  }

  /** The node is down, and nobody has its memory any more. */
  forget(): void {
    this.#unmapAll();
    for (const range of this.#ranges) this.#revoke(range);
  }

  /** Takes a packet that is about grants; false for others. */
  receive(packet: Packet): boolean {
    if (packet.kind === GRANT_MAP) this.#map(packet);
    else if (packet.kind === GRANT_UNMAP) this.#unmapped(packet.a);
    else if (packet.kind === GRANTS_LOST) this.#unmapAll();
    else return false;
    return true;
  }

  /** Entries of the table are written. */
  deliver(step: number, address: number): void {
    const range = this.#ranges.find((each) => each.address === address);
    if (range === undefined) return;
    if (step === REVOKE) return this.#revoke(range);
    const { plan } = this.#options;
    range.first = this.#table.grant(plan.device, address, range.pages, true);
    if (range.first >= 0) return range.client.allocated(address, null);
    this.#free(range);
    range.client.allocated(0, 'the grant table is full');
  }

  /** The hypervisor maps what it may. */
  #map({ a: count, b: life, bytes }: Packet): void {
    const { node, plan, post } = this.#options;
    const answer = node.kernel.packets.acquire(count);
    for (let i = 0; i < count; i++) {
      const reference = readU32(bytes, i * 4);
      const status = this.#table.map(reference, plan.device, true)
        ? GRANT_OKAY
        : this.#table.status;
      writeU8(answer.bytes, i, -status);
      if (status === GRANT_OKAY) continue;
      const text = `mapping of grant ${reference} by ${plan.deviceName} refused: ${this.#table.denial}`;
      node.violations.report('DMA_FAULT', `${plan.name}: ${text}`);
    }
    post(answer, GRANT_MAPPED, count, life);
  }

  #unmapped(first: number): void {
    const range = this.#ranges.find((each) => each.first === first);
    if (range === undefined) return;
    this.#unmap(range);
    const { node } = this.#options;
    const cost = node.chargeTimes(this.#entryCost, range.pages);
    node.cpu.submit(Priority.task, cost, this, REVOKE, range.address);
  }

  #unmapAll(): void {
    for (const range of this.#ranges) if (range.first >= 0) this.#unmap(range);
  }

  #unmap({ first, pages }: GrantedRange): void {
    const { device } = this.#options.plan;
    for (let i = 0; i < pages; i++) {
      if (this.#table.isMapped(first + i)) this.#table.unmap(first + i, device);
    }
  }

  #revoke(range: GrantedRange): void {
    for (let i = 0; range.first >= 0 && i < range.pages; i++) this.#table.revoke(range.first + i);
    this.#free(range);
  }

  #free(range: GrantedRange): void {
    this.#ranges = this.#ranges.filter((each) => each !== range);
    this.#options.node.memory.free(range.address, range.pages * PAGE_SIZE);
  }
}
