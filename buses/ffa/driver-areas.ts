// Areas of the bus address space on the driver's side: memory that is shared with the partition
// (FFA_MEM_SHARE) and then announced to it (AREA_SHARE). Allocations of drivers come out of areas,
// one after another; a new area is made when none has room. After a restart of the partition the areas are
// shared again, with all that is in them.
import type { DriverBusClient } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { FaultInjector } from '../../platform/faults/index.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import type { MemoryHandles } from '../../platform/memory/index.ts';
import { type CpuClient, type Node, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import { AREA_SPAN, AREAS_MAX } from './messages.ts';
import type { FfaTiming } from './timing.ts';

const SHARED = 0;
const RECLAIM_AGAIN = 1;

interface Area {
  readonly id: number;
  readonly address: number;
  readonly pages: number;
  /** What FFA_MEM_SHARE returned, or -1 before. */
  handle: number;
  /** Pages that were shared of it. */
  sharedPages: number;
  /** Bytes handed out so far, and to whom. */
  used: number;
  readonly clients: Set<DriverBusClient>;
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
  /** Sends AREA_UNSHARE; `unshared` is called when the partition has given the area back. */
  withdraw(areaId: number): void;
}

export class DriverAreas implements CpuClient, Component {
  readonly #options: DriverAreasOptions;
  /** By area number - 1; null for a number that is free again. */
  readonly #areas: (Area | null)[] = [];
  readonly #allocations: Allocation[] = [];
  /** Areas to be shared and announced; the first is under way. */
  #line: Area[] = [];
  /** Told when the line is empty, or with an area that the partition has refused. */
  #finished: (refused: Area | null) => void = () => {};
  /** The area whose AREA_SHARE has not been answered, or 0. */
  #announced = 0;
  #id: ComponentId | null = null;

  constructor(options: DriverAreasOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#areas.reduce((count, area) => count + (area === null ? 0 : 1), 0);
  }

  /**
   * Takes pages for a client, who is told their address or why there are none. Who asks again while it
   * waits has lost patience: if its area was announced, the announcement is repeated.
   */
  allocate(client: DriverBusClient, length: number): void {
    const position = this.#allocations.findIndex((waiting) => waiting.client === client);
    if (position === 0 && this.#announced > 0) this.#announce(this.#line[0]);
    if (position >= 0) return;
    this.#allocations.push({ client, length });
    if (this.#allocations.length === 1) this.#next();
  }

  /** The partition has answered AREA_SHARE. Returns false when that was not asked. */
  answered(areaId: number, success: boolean): boolean {
    if (areaId !== this.#announced || areaId === 0) return false;
    this.#announced = 0;
    const area = this.#line[0];
    if (success) this.#shareNext();
    else {
      this.#line.length = 0;
      this.#finished(area);
    }
    return true;
  }

  /** The partition answered AREA_SHARE with an ERROR. */
  refused(): void {
    this.answered(this.#announced, false);
  }

  /** A client needs its memory no more: areas that are its alone are given back. */
  release(client: DriverBusClient): void {
    for (const area of this.#areas) {
      if (area?.clients.size === 1 && area.clients.has(client)) this.#options.withdraw(area.id);
    }
  }

  /** The partition has given an area back, asked or by itself. */
  unshared(areaId: number): void {
    const area = this.#areas[areaId - 1] ?? null;
    if (area !== null) this.#free(area);
  }

  /** The partition is away: whoever waits for memory will ask again. */
  suspend(): void {
    this.#allocations.length = 0;
    this.#line.length = 0;
    this.#announced = 0;
  }

  /** Shares all areas anew with a partition that has forgotten them; `done` tells whether it took them. */
  renew(done: (taken: boolean) => void): void {
    const areas = this.#areas.filter((area) => area !== null);
    this.#share(areas, (refused) => done(refused === null));
  }

  /** The node is down, and nobody has its memory any more. */
  forget(): void {
    this.suspend();
    for (const area of this.#areas) if (area !== null) this.#free(area);
  }

  /** The bus address of a byte of an area; -1 for memory in none. */
  busAddress(address: number): number {
    for (const area of this.#areas) {
      if (area === null) continue;
      const offset = address - area.address;
      if (offset >= 0 && offset < area.pages * PAGE_SIZE) return area.id * AREA_SPAN + offset;
    }
    return -1;
  }

  deliver(step: number, areaId: number): void {
    const area = this.#line[0];
    // The partition may have gone away meanwhile.
    if (area?.id !== areaId) return;
    if (step === SHARED) this.#shared(area);
    else this.#shareFirst();
  }

  /** FFA_MEM_SHARE is done: announce the area. */
  #shared(area: Area): void {
    const { faults, handles, borrower } = this.#options;
    const missing = faults.active ? faults.shrinksBy('AREA_SHARE') : 0;
    area.sharedPages = Math.max(1, area.pages - missing);
    area.handle = handles.share(area.address, area.sharedPages, borrower, true);
    this.#announce(area);
  }

  #announce({ id, handle, sharedPages }: Area): void {
    this.#announced = id;
    this.#options.announce(id, handle, sharedPages);
  }

  /** Shares areas one after the other. */
  #share(areas: readonly Area[], finished: (refused: Area | null) => void): void {
    assert(this.#line.length === 0, 'areas are shared one after the other');
    this.#line = [...areas];
    this.#finished = finished;
    if (areas.length === 0) finished(null);
    else this.#shareFirst();
  }

  #shareNext(): void {
    this.#line.shift();
    if (this.#line.length > 0) this.#shareFirst();
    else this.#finished(null);
  }

  #shareFirst(): void {
    const { node, timing, faults } = this.#options;
    const area = this.#line[0];
    if (faults.active && faults.omits('AREA_SHARE')) return this.#shareNext();
    if (!this.#reclaim(area)) return this.#reclaimLater(area);
    const cost = node.charge(timing.memShare) + node.chargeTimes(timing.memPage, area.pages);
    node.cpu.submit(Priority.task, cost, this, SHARED, area.id);
  }

  /** Serves the first allocation in line, from an area with room or from a new one. */
  #next(): void {
    if (this.#finish()) return;
    const { node, areaSize } = this.#options;
    const id = this.#freeNumber();
    if (id > AREAS_MAX) return this.#fail('all area numbers are taken');
    const pages = pagesOf(Math.max(this.#allocations[0].length, areaSize));
    const address = node.memory.allocate(pages * PAGE_SIZE, PAGE_SIZE);
    const clients = new Set<DriverBusClient>();
    const area: Area = { id, address, pages, handle: -1, sharedPages: 0, used: 0, clients };
    this.#areas[id - 1] = area;
    this.#share([area], (refused) => {
      if (refused === null) return this.#filled();
      this.#free(refused);
      this.#fail('the partition refused the area');
    });
  }

  /** The newest area can be used. */
  #filled(): void {
    const done = this.#finish();
    assert(done, 'a new area holds what it was made for');
  }

  #finish(): boolean {
    const { client, length } = this.#allocations[0];
    const bytes = pagesOf(length) * PAGE_SIZE;
    const area = this.#areas.find((a) => a !== null && a.used + bytes <= a.pages * PAGE_SIZE);
    if (area == null) return false;
    const address = area.address + area.used;
    area.used += bytes;
    area.clients.add(client);
    this.#allocations.shift();
    client.allocated(address, null);
    if (this.#allocations.length > 0) this.#next();
    return true;
  }

  /** FFA_MEM_RECLAIM: the memory is ours alone again. False while the partition has it. */
  #reclaim(area: Area): boolean {
    if (area.handle >= 0 && !this.#options.handles.reclaim(area.handle)) return false;
    area.handle = -1;
    return true;
  }

  #reclaimLater(area: Area): void {
    const { node, timing } = this.#options;
    this.#id ??= node.add(this);
    node.kernel.schedule(this.#id, node.charge(timing.reclaimRetry), RECLAIM_AGAIN, area.id);
  }

  /** Reclaims an area for good: its number is free. */
  #free(area: Area): void {
    if (!this.#reclaim(area)) return;
    this.#options.node.memory.free(area.address, area.pages * PAGE_SIZE);
    this.#areas[area.id - 1] = null;
  }

  #freeNumber(): number {
    const gap = this.#areas.indexOf(null);
    return gap >= 0 ? gap + 1 : this.#areas.length + 1;
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
