// What working on rings costs a driver's core. The barriers among cores are in cpu.ringAdd and cpu.ringReap;
// with ORDER_PLATFORM the driver uses those that are fit for hardware instead (virtio 1.4 §6.1), which
// cost more.
import type { Node } from '../../platform/node/index.ts';
import { F } from '../../platform/virtio/index.ts';

export class RingCosts {
  readonly #node: Node;
  readonly #barrier: number;
  #ordersPlatform = false;

  constructor(node: Node) {
    this.#node = node;
    this.#barrier = node.costs.idOf('cpu.platformBarrier');
  }

  /** These features are in force now. */
  negotiated(features: bigint): void {
    this.#ordersPlatform = (features & F.ORDER_PLATFORM) !== 0n;
  }

  /**
   * Charges for chains that are made available in one go: a barrier before each index that says so, and one
   * before the look whether the device wants to be notified.
   */
  add(chains = 1): number {
    return this.#charge(this.#node.timing.ringAdd, chains, chains + 1);
  }

  /** Charges for used elements that are taken: a barrier after each index that tells of one. */
  reap(elements = 1): number {
    return this.#charge(this.#node.timing.ringReap, elements, elements);
  }

  #charge(constant: number, count: number, barriers: number): number {
    const work = this.#node.chargeTimes(constant, count);
    if (!this.#ordersPlatform || count === 0) return work;
    return work + this.#node.chargeTimes(this.#barrier, barriers);
  }
}
