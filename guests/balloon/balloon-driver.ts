// The virtio-balloon driver (virtio 1.4 §5.5): gives pages of the node's own memory to the device and
// takes them back, so that their number follows the device's target, and reports statistics.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { RunError } from '../../platform/errors.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { Milestone, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import {
  BALLOON_CONFIG,
  BALLOON_DEVICE_ID,
  BALLOON_F,
  BALLOON_PAGE,
  BALLOON_PFN_SIZE,
  BALLOON_QUEUE,
  BALLOON_STAT,
  balloonConfig,
  balloonStat,
} from '../../platform/virtio/index.ts';
import { readU32, writeU32 } from '../../platform/wire/index.ts';
import { FIRST_OWN_STEP, VirtioDriver } from '../common/index.ts';
import { type BalloonEffect, type BalloonEvent, balloonChart } from './balloon-chart.ts';

const QUEUE_SIZE = 128;
/** Pages of one request at the most. */
export const BATCH_PAGES = 256;
const LIST_BYTES = BATCH_PAGES * BALLOON_PFN_SIZE;
/** Bytes kept for statistics. */
const STATISTICS_BYTES = 64;

const STEP_REQUEST = FIRST_OWN_STEP;
const STEP_STATISTICS = FIRST_OWN_STEP + 1;

/** Whoever wants to know what the balloon does. */
export interface BalloonClient {
  balloonReady(): void;
  /** The target has changed, or is there for the first time. */
  balloonTarget(pages: number): void;
  /** The balloon has the size it is to have; `held` pages are in it. */
  balloonSettled(held: number): void;
  /** Pages came back out of the balloon: memory may be free now. */
  balloonReleased(): void;
  /** What the device's configuration says, as asked for by `inspect`. */
  balloonInspected(numPages: number, actual: number): void;
  balloonDown(reason: string): void;
}

export class BalloonDriver extends VirtioDriver {
  readonly #clients: BalloonClient[] = [];
  readonly #chartOf: Chart<unknown, BalloonEvent>;
  readonly #guestPage: number;
  /** Addresses of the pages in the balloon, the last one in being the first out. */
  readonly #held: number[] = [];
  /** Pages of the request under way. */
  readonly #moving: number[] = [];
  #buffers = 0;
  #target = 0;
  /** What the device was last told to be in the balloon, and what it is being told. */
  #told = 0;
  #telling = 0;
  /** The configuration has changed since it was read. */
  #stale = false;
  /** Reads of the configuration under way, oldest first: true for one that a client asked for. */
  readonly #reads: boolean[] = [];
  /** Pages that the guest needs back, whatever the target. */
  #needed = 0;
  /** Pages were taken back in need: no more are given until the device asks for another number. */
  #relieved = false;
  /** When and in which event the request under way was begun. */
  #since = 0;
  #sinceKey = 0;
  readonly #data = new Uint8Array(Math.max(LIST_BYTES, STATISTICS_BYTES));

