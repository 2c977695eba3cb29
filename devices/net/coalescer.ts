// Notification coalescing of one queue (virtio 1.4 §5.1.6.5.9): the driver is told of used buffers when
// there are enough packets of them, or when the first one is old enough, whichever comes first.
import {
  type Component,
  type ComponentId,
  NO_EVENT,
  PS_PER_US,
} from '../../platform/kernel/index.ts';
import type { Node } from '../../platform/node/index.ts';
import type { QueueEngine, SignalGate } from '../common/index.ts';

/** The longest that a notification may be held back; a device refuses more. */
export const COALESCING_USECS_MAX = 1_000_000;

/** What a driver sets. With either of them 0, nothing is held back. */
export interface Coalescing {
  readonly maxPackets: number;
  readonly maxUsecs: number;
}

const NOT_COALESCED: Coalescing = { maxPackets: 0, maxUsecs: 0 };

export class Coalescer implements SignalGate, Component {
  readonly #node: Node;
  readonly #queue: QueueEngine;
  readonly #id: ComponentId;
  #setting = NOT_COALESCED;
  /** Packets returned since the driver was last told, and when the first of them was. */
  #packets = 0;
  #since = 0;
  #due = false;
  #timer = NO_EVENT;

  constructor(node: Node, queue: QueueEngine) {
    this.#node = node;
    this.#queue = queue;
    this.#id = node.add(this);
    queue.gate = this;
  }

  get setting(): Coalescing {
    return this.#setting;
  }

  /** Takes a new setting; what waits is told at once if it would not have to wait under this one. */
  set(setting: Coalescing): void {
    this.#setting = setting;
    this.#stopTimer();
    if (this.#packets === 0) return;
    this.#judge();
    if (this.#due) this.#queue.available();
  }

  returned(): void {
    if (this.#packets++ === 0) this.#since = this.#node.kernel.now;
    if (!this.#due) this.#judge();
  }

  open(): boolean {
    if (!this.#due) return false;
    this.#due = false;
    this.#packets = 0;
    return true;
  }

  stopped(): void {
    this.#stopTimer();
    this.#due = false;
    this.#packets = 0;
  }

  /** The first packet has waited long enough. */
  deliver(): void {
    this.#timer = NO_EVENT;
    this.#due = true;
    this.#queue.available();
  }

  /** Finds out whether what waits is to be told now; if not, the timer runs. */
  #judge(): void {
    const { maxPackets, maxUsecs } = this.#setting;
    const { kernel } = this.#node;
    const left = this.#since + maxUsecs * PS_PER_US - kernel.now;
    this.#due = maxPackets === 0 || left <= 0 || this.#packets >= maxPackets;
    if (this.#due) this.#stopTimer();
    else if (this.#timer === NO_EVENT) this.#timer = kernel.schedule(this.#id, left, 0);
  }

  #stopTimer(): void {
    this.#node.kernel.cancel(this.#timer);
    this.#timer = NO_EVENT;
  }
}

const RECEIVE = 0;
const DIRECTIONS = 2;

/** The settings of all receive and transmit queues, by queue number. */
export class CoalescingTable {
  readonly #queues: readonly QueueEngine[];
  readonly #coalescers: readonly Coalescer[];
  /** What was last set for all receive queues, and for all transmit queues. */
  readonly #common = [NOT_COALESCED, NOT_COALESCED];

  /** `queues` are receive and transmit queues in turn. */
  constructor(node: Node, queues: readonly QueueEngine[]) {
    this.#queues = queues;
    this.#coalescers = queues.map((queue) => new Coalescer(node, queue));
  }

  /** Sets all receive queues, or else all transmit queues. */
  setAll(receive: boolean, setting: Coalescing): void {
    const direction = receive ? RECEIVE : RECEIVE + 1;
    this.#common[direction] = setting;
    for (let i = direction; i < this.#coalescers.length; i += DIRECTIONS) {
      this.#coalescers[i].set(setting);
    }
  }

  /** Sets one queue; false when there is none that is enabled. */
  set(queue: number, setting: Coalescing): boolean {
    if (!this.#enabled(queue)) return false;
    this.#coalescers[queue].set(setting);
    return true;
  }

  /** The setting of a queue; null when there is none that is enabled. */
  get(queue: number): Coalescing | null {
    return this.#enabled(queue) ? this.#coalescers[queue].setting : null;
  }

  /** A queue was disabled; enabled anew, it has the setting of its kind. */
  disabled(queue: number): void {
    this.#coalescers[queue]?.set(this.#common[queue % DIRECTIONS]);
  }

  reset(): void {
    this.setAll(true, NOT_COALESCED);
    this.setAll(false, NOT_COALESCED);
  }

  #enabled(queue: number): boolean {
    return queue < this.#queues.length && this.#queues[queue].setup !== null;
  }
}
