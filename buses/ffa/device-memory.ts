// The driver's memory as the device's end reaches it: through areas of FF-A handles, or through page grants.
import type { DmaPort, SharedRegion, Statistics } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import { DMA_DATA, DMA_REFUSED, type OrderedLink, SharedMemoryPort } from '../common/index.ts';
import type { DeviceAreas } from './device-areas.ts';
import { DeviceGrants } from './device-grants.ts';
import type { FfaPlan } from './options.ts';
import { PartitionRegions } from './partition-regions.ts';

export interface DeviceMemoryOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  /** The areas that are announced and retrieved. */
  areas(): DeviceAreas;
  /** Sends a packet to the driver's node, for the hypervisor to answer. */
  post(packet: Packet, kind: number, a: number, b: number, delay: number): void;
  /** Answers a call to the SPMC that the VM has made. */
  answerSpmc(kind: number, a: number, b: number): void;
  /** Sends a message that waited for a mapping. */
  forward(bytes: Uint8Array, length: number): void;
}

export class DeviceMemory {
  readonly #port: SharedMemoryPort;
  readonly #grants: DeviceGrants | null;
  readonly #regions: PartitionRegions;

  constructor({ node, plan, areas, post, answerSpmc, forward }: DeviceMemoryOptions) {
    const granted = plan.options.memory === 'grants';
    this.#port = new SharedMemoryPort({
      node,
      ownerNode: plan.driver,
      ownerPort: plan.driverPort,
      window: (address) =>
        granted
          ? { handle: Math.floor(address / PAGE_SIZE), length: PAGE_SIZE }
          : areas().find(address),
      offset: (address) => (granted ? address % PAGE_SIZE : areas().offset(address)),
    });
    this.#regions = new PartitionRegions({ node, plan, link: this.link, answer: answerSpmc });
    const line = () => node.charge(node.timing.lineLatency);
    this.#grants = granted
      ? new DeviceGrants({
          node,
          plan,
          inner: this.#port,
          post: (packet, kind, a, b) => post(packet, kind, a, b, line()),
          forward,
        })
      : null;
  }

  get dma(): DmaPort {
    return this.#grants?.dma ?? this.#port;
  }

  /** The way of data to the driver's node. */
  get link(): OrderedLink {
    return this.#port.link;
  }

  shareRegion(region: SharedRegion): number {
    return this.#regions.share(region);
  }

  /** Takes a message that must not overtake data that waits; false when none does. */
  holds(bytes: Uint8Array, length: number): boolean {
    return this.#grants?.holds(bytes, length) ?? false;
  }

  /** Takes a packet that is about memory; false for others. */
  receive(packet: Packet): boolean {
    if (packet.kind !== DMA_DATA && packet.kind !== DMA_REFUSED) {
      return this.#regions.receive(packet) || (this.#grants?.receive(packet) ?? false);
    }
    this.#port.receive(packet);
    return true;
  }

  /** One of the two sides is no more: nothing is mapped. */
  discard(): void {
    this.#grants?.discard();
  }

  statistics(): Statistics {
    return {
      ...this.#port.statistics(),
      dmaRefused: this.#port.refusals + (this.#grants?.dma.refusals ?? 0),
      grantMappings: this.#grants?.dma.mappings ?? 0,
      ...this.#port.link.statistics('device'),
    };
  }
}
