// All queues of a driver: those of its own, numbered from 0, and behind them the administration virtqueue
// if the device has one. They are set up one after another and share one piece of memory.
import type { DeviceInfo, QueueSetup } from '../../platform/contracts/index.ts';
import { F } from '../../platform/virtio/index.ts';
import { AdminSession } from './admin-session.ts';
import type { RingCosts } from './ring-costs.ts';
import { RingSet, type RingSetOptions } from './ring-set.ts';

export interface DriverQueuesOptions extends RingSetOptions {
  /** Names what the administration virtqueue reports. */
  readonly name: string;
  readonly costs: RingCosts;
}

export class DriverQueues {
  /** Rings of the driver's own queues. */
  readonly own: RingSet;
  readonly admin: AdminSession;
  readonly #options: DriverQueuesOptions;
  #features = 0n;
  /** Queues of the driver's own. */
  #count = 0;
  #askedAgain = false;
  /** Where the memory of rings and buffers begins in own RAM, 0 without any, and its length. */
  #memory = 0;
  #memoryLength = 0;

  constructor(options: DriverQueuesOptions) {
    this.#options = options;
    this.own = new RingSet({ ...options, mapsBuffers: true });
    this.admin = new AdminSession(options);
  }

  /** Bytes of rings and what belongs to them. */
  get bytes(): number {
    return this.own.bytes + this.admin.bytes;
  }

  /** Begins anew under these features. */
  plan(features: bigint): void {
    this.#features = features;
    this.#options.costs.negotiated(features);
    this.#askedAgain = false;
    this.own.plan(features);
    this.admin.plan(features, null);
  }

  /**
   * Plans `count` queues of the driver's own; returns how many there are with that of administration. Null
   * asks for the device's information again: some transports tell only now, ADMIN_VQ being taken, where
   * the queue is.
   */
  planCount(count: number, { adminStart, adminCount }: DeviceInfo): number | null {
    this.#count = count;
    if ((this.#features & F.ADMIN_VQ) === 0n) return count;
    if (adminCount > 0) {
      this.admin.plan(this.#features, adminStart);
      return count + 1;
    }
    if (this.#askedAgain) return count;
    this.#askedAgain = true;
    return null;
  }

  /** Index of the queue that is set up as the n-th. */
  indexAt(position: number): number {
    return position < this.#count ? position : this.admin.queue!;
  }

  /** What the device is told of the queue that is set up as the n-th. */
  setupAt(position: number): QueueSetup {
    return position < this.#count ? this.own.setup(position) : this.admin.setup();
  }

  /** The device allows so many entries in this queue. */
  sized(index: number, sizeMax: number): void {
    if (index === this.admin.queue) this.admin.sized(sizeMax);
    else this.own.add(index, sizeMax);
  }

  /** Where the rings and what belongs to them end in own RAM. */
  get end(): number {
    return this.#memory + this.bytes;
  }

  /** Address of memory of before a reset, if that will do; null if so much must be taken. */
  memoryOf(length: number): number | null {
    if (this.#memory !== 0 && length <= this.#memoryLength) return this.#memory;
    this.#memoryLength = length;
    return null;
  }

  /** What is added from now on becomes available by `release`. */
  hold(): void {
    this.own.hold();
    this.admin.hold();
  }

  release(): void {
    this.own.release();
    this.admin.release();
  }

  /** The memory is given back. */
  forgetMemory(): void {
    this.#memory = 0;
  }

  /** Takes `bytes` of memory from this address in own RAM on. */
  place(address: number): void {
    this.#memory = address;
    // What lies behind the rings are buffers of requests.
    this.#options.transport.mapping?.restrict(this.end, this.#memoryLength - this.bytes);
    this.own.place(address);
    this.admin.place(address + this.own.bytes);
  }
}
