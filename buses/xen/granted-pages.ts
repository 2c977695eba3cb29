// Pages that a domain has granted to its peer: the references by which the peer names them, and what the
// hypervisor answers when the peer maps them. The same on a Xen bus and on FF-A under Xen.
import type { BusPlan } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { GRANT_OKAY, type GrantTable } from '../../platform/memory/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import type { MemoryGuard } from '../common/index.ts';
import { mappingAnswer } from './mapping-answer.ts';

const NO_REFERENCE = -1;

export interface GrantedPagesOptions {
  readonly node: Node;
  readonly table: GrantTable;
  /** The bus between the two domains. */
  readonly plan: Pick<BusPlan, 'name' | 'device' | 'deviceName'>;
  /** The peer has the hypervisor copy, which needs no mapping. */
  readonly copies: boolean;
}

export class GrantedPages {
  /** What the peer may reach: handles of DMA packets are grant references. */
  readonly guard: MemoryGuard;
  readonly #options: GrantedPagesOptions;
  readonly #entryCost: number;
  /** Grant reference by page number. */
  readonly #references = new Map<number, number>();

  constructor(options: GrantedPagesOptions) {
    this.#options = options;
    const { node, table, copies } = options;
    this.#entryCost = node.costs.idOf('xen.grantEntry');
    this.guard = {
      get denial() {
        return table.denial;
      },
      translate: (reference, domain, offset, length, write) =>
        table.translate(reference, domain, offset, length, write, copies),
    };
  }

  /** ps that a core takes to write so many entries of the table. */
  costOf(pages: number): number {
    return this.#options.node.chargeTimes(this.#entryCost, pages);
  }

  /** Grants pages; returns false when the table is full. */
  grant(address: number, pages: number): boolean {
    const { table, plan } = this.#options;
    const first = table.grant(plan.device, address, pages, true);
    for (let i = 0; first >= 0 && i < pages; i++) {
      this.#references.set(address / PAGE_SIZE + i, first + i);
    }
    return first >= 0;
  }

  /** Reference of the page at an address, or -1. */
  referenceOf(address: number): number {
    return this.#references.get(Math.floor(address / PAGE_SIZE)) ?? NO_REFERENCE;
  }

  /** How the peer names an address, or -1 where nothing is granted. */
  busAddress(address: number): number {
    const reference = this.referenceOf(address);
    return reference < 0 ? -1 : reference * PAGE_SIZE + (address % PAGE_SIZE);
  }

  /** The hypervisor maps what it may: the answer to a packet with references. */
  map(packet: Packet): Packet {
    const { node, table, plan } = this.#options;
    return mappingAnswer(node, packet, (reference) => {
      if (table.map(reference, plan.device, true)) return GRANT_OKAY;
      this.#refused(`mapping of grant ${reference} by ${plan.deviceName}`);
      return table.status;
    });
  }

  /** The hypervisor takes the peer's mappings of pages away, where there are some. */
  unmap(address: number, pages: number): void {
    for (let i = 0; i < pages; i++) this.#unmap(this.referenceOf(address + i * PAGE_SIZE));
  }

  /** The same of all pages. */
  unmapAll(): void {
    for (const reference of this.#references.values()) this.#unmap(reference);
  }

  /** Ends the grants of pages. Returns false, and reports it, when one of them is still mapped. */
  revoke(address: number, pages: number): boolean {
    for (let i = 0; i < pages; i++) {
      const page = address / PAGE_SIZE + i;
      const reference = this.#references.get(page);
      if (reference === undefined) continue;
      if (!this.#options.table.revoke(reference)) {
        this.#refused(`revocation of grant ${reference}`);
        return false;
      }
      this.#references.delete(page);
    }
    return true;
  }

  #unmap(reference: number): void {
    const { table, plan } = this.#options;
    if (table.isMapped(reference)) table.unmap(reference, plan.device);
  }

  #refused(what: string): void {
    const { node, table, plan } = this.#options;
    node.violations.report('DMA_FAULT', `${plan.name}: ${what} refused: ${table.denial}`);
  }
}
