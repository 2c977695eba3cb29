// What reporting and hinting of free pages have in common: one queue, one request at a time, and the memory
// that is taken meanwhile.
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { BALLOON_PAGE } from '../../platform/virtio/index.ts';
import type { RingCosts } from '../common/index.ts';
import { BLOCK_BYTES, FreePages } from './free-pages.ts';

export interface FreePageOwner {
  readonly node: Node;
  /** What the driver's work on rings costs. */
  readonly ringCosts: RingCosts;
  readonly name: string;
  readonly live: boolean;
  /** Segments that a chain of the queue may have. */
  segmentsMax(queue: number): number;
  /** Makes a chain of segments available on a queue and tells the device. */
  offer(queue: number, addresses: readonly number[], length: number, writable: boolean): void;
}

export class FreePageQueue implements CpuClient {
  protected readonly pages: FreePages;
  readonly #owner: FreePageOwner;
  readonly #queue: number;
  readonly #guestPage: number;
  readonly #waiting: {
    readonly addresses: readonly number[];
    readonly length: number;
    readonly writable: boolean;
  }[] = [];

  constructor(owner: FreePageOwner, queue: number) {
    this.#owner = owner;
    this.#queue = queue;
    this.#guestPage = owner.node.costs.idOf('balloon.guestPage');
    this.pages = new FreePages(owner.node.memory);
  }

  /** Sends the next free pages; false when there are no more. */
  protected sendPages(): boolean {
    const addresses = this.pages.take(this.#owner.segmentsMax(this.#queue));
    if (addresses.length === 0) return false;
    const pages = (addresses.length * BLOCK_BYTES) / BALLOON_PAGE;
    const { node } = this.#owner;
    const cost = node.chargeTimes(this.#guestPage, pages);
    this.#send({ addresses, length: BLOCK_BYTES, writable: true }, cost);
    return true;
  }

  /** Sends bytes of the driver's own. */
  protected sendBytes(address: number, length: number): void {
    this.#send({ addresses: [address], length, writable: false }, 0);
  }

  /** Gives back pages that the device has heard of. Returns false when there are none. */
  releaseHeard(): boolean {
    return this.pages.releaseHeard();
  }

  /** Forgets what was to be sent, and gives all pages back. */
  protected clear(): void {
    this.#waiting.length = 0;
    this.pages.release();
  }

  /** The CPU has built the request. */
  deliver(): void {
    const request = this.#waiting.shift();
    if (request === undefined || !this.#owner.live) return;
    this.#owner.offer(this.#queue, request.addresses, request.length, request.writable);
  }

  #send(
    request: {
      readonly addresses: readonly number[];
      readonly length: number;
      readonly writable: boolean;
    },
    cost: number,
  ): void {
    this.#waiting.push(request);
    const { node, ringCosts } = this.#owner;
    const work = node.charge(node.timing.submit) + ringCosts.add() + cost;
    node.cpu.submit(Priority.task, work, this, 0);
  }
}
