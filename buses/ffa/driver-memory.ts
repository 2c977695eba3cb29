// Memory of the driver's node as the partition may reach it: the handles under which it is shared, the
// areas made of them, and the partition's accesses.
import type { DriverBusClient, RegionMap, Statistics } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { FaultInjector } from '../../platform/faults/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { MemoryHandles, SHARING_MODES } from '../../platform/memory/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { DMA_READ, DMA_WRITE, type OrderedLink, SharedMemoryTarget } from '../common/index.ts';
import { type Announcement, DriverAreas } from './driver-areas.ts';
import { DriverGrants } from './driver-grants.ts';
import { type FfaBody, type FfaMessageOf, FfaResult, SHARING_ATTRIBUTES } from './messages.ts';
import type { FfaPlan } from './options.ts';
import { MEM_RELINQUISH, MEM_RETRIEVE, MEM_RETRIEVE_REPLY } from './packets.ts';
import type { FfaTiming } from './timing.ts';
import { VmRegions } from './vm-regions.ts';

export interface DriverMemoryOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  readonly timing: FfaTiming;
  readonly faults: FaultInjector;
  /** Sends a bus message. */
  send(message: FfaBody): void;
  /** Sends a packet to the peer, on the hypervisor's behalf. */
  post(packet: Packet, kind: number, a: number, delay: number, b: number): void;
  /** Constant: one way to the SPMC or hypervisor. */
  readonly switchTime: number;
}

export class DriverMemory {
  readonly handles: MemoryHandles;
  readonly #options: DriverMemoryOptions;
  /** Where memory for devices comes from: areas that are shared, or pages that are granted. */
  readonly #areas: DriverAreas | null;
  readonly #grants: DriverGrants | null;
  readonly #target: SharedMemoryTarget;
  readonly #regions: VmRegions;

  constructor(options: DriverMemoryOptions) {
    this.#options = options;
    const { node, plan, post } = options;
    const borrower = `${plan.deviceName} over ${plan.name}`;
    this.handles = new MemoryHandles({ memory: node.memory, borrower });
    const granted = plan.options.memory === 'grants';
    const line = () => node.charge(node.timing.lineLatency);
    this.#grants = granted
      ? new DriverGrants({
          node,
          plan,
          post: (packet, kind, a, b) => post(packet, kind, a, line(), b),
        })
      : null;
    this.#areas = granted ? null : this.#makeAreas();
    this.#target = new SharedMemoryTarget({
      node,
      handles: this.#grants?.guard ?? this.handles,
      borrowerNode: plan.device,
      borrowerPort: plan.devicePort,
      name: plan.name,
      borrower: plan.deviceName,
    });
    this.#regions = new VmRegions({
      ...{ node, plan, timing: options.timing, link: this.link },
      call: (kind, handle, behindData) => this.#callSpmc(kind, handle, 0, behindData),
    });
  }

  #makeAreas(): DriverAreas {
    const { node, plan, timing, faults, send } = this.#options;
    const { areaSize, rings, buffers } = plan.options;
    return new DriverAreas({
      node,
      timing,
      handles: this.handles,
      faults,
      borrower: plan.device,
      areaSize,
      commonMode: rings,
      turnMode: buffers,
      announce: (announcement) => this.#announce(announcement),
      withdraw: (areaId) => send({ type: 'req.AREA_UNSHARE', body: { areaId } }),
    });
  }

  get #source(): DriverAreas | DriverGrants {
    return (this.#areas ?? this.#grants)!;
  }

  /** The way of data to the device. */
  get link(): OrderedLink {
    return this.#target.link;
  }

  /** Regions of the partition's devices. */
  get regions(): RegionMap {
    return this.#regions.map;
  }

  get areaCount(): number {
    return this.#source.count;
  }

  /** Pages that were donated and will not come back. */
  get pagesDonated(): number {
    return this.#areas?.pagesDonated ?? 0;
  }

  /** Memory cannot be shared again after a loss: some was donated. */
  get donates(): boolean {
    const { rings, buffers } = this.#options.plan.options;
    return rings === 'donate' || buffers === 'donate';
  }

  allocate(client: DriverBusClient, length: number, common: number): void {
    this.#source.allocate(client, length, common);
  }

  /** The partition is away. */
  suspend(): void {
    this.#source.suspend();
  }

  /** Shares all areas anew; `done` tells whether the partition took them. */
  renew(done: (taken: boolean) => void): void {
    // Grants stay, for whoever comes.
    if (this.#areas === null) done(true);
    else this.#areas.renew(done);
  }

  /** The VM is down, and the partition has given everything back. */
  forget(): void {
    this.#source.forget();
  }

  release(client: DriverBusClient): void {
    this.#source.release(client);
  }

  busAddress(address: number): number {
    const mapped = this.#source.busAddress(address);
    assert(mapped >= 0, 'a bus address was asked for memory that was not given');
    return mapped;
  }

  /** Takes a packet that is about memory; false for others. */
  receive(packet: Packet): boolean {
    const { plan } = this.#options;
    if (packet.kind === DMA_READ || packet.kind === DMA_WRITE) this.#target.receive(packet);
    else if (packet.kind === MEM_RETRIEVE) {
      // The SPMC maps the memory for the partition, if it was shared with it.
      const pages = this.handles.retrieve(packet.a, plan.device, SHARING_MODES[packet.c]);
      this.#callSpmc(MEM_RETRIEVE_REPLY, pages, packet.b, false);
    } else if (packet.kind === MEM_RELINQUISH) this.handles.relinquish(packet.a, plan.device);
    else return this.#regions.receive(packet) || (this.#grants?.receive(packet) ?? false);
    return true;
  }

  statistics(): Statistics {
    return { ...this.link.statistics('driver'), ...this.#regions.statistics() };
  }

  /** The partition has answered AREA_SHARE. Returns false when that was not asked. */
  shareAnswered({ areaId, result }: FfaMessageOf<'res.AREA_SHARE'>['body']): boolean {
    return this.#areas?.answered(areaId, result === FfaResult.SUCCESS) ?? false;
  }

  /** The partition answered AREA_SHARE with an ERROR. */
  shareRefused(): void {
    this.#areas?.refused();
  }

  /** The partition has given an area back, asked or by itself. */
  unshared(areaId: number): void {
    this.#areas?.unshared(areaId);
  }

  /** To the SPMC, or from it to the partition; perhaps behind all that the VM has stored. */
  #callSpmc(kind: number, a: number, b: number, behindData: boolean): void {
    const { node, switchTime, post } = this.#options;
    const delay = node.charge(switchTime);
    const extra = behindData ? this.link.orderingDelay(delay) : 0;
    post(node.kernel.packets.acquire(0), kind, a, delay + extra, b);
  }

  #announce({ areaId, handle, pageCount, mode }: Announcement): void {
    const memHandle = BigInt(handle);
    const sharingAttributes = SHARING_ATTRIBUTES | SHARING_MODES.indexOf(mode);
    const body = { areaId, memHandle, memTag: 0n, pageCount, sharingAttributes };
    this.#options.send({ type: 'req.AREA_SHARE', body });
  }
}
