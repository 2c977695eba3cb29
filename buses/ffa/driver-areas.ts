// Areas of the bus address space on the driver's side: memory that is given to the partition
// (FFA_MEM_SHARE, FFA_MEM_LEND, FFA_MEM_DONATE) and then announced to it (AREA_SHARE). Allocations of drivers come out of areas,
// one after another; a new area is made when none has room. After a restart of the partition the areas are
// shared again, with all that is in them.
import type { DriverBusClient } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { FaultInjector } from '../../platform/faults/index.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import type { MemoryHandles, SharingMode } from '../../platform/memory/index.ts';
import { type CpuClient, type Node, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import { AREA_SPAN, AREAS_MAX } from './messages.ts';
import type { FfaTiming } from './timing.ts';

const SHARED = 0;
const RECLAIM_AGAIN = 1;

interface Area {
  readonly id: number;
  readonly address: number;
  readonly pages: number;
  readonly mode: SharingMode;
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
  /** Bytes that both sides use at the same time; the rest they use in turn. */
  readonly common: number;
}

/** What AREA_SHARE says. */
export interface Announcement {
  readonly areaId: number;
  readonly handle: number;
  readonly pageCount: number;
  readonly mode: SharingMode;
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
  /** How memory is given that both sides use at the same time, and what they use in turn. */
  readonly commonMode: SharingMode;
  readonly turnMode: SharingMode;
  /** Sends AREA_SHARE; `answered` is called with the result. */
  announce(announcement: Announcement): void;
  /** Sends AREA_UNSHARE; `unshared` is called when the partition has given the area back. */
  withdraw(areaId: number): void;
}

export class DriverAreas implements CpuClient, Component {
  /** Pages that were donated and will not come back. */
  pagesDonated = 0;
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
  allocate(client: DriverBusClient, length: number, common: number): void {
    const position = this.#allocations.findIndex((waiting) => waiting.client === client);
    if (position === 0 && this.#announced > 0) this.#announce(this.#line[0]);
    if (position >= 0) return;
    this.#allocations.push({ client, length, common });
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
    this.suspend();
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
    const { address, sharedPages: pages, mode } = area;
    area.handle = handles.send({ address, pages, borrower, writable: true, mode });
    assert(area.handle >= 0, 'an area is its owner’s to give');
    this.#announce(area);
  }

  #announce({ id, handle, sharedPages, mode }: Area): void {
    this.#announced = id;
    this.#options.announce({ areaId: id, handle, pageCount: sharedPages, mode });
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
    const areas = this.#make(this.#allocations[0]);
    if (areas === null) return this.#fail('all area numbers are taken');
    this.#share(areas, (refused) => {
      if (refused === null) return this.#filled(areas);
      // Those before it the partition has taken.
      for (const area of areas.slice(areas.indexOf(refused))) this.#free(area);
      for (const area of areas.slice(0, areas.indexOf(refused))) this.#options.withdraw(area.id);
      this.#fail('the partition refused the area');
    });
  }

  /** Makes the area for an allocation, or two where its parts are given in different ways. */
  #make({ length, common }: Allocation): readonly Area[] | null {
    const { node, areaSize, commonMode, turnMode } = this.#options;
    const parts = this.#isSplit(length, common)
      ? [
          { pages: pagesOf(common), mode: commonMode },
          { pages: pagesOf(length) - pagesOf(common), mode: turnMode },
        ]
      : [{ pages: pagesOf(Math.max(length, areaSize)), mode: commonMode }];
    const pages = parts.reduce((sum, part) => sum + part.pages, 0);
    const ids = this.#freeNumbers(parts.length);
    if (ids.some((id) => id > AREAS_MAX)) return null;
    let address = node.memory.allocate(pages * PAGE_SIZE, PAGE_SIZE);
    return parts.map((part, index) => {
      const clients = new Set<DriverBusClient>();
      const unshared = { handle: -1, sharedPages: 0, used: 0, clients };
      const area: Area = { id: ids[index], address, ...part, ...unshared };
      this.#areas[area.id - 1] = area;
      address += part.pages * PAGE_SIZE;
      return area;
    });
  }

  /** True for memory of which a part is given in another way than the rest. */
  #isSplit(length: number, common: number): boolean {
    const { commonMode, turnMode } = this.#options;
    return commonMode !== turnMode && pagesOf(common) < pagesOf(length);
  }

  /** The newest areas can be used. */
  #filled(areas: readonly Area[]): void {
    if (areas.length > 1) {
      for (const area of areas) this.#take(area, area.pages * PAGE_SIZE);
      return this.#allocated(areas[0].address);
    }
    const done = this.#finish();
    assert(done, 'a new area holds what it was made for');
  }

  /** Serves the first allocation from an area that has room, if there is one. */
  #finish(): boolean {
    const { length, common } = this.#allocations[0];
    if (this.#isSplit(length, common)) return false;
    const bytes = pagesOf(length) * PAGE_SIZE;
    const { commonMode } = this.#options;
    const area = this.#areas.find(
      (a) => a !== null && a.mode === commonMode && a.used + bytes <= a.pages * PAGE_SIZE,
    );
    if (area == null) return false;
    this.#allocated(this.#take(area, bytes));
    return true;
  }

  /** Takes bytes of an area for the first allocation; returns their address. */
  #take(area: Area, bytes: number): number {
    const address = area.address + area.used;
    area.used += bytes;
    area.clients.add(this.#allocations[0].client);
    return address;
  }

  #allocated(address: number): void {
    const { client } = this.#allocations.shift()!;
    client.allocated(address, null);
    if (this.#allocations.length > 0) this.#next();
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

  /** Reclaims an area for good: its number is free. What was donated stays the partition's. */
  #free(area: Area): void {
    const donated = area.mode === 'donate' && area.handle >= 0;
    if (!this.#reclaim(area) && !donated) return;
    this.#areas[area.id - 1] = null;
    if (donated && area.handle >= 0) this.pagesDonated += area.pages;
    else this.#options.node.memory.free(area.address, area.pages * PAGE_SIZE);
  }

  /** Area numbers that are not in use, the lowest first. */
  #freeNumbers(count: number): readonly number[] {
    const numbers: number[] = [];
    for (let id = 1; numbers.length < count; id++) {
      if ((this.#areas[id - 1] ?? null) === null) numbers.push(id);
    }
    return numbers;
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
