// Takes what a device has used off its driver's rings, one chain a step of the CPU; signals stay off until
// a ring is empty.

import { assert } from '../../platform/errors.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { type DriverRing, REAP_BROKEN, REAP_NONE } from '../../platform/virtio/index.ts';

export interface ReaperOptions {
  readonly node: Node;
  readonly name: string;
  isLive(): boolean;
  ringOf(queue: number): DriverRing | undefined;
  /** Names the present making of a ring. */
  epochOf(queue: number): number;
  /** The core that takes a queue's completions. */
  coreOf(queue: number): number;
  /** A chain came back; the length is the ring's. */
  reaped(queue: number, head: number): void;
  /** The ring is empty: nothing more comes back for now. */
  emptied(queue: number): void;
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

  /** A queue has a new ring. */
  forget(queue: number): void {
    this.#busy[queue] = false;
  }

  /** All queues have. */
  clear(): void {
    this.#busy.length = 0;
  }

  deliver(_step: number, queue: number, epoch: number): void {
    const { node, name, isLive, ringOf, epochOf, reaped, broken } = this.#options;
    if (!isLive() || epoch !== epochOf(queue)) return;
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
    const { node, epochOf, coreOf, emptied } = this.#options;
    if (!ring.hasUsed && !ring.enableInterrupts()) {
      this.#busy[queue] = false;
      return emptied(queue);
    }
    const { cpu, timing } = node;
    const cost = node.charge(timing.ringReap) + node.charge(timing.complete);
    cpu.submit(Priority.interrupt, cost, this, 0, queue, epochOf(queue), coreOf(queue));
  }
}
