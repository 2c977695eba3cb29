// The virtio-balloon driver (virtio 1.4 §5.5): gives pages of the node's own memory to the device and
// takes them back, so that their number follows the device's target, reports statistics, and tells of free pages.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { Milestone, Priority } from '../../platform/node/index.ts';
import {
  BALLOON_CONFIG,
  BALLOON_CONFIG_SIZE_MIN,
  BALLOON_DEVICE_ID,
  BALLOON_F,
  BALLOON_PAGE,
  BALLOON_PFN_SIZE,
  BALLOON_QUEUE,
  BALLOON_STAT,
  balloonConfig,
  balloonQueueCount,
  balloonStat,
} from '../../platform/virtio/index.ts';
import { readU32, writeU32 } from '../../platform/wire/index.ts';
import { FIRST_OWN_STEP, StaleRange, VirtioDriver } from '../common/index.ts';
import { type BalloonEffect, type BalloonEvent, balloonChart } from './balloon-chart.ts';
import type { BalloonClient } from './balloon-client.ts';
import { BalloonPages } from './balloon-pages.ts';
import type { FreePageOwner } from './free-page-queue.ts';
import { BLOCKS_MAX } from './free-pages.ts';
import { HINT_BYTES, PageHinter } from './page-hinter.ts';
import { PageReporter } from './page-reporter.ts';

/** Pages of one request at the most. */
export const BATCH_PAGES = 256;
const LIST_BYTES = BATCH_PAGES * BALLOON_PFN_SIZE;
/** Bytes kept for statistics. */
const STATISTICS_BYTES = 64;

const STEP_REQUEST = FIRST_OWN_STEP;
const STEP_STATISTICS = FIRST_OWN_STEP + 1;
const STEP_RELEASED = FIRST_OWN_STEP + 2;

/** All that there are. */
const FEATURES = Object.values(BALLOON_F).reduce((all, feature) => all | feature, 0n);

