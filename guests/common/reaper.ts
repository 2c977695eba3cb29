// Takes what a device has used off its driver's rings, one chain a step of the CPU; signals stay off until
// a ring is empty. Where buffers are mapped for each request, it pays for that.
import type { BufferMapping } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { type DriverRing, REAP_BROKEN, REAP_NONE } from '../../platform/virtio/index.ts';
import type { RingCosts } from './ring-costs.ts';

const REAP = 0;
const PAID = 1;

export interface ReaperOptions {
  readonly node: Node;
  readonly name: string;
  readonly costs: RingCosts;
  /** How buffers are mapped for requests, if they are. */
  mapping(): BufferMapping | null;
  isLive(): boolean;
  ringOf(queue: number): DriverRing | undefined;
  /** Names the present making of a ring. */
  epochOf(queue: number): number;
  /** The core that takes a queue's completions. */
  coreOf(queue: number): number;
  /** A chain came back; the length is the ring's. */
  reaped(queue: number, head: number): void;
  /** Nothing is left to do on a queue: the device may be told of what was added meanwhile. */
  settled(queue: number): void;
  /** A used element names no chain. */
  broken(): void;
}

export class Reaper implements CpuClient {
  readonly #options: ReaperOptions;
  readonly #busy: boolean[] = [];

  constructor(options: ReaperOptions) {
    this.#options = options;
  }

  /** True while chains are being taken off a ring. */
  isBusy(queue: number): boolean {
    return this.#busy[queue] === true;
  }

  /** The device has used buffers of a queue. */
  used(queue: number): void {
    const ring = this.#options.ringOf(queue);
    if (ring === undefined || this.isBusy(queue)) return;
    this.#busy[queue] = true;
    ring.disableInterrupts();
    this.#next(queue, ring);
  }

  /**
   * Works off what the mapping of buffers has cost. Returns false when it was nothing; otherwise the device
   * is to be notified only after that, when the queue is `settled`.
   */
  paysFirst(queue: number): boolean {
    const cost = this.#options.mapping()?.takeCost() ?? 0;
    if (cost > 0) this.#work(PAID, queue, cost, Priority.task);
    return cost > 0;
  }

  /** A queue has a new ring. */
  forget(queue: number): void {
    this.#busy[queue] = false;
  }

  /** All queues have. */
  clear(): void {
    this.#busy.length = 0;
  }

  deliver(step: number, queue: number, epoch: number): void {
    const { isLive, epochOf, settled } = this.#options;
    if (!isLive() || epoch !== epochOf(queue)) return;
    if (step === PAID) settled(queue);
    else this.#reap(queue);
  }

  #reap(queue: number): void {
    const { node, name, isLive, ringOf, reaped, broken } = this.#options;
    const ring = ringOf(queue)!;
    const head = ring.reap();
    if (head === REAP_BROKEN) {
      node.violations.report('BAD_DESCRIPTOR', `${name}: a used element names no chain`);
      return broken();
    }
    assert(head !== REAP_NONE, 'a used element was there before');
    reaped(queue, head);
    // Whoever was told may have reset the device or the queue.
    if (isLive() && ring === ringOf(queue)) this.#next(queue, ring);
  }

  #next(queue: number, ring: DriverRing): void {
    const { node, costs, mapping, settled } = this.#options;
    if (!ring.hasUsed && !ring.enableInterrupts()) {
      this.#busy[queue] = false;
      return settled(queue);
    }
    // Nobody looks at data before the device can't write them any more.
    ring.unmapUsed();
    const work = costs.reap() + node.charge(node.timing.complete);
    this.#work(REAP, queue, work + (mapping()?.takeCost() ?? 0));
  }

  #work(step: number, queue: number, cost: number, priority: Priority = Priority.interrupt): void {
    const { node, epochOf, coreOf } = this.#options;
    node.cpu.submit(priority, cost, this, step, queue, epochOf(queue), coreOf(queue));
  }
}
