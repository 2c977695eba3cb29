// The device side of virtio-balloon (virtio 1.4 §5.5): it asks for a number of pages by its configuration,
// takes and gives back pages by number, asks for statistics, and hears of pages that are free.
import type { DeviceEnvironment, Statistics } from '../../platform/contracts/index.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import { Milestone } from '../../platform/node/index.ts';
import {
  BALLOON_CONFIG,
  BALLOON_CONFIG_SIZE_MIN,
  BALLOON_DEVICE_ID,
  BALLOON_F,
  BALLOON_HINT,
  BALLOON_HINT_SIZE,
  BALLOON_PAGE,
  BALLOON_PFN_SIZE,
  BALLOON_QUEUE,
  BALLOON_STAT,
  balloonConfig,
  balloonQueueCount,
  balloonStat,
  STATUS,
} from '../../platform/virtio/index.ts';
import { readU32, writeU32 } from '../../platform/wire/index.ts';
import {
  type Chain,
  type FetchedRequest,
  type QueueEngine,
  RequestFetcher,
  ServiceStation,
  VirtioDevice,
} from '../common/index.ts';
import type { BalloonOptions } from './options.ts';

/** Bytes of one request that the device looks at: 16384 pages. */
const REQUEST_MAX = 65536;

const EVENT_PRESSURE = 0;
const EVENT_STATISTICS = 1;
const EVENT_HINT = 2;
const EVENT_HINT_DONE = 3;

/** Queues that are there for a feature. */
const FEATURE_OF_QUEUE: ReadonlyMap<number, bigint> = new Map([
  [BALLOON_QUEUE.stats, BALLOON_F.STATS_VQ],
  [BALLOON_QUEUE.hint, BALLOON_F.FREE_PAGE_HINT],
  [BALLOON_QUEUE.report, BALLOON_F.PAGE_REPORTING],
]);

export class BalloonDevice extends VirtioDevice implements Component {
  readonly #options: BalloonOptions;
  readonly #id: ComponentId;
  readonly #page: number;
  readonly #fetcher: RequestFetcher;
  readonly #host: ServiceStation;
  /** Requests that the host works on, oldest first. */
  readonly #line: FetchedRequest[] = [];
  #epoch = 0;
  /** Numbers of the pages in the balloon. */
  readonly #pages = new Set<number>();
  /** The driver's buffer of statistics, which the device keeps until it wants new ones. */
  #statistics: FetchedRequest | null = null;
  #polling = false;
  /** New statistics were wanted while the device was suspended. */
  #statisticsDue = false;
  #inflated = 0;
  #deflated = 0;
  #statisticsReceived = 0;
  #memoryTotal = 0;
  #memoryFree = 0;
  /** Pages that the driver has reported to be free, and whose memory the host took. */
  #reported = 0;
  /** The round of hinting that the last id on the queue began, and what came of it. */
  #hintId: number = BALLOON_HINT.STOP;
  #hinted = 0;
  #hintRounds = 0;
  /** Id of the next round; none is ever used again. */
  #nextHintId: number = BALLOON_HINT.FIRST;