export class BalloonDriver extends VirtioDriver implements FreePageOwner {
  readonly #clients: BalloonClient[] = [];
  readonly #chartOf: Chart<unknown, BalloonEvent>;
  readonly #guestPage: number;
  readonly #reporter: PageReporter;
  readonly #hinter: PageHinter;
  readonly #pages: BalloonPages;
  #buffers = 0;
  #target = 0;
  /** What the device was last told to be in the balloon, and what it is being told. */
  #told = 0;
  #telling = 0;
  /** The configuration has changed since it was read. */
  readonly #stale = new StaleRange();
  /** Reads of the configuration under way, oldest first: true for one that a client asked for. */
  readonly #reads: boolean[] = [];
  /** Pages that the guest needs back, whatever the target. */
  #needed = 0;
  /** Users have been told that the balloon is there. */
  #ready = false;
  /** By queue, the request that waits for the end of the queue's reset. */
  readonly #postponed = new Map<number, () => void>();
  /** Looks at the configuration that clients asked for before the device was reset. */
  #inspections = 0;
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
      features: FEATURES,
      configSize: BALLOON_CONFIG_SIZE_MIN,
      segmentsMax: BLOCKS_MAX,
    });
    const { node } = this;
    this.#guestPage = node.costs.idOf('balloon.guestPage');
    this.#pages = new BalloonPages(node.memory);
    this.#chartOf = node.charts.start(balloonChart, {
      name: `${this.name}.balloon`,
      input: { retryInterval: node.costs.value(node.costs.idOf('balloon.retryInterval')) },
      perform: (effect: BalloonEffect) => this.#do(effect),
    });
    this.#chartOf.begin();
    this.#reporter = new PageReporter(this);
    this.#hinter = new PageHinter(this);
  }

  /** Adds somebody who wants to know. Only before the device is live. */
  watch(client: BalloonClient): void {
    this.#clients.push(client);
  }

  /** Pages in the balloon. */
  get held(): number {
    return this.#pages.held.length;
  }

  /**
   * The guest is out of memory and needs this many pages. Returns false when the balloon can't help:
   * it is empty, or the device does not allow it. Free pages that the device has heard of come back at once.
   */
  outOfMemory(pages: number): boolean {
    const reported = this.#reporter.releaseHeard();
    if (this.#hinter.releaseHeard() || reported) {
      const { node } = this;
      node.cpu.submit(Priority.task, node.charge(this.#guestPage), this, STEP_RELEASED);
      return true;
    }
    const allowed = this.#has(BALLOON_F.DEFLATE_ON_OOM);
    if (!allowed || !this.live || this.#pages.held.length + this.#pages.moving.length === 0)
      return false;
    this.#needed = Math.max(this.#needed, pages);
    this.#chartOf.send({ type: 'CHANGED' });
    return true;
  }

  /** Asks for what the device's configuration says. */
  inspect(): void {
    this.#read(true, { offset: 0, length: this.configWanted() });
  }

  protected override queuesWanted(): number {
    return balloonQueueCount(this.features);
  }

  protected override configWanted(): number {
    const more = this.#has(BALLOON_F.FREE_PAGE_HINT | BALLOON_F.PAGE_POISON);
    return more ? balloonConfig.fixedSize : BALLOON_CONFIG_SIZE_MIN;
  }

  segmentsMax(queue: number): number {
    return this.rings[queue].size;
  }

  offer(queue: number, addresses: readonly number[], length: number, writable: boolean): void {
    if (this.restarts.isStopped(queue)) {
      this.#postponed.set(queue, () => this.offer(queue, addresses, length, writable));
      return;
    }
    const ring = this.rings[queue];
    for (const address of addresses) {
      // Free pages are shared with nobody, nor accessed: they are told of by their place in own RAM.
      const place = writable ? address : this.transport.busAddress(address);
      ring.addSegment(place, length, writable);
    }
    this.countUse(queue, this.commit(queue, 0));
    this.kick(queue);
  }

  protected override queueRestarted(queue: number): void {
    this.#postponed.get(queue)?.();
    this.#postponed.delete(queue);
  }

  protected override get plugged(): boolean {
    return false;
  }

  protected override bufferBytes(): number {
    return LIST_BYTES + STATISTICS_BYTES + HINT_BYTES;
  }

  protected override wentLive(buffers: number): void {
    this.#buffers = buffers;
    this.#told = 0;
    this.#needed = 0;
    this.#relieved = false;
    this.#stale.clear();
    this.#reads.length = 0;
    if (this.#has(BALLOON_F.STATS_VQ)) this.#reportStatistics();
    this.#pages.giveBack();
    if (this.#ready) this.#tellReleased();
    else for (const client of this.#clients) client.balloonReady();
    this.#ready = true;
    this.#setTarget(readU32(this.config, BALLOON_CONFIG.numPages));
    this.#chartOf.send({ type: 'START' });
    if (this.#has(BALLOON_F.PAGE_REPORTING)) this.#reporter.start();
    this.#hinter.start(buffers + LIST_BYTES + STATISTICS_BYTES);
    this.#followHints(this.config);
  }

  /** Once it has been reset the device has no pages, and the balloon is filled anew. */
  protected override interrupted(): void {
    this.#stop();
    for (const forClient of this.#reads.splice(0)) if (forClient) this.#inspections++;
  }

  /** A device that is lost has no use for pages, nor can it give any back. */
  protected override wentDown(reason: string): void {
    this.#ready = false;
    this.#inspections = 0;
    this.#stop();
    this.#pages.giveBack();
    for (const client of this.#clients) client.balloonDown(reason);
  }

  protected override configurationChanged(offset: number, length: number): void {
    this.#stale.mark(offset, length);
    this.#relieved = false;
    this.#chartOf.send({ type: 'CHANGED' });
  }

  protected override configRead(offset: number, data: Uint8Array): void {
    this.config.set(data, offset);
    const numPages = readU32(this.config, BALLOON_CONFIG.numPages);
    this.#followHints(this.config);
    if (this.#reads.shift()) {
      const actual = readU32(this.config, BALLOON_CONFIG.actual);
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
    if (step === STEP_RELEASED) return this.#tellReleased();
    const statistics = step === STEP_STATISTICS;
    if (this.restarts.parks(statistics ? BALLOON_QUEUE.stats : queue, step, queue)) return;
    if (statistics) this.#addStatistics();
    else this.#addRequest(queue);
  }

  protected override completed(queue: number, head: number, _written: number, use: number): void {
    // The device keeps statistics until it wants others: that is no request that takes so long.
    if (queue === BALLOON_QUEUE.stats) return this.#reportStatistics();
    if (queue === BALLOON_QUEUE.report) return this.#reporter.used();
    if (queue === BALLOON_QUEUE.hint) return this.#hinter.used();
    this.node.milestones?.mark(this.index, queue, head, use, Milestone.completed);
    if (queue === BALLOON_QUEUE.inflate) this.#pages.held.push(...this.#pages.moving);
    else this.#pages.release();
    this.#pages.moving.length = 0;
    this.#chartOf.send({ type: 'USED' });
    if (queue === BALLOON_QUEUE.deflate) this.#tellReleased();
  }

  #do(effect: BalloonEffect): void {
    switch (effect.type) {
      case 'read':
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
        // With nothing to do it has done all it can.
        this.proven();
        for (; this.#inspections > 0; this.#inspections--) this.inspect();
        for (const client of this.#clients) client.balloonSettled(this.#pages.held.length);
    }
  }

  /** What the device says of hints now. */
  #followHints(config: Uint8Array): void {
    if (!this.#has(BALLOON_F.FREE_PAGE_HINT)) return;
    this.#hinter.follow(readU32(config, BALLOON_CONFIG.freePageHintCmdId));
  }

  #has(feature: bigint): boolean {
    return (this.features & feature) !== 0n;
  }

  #tellReleased(): void {
    for (const client of this.#clients) client.balloonReleased();
  }

  /** Nothing is asked of the device any more. */
  #stop(): void {
    this.#chartOf.send({ type: 'STOP' });
    this.#postponed.clear();
    this.#reporter.stop();
    this.#hinter.stop();
  }

  #read(forClient: boolean, { offset, length } = this.#stale.take(this.configWanted())): void {
    this.#reads.push(forClient);
    this.readConfig(offset, length);
  }

  #choose(): void {
    const held = this.#pages.held.length;
    const chart = this.#chartOf;
    if (!this.#stale.isEmpty) chart.send({ type: 'REREAD' });
    else if (this.#needed > 0 && held > 0) chart.send({ type: 'DEFLATE' });
    else if (held > this.#target) chart.send({ type: 'DEFLATE' });
    else if (held < this.#target && !this.#relieved) chart.send({ type: 'INFLATE' });
    else if (held !== this.#told) chart.send({ type: 'TELL' });
    else chart.send({ type: 'SETTLED' });
  }

  #inflate(): void {
    const wanted = Math.min(BATCH_PAGES, this.#target - this.#pages.held.length);
    for (let i = 0; i < wanted; i++) {
      const page = this.#pages.take();
      if (page < 0) break;
      this.#pages.moving.push(page);
    }
    if (this.#pages.moving.length === 0) return this.#chartOf.send({ type: 'STARVED' });
    this.#request(BALLOON_QUEUE.inflate);
  }

  #deflate(): void {
    const surplus = this.#pages.held.length - this.#target;
    const wanted = Math.max(surplus, Math.min(this.#needed, this.#pages.held.length));
    if (this.#needed > 0) this.#relieved = true;
    const count = Math.min(BATCH_PAGES, wanted);
    this.#needed = Math.max(0, this.#needed - count);
    for (let i = 0; i < count; i++) this.#pages.moving.push(this.#pages.held.pop()!);
    if (this.#pages.held.length === 0) this.#needed = 0;
    this.#request(BALLOON_QUEUE.deflate);
  }

  #tell(): void {
    this.#telling = this.#pages.held.length;
    const data = new Uint8Array(4);
    writeU32(data, 0, this.#telling);
    this.writeConfig(BALLOON_CONFIG.actual, data);
  }

  #setTarget(pages: number): void {
    this.#target = pages;
    for (const client of this.#clients) client.balloonTarget(pages);
  }

  /** Sends the numbers of the moving pages, once the allocator's work is done. */
  #request(queue: number): void {
    const { node } = this;
    this.#since = node.kernel.now;
    this.#sinceKey = node.kernel.currentKey;
    const cost =
      node.charge(node.timing.submit) +
      this.ringCosts.add() +
      node.chargeTimes(this.#guestPage, this.#pages.moving.length) +
      (queue === BALLOON_QUEUE.deflate ? this.#fillCost() : 0);
    this.later(STEP_REQUEST, cost, queue);
  }

  /** Pages that come back are filled before they are used; the value is 0, as the allocator has it. */
  #fillCost(): number {
    if (!this.#has(BALLOON_F.PAGE_POISON)) return 0;
    const { node } = this;
    return node.chargeBytes(node.timing.copyRate, this.#pages.moving.length * BALLOON_PAGE);
  }

  #addRequest(queue: number): void {
    const length = this.#pages.moving.length * BALLOON_PFN_SIZE;
    for (let i = 0; i < this.#pages.moving.length; i++) {
      writeU32(this.#data, i * BALLOON_PFN_SIZE, this.#pages.moving[i] / BALLOON_PAGE);
    }
    this.node.memory.copyIn(this.#buffers, this.#data, 0, length);
    const ring = this.rings[queue];
    ring.addSegment(this.transport.busAddress(this.#buffers), length, false);
    const head = this.commit(queue, 0);
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
    const { timing } = this.node;
    this.later(STEP_STATISTICS, this.node.charge(timing.submit) + this.ringCosts.add());
  }

  #addStatistics(): void {
    const { memory } = this.node;
    const { MEMTOT, MEMFREE } = BALLOON_STAT;
    const total = { tag: MEMTOT, val: BigInt(memory.size) };
    const free = { tag: MEMFREE, val: BigInt(memory.freeBytes) };
    let length = balloonStat.encode(total, this.#data, 0);
    length += balloonStat.encode(free, this.#data, length);
    const address = this.#buffers + LIST_BYTES;
    memory.copyIn(address, this.#data, 0, length);
    this.offer(BALLOON_QUEUE.stats, [address], length, false);
  }
}
