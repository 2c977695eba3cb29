// The virtio-blk driver (virtio 1.4 §5.2.6): each request is a chain of header, data and status byte.
// Data buffers lie in memory shared with the device, so nothing is copied on the driver's side. A device
// that fails is reset, and what it had not completed is submitted again.

import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { ANY_CORE, Milestone, Priority } from '../../platform/node/index.ts';
import {
  BLK_CONFIG,
  BLK_CONFIG_SIZE_LEAST,
  BLK_DEVICE_ID,
  BLK_F,
  BLK_RANGE_TYPES,
  BLK_S,
  BLK_T,
} from '../../platform/virtio/index.ts';
import { FIRST_OWN_STEP, FlushLedger, SlotTable, VirtioDriver, Watchdog } from '../common/index.ts';
import { BLK_LOST, type BlkClient } from './blk-client.ts';
import type { BlockDriver } from './block-driver.ts';
import { capacityOf, configBytes, type DiskInfo, readDiskInfo } from './disk-info.ts';
import {
  type DiskRange,
  dataAlignment,
  dataStart,
  RequestSlots,
  SlotState,
} from './request-slots.ts';

const STEP_SUBMIT = FIRST_OWN_STEP;
/** Segments of a chain whose data is one piece: header, data, status. */
const SEGMENTS = 3;
const FEATURES = Object.values(BLK_F).reduce((sum, feature) => sum | feature, 0n);

export class BlkDriver extends VirtioDriver implements BlockDriver {
  /** What the disk has said of itself. */
  disk: DiskInfo = readDiskInfo(new Uint8Array(BLK_CONFIG_SIZE_LEAST), 0n);
  readonly #slots = new SlotTable<BlkClient>();
  readonly #watchdog: Watchdog;
  readonly #ledger = new FlushLedger();
  readonly #requests: RequestSlots;
  #buffers = 0;
  /** Users have been told that the disk can be used. */
  #ready = false;
  /** The device is being reset, and requests wait for it. */
  #interrupted = false;
  /** The cache mode that was chosen, which a reset undoes; null when nobody has chosen one. */
  #writeBack: boolean | null = null;
  /** Called once the device has shown its cache mode after it was chosen. */
  #modeShown: (() => void) | null = null;
  // By queue: slots by chain, submissions on a CPU, slots that found the ring full (oldest first), and
  // whether the queue is being reset.
  #slotOfHead: Int32Array[] = [];
  #pendingSubmits = new Int32Array(0);
  #waiting: number[][] = [];
  #stopped: boolean[] = [];

