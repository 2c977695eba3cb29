// The device side of virtio-balloon (virtio 1.4 §5.5): it asks for a number of pages by its configuration,
// takes and gives back pages by number, and asks for statistics.
import type { DeviceEnvironment, Statistics } from '../../platform/contracts/index.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import { Milestone } from '../../platform/node/index.ts';
import {
  BALLOON_CONFIG,
  BALLOON_DEVICE_ID,
  BALLOON_F,
  BALLOON_PFN_SIZE,
  BALLOON_QUEUE,
  BALLOON_STAT,
  balloonConfig,
  balloonStat,
} from '../../platform/virtio/index.ts';
import { readU32, writeU32 } from '../../platform/wire/index.ts';
import {
  type Chain,
  type FetchedRequest,
  type QueueEngine,
  RequestFetcher,
  ringFeatures,
  ServiceStation,
  VirtioDevice,
} from '../common/index.ts';
import type { BalloonOptions } from './options.ts';

/** Bytes of one request that the device looks at: 16384 pages. */
export const REQUEST_MAX = 65536;

const EVENT_PRESSURE = 0;
const EVENT_STATISTICS = 1;

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
  #inflated = 0;
  #deflated = 0;
  #statisticsReceived = 0;
  #memoryTotal = 0;

  constructor({ node, plan }: DeviceEnvironment<BalloonOptions>) {
    const { options } = plan;
    const config = new Uint8Array(balloonConfig.fixedSize);
    balloonConfig.encode({ numPages: options.pages, actual: 0 }, config, 0);
    super(node, plan, {
      deviceId: BALLOON_DEVICE_ID,
      features:
        ringFeatures(options) |
        (options.mustTellHost ? BALLOON_F.MUST_TELL_HOST : 0n) |
        (options.stats ? BALLOON_F.STATS_VQ : 0n) |
        (options.deflateOnOom ? BALLOON_F.DEFLATE_ON_OOM : 0n),
      config,
      queueSizes: new Array<number>(options.stats ? 3 : 2).fill(options.queueSize),
    });
    this.#options = options;
    this.#page = node.costs.idOf('balloon.page');
    this.#host = new ServiceStation(node, 1, (epoch) => this.#served(epoch));
    this.#fetcher = new RequestFetcher({
      node,
      name: plan.name,
      dma: () => this.dma,
      bytesMax: REQUEST_MAX,
      ready: (request) => this.#fetched(request),
    });
    this.#id = node.add(this);
    for (const [index, { at }] of options.pressure.entries()) {
      node.kernel.schedule(this.#id, at, EVENT_PRESSURE, index);
    }
  }

  statistics(): Statistics {
    return {
      target: readU32(this.config, BALLOON_CONFIG.numPages),
      actual: readU32(this.config, BALLOON_CONFIG.actual),
      pages: this.#pages.size,
      pagesInflated: this.#inflated,
      pagesDeflated: this.#deflated,
      statisticsReceived: this.#statisticsReceived,
      memoryTotal: this.#memoryTotal,
    };
  }

  /** The driver says how many pages it believes to be in the balloon. */
  override writeConfig(offset: number, source: Uint8Array): boolean {
    if (offset !== BALLOON_CONFIG.actual || source.length !== 4) return false;
    const actual = readU32(source, 0);
    writeU32(this.config, BALLOON_CONFIG.actual, actual);
    if (this.#line.length === 0 && actual !== this.#pages.size) {
      this.#violation(`${this.#pages.size} pages are in the balloon, not ${actual}`);
    }
    return true;
  }

  override setStatus(status: number): number {
    const result = super.setStatus(status);
    if (status === 0) {
      this.#pages.clear();
      writeU32(this.config, BALLOON_CONFIG.actual, 0);
    }
    return result;
  }

  deliver(kind: number, index: number): void {
    if (kind === EVENT_STATISTICS) return this.#askForStatistics();
    const { pages } = this.#options.pressure[index];
    writeU32(this.config, BALLOON_CONFIG.numPages, pages);
    this.configChanged();
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
    if (request.queue!.index === BALLOON_QUEUE.stats) return this.#takeStatistics(request);
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
    const count = request.length / BALLOON_PFN_SIZE;
    this.#host.request(node.chargeTimes(this.#page, count), this.#epoch);
  }

  #served(epoch: number): void {
    if (epoch !== this.#epoch) return;
    const request = this.#line.shift()!;
    const queue = request.queue!;
    queue.mark(request.chain!, Milestone.served);
    for (let at = 0; at < request.length; at += BALLOON_PFN_SIZE) {
      const page = readU32(request.bytes, at);
      if (queue.index === BALLOON_QUEUE.inflate) this.#take(page);
      else this.#giveBack(page);
    }
    this.#complete(request);
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
    }
    this.#statisticsReceived++;
    this.#statistics = request;
    const { statsInterval } = this.#options;
    if (statsInterval === undefined || this.#polling) return;
    this.#polling = true;
    this.node.kernel.schedule(this.#id, statsInterval, EVENT_STATISTICS);
  }

  #askForStatistics(): void {
    this.#polling = false;
    const request = this.#statistics;
    if (request === null) return;
    this.#statistics = null;
    this.#complete(request);
  }

  #violation(text: string): void {
    this.node.violations.report('BAD_REQUEST', `${this.name}: ${text}`);
  }
}
