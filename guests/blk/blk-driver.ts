// The virtio-blk driver (virtio 1.4 §5.2.6): each request is a chain of header, data and status byte.
// Data buffers lie in memory shared with the device, so nothing is copied on the driver's side.

import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { Milestone, Priority } from '../../platform/node/index.ts';
import {
  BLK_CONFIG,
  BLK_CONFIG_SIZE_LEAST,
  BLK_DEVICE_ID,
  BLK_F,
  BLK_HEADER_SIZE,
  BLK_S,
  BLK_T,
  SECTOR_SIZE,
} from '../../platform/virtio/index.ts';
import { FIRST_OWN_STEP, SlotTable, VirtioDriver } from '../common/index.ts';

/** Queue size asked for; the device may have less. */
const QUEUE_SIZE = 256;
const STEP_SUBMIT = FIRST_OWN_STEP;
/** Segments of a chain: header, data, status. */
const SEGMENTS = 3;
/** Bytes before the data of a slot: header, status byte, and padding to a 64-byte line. */
const SLOT_HEADER = 64;
const STATUS_OFFSET = BLK_HEADER_SIZE;
/** Data of a page or more begins at a page, like a page-cache page. */
const PAGE = 4096;

/** Status of a request that the driver ended because the device was lost. */
export const BLK_LOST = -1;

/** Whoever uses a disk. */
export interface BlkClient {
  /** The disk can be used; its size in bytes. */
  blkReady(capacity: number): void;
  /** A request is over: BLK_S or BLK_LOST. `latency` in ps. */
  blkCompleted(slot: number, status: number, latency: number): void;
  /** The disk is lost; requests under way have been completed with BLK_LOST. */
  blkDown(reason: string): void;
}

export class BlkDriver extends VirtioDriver {
  readonly #slots = new SlotTable<BlkClient>();
  #buffers = 0;
  #headers = 0;
  #pendingSubmits = 0;
  #type = new Int32Array(0);
  #offset = new Float64Array(0);
  #length = new Int32Array(0);
  #since = new Float64Array(0);
  #sinceKey = new Float64Array(0);
  #busy = new Uint8Array(0);
  #slotOfHead = new Int32Array(0);
  /** Slots that found the ring full, oldest first. */
  readonly #waiting: number[] = [];

  constructor(environment: DriverEnvironment) {
    super(environment, {
      deviceId: BLK_DEVICE_ID,
      queueCount: 1,
      queueSize: QUEUE_SIZE,
      features: BLK_F.SEG_MAX | BLK_F.BLK_SIZE | BLK_F.FLUSH,
      configSize: BLK_CONFIG_SIZE_LEAST,
      segmentsMax: SEGMENTS,
    });
  }

  /** Reserves slots for a client, with data buffers of this size. Only before the device is live. */
  reserve(client: BlkClient, count: number, dataBytes: number): number {
    return this.#slots.reserve(client, count, dataBytes, dataBytes >= PAGE ? PAGE : 64);
  }

  /** Address of a slot's data buffer in own RAM. */
  dataAddress(slot: number): number {
    return this.#buffers + this.#slots.offsetOf(slot);
  }

  /** Starts a request. Its data, for a write, is in the slot's buffer already. */
  submit(slot: number, type: number, offset: number, length: number): void {
    const { kernel, cpu, timing } = this.node;
    this.#type[slot] = type;
    this.#offset[slot] = offset;
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

  protected override bufferBytes(start: number): number {
    return dataStart(start, this.#slots.count) - start + this.#slots.bytes;
  }

  protected override wentLive(buffers: number): void {
    const { count } = this.#slots;
    this.#headers = buffers;
    this.#buffers = dataStart(buffers, count);
    this.#type = new Int32Array(count);
    this.#offset = new Float64Array(count);
    this.#length = new Int32Array(count);
    this.#since = new Float64Array(count);
    this.#sinceKey = new Float64Array(count);
    this.#busy = new Uint8Array(count);
    this.#slotOfHead = new Int32Array(this.rings[0].size).fill(-1);
    const view = new DataView(this.config.buffer);
    const capacity = Number(view.getBigUint64(BLK_CONFIG.capacity, true)) * SECTOR_SIZE;
    for (const { client } of this.#slots.ranges) client.blkReady(capacity);
  }

  protected override wentDown(reason: string): void {
    this.#pendingSubmits = 0;
    this.#waiting.length = 0;
    for (let slot = 0; slot < this.#busy.length; slot++) {
      if (this.#busy[slot] === 1) this.#finish(slot, BLK_LOST);
    }
    for (const { client } of this.#slots.ranges) client.blkDown(reason);
  }

  protected override work(_step: number, slot: number): void {
    if (!this.live) return;
    this.#pendingSubmits--;
    const [ring] = this.rings;
    if (ring.hasRoom(SEGMENTS)) this.#add(slot);
    else if (ring.freeCount < ring.size) this.#waiting.push(slot);
    // A ring that is empty and still too small will never have room.
    else this.#finish(slot, BLK_S.IOERR);
    this.kick(0);
  }

  protected override completed(queue: number, head: number, _written: number, use: number): void {
    const slot = this.#slotOfHead[head];
    const status = this.node.memory.readU8(this.#headers + SLOT_HEADER * slot + STATUS_OFFSET);
    this.node.milestones?.mark(this.index, queue, head, use, Milestone.completed);
    while (this.#waiting.length > 0 && this.rings[0].hasRoom(SEGMENTS)) {
      this.#add(this.#waiting.shift()!);
    }
    this.#finish(slot, status);
  }

  #add(slot: number): void {
    const { memory } = this.node;
    const { transport } = this;
    const [ring] = this.rings;
    const header = this.#headers + SLOT_HEADER * slot;
    const type = this.#type[slot];
    memory.writeU32(header, type);
    memory.writeU32(header + 4, 0);
    memory.writeU64(header + 8, this.#offset[slot] / SECTOR_SIZE);
    memory.writeU8(header + STATUS_OFFSET, 0xff);
    ring.addSegment(transport.busAddress(header), BLK_HEADER_SIZE, false);
    const length = this.#length[slot];
    if (length > 0) {
      ring.addSegment(transport.busAddress(this.dataAddress(slot)), length, type !== BLK_T.OUT);
    }
    ring.addSegment(transport.busAddress(header + STATUS_OFFSET), 1, true);
    const head = ring.commit();
    this.#slotOfHead[head] = slot;
    const use = this.countUse(0, head);
    this.node.milestones?.mark(this.index, 0, head, use, Milestone.submitted, {
      key: this.#sinceKey[slot],
      at: this.#since[slot],
    });
    this.node.milestones?.mark(this.index, 0, head, use, Milestone.published);
  }

  #finish(slot: number, status: number): void {
    this.#busy[slot] = 0;
    const latency = this.node.kernel.now - this.#since[slot];
    this.#slots.clientOf(slot).blkCompleted(slot, status, latency);
  }
}

/** Where data begins, behind the headers of so many slots: at the next page. */
function dataStart(headers: number, slots: number): number {
  return Math.ceil((headers + slots * SLOT_HEADER) / PAGE) * PAGE;
}
