// The virtio-rng driver (virtio 1.4 §5.4.6): each request is one buffer for the device to fill.

import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { Milestone, Priority } from '../../platform/node/index.ts';
import { RNG_DEVICE_ID } from '../../platform/virtio/index.ts';
import { FIRST_OWN_STEP, SlotTable, VirtioDriver } from '../common/index.ts';

const QUEUE_SIZE = 64;
const STEP_SUBMIT = FIRST_OWN_STEP;

/** Whoever wants random bytes. */
export interface RngClient {
  rngReady(): void;
  /** `length` bytes are in the slot's buffer; -1 when the device was lost. `latency` in ps. */
  rngCompleted(slot: number, length: number, latency: number): void;
  rngDown(reason: string): void;
}

export class RngDriver extends VirtioDriver {
  readonly #slots = new SlotTable<RngClient>();
  #buffers = 0;
  #pendingSubmits = 0;
  #length = new Int32Array(0);
  #since = new Float64Array(0);
  #sinceKey = new Float64Array(0);
  #busy = new Uint8Array(0);
  #slotOfHead = new Int32Array(0);
  /** Slots that found the ring full, oldest first. */
  readonly #waiting: number[] = [];

  constructor(environment: DriverEnvironment) {
    super(environment, {
      deviceId: RNG_DEVICE_ID,
      queueCount: 1,
      queueSize: QUEUE_SIZE,
      features: 0n,
      configSize: 0,
      segmentsMax: 1,
    });
  }

  /** Reserves slots for a client, with buffers of this size. Only before the device is live. */
  reserve(client: RngClient, count: number, bytes: number): number {
    return this.#slots.reserve(client, count, bytes, 64);
  }

  /** Address of a slot's buffer in own RAM. */
  dataAddress(slot: number): number {
    return this.#buffers + this.#slots.offsetOf(slot);
  }

  /** Asks for at most `length` random bytes. */
  submit(slot: number, length: number): void {
    const { kernel, cpu, timing } = this.node;
    this.#length[slot] = length;
    this.#since[slot] = kernel.now;
    this.#sinceKey[slot] = kernel.currentKey;
    this.#busy[slot] = 1;
    this.#pendingSubmits++;
    const cost = this.node.charge(timing.submit) + this.node.charge(timing.ringAdd);
    cpu.submit(Priority.task, cost, this, STEP_SUBMIT, slot);
  }

  protected override get plugged(): boolean {
    return this.#pendingSubmits > 0;
  }

  protected override bufferBytes(): number {
    return Math.max(64, this.#slots.bytes);
  }

  protected override wentLive(buffers: number): void {
    const { count } = this.#slots;
    this.#buffers = buffers;
    this.#length = new Int32Array(count);
    this.#since = new Float64Array(count);
    this.#sinceKey = new Float64Array(count);
    this.#busy = new Uint8Array(count);
    this.#slotOfHead = new Int32Array(this.rings[0].size).fill(-1);
    for (const { client } of this.#slots.ranges) client.rngReady();
  }

  protected override wentDown(reason: string): void {
    this.#pendingSubmits = 0;
    this.#waiting.length = 0;
    for (let slot = 0; slot < this.#busy.length; slot++) {
      if (this.#busy[slot] === 1) this.#finish(slot, -1);
    }
    for (const { client } of this.#slots.ranges) client.rngDown(reason);
  }

  protected override work(_step: number, slot: number): void {
    if (!this.live) return;
    this.#pendingSubmits--;
    if (!this.rings[0].hasRoom(1)) this.#waiting.push(slot);
    else this.#add(slot);
    this.kick(0);
  }

  protected override completed(queue: number, head: number, written: number, use: number): void {
    const slot = this.#slotOfHead[head];
    this.node.milestones?.mark(this.index, queue, head, use, Milestone.completed);
    if (this.#waiting.length > 0) this.#add(this.#waiting.shift()!);
    this.#finish(slot, Math.min(written, this.#length[slot]));
  }

  #add(slot: number): void {
    const [ring] = this.rings;
    const address = this.transport.busAddress(this.dataAddress(slot));
    ring.addSegment(address, this.#length[slot], true);
    const head = ring.commit();
    this.#slotOfHead[head] = slot;
    const use = this.countUse(0, head);
    this.node.milestones?.mark(this.index, 0, head, use, Milestone.submitted, {
      key: this.#sinceKey[slot],
      at: this.#since[slot],
    });
    this.node.milestones?.mark(this.index, 0, head, use, Milestone.published);
  }

  #finish(slot: number, length: number): void {
    this.#busy[slot] = 0;
    const latency = this.node.kernel.now - this.#since[slot];
    this.#slots.clientOf(slot).rngCompleted(slot, length, latency);
  }
}