  constructor({ node, plan }: DeviceEnvironment<BalloonOptions>) {
    const { options } = plan;
    const features = featuresOf(options);
    const more = (features & (BALLOON_F.FREE_PAGE_HINT | BALLOON_F.PAGE_POISON)) !== 0n;
    const config = new Uint8Array(more ? balloonConfig.fixedSize : BALLOON_CONFIG_SIZE_MIN);
    writeU32(config, BALLOON_CONFIG.numPages, options.pages);
    super(node, plan, {
      deviceId: BALLOON_DEVICE_ID,
      features,
      config,
      queueSizes: new Array<number>(balloonQueueCount(features)).fill(options.queueSize),
    });
    this.#options = options;
    this.#page = node.costs.idOf('balloon.page');
    this.#host = new ServiceStation(node, 1, (epoch) => this.#served(epoch));
    this.#fetcher = new RequestFetcher({
      node,
      name: plan.name,
      bytesMax: REQUEST_MAX,
      ready: (request) => this.#fetched(request),
    });
    this.#id = node.add(this);
    for (const [index, { at }] of options.pressure.entries()) {
      node.kernel.schedule(this.#id, at, EVENT_PRESSURE, index);
    }
    for (const hint of options.hints) {
      node.kernel.schedule(this.#id, hint.at, EVENT_HINT);
      node.kernel.schedule(this.#id, hint.at + hint.for, EVENT_HINT_DONE);
    }
  }

  override statistics(): Statistics {
    return {
      ...super.statistics(),
      target: readU32(this.config, BALLOON_CONFIG.numPages),
      actual: readU32(this.config, BALLOON_CONFIG.actual),
      pages: this.#pages.size,
      pagesInflated: this.#inflated,
      pagesDeflated: this.#deflated,
      statisticsReceived: this.#statisticsReceived,
      memoryTotal: this.#memoryTotal,
      memoryFree: this.#memoryFree,
      pagesReported: this.#reported,
      pagesHinted: this.#hinted,
      hintRounds: this.#hintRounds,
    };
  }

  /** The driver says how many pages it believes to be in the balloon, or what it fills pages with. */
  protected override configWritten(offset: number, source: Uint8Array): boolean {
    if (offset === BALLOON_CONFIG.poisonVal) return this.#setPoison(source);
    if (offset !== BALLOON_CONFIG.actual || source.length !== 4) return false;
    const actual = readU32(source, 0);
    writeU32(this.config, BALLOON_CONFIG.actual, actual);
    if (this.#line.length === 0 && actual !== this.#pages.size) {
      this.#violation(`${this.#pages.size} pages are in the balloon, not ${actual}`);
    }
    return true;
  }

  /** Statistics are kept until others are wanted. */
  override keeps({ index }: QueueEngine): number {
    return index === BALLOON_QUEUE.stats && this.#statistics !== null ? 1 : 0;
  }

  protected override resumed(): void {
    if (this.#statisticsDue) this.#askForStatistics();
  }

  protected override wasReset(): void {
    this.#statisticsDue = false;
    this.#pages.clear();
    this.#hintId = BALLOON_HINT.STOP;
    writeU32(this.config, BALLOON_CONFIG.actual, 0);
    if (this.config.length > BALLOON_CONFIG.poisonVal) {
      writeU32(this.config, BALLOON_CONFIG.poisonVal, 0);
    }
  }

  deliver(kind: number, index: number): void {
    if (kind === EVENT_STATISTICS) return this.#askForStatistics();
    if (kind === EVENT_HINT) return this.#setHint(this.#nextHintId++);
    if (kind === EVENT_HINT_DONE) return this.#setHint(BALLOON_HINT.DONE);
    const { pages } = this.#options.pressure[index];
    writeU32(this.config, BALLOON_CONFIG.numPages, pages);
    this.configChanged(BALLOON_CONFIG.numPages, 4);
  }

  protected serve(queue: QueueEngine, chain: Chain): void {
    this.#fetcher.fetch(queue, chain);
  }

  protected forget(queue: QueueEngine): void {
    this.#fetcher.forget(queue);
    if (queue.index === BALLOON_QUEUE.stats) {
      this.#statistics = null;
      return;
    }
    // Both queues share the host's line; what is left of the other one is served anew.
    const others = this.#line.filter((request) => request.queue !== null);
    this.#line.length = 0;
    this.#epoch++;
    for (const request of others) this.#enter(request);
  }

  #fetched(request: FetchedRequest): void {
    const { index } = request.queue!;
    const feature = FEATURE_OF_QUEUE.get(index);
    if (feature !== undefined && (this.driverFeatures & feature) === 0n) {
      this.#violation(`a request on queue ${index}, whose feature was not negotiated`);
      return this.#complete(request);
    }
    if (index === BALLOON_QUEUE.stats) return this.#takeStatistics(request);
    if (index === BALLOON_QUEUE.hint && request.chain!.writableBytes === 0) {
      return this.#takeHintId(request);
    }
    if (index >= BALLOON_QUEUE.hint) return this.#takeFreePages(request);
    const { readableBytes, writableBytes } = request.chain!;
    const whole = readableBytes % BALLOON_PFN_SIZE === 0 && readableBytes <= REQUEST_MAX;
    if (request.refused || !whole || writableBytes > 0 || readableBytes === 0) {
      if (!request.refused) this.#violation('a request that is no list of page numbers');
      return this.#complete(request);
    }
    this.#enter(request);
  }

  #enter(request: FetchedRequest): void {
    this.#line.push(request);
    const { node } = this;
    const count = pagesOf(request);
    this.#host.request(node.chargeTimes(this.#page, count), this.#epoch);
  }

  #served(epoch: number): void {
    if (epoch !== this.#epoch) return;
    const request = this.#line.shift()!;
    const queue = request.queue!;
    queue.mark(request.chain!, Milestone.served);
    if (queue.index === BALLOON_QUEUE.report) this.#reported += pagesOf(request);
    else if (queue.index === BALLOON_QUEUE.hint) this.#takeHints(pagesOf(request));
    else this.#move(queue.index === BALLOON_QUEUE.inflate, request);
    this.#complete(request);
  }

  #move(inflate: boolean, { bytes, length }: FetchedRequest): void {
    for (let at = 0; at < length; at += BALLOON_PFN_SIZE) {
      const page = readU32(bytes, at);
      if (inflate) this.#take(page);
      else this.#giveBack(page);
    }
  }

  /** Pages that are free, as they lie in the guest's memory. */
  #takeFreePages(request: FetchedRequest): void {
    const { addresses, lengths, count, readableCount } = request.chain!;
    let whole = readableCount === 0;
    for (let i = 0; i < count; i++) {
      if (addresses[i] % BALLOON_PAGE !== 0 || lengths[i] % BALLOON_PAGE !== 0) whole = false;
    }
    if (whole) return this.#enter(request);
    this.#violation('free pages that are no whole pages');
    this.#complete(request);
  }

  /** A round of hints begins, or ends. */
  #takeHintId(request: FetchedRequest): void {
    if (request.length === BALLOON_HINT_SIZE) this.#hintId = readU32(request.bytes, 0);
    else if (!request.refused) this.#violation(`an id of ${request.length} bytes`);
    if (this.#hintId === BALLOON_HINT.STOP) this.#hintRounds++;
    this.#complete(request);
  }

  /** Hints of another round than the present one say nothing (§5.5.6.5.2). */
  #takeHints(pages: number): void {
    const id = readU32(this.config, BALLOON_CONFIG.freePageHintCmdId);
    if (this.#hintId === id && id >= BALLOON_HINT.FIRST) this.#hinted += pages;
  }

  #setHint(id: number): void {
    writeU32(this.config, BALLOON_CONFIG.freePageHintCmdId, id);
    this.configChanged(BALLOON_CONFIG.freePageHintCmdId, 4);
  }

  /** What the driver fills pages with is settled before it is live (§5.5.6.6.1). */
  #setPoison(source: Uint8Array): boolean {
    const agreed = (this.driverFeatures & BALLOON_F.PAGE_POISON) !== 0n;
    if (!agreed || source.length !== 4 || (this.status & STATUS.DRIVER_OK) !== 0) return false;
    this.config.set(source, BALLOON_CONFIG.poisonVal);
    return true;
  }

  #take(page: number): void {
    if (this.#pages.has(page)) return this.#violation(`page ${page} is in the balloon already`);
    this.#pages.add(page);
    this.#inflated++;
  }

  #giveBack(page: number): void {
    if (!this.#pages.delete(page)) return this.#violation(`page ${page} is not in the balloon`);
    this.#deflated++;
  }

  #complete(request: FetchedRequest): void {
    const { queue, chain } = request;
    this.#fetcher.release(request);
    if (!queue!.complete(chain!, 0)) queue!.fail();
  }

  /** Reads the driver's statistics and keeps the buffer, to ask for more by returning it. */
  #takeStatistics(request: FetchedRequest): void {
    if (this.#statistics !== null) {
      this.#violation('a second buffer of statistics');
      return this.#complete(request);
    }
    const { bytes, length, refused } = request;
    if (!refused && (length === 0 || length % balloonStat.fixedSize !== 0)) {
      this.#violation(`${length} bytes of statistics`);
    }
    // Entries of unknown tags are ignored, whatever their order.
    for (let at = 0; at + balloonStat.fixedSize <= length; at += balloonStat.fixedSize) {
      const { tag, val } = balloonStat.decode(bytes, at, balloonStat.fixedSize);
      if (tag === BALLOON_STAT.MEMTOT) this.#memoryTotal = Number(val);
      if (tag === BALLOON_STAT.MEMFREE) this.#memoryFree = Number(val);
    }
    this.#statisticsReceived++;
    this.#statistics = request;
    this.settle(request.queue!);
    const { statsInterval } = this.#options;
    if (statsInterval === undefined || this.#polling) return;
    this.#polling = true;
    this.node.kernel.schedule(this.#id, statsInterval, EVENT_STATISTICS);
  }

  #askForStatistics(): void {
    this.#polling = false;
    this.#statisticsDue = this.pausing;
    if (this.pausing) return;
    const request = this.#statistics;
    if (request === null) return;
    this.#statistics = null;
    this.#complete(request);
  }

  #violation(text: string): void {
    this.node.violations.report('BAD_REQUEST', `${this.name}: ${text}`);
  }
}

/** Pages that a request is about: numbers in its bytes, or those that lie in its buffers. */
function pagesOf({ chain, length }: FetchedRequest): number {
  const { writableBytes } = chain!;
  return writableBytes > 0 ? writableBytes / BALLOON_PAGE : length / BALLOON_PFN_SIZE;
}

/** The feature bits that these options offer. */
function featuresOf(options: BalloonOptions): bigint {
  return (
    (options.mustTellHost ? BALLOON_F.MUST_TELL_HOST : 0n) |
    (options.stats ? BALLOON_F.STATS_VQ : 0n) |
    (options.deflateOnOom ? BALLOON_F.DEFLATE_ON_OOM : 0n) |
    (options.hints.length > 0 ? BALLOON_F.FREE_PAGE_HINT : 0n) |
    (options.poison ? BALLOON_F.PAGE_POISON : 0n) |
    (options.reporting ? BALLOON_F.PAGE_REPORTING : 0n)
  );
}