  constructor(environment: DriverEnvironment) {
    super(environment, {
      deviceId: BALLOON_DEVICE_ID,
      queueCount: 2,
      queueSize: QUEUE_SIZE,
      features: BALLOON_F.MUST_TELL_HOST | BALLOON_F.STATS_VQ | BALLOON_F.DEFLATE_ON_OOM,
      configSize: balloonConfig.fixedSize,
      segmentsMax: 1,
    });
    const { node } = this;
    this.#guestPage = node.costs.idOf('balloon.guestPage');
    this.#chartOf = node.charts.start(balloonChart, {
      name: `${this.name}.balloon`,
      input: { retryInterval: node.costs.value(node.costs.idOf('balloon.retryInterval')) },
      perform: (effect: BalloonEffect) => this.#do(effect),
    });
    this.#chartOf.begin();
  }

  /** Adds somebody who wants to know. Only before the device is live. */
  watch(client: BalloonClient): void {
    this.#clients.push(client);
  }

  /** Pages in the balloon. */
  get held(): number {
    return this.#held.length;
  }

  /**
   * The guest is out of memory and needs this many pages. Returns false when the balloon can't help:
   * it is empty, or the device does not allow it.
   */
  outOfMemory(pages: number): boolean {
    const allowed = (this.features & BALLOON_F.DEFLATE_ON_OOM) !== 0n;
    if (!allowed || !this.live || this.#held.length + this.#moving.length === 0) return false;
    this.#needed = Math.max(this.#needed, pages);
    this.#chartOf.send({ type: 'CHANGED' });
    return true;
  }

  /** Asks for what the device's configuration says. */
  inspect(): void {
    this.#read(true);
  }

  protected override queuesWanted(): number {
    return (this.features & BALLOON_F.STATS_VQ) !== 0n ? 3 : 2;
  }

  protected override get plugged(): boolean {
    return false;
  }

  protected override bufferBytes(): number {
    return LIST_BYTES + STATISTICS_BYTES;
  }

  protected override wentLive(buffers: number): void {
    this.#buffers = buffers;
    this.#told = 0;
    this.#needed = 0;
    this.#relieved = false;
    this.#stale = false;
    this.#reads.length = 0;
    if (this.rings.length > BALLOON_QUEUE.stats) this.#reportStatistics();
    for (const client of this.#clients) client.balloonReady();
    this.#setTarget(readU32(this.config, BALLOON_CONFIG.numPages));
    this.#chartOf.send({ type: 'START' });
  }

  /** A device that is lost has no use for pages, nor can it give any back. */
  protected override wentDown(reason: string): void {
    this.#chartOf.send({ type: 'STOP' });
    for (const page of this.#held) this.node.memory.free(page, PAGE_SIZE);
    for (const page of this.#moving) this.node.memory.free(page, PAGE_SIZE);
    this.#held.length = 0;
    this.#moving.length = 0;
    for (const client of this.#clients) client.balloonDown(reason);
  }

  protected override configurationChanged(): void {
    this.#stale = true;
    this.#relieved = false;
    this.#chartOf.send({ type: 'CHANGED' });
  }

  protected override configRead(_offset: number, data: Uint8Array): void {
    const numPages = readU32(data, BALLOON_CONFIG.numPages);
    if (this.#reads.shift()) {
      const actual = readU32(data, BALLOON_CONFIG.actual);
      for (const client of this.#clients) client.balloonInspected(numPages, actual);
      return;
    }
    this.#setTarget(numPages);
    this.#chartOf.send({ type: 'READ' });
  }

  /** A write that was refused came from an older generation: read first, then write again. */
  protected override configWritten(_offset: number, applied: boolean): void {
    if (applied) this.#told = this.#telling;
    this.#chartOf.send({ type: applied ? 'TOLD' : 'REFUSED' });
  }

  protected override work(step: number, queue: number): void {
    if (!this.live) return;
    if (step === STEP_STATISTICS) this.#addStatistics();
    else this.#addRequest(queue);
  }

  protected override completed(queue: number, head: number, _written: number, use: number): void {
    // The device keeps statistics until it wants others: that is no request that takes so long.
    if (queue === BALLOON_QUEUE.stats) return this.#reportStatistics();
    this.node.milestones?.mark(this.index, queue, head, use, Milestone.completed);
    if (queue === BALLOON_QUEUE.inflate) this.#held.push(...this.#moving);
    else this.#release();
    this.#moving.length = 0;
    this.#chartOf.send({ type: 'USED' });
    if (queue === BALLOON_QUEUE.deflate) {
      for (const client of this.#clients) client.balloonReleased();
    }
  }

  #do(effect: BalloonEffect): void {
    switch (effect.type) {
      case 'read':
        this.#stale = false;
        return this.#read(false);
      case 'choose':
        return this.#choose();
      case 'inflate':
        return this.#inflate();
      case 'deflate':
        return this.#deflate();
      case 'tell':
        return this.#tell();
      case 'settled':
        for (const client of this.#clients) client.balloonSettled(this.#held.length);
    }
  }

  #read(forClient: boolean): void {
    this.#reads.push(forClient);
    this.readConfig(0, balloonConfig.fixedSize);
  }

  #choose(): void {
    const held = this.#held.length;
    const chart = this.#chartOf;
    if (this.#stale) chart.send({ type: 'REREAD' });
    else if (this.#needed > 0 && held > 0) chart.send({ type: 'DEFLATE' });
    else if (held > this.#target) chart.send({ type: 'DEFLATE' });
    else if (held < this.#target && !this.#relieved) chart.send({ type: 'INFLATE' });
    else if (held !== this.#told) chart.send({ type: 'TELL' });
    else chart.send({ type: 'SETTLED' });
  }

  #inflate(): void {
    const wanted = Math.min(BATCH_PAGES, this.#target - this.#held.length);
    for (let i = 0; i < wanted; i++) {
      const page = this.#takePage();
      if (page < 0) break;
      this.#moving.push(page);
    }
    if (this.#moving.length === 0) return this.#chartOf.send({ type: 'STARVED' });
    this.#request(BALLOON_QUEUE.inflate);
  }

  #deflate(): void {
    const surplus = this.#held.length - this.#target;
    const wanted = Math.max(surplus, Math.min(this.#needed, this.#held.length));
    if (this.#needed > 0) this.#relieved = true;
    const count = Math.min(BATCH_PAGES, wanted);
    this.#needed = Math.max(0, this.#needed - count);
    for (let i = 0; i < count; i++) this.#moving.push(this.#held.pop()!);
    if (this.#held.length === 0) this.#needed = 0;
    this.#request(BALLOON_QUEUE.deflate);
  }

  #tell(): void {
    this.#telling = this.#held.length;
    const data = new Uint8Array(4);
    writeU32(data, 0, this.#telling);
    this.writeConfig(BALLOON_CONFIG.actual, data);
  }

  #setTarget(pages: number): void {
    this.#target = pages;
    for (const client of this.#clients) client.balloonTarget(pages);
  }

  /** A page of the guest's memory, or -1 when there is none to spare. */
  #takePage(): number {
    try {
      return this.node.memory.allocate(BALLOON_PAGE, PAGE_SIZE);
    } catch (error) {
      if (error instanceof RunError && error.code === 'MEMORY') return -1;
      throw error;
    }
  }

  #release(): void {
    for (const page of this.#moving) this.node.memory.free(page, PAGE_SIZE);
  }

  /** Sends the numbers of the moving pages, once the allocator's work is done. */
  #request(queue: number): void {
    const { node } = this;
    this.#since = node.kernel.now;
    this.#sinceKey = node.kernel.currentKey;
    const cost =
      node.charge(node.timing.submit) +
      node.charge(node.timing.ringAdd) +
      node.chargeTimes(this.#guestPage, this.#moving.length);
    node.cpu.submit(Priority.task, cost, this, STEP_REQUEST, queue);
  }

  #addRequest(queue: number): void {
    const length = this.#moving.length * BALLOON_PFN_SIZE;
    for (let i = 0; i < this.#moving.length; i++) {
      writeU32(this.#data, i * BALLOON_PFN_SIZE, this.#moving[i] / BALLOON_PAGE);
    }
    this.node.memory.copyIn(this.#buffers, this.#data, 0, length);
    const head = this.#add(queue, this.#buffers, length);
    const use = this.countUse(queue, head);
    const { milestones } = this.node;
    milestones?.mark(this.index, queue, head, use, Milestone.submitted, {
      key: this.#sinceKey,
      at: this.#since,
    });
    milestones?.mark(this.index, queue, head, use, Milestone.published);
    this.kick(queue);
  }

  /** Statistics are gathered when the device asks for them, by returning the last ones. */
  #reportStatistics(): void {
    const { cpu, timing } = this.node;
    const cost = this.node.charge(timing.submit) + this.node.charge(timing.ringAdd);
    cpu.submit(Priority.task, cost, this, STEP_STATISTICS);
  }

  #addStatistics(): void {
    const { memory } = this.node;
    const entry = { tag: BALLOON_STAT.MEMTOT, val: BigInt(memory.size) };
    const length = balloonStat.encode(entry, this.#data, 0);
    const address = this.#buffers + LIST_BYTES;
    memory.copyIn(address, this.#data, 0, length);
    const queue = BALLOON_QUEUE.stats;
    this.countUse(queue, this.#add(queue, address, length));
    this.kick(queue);
  }

  /** Makes a chain of one segment available and returns its head. */
  #add(queue: number, address: number, length: number): number {
    const ring = this.rings[queue];
    ring.addSegment(this.transport.busAddress(address), length, false);
    return ring.commit();
  }
}
