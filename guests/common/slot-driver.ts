// What drivers share whose requests each have a slot on one queue: submission, waiting for room in the
// ring, timing, timeouts, what becomes of requests under way when the device is reset or lost.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { Milestone } from '../../platform/node/index.ts';
import { type DriverTraits, FIRST_OWN_STEP } from './driver-hooks.ts';
import { SlotTable } from './slots.ts';
import { VirtioDriver } from './virtio-driver.ts';
import { Watchdog } from './watchdog.ts';

/** How a request came to its end. */
export const RequestEnd = {
  /** The device has returned it; whether it succeeded is in its status. */
  returned: 0,
  /** It took too long. Its slot can be used again once the device has returned it. */
  timedOut: 1,
  /** The device was lost, or was reset and nobody knows what it has done. */
  lost: 2,
} as const;
export type RequestEnd = (typeof RequestEnd)[keyof typeof RequestEnd];

export interface SlotDriverTraits extends DriverTraits {
  /** ps without progress after which requests are given up. */
  readonly timeout: number;
}

/** Requests go to queue 0. Steps below this number are the shared parts'. */
export const FIRST_SLOT_DRIVER_STEP = FIRST_OWN_STEP + 1;
const STEP_SUBMIT = FIRST_OWN_STEP;

export abstract class SlotDriver<Client> extends VirtioDriver {
  protected readonly slots = new SlotTable<Client>();
  /** Where the memory for requests begins in own RAM. */
  protected buffers = 0;
  readonly #watchdog: Watchdog;
  #pendingSubmits = 0;
  #since = new Float64Array(0);
  #sinceKey = new Float64Array(0);
  /** 1 while the client waits for the slot. */
  #busy = new Uint8Array(0);
  /** 1 while the request's chains are with the device and the client still waits. */
  #submitted = new Uint8Array(0);
  /** Chains of the slot that the device has not returned. */
  #outstanding = new Int32Array(0);
  /** Slots that found the ring full or the device away, oldest first. */
  readonly #waiting: number[] = [];
  /** The device was live since it was lost, if it ever was. */
  #wasLive = false;
  /** The device is being reset: requests wait until `goOn`. */
  #interrupted = false;