  constructor(environment: DriverEnvironment) {
    super(environment, {
      deviceId: BLK_DEVICE_ID,
      queueCount: 1,
      features: FEATURES,
      configSize: BLK_CONFIG_SIZE_LEAST,
      segmentsMax: SEGMENTS,
      repeatsChains: true,
    });
    const { costs, memory } = this.node;
    this.#requests = new RequestSlots(memory, this.transport);
    this.#watchdog = new Watchdog({
      node: this.node,
      name: this.name,
      timeout: costs.value(costs.idOf('blk.requestTimeout')),
      expired: () => this.#expired(),
    });
  }

  /** Reserves slots for a client, with data buffers of this size. Only before the device is live. */
  reserve(client: BlkClient, count: number, dataBytes: number): number {
    return this.#slots.reserve(client, count, dataBytes, dataAlignment(dataBytes));
  }

  /** Address of a slot's data buffer in own RAM. */
  dataAddress(slot: number): number {
    return this.#buffers + this.#slots.offsetOf(slot);
  }

  /**
   * Starts a request. Its data, for a write, is in the slot's buffer already. A discard, write zeroes and
   * secure erase have one range, of `length` bytes.
   */
  submit(slot: number, type: number, offset: number, length: number): void {
    if (BLK_RANGE_TYPES.has(type)) this.#requests.ranges[slot] = [{ offset, length }];
    this.#submit(slot, type, offset, length);
  }

  /**
   * Starts a discard, write zeroes or secure erase of several ranges. More than two of them take 16 bytes
   * each of the slot's buffer.
   */
  submitRanges(slot: number, type: number, ranges: readonly DiskRange[]): void {
    this.#requests.ranges[slot] = ranges;
    const total = ranges.reduce((sum, { length }) => sum + length, 0);
    this.#submit(slot, type, ranges[0]?.offset ?? 0, total);
  }

  #submit(slot: number, type: number, offset: number, length: number): void {
    const { kernel, timing } = this.node;
    const requests = this.#requests;
    requests.type[slot] = type;
    requests.offset[slot] = offset;
    requests.length[slot] = length;
    requests.since[slot] = kernel.now;
    requests.sinceKey[slot] = kernel.currentKey;
    this.#start(slot, this.node.charge(timing.submit) + this.ringCosts.add());
  }

  /** Where the append of a slot has put its data, in bytes from the start of the disk. */
  appendedAt(slot: number): number {
    return this.#requests.appendedAt(slot);
  }

  /** Chooses the cache mode; `done` tells whether the device lets the driver choose, and has done so. */
  setWriteBack(on: boolean, done: (obeyed: boolean) => void = () => {}): void {
    if (!this.live || (this.features & BLK_F.CONFIG_WCE) === 0n) return done(false);
    this.#writeBack = on;
    this.#modeShown = () => done(this.disk.writesBack === on);
    this.#writeMode(on);
  }

  #writeMode(on: boolean): void {
    this.writeConfig(BLK_CONFIG.writeback, Uint8Array.of(on ? 1 : 0));
  }

  protected override get plugged(): boolean {
    return false;
  }

  protected override pluggedQueue(queue: number): boolean {
    return this.#pendingSubmits[queue] > 0;
  }

  protected override bufferBytes(start: number): number {
    return dataStart(start, this.#slots.count) - start + this.#slots.bytes;
  }

  /** Headers and status bytes, but not the data. */
  protected override commonBytes(start: number): number {
    return dataStart(start, this.#slots.count) - start;
  }

  protected override configWanted(): number {
    return configBytes(this.features);
  }

  protected override queuesWanted(): number {
    const { queues } = readDiskInfo(this.config, this.features);
    return Math.min(queues, this.info!.queuesMax);
  }

  /** Each of several queues belongs to a core, which submits to it and takes its completions. */
  protected override coreOf(queue: number): number {
    return this.rings.length === 1 ? ANY_CORE : queue % this.node.cpu.count;
  }

  protected override wentLive(buffers: number): void {
    const { count } = this.#slots;
    const { capacity } = this.disk;
    this.disk = readDiskInfo(this.config, this.features);
    this.#buffers = this.#requests.place(buffers, count);
    this.#slotOfHead = this.rings.map(({ size }) => new Int32Array(size));
    this.#waiting = this.rings.map(() => []);
    this.#stopped = this.rings.map(() => false);
    if (this.#ready) return this.#cameBack(capacity);
    this.#ready = true;
    this.#interrupted = false;
    this.#pendingSubmits = new Int32Array(this.rings.length);
    this.#requests.clear(count);
    for (const { client } of this.#slots.ranges) client.blkReady(this.disk.capacity);
  }

  protected override wentDown(reason: string): void {
    this.#ready = false;
    this.#interrupted = false;
    this.#watchdog.clear();
    // First, so that nobody submits another request for each that fails.
    for (const { client } of this.#slots.ranges) client.blkDown(reason);
    const { state } = this.#requests;
    for (let slot = 0; slot < state.length; slot++) {
      if (state[slot] !== SlotState.idle) this.#finish(slot, BLK_LOST);
    }
    this.#tellMode();
  }

  /** What the device has not completed waits for the device to come back. */
  protected override interrupted(): void {
    this.#interrupted = true;
    this.#watchdog.clear();
    this.#ledger.failed();
    const lost = this.#requests.unrepeatable(this.disk);
    const { state } = this.#requests;
    for (let slot = 0; slot < state.length; slot++) {
      if (state[slot] === SlotState.withDevice) state[slot] = SlotState.waiting;
    }
    for (const slot of lost) this.#finish(slot, BLK_LOST);
  }

  protected override queueStopped(queue: number): void {
    this.#stopped[queue] = true;
  }

  protected override queueRestarted(queue: number): void {
    this.#stopped[queue] = false;
    this.#slotOfHead[queue] = new Int32Array(this.rings[queue].size);
    this.#waiting[queue].length = 0;
    const lost = this.#requests.unrepeatable(this.disk);
    for (const slot of this.#requests.unfinished()) {
      if (this.#queueOf(slot) !== queue) continue;
      if (lost.includes(slot)) this.#finish(slot, BLK_LOST);
      else this.#again(slot);
    }
  }

  protected override configurationChanged(offset: number, length: number): void {
    const { capacity } = BLK_CONFIG;
    if (this.concerns(offset, length, capacity, 8)) this.readConfig(capacity, 8);
  }

  protected override configRead(offset: number, data: Uint8Array): void {
    if (offset === BLK_CONFIG.capacity) return this.#resize(capacityOf(data));
    this.disk = { ...this.disk, writesBack: this.disk.flushes && data[0] === 1 };
    if (this.#interrupted) this.#goOn();
    this.#tellMode();
  }

  protected override configWritten(offset: number): void {
    // What the device shows is what counts, whether the write was applied or not.
    if (offset === BLK_CONFIG.writeback) this.readConfig(offset, 1);
  }

  protected override work(_step: number, slot: number): void {
    const queue = this.#queueOf(slot);
    if (this.#pendingSubmits[queue] > 0) this.#pendingSubmits[queue]--;
    const { state } = this.#requests;
    if (state[slot] !== SlotState.submitting) return;
    if (this.#interrupted) state[slot] = SlotState.waiting;
    else if (!this.live) this.#finish(slot, BLK_LOST);
    else this.#hand(slot, queue);
  }

  protected override completed(queue: number, head: number, _written: number, use: number): void {
    const slot = this.#slotOfHead[queue][head];
    const status = this.#requests.statusOf(slot);
    this.node.milestones?.mark(this.index, queue, head, use, Milestone.completed);
    const type = this.#requests.type[slot];
    if (status === BLK_S.OK && type === BLK_T.OUT && this.disk.writesBack) this.#ledger.wrote();
    if (status === BLK_S.OK && type === BLK_T.FLUSH) this.#ledger.flushed(slot);
    const waiting = this.#waiting[queue];
    while (waiting.length > 0 && !this.#stopped[queue] && this.#hasRoom(waiting[0], queue)) {
      this.#add(waiting.shift()!, queue);
    }
    this.#finish(slot, status);
  }

  #queueOf(slot: number): number {
    return slot % Math.max(1, this.rings.length);
  }

  #start(slot: number, cost: number): void {
    const queue = this.#queueOf(slot);
    const { state } = this.#requests;
    if (state[slot] === SlotState.withDevice) this.#watchdog.ended();
    state[slot] = SlotState.submitting;
    this.#pendingSubmits[queue]++;
    const { cpu } = this.node;
    cpu.submit(Priority.task, cost, this, STEP_SUBMIT, slot, 0, this.coreOf(queue));
  }

  /** Submits a request once more. */
  #again(slot: number): void {
    this.#start(slot, this.ringCosts.add());
  }

  /** The device is back after a reset; nothing is written before its cache mode is right. */
  #cameBack(capacityBefore: number): void {
    const { capacity, writesBack } = this.disk;
    for (const { client } of this.#slots.ranges) {
      client.blkRecovered?.();
      if (capacity !== capacityBefore) client.blkResized?.(capacity);
    }
    if (this.#writeBack === null || this.#writeBack === writesBack) {
      this.#tellMode();
      return this.#goOn();
    }
    this.#writeMode(this.#writeBack);
  }

  #tellMode(): void {
    const shown = this.#modeShown;
    this.#modeShown = null;
    shown?.();
  }

  #goOn(): void {
    this.#interrupted = false;
    const unfinished = this.#requests.unfinished();
    // With nothing to do it has done all it can.
    if (unfinished.length === 0) this.proven();
    for (const slot of unfinished) this.#again(slot);
  }

  #resize(capacity: number): void {
    if (capacity === this.disk.capacity) return;
    this.disk = { ...this.disk, capacity };
    for (const { client } of this.#slots.ranges) client.blkResized?.(capacity);
  }

  /** Gives a request to the device, lets it wait, or ends it when the device needs not be asked. */
  #hand(slot: number, queue: number): void {
    const ring = this.rings[queue];
    const lost = this.#requests.type[slot] === BLK_T.FLUSH && this.#ledger.takeLoss();
    const status = lost
      ? BLK_S.IOERR
      : this.#requests.refusal(slot, this.disk, this.#slots.bytesOf(slot));
    if (status >= 0) this.#finish(slot, status);
    else if (!this.#stopped[queue] && this.#hasRoom(slot, queue)) this.#add(slot, queue);
    else if (this.#stopped[queue] || ring.freeCount < ring.size) this.#wait(slot, queue);
    // A ring that is empty and still too small will never have room.
    else this.#finish(slot, BLK_S.IOERR);
    if (this.live && !this.#stopped[queue]) this.kick(queue);
  }

  #wait(slot: number, queue: number): void {
    this.#requests.state[slot] = SlotState.waiting;
    this.#waiting[queue].push(slot);
  }

  #hasRoom(slot: number, queue: number): boolean {
    return this.rings[queue].hasRoom(this.#requests.segments(slot, this.disk));
  }

  #add(slot: number, queue: number): void {
    const { node } = this;
    const requests = this.#requests;
    const head = requests.add(slot, this.rings[queue], this.disk, this.dataAddress(slot));
    this.#slotOfHead[queue][head] = slot;
    requests.state[slot] = SlotState.withDevice;
    this.#watchdog.began();
    if (requests.type[slot] === BLK_T.FLUSH) this.#ledger.flushing(slot);
    const use = this.countUse(queue, head);
    node.milestones?.mark(this.index, queue, head, use, Milestone.submitted, {
      key: requests.sinceKey[slot],
      at: requests.since[slot],
    });
    node.milestones?.mark(this.index, queue, head, use, Milestone.published);
  }

  #finish(slot: number, status: number): void {
    const { state, since } = this.#requests;
    const withDevice = state[slot] === SlotState.withDevice;
    state[slot] = SlotState.idle;
    if (withDevice) this.#watchdog.ended();
    const latency = this.node.kernel.now - since[slot];
    this.#slots.clientOf(slot).blkCompleted(slot, status, latency);
  }

  /** Nothing has come back for too long. */
  #expired(): void {
    // A device that is suspended answers nothing.
    if (this.suspended) return;
    // The signal may have got lost while the work was done.
    const answered = [...this.rings.keys()].filter((queue) => this.rings[queue].hasUsed);
    for (const queue of answered) this.used(queue);
    if (answered.length > 0) return;
    this.node.violations.report('TIMEOUT', `${this.name}: requests were not answered in time`);
    this.recover();
  }
}
