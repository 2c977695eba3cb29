// Shared memory regions as the VM has them: retrieved by FF-A handle, and relinquished when the device is reset or
// lost.
import type { RegionMap, Statistics } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, type Node, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import { DriverRegions, type OrderedLink } from '../common/index.ts';
import type { FfaPlan } from './options.ts';
import { MEM_RELINQUISH, MEM_RETRIEVE, MEM_RETRIEVE_REPLY } from './packets.ts';
import type { FfaTiming } from './timing.ts';

export interface VmRegionsOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  readonly timing: FfaTiming;
  /** The way of the VM's data to the partition. */
  readonly link: OrderedLink;
  /** Makes a call to the SPMC. */
  call(kind: number, handle: number, behindData: boolean): void;
}

/** Told whether the handle could be retrieved. */
type Done = (reason: string | null) => void;

export class VmRegions implements CpuClient {
  readonly #options: VmRegionsOptions;
  readonly #regions: DriverRegions;
  /** Retrievals under way, by handle. */
  readonly #retrieving = new Map<number, Done>();

  constructor(options: VmRegionsOptions) {
    this.#options = options;
    const { node, plan, link, call } = options;
    this.#regions = new DriverRegions({
      node,
      plan,
      link,
      byHandle: true,
      retrieve: (handle, length, done) => this.#retrieve(handle, length, done),
      // What is on its way to the region still gets there.
      relinquish: (handle) => call(MEM_RELINQUISH, handle, true),
    });
  }

  get map(): RegionMap {
    return this.#regions;
  }

  /** Takes a packet that is about regions; false for others. */
  receive(packet: Packet): boolean {
    if (packet.kind !== MEM_RETRIEVE_REPLY) return this.#regions.receive(packet);
    const { a: pages, b: handle } = packet;
    const done = this.#retrieving.get(handle);
    this.#retrieving.delete(handle);
    done?.(pages < 0 ? `the memory of handle ${handle} could not be retrieved` : null);
    return true;
  }

  /** FFA_MEM_RETRIEVE_REQ has been prepared. */
  deliver(handle: number): void {
    if (this.#retrieving.has(handle)) this.#options.call(MEM_RETRIEVE, handle, false);
  }

  statistics(): Statistics {
    return this.#regions.statistics();
  }

  #retrieve(handle: number, length: number, done: Done): void {
    const { node, timing } = this.#options;
    const pages = Math.ceil(length / PAGE_SIZE);
    this.#retrieving.set(handle, done);
    const cost = node.charge(timing.memRetrieve) + node.chargeTimes(timing.memPage, pages);
    node.cpu.submit(Priority.task, cost, this, handle);
  }
}
