// The device's side of memory by Xen page grants: pages are mapped at their first use and kept. What is sent
// after a write that waits for a mapping waits, too.
import type { DmaPort } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { FrameQueue } from '../common/index.ts';
import { GrantPort } from '../xen/index.ts';
import type { FfaPlan } from './options.ts';
import { GRANT_MAP, GRANT_MAPPED, GRANT_RELEASE, GRANT_UNMAP, GRANTS_LOST } from './packets.ts';

export interface DeviceGrantsOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  /** What moves the bytes, once the pages may be reached. */
  readonly inner: DmaPort;
  /** Sends a packet to the hypervisor, which answers for the granting domain. */
  post(packet: Packet, kind: number, a: number, b: number): void;
  /** Sends a message that was held. */
  forward(bytes: Uint8Array, length: number): void;
}

export class DeviceGrants implements CpuClient {
  readonly dma: GrantPort;
  readonly #options: DeviceGrantsOptions;
  readonly #held: FrameQueue;
  /** Counts domains, one after the other: what one has asked for, the next does not get. */
  #life = 0;

  constructor(options: DeviceGrantsOptions) {
    this.#options = options;
    const { node, plan, inner, post } = options;
    this.#held = new FrameQueue(plan.options.maxMessageSize);
    this.dma = new GrantPort({
      node,
      name: `${plan.name}.grants`,
      mode: 'map',
      inner,
      send: (_kind, count, _, packet) => post(packet!, GRANT_MAP, count, this.#life),
      drained: () => this.#forwardHeld(),
    });
  }

  /** Takes a message that must not overtake what waits; false when nothing does. */
  holds(bytes: Uint8Array, length: number): boolean {
    if (!this.dma.isBusy && this.#held.length === 0) return false;
    this.#held.push(bytes, length);
    return true;
  }

  /** Takes a packet that is about grants; false for others. */
  receive(packet: Packet): boolean {
    if (packet.kind === GRANT_MAPPED) {
      if (packet.b === this.#life) this.dma.answered(packet);
    } else if (packet.kind === GRANT_RELEASE) this.#release(packet.a, packet.b);
    else return false;
    return true;
  }

  /** The domain is no more, or the other one is: nothing is mapped. */
  discard(): void {
    this.#life++;
    this.#held.clear();
    this.dma.discard();
    const { node, post } = this.#options;
    post(node.kernel.packets.acquire(0), GRANTS_LOST, 0, 0);
  }

  /** Pages are unmapped. */
  deliver(first: number, pages: number): void {
    const { node, post } = this.#options;
    post(node.kernel.packets.acquire(0), GRANT_UNMAP, first, pages);
  }

  #release(first: number, pages: number): void {
    const { node } = this.#options;
    const mapped = this.dma.forget(first, pages);
    const cost = node.chargeTimes(node.costs.idOf('xen.grantUnmap'), mapped);
    node.cpu.submit(Priority.task, cost, this, first, pages);
  }

  #forwardHeld(): void {
    while (this.#held.length > 0 && !this.dma.isBusy) {
      const { bytes, length } = this.#held.shift();
      this.#options.forward(bytes, length);
    }
  }
}
