// Shared memory regions of the partition's devices: each is shared with the VM by an FF-A handle of its own, under
// which the VM retrieves it. Kept on the partition's node, where the SPMC answers the VM's calls.
import type { SharedRegion } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { MemoryHandles } from '../../platform/memory/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import {
  noteStore,
  type OrderedLink,
  REGION_KINDS,
  REGION_READ,
  REGION_WRITE,
  SharedMemoryTarget,
} from '../common/index.ts';
import type { FfaPlan } from './options.ts';
import { MEM_RELINQUISH, MEM_RETRIEVE, MEM_RETRIEVE_REPLY } from './packets.ts';

export interface PartitionRegionsOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  /** The way of the partition's data to the VM. */
  readonly link: OrderedLink;
  /** Answers the VM's call to the SPMC. */
  answer(kind: number, a: number, b: number): void;
}

export class PartitionRegions {
  readonly #options: PartitionRegionsOptions;
  readonly #handles = new MemoryHandles();
  readonly #shared: SharedRegion[] = [];
  readonly #target: SharedMemoryTarget;

  constructor(options: PartitionRegionsOptions) {
    this.#options = options;
    const { node, plan, link } = options;
    this.#target = new SharedMemoryTarget({
      node,
      handles: this.#handles,
      borrowerNode: plan.driver,
      borrowerPort: plan.driverPort,
      name: plan.name,
      borrower: 'the driver side',
      link,
      written: (address, length) => noteStore(this.#shared, address, length),
      kinds: REGION_KINDS,
    });
  }

  /** FFA_MEM_SHARE, before anybody asks; returns the handle. */
  share(region: SharedRegion): number {
    const { address, length } = region;
    this.#shared.push(region);
    const pages = Math.ceil(length / PAGE_SIZE);
    return this.#handles.share(address, pages, this.#options.plan.driver, true);
  }

  /** Takes a packet that is about regions; false for others. */
  receive(packet: Packet): boolean {
    const { plan, answer } = this.#options;
    const { kind, a: handle } = packet;
    if (kind === REGION_READ || kind === REGION_WRITE) this.#target.receive(packet);
    else if (kind === MEM_RETRIEVE) {
      answer(MEM_RETRIEVE_REPLY, this.#handles.retrieve(handle, plan.driver), handle);
    } else if (kind === MEM_RELINQUISH) this.#handles.relinquish(handle, plan.driver);
    else return false;
    return true;
  }
}