  constructor(environment: DriverEnvironment, traits: SlotDriverTraits) {
    super(environment, traits);
    this.#watchdog = new Watchdog({
      node: this.node,
      name: this.name,
      timeout: traits.timeout,
      expired: () => this.#expired(),
    });
  }

  /** Makes sure that the ring has room for the slot's request. */
  protected abstract hasRoom(slot: number): boolean;
  /** Adds the chains of the slot's request, each with `addChain`. */
  protected abstract add(slot: number): void;
  /** A request that was with the device when it failed can be made once more; otherwise it is lost. */
  protected repeats(_slot: number): boolean {
    return true;
  }
  /** A chain of the slot came back with so many bytes written. */
  protected returned(_slot: number, _written: number): void {}
  /** A request is over; `latency` in ps. */
  protected abstract ended(slot: number, end: RequestEnd, latency: number): void;
  /** Everybody who uses the device is to be told that it can be used. */
  protected abstract tellReady(): void;
  /** The device is back after a reset. Drivers that must tell it things first do so, then `goOn`. */
  protected cameBack(): void {
    this.goOn();
  }
  /** True for slots whose requests are made while the others wait for `goOn`. */
  protected precedes(_slot: number): boolean {
    return false;
  }
  protected abstract tellDown(reason: string): void;

  /** Starts the request of a slot, made of this many chains. */
  protected begin(slot: number, chains: number): void {
    const { kernel, timing } = this.node;
    this.#since[slot] = kernel.now;
    this.#sinceKey[slot] = kernel.currentKey;
    this.#busy[slot] = 1;
    if (this.#interrupted && !this.precedes(slot)) {
      this.#waiting.push(slot);
      return;
    }
    const cost = this.node.charge(timing.submit) + this.ringCosts.add(chains);
    this.#submit(slot, cost);
  }

  /** Makes the chain just built on the request queue available. */
  protected addChain(slot: number): void {
    const head = this.commit(0, slot);
    this.#outstanding[slot]++;
    const use = this.countUse(0, head);
    this.node.milestones?.mark(this.index, 0, head, use, Milestone.submitted, {
      key: this.#sinceKey[slot],
      at: this.#since[slot],
    });
    this.node.milestones?.mark(this.index, 0, head, use, Milestone.published);
  }

  protected override get plugged(): boolean {
    return this.#pendingSubmits > 0;
  }

  protected override wentLive(buffers: number): void {
    const { count } = this.slots;
    this.buffers = buffers;
    if (this.#wasLive) return this.cameBack();
    this.#wasLive = true;
    this.#interrupted = false;
    this.#since = new Float64Array(count);
    this.#sinceKey = new Float64Array(count);
    this.#busy = new Uint8Array(count);
    this.#submitted = new Uint8Array(count);
    this.#outstanding = new Int32Array(count);
    this.tellReady();
  }

  /** Requests that may be made again wait for the device to come back, and so do those not made yet. */
  protected override interrupted(): void {
    this.#interrupted = true;
    this.#pendingSubmits = 0;
    this.#waiting.length = 0;
    this.#watchdog.clear();
    this.#outstanding.fill(0);
    const lost: number[] = [];
    for (const slot of this.#busySlots()) {
      if (this.#submitted[slot] === 1 && !this.repeats(slot)) lost.push(slot);
      else if (!this.precedes(slot)) this.#waiting.push(slot);
      this.#submitted[slot] = 0;
    }
    for (const slot of lost) this.#end(slot, RequestEnd.lost);
  }

  /** Makes the requests that have waited for the device to come back, oldest first. */
  protected goOn(): void {
    this.#interrupted = false;
    const waiting = this.#waiting.splice(0);
    // With nothing to do it has done all it can.
    if (waiting.length === 0) this.proven();
    for (const slot of waiting) this.#submit(slot, this.ringCosts.add());
  }

  protected override wentDown(reason: string): void {
    this.#pendingSubmits = 0;
    this.#waiting.length = 0;
    this.#wasLive = false;
    this.#interrupted = false;
    this.#watchdog.clear();
    for (let slot = 0; slot < this.#busy.length; slot++) {
      this.#submitted[slot] = 0;
      if (this.#busy[slot] === 1) this.#end(slot, RequestEnd.lost);
    }
    this.tellDown(reason);
  }

  protected override work(step: number, slot: number): void {
    if (!this.live || step !== STEP_SUBMIT) return;
    this.#pendingSubmits--;
    if (this.restarts.isStopped(0)) {
      this.#waiting.push(slot);
      return;
    }
    // The slot's memory is still the device's: an earlier request on it was given up.
    if (this.#outstanding[slot] > 0) this.#end(slot, RequestEnd.timedOut);
    else if (this.hasRoom(slot)) this.#add(slot);
    else this.#waiting.push(slot);
    this.kick(0);
  }

  protected override completed(queue: number, head: number, written: number, use: number): void {
    const slot = this.tagOf(queue, head);
    this.returned(slot, written);
    this.node.milestones?.mark(this.index, queue, head, use, Milestone.completed);
    this.#addWaiting();
    if (--this.#outstanding[slot] > 0 || this.#submitted[slot] === 0) return;
    this.#submitted[slot] = 0;
    this.#watchdog.ended();
    this.#end(slot, RequestEnd.returned);
  }

  protected override queueRestarted(_queue: number): void {
    this.#addWaiting();
  }

  #addWaiting(): void {
    if (this.#interrupted || this.restarts.isStopped(0)) return;
    while (this.#waiting.length > 0 && this.hasRoom(this.#waiting[0])) {
      this.#add(this.#waiting.shift()!);
    }
  }

  #submit(slot: number, cost: number): void {
    this.#pendingSubmits++;
    this.later(STEP_SUBMIT, cost, slot);
  }

  /** Slots whose clients wait, oldest request first. */
  #busySlots(): number[] {
    const slots = [...this.#busy.keys()].filter((slot) => this.#busy[slot] === 1);
    return slots.sort((a, b) => this.#since[a] - this.#since[b] || a - b);
  }

  #add(slot: number): void {
    this.#submitted[slot] = 1;
    this.#watchdog.began();
    this.add(slot);
  }

  #end(slot: number, end: RequestEnd): void {
    this.#busy[slot] = 0;
    this.ended(slot, end, this.node.kernel.now - this.#since[slot]);
  }

  #expired(): void {
    // A device that is suspended answers nothing.
    if (this.suspended) return;
    // The signal may have got lost while the work was done.
    if (this.rings[0].hasUsed) return this.used(0);
    this.node.violations.report('TIMEOUT', `${this.name}: requests were not answered in time`);
    for (let slot = 0; slot < this.#busy.length; slot++) {
      if (this.#submitted[slot] === 0) continue;
      this.#submitted[slot] = 0;
      this.#watchdog.ended();
      this.#end(slot, RequestEnd.timedOut);
    }
  }
}
