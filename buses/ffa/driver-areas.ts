// Areas of the bus address space on the driver's side: memory that is shared with the partition
// (FFA_MEM_SHARE) and then announced to it (AREA_SHARE). Allocations of drivers come out of areas,
// one after another; a new area is made when none has room.
import type { DriverBusClient } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { FaultInjector } from '../../platform/faults/index.ts';
import type { MemoryHandles } from '../../platform/memory/index.ts';
import { type CpuClient, type Node, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import { AREA_SPAN, AREAS_MAX } from './messages.ts';
import type { FfaTiming } from './timing.ts';

interface Area {
  readonly id: number;
  readonly address: number;
  readonly pages: number;
  /** Bytes handed out so far. */
  used: number;
}

interface Allocation {
  readonly client: DriverBusClient;
  readonly length: number;
}

export interface DriverAreasOptions {
  readonly node: Node;
  readonly timing: FfaTiming;
  readonly handles: MemoryHandles;
  readonly faults: FaultInjector;
  /** Node with which memory is shared. */
  readonly borrower: number;
  /** Least bytes of an area. */
  readonly areaSize: number;
  /** Sends AREA_SHARE; `answered` is called with the result. */
  announce(areaId: number, handle: number, pageCount: number): void;
}

export class DriverAreas implements CpuClient {
  readonly #options: DriverAreasOptions;
  readonly #areas: Area[] = [];
  readonly #allocations: Allocation[] = [];
  /** The area whose AREA_SHARE has not been answered, or 0. */
  #announced = 0;
  /** What was shared of it. */
  #shared = { handle: 0, pageCount: 0 };

  constructor(options: DriverAreasOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#areas.length;
  }

  /**
   * Takes pages for a client, who is told their address or why there are none. Who asks again while it
   * waits has lost patience: if its area was announced, the announcement is repeated.
   */
  allocate(client: DriverBusClient, length: number): void {
    const position = this.#allocations.findIndex((waiting) => waiting.client === client);
    if (position === 0 && this.#announced > 0) this.#announce();
    if (position >= 0) return;
    this.#allocations.push({ client, length });
    if (this.#allocations.length === 1) this.#next();
  }

  /** The partition has answered AREA_SHARE. Returns false when that was not asked. */
  answered(areaId: number, success: boolean): boolean {
    if (areaId !== this.#announced || areaId === 0) return false;
    this.#announced = 0;
    if (success) this.#filled();
    else this.#fail('the partition refused the area');
    return true;
  }

  /** The partition answered AREA_SHARE with an ERROR. */
  refused(): void {
    this.answered(this.#announced, false);
  }

  /** The bus address of a byte of an area; -1 for memory in none. */
  busAddress(address: number): number {
    for (const area of this.#areas) {
      const offset = address - area.address;
      if (offset >= 0 && offset < area.pages * PAGE_SIZE) return area.id * AREA_SPAN + offset;
    }
    return -1;
  }

  /** FFA_MEM_SHARE is done: announce the area that was made last. */
  deliver(): void {
    const { faults, handles, borrower } = this.#options;
    const { id, address, pages } = this.#areas[this.#areas.length - 1];
    const missing = faults.active ? faults.shrinksBy('AREA_SHARE') : 0;
    const pageCount = Math.max(1, pages - missing);
    this.#shared = { handle: handles.share(address, pageCount, borrower, true), pageCount };
    this.#announced = id;
    this.#announce();
  }

  #announce(): void {
    const { handle, pageCount } = this.#shared;
    this.#options.announce(this.#announced, handle, pageCount);
  }

  /** Serves the first allocation in line, from an area with room or from a new one. */
  #next(): void {
    if (this.#finish()) return;
    const { node, timing, faults, areaSize } = this.#options;
    if (this.#areas.length === AREAS_MAX) return this.#fail('all area numbers are taken');
    const pages = pagesOf(Math.max(this.#allocations[0].length, areaSize));
    const address = node.memory.allocate(pages * PAGE_SIZE, PAGE_SIZE);
    this.#areas.push({ id: this.#areas.length + 1, address, pages, used: 0 });
    if (faults.active && faults.omits('AREA_SHARE')) return this.#filled();
    const cost = node.charge(timing.memShare) + node.chargeTimes(timing.memPage, pages);
    node.cpu.submit(Priority.task, cost, this, 0);
  }

  /** The newest area can be used. */
  #filled(): void {
    const done = this.#finish();
    assert(done, 'a new area holds what it was made for');
  }

  #finish(): boolean {
    const { client, length } = this.#allocations[0];
    const bytes = pagesOf(length) * PAGE_SIZE;
    const area = this.#areas.find(({ pages, used }) => used + bytes <= pages * PAGE_SIZE);
    if (area === undefined) return false;
    const address = area.address + area.used;
    area.used += bytes;
    this.#allocations.shift();
    client.allocated(address, null);
    if (this.#allocations.length > 0) this.#next();
    return true;
  }

  #fail(reason: string): void {
    const { client } = this.#allocations.shift()!;
    client.allocated(0, reason);
    if (this.#allocations.length > 0) this.#next();
  }
}

/** Whole pages that hold `length` bytes. */
function pagesOf(length: number): number {
  return Math.ceil(length / PAGE_SIZE);
}
