// What drivers share whose requests each have a slot on one queue: submission, waiting for room in the
// ring, timing, timeouts, and failing what is under way when the device is lost.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { Milestone, Priority } from '../../platform/node/index.ts';
import type { DriverTraits } from './driver-traits.ts';
import { SlotTable } from './slots.ts';
import { FIRST_OWN_STEP, VirtioDriver } from './virtio-driver.ts';
import { Watchdog } from './watchdog.ts';

/** How a request came to its end. */
export const RequestEnd = {
  /** The device has returned it; whether it succeeded is in its status. */
  returned: 0,
  /** It took too long. Its slot can be used again once the device has returned it. */
  timedOut: 1,
  /** The device was lost. */
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
  #slotOfHead = new Int32Array(0);
  /** Slots that found the ring full, oldest first. */
  readonly #waiting: number[] = [];

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
  /** A chain of the slot came back with so many bytes written. */
  protected returned(_slot: number, _written: number): void {}
  /** A request is over; `latency` in ps. */
  protected abstract ended(slot: number, end: RequestEnd, latency: number): void;
  /** Everybody who uses the device is to be told that it can be used. */
  protected abstract tellReady(): void;
  protected abstract tellDown(reason: string): void;

  /** Starts the request of a slot, made of this many chains. */
  protected begin(slot: number, chains: number): void {
    const { kernel, cpu, timing } = this.node;
    this.#since[slot] = kernel.now;
    this.#sinceKey[slot] = kernel.currentKey;
    this.#busy[slot] = 1;
    this.#pendingSubmits++;
    const cost = this.node.charge(timing.submit) + this.node.chargeTimes(timing.ringAdd, chains);
    cpu.submit(Priority.task, cost, this, STEP_SUBMIT, slot);
  }

  /** Makes the chain just built on the request queue available. */
  protected addChain(slot: number): void {
    const head = this.rings[0].commit();
    this.#slotOfHead[head] = slot;
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
    this.#since = new Float64Array(count);
    this.#sinceKey = new Float64Array(count);
    this.#busy = new Uint8Array(count);
    this.#submitted = new Uint8Array(count);
    this.#outstanding = new Int32Array(count);
    this.#slotOfHead = new Int32Array(this.rings[0].size).fill(-1);
    this.tellReady();
  }

  protected override wentDown(reason: string): void {
    this.#pendingSubmits = 0;
    this.#waiting.length = 0;
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
    // The slot's memory is still the device's: an earlier request on it was given up.
    if (this.#outstanding[slot] > 0) this.#end(slot, RequestEnd.timedOut);
    else if (this.hasRoom(slot)) this.#add(slot);
    else this.#waiting.push(slot);
    this.kick(0);
  }

  protected override completed(queue: number, head: number, written: number, use: number): void {
    const slot = this.#slotOfHead[head];
    this.returned(slot, written);
    this.node.milestones?.mark(this.index, queue, head, use, Milestone.completed);
    while (this.#waiting.length > 0 && this.hasRoom(this.#waiting[0])) {
      this.#add(this.#waiting.shift()!);
    }
    if (--this.#outstanding[slot] > 0 || this.#submitted[slot] === 0) return;
    this.#submitted[slot] = 0;
    this.#watchdog.ended();
    this.#end(slot, RequestEnd.returned);
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
