// Regions of shared memory as the driver's cores reach them, over coherent memory: a load stalls its core for a round
// trip and the time of the bytes, a store is posted.
import type {
  DmaClient,
  DmaFault,
  RegionClient,
  RegionMap,
  RegionMapClient,
  Statistics,
} from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import {
  type CpuClient,
  copyBytes,
  type Node,
  PAGE_SIZE,
  Priority,
} from '../../platform/node/index.ts';
import type { OrderedLink } from './link.ts';
import { type MappedRegion, MappedRegions } from './mapped-regions.ts';
import { REGION_DATA, REGION_KINDS, REGION_REFUSED, SharedMemoryPort } from './shared-memory.ts';

export interface DriverRegionsOptions {
  readonly node: Node;
  readonly plan: {
    readonly name: string;
    readonly device: number;
    readonly devicePort: number;
  };
  /** The way of data to the device's node, which stores share: what the device reads comes after them. */
  readonly link: OrderedLink;
  /** Constant: mapping a page of a region, where that takes a core's time. */
  readonly pageMapping?: number | undefined;
  /** Handles are places, not the pages that places begin at. */
  readonly byHandle?: boolean;
  /** Gets access to what is at a place; at once, when left out. */
  retrieve?(place: number, length: number, done: (reason: string | null) => void): void;
  /** Gives it back. */
  relinquish?(place: number): void;
}

/** Where regions are for the cores of a driver's node: above any RAM. */
export const REGION_WINDOW = 2 ** 40;
/** From one handle to the next, where places are handles. */
const HANDLE_SPAN = 2 ** 32;

const LOADED = 0;
const REFUSED = 1;
const MAPPED = 2;

export class DriverRegions implements RegionMap, DmaClient, CpuClient {
  loads = 0;
  stores = 0;
  readonly #options: DriverRegionsOptions;
  readonly #port: SharedMemoryPort;
  readonly #mapped: MappedRegions;
  // The load of each core: a core has one at a time.
  readonly #clients: (RegionClient | null)[];
  readonly #tags: number[] = [];
  readonly #bytes: Uint8Array[];
  readonly #lengths: number[] = [];
  readonly #reasons: string[] = [];
  /** Devices whose regions are being mapped, by place. */
  readonly #pending = new Map<number, number>();
  /** What follows on mappings that cores are working on, by number. */
  readonly #mappings = new Map<number, () => void>();
  #mappingCount = 0;

  constructor(options: DriverRegionsOptions) {
    this.#options = options;
    const { node, plan, link } = options;
    this.#mapped = new MappedRegions(node, plan.name);
    const { count } = node.cpu;
    this.#clients = new Array<RegionClient | null>(count).fill(null);
    this.#bytes = Array.from({ length: count }, () => new Uint8Array(0));
    this.#port = new SharedMemoryPort({
      node,
      ownerNode: plan.device,
      ownerPort: plan.devicePort,
      window: (address) => this.#mapped.find(address),
      offset: (address) => address - (this.#mapped.find(address)?.address ?? 0),
      link,
      kinds: REGION_KINDS,
    });
  }

  map(device: number, place: number, length: number, client: RegionMapClient): void {
    const { byHandle = false, retrieve } = this.#options;
    const address = REGION_WINDOW + (byHandle ? place * HANDLE_SPAN : place);
    const handle = byHandle ? place : place / PAGE_SIZE;
    const done = (reason: string | null) => {
      if (this.#mapped.find(address) !== null) return client.regionMapped(address, null);
      // The device was reset or lost in the meantime.
      if (!this.#pending.delete(place)) {
        if (reason === null) this.#options.relinquish?.(place);
        return;
      }
      if (reason === null) this.#mapped.add({ device, place, handle, address, length });
      client.regionMapped(address, reason);
    };
    if (this.#mapped.find(address) !== null) return done(null);
    this.#pending.set(place, device);
    if (retrieve !== undefined) retrieve(place, length, done);
    else if (this.#options.pageMapping === undefined) done(null);
    else this.#mapPages(length, () => done(null));
  }

  /** Maps a region of which everything is known. */
  open(region: MappedRegion): void {
    if (this.#mapped.find(region.address) === null) this.#mapped.add(region);
  }

  unmap(device: number): void {
    for (const [place, of] of this.#pending) if (of === device) this.#pending.delete(place);
    for (const { place } of this.#mapped.remove(device)) this.#options.relinquish?.(place);
  }

  load(address: number, length: number, client: RegionClient, tag: number): void {
    const { node } = this.#options;
    const core = node.cpu.hold();
    this.#clients[core] = client;
    this.#tags[core] = tag;
    const refusal = this.#mapped.refusal(address, length, false);
    if (refusal !== null) return this.#refuse(core, refusal);
    this.loads++;
    this.#port.readSegment(address, length);
    this.#port.read(this, core);
  }

  store(address: number, source: Uint8Array, from: number, length: number): boolean {
    if (this.#mapped.refusal(address, length, true) !== null) return false;
    this.stores++;
    this.#port.writeSegment(address, source, from, length);
    return this.#port.write(this, -1);
  }

  storeCost(length: number): number {
    const { node } = this.#options;
    return node.chargeBytes(node.timing.copyRate, length);
  }

  /** Takes a packet that is about regions; false for others. */
  receive(packet: Packet): boolean {
    if (packet.kind !== REGION_DATA && packet.kind !== REGION_REFUSED) return false;
    this.#port.receive(packet);
    return true;
  }

  /** Empty where nothing was ever reached. */
  statistics(): Statistics {
    const { loads, stores } = this;
    return loads + stores === 0 ? {} : { regionLoads: loads, regionStores: stores };
  }

  /** The bytes are there; the core copies them to where they are wanted. */
  readDone(core: number, bytes: Uint8Array, length: number): void {
    const { node } = this.#options;
    if (this.#bytes[core].length < length) this.#bytes[core] = new Uint8Array(length);
    copyBytes(bytes, 0, this.#bytes[core], 0, length);
    this.#lengths[core] = length;
    const cost = node.chargeBytes(node.timing.copyRate, length);
    node.cpu.resume(core, cost, this, LOADED, core);
  }

  refused(core: number, fault: DmaFault): void {
    if (core >= 0) this.#refuse(core, fault.reason);
  }

  deliver(kind: number, index: number): void {
    if (kind === MAPPED) return this.#pagesMapped(index);
    const client = this.#clients[index]!;
    this.#clients[index] = null;
    if (kind === REFUSED) client.loadRefused(this.#tags[index], this.#reasons[index]);
    else client.loaded(this.#tags[index], this.#bytes[index], this.#lengths[index]);
  }

  #mapPages(length: number, done: () => void): void {
    const { node, pageMapping } = this.#options;
    const cost = node.chargeTimes(pageMapping!, Math.ceil(length / PAGE_SIZE));
    const number = this.#mappingCount++;
    this.#mappings.set(number, done);
    node.cpu.submit(Priority.task, cost, this, MAPPED, number);
  }

  #pagesMapped(index: number): void {
    const done = this.#mappings.get(index)!;
    this.#mappings.delete(index);
    done();
  }

  #refuse(core: number, reason: string): void {
    this.#reasons[core] = reason;
    this.#options.node.cpu.resume(core, 0, this, REFUSED, core);
  }
}
