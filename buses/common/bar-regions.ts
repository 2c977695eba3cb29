// Regions of shared memory behind a BAR of a card: a load is as many non-posted reads as it takes, of at most 64 bytes
// and one after another, for each of which the core waits; a store is posted writes.
import type { RegionClient, RegionMap, RegionMapClient } from '../../platform/contracts/index.ts';
import { type CpuClient, copyBytes, type Node } from '../../platform/node/index.ts';
import { type LoadClient, pcieTimingIds, type RootPort } from '../../platform/pcie/index.ts';
import { type MappedRegion, MappedRegions } from './mapped-regions.ts';

/** Bytes that a core moves at once. */
const ACCESS_MAX = 64;

export interface BarRegionsOptions {
  readonly node: Node;
  /** Name of the bus. */
  readonly name: string;
  readonly port: RootPort;
}

export class BarRegions implements RegionMap, LoadClient, CpuClient {
  readonly #options: BarRegionsOptions;
  readonly #mapped: MappedRegions;
  readonly #coreAccess: number;
  /** Address of the BAR with the regions, of which places are offsets. */
  #bar = 0;
  // Loads under way, by number: no more than there are cores.
  readonly #clients: (RegionClient | null)[] = [];
  readonly #tags: number[] = [];
  readonly #addresses: number[] = [];
  readonly #lengths: number[] = [];
  readonly #done: number[] = [];
  readonly #bytes: Uint8Array[] = [];

  constructor(options: BarRegionsOptions) {
    this.#options = options;
    const { node, name } = options;
    this.#mapped = new MappedRegions(node, name);
    this.#coreAccess = pcieTimingIds(node.costs).coreAccess;
  }

  /** System software has placed the BAR. */
  placed(address: number): void {
    this.#bar = address;
  }

  map(device: number, place: number, length: number, client: RegionMapClient): void {
    if (this.#bar === 0) return client.regionMapped(0, 'the function has no BAR for regions');
    const address = this.#bar + place;
    this.open({ device, place, handle: 0, address, length });
    client.regionMapped(address, null);
  }

  /** Maps a region of which everything is known. */
  open(region: MappedRegion): void {
    if (this.#mapped.find(region.address) === null) this.#mapped.add(region);
  }

  unmap(device: number): void {
    this.#mapped.remove(device);
  }

  load(address: number, length: number, client: RegionClient, tag: number): void {
    const free = this.#clients.indexOf(null);
    const index = free < 0 ? this.#clients.length : free;
    this.#clients[index] = client;
    this.#tags[index] = tag;
    this.#addresses[index] = address;
    this.#lengths[index] = length;
    this.#done[index] = 0;
    if ((this.#bytes[index]?.length ?? -1) < length) this.#bytes[index] = new Uint8Array(length);
    const refusal = this.#mapped.refusal(address, length, false);
    if (refusal === null) return this.#next(index);
    const { cpu } = this.#options.node;
    cpu.resume(cpu.hold(), 0, this, index);
  }

  store(address: number, source: Uint8Array, from: number, length: number): boolean {
    if (this.#mapped.refusal(address, length, true) !== null) return false;
    for (let done = 0; done < length; ) {
      const step = stepAt(address, done, length);
      this.#options.port.store(address + done, source, from + done, step);
      done += step;
    }
    return true;
  }

  storeCost(length: number): number {
    return this.#options.node.chargeTimes(this.#coreAccess, Math.ceil(length / ACCESS_MAX));
  }

  loaded(index: number, bytes: Uint8Array, length: number): void {
    copyBytes(bytes, 0, this.#bytes[index], this.#done[index], length);
    this.#done[index] += length;
    if (this.#done[index] < this.#lengths[index]) return this.#next(index);
    this.#take(index).loaded(this.#tags[index], this.#bytes[index], this.#lengths[index]);
  }

  /** What comes of a read that nobody answers is all ones; the root port tells that it is no data. */
  unanswered(index: number): void {
    this.#take(index).loadRefused(this.#tags[index], 'nobody has answered');
  }

  /** A core hears that its load was refused. */
  deliver(index: number): void {
    this.#take(index).loadRefused(this.#tags[index], 'no region is mapped there');
  }

  #next(index: number): void {
    const address = this.#addresses[index];
    const done = this.#done[index];
    const step = stepAt(address, done, this.#lengths[index]);
    this.#options.port.load(address + done, step, this, index);
  }

  #take(index: number): RegionClient {
    const client = this.#clients[index]!;
    this.#clients[index] = null;
    return client;
  }
}

/** Bytes of the next access: it crosses no line. */
function stepAt(address: number, done: number, length: number): number {
  const inLine = ACCESS_MAX - ((address + done) % ACCESS_MAX);
  return Math.min(inLine, length - done);
}
