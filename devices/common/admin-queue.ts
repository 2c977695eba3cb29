// An administration virtqueue (virtio 1.4 §2.13): commands are read, executed and answered one by one, in
// the order in which they came. What they mean is the service's business.
import type { AdminService, DmaPort } from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';
import type { Chain } from './chain.ts';
import type { FetchPlan } from './fetch.ts';
import { QueueEngine, type QueueOwner } from './queue-engine.ts';
import { type FetchedRequest, RequestFetcher, scatter } from './request-fetcher.ts';

/** Bytes of a command that are looked at; no command here has more. */
const COMMAND_MAX = 8192;

export interface AdminQueueOptions {
  readonly device: Pick<
    QueueOwner,
    'node' | 'name' | 'index' | 'dma' | 'fetch' | 'notifyUsed' | 'queueQuiet'
  >;
  /** Index of the queue. */
  readonly index: number;
  readonly service: AdminService;
  /** The features that decide what the ring is like. */
  ringFeatures(): bigint;
}

export class AdminQueue implements QueueOwner {
  readonly engine: QueueEngine;
  readonly node: Node;
  readonly name: string;
  readonly index: number;
  readonly #options: AdminQueueOptions;
  readonly #fetcher: RequestFetcher;

  constructor(options: AdminQueueOptions) {
    this.#options = options;
    const { device, index } = options;
    this.node = device.node;
    this.name = `${device.name}.admin`;
    this.index = device.index;
    this.engine = new QueueEngine(this, index);
    this.#fetcher = new RequestFetcher({
      node: device.node,
      name: this.name,
      bytesMax: COMMAND_MAX,
      ready: (request) => this.#execute(request),
    });
  }

  get dma(): DmaPort {
    return this.#options.device.dma;
  }

  get fetch(): FetchPlan {
    return this.#options.device.fetch;
  }

  get driverFeatures(): bigint {
    return this.#options.ringFeatures();
  }

  accept(queue: QueueEngine, chain: Chain): void {
    this.#fetcher.fetch(queue, chain);
  }

  queueBroken(): void {
    this.#options.service.broken();
  }

  /** Every command is answered at once. */
  keeps(): number {
    return 0;
  }

  queueQuiet(): void {
    this.#options.device.queueQuiet();
  }

  notifyUsed(queue: number): void {
    this.#options.device.notifyUsed(queue);
  }

  /** Stops and forgets what is under way. */
  stop(): void {
    this.engine.stop();
    this.#fetcher.forget(this.engine);
  }

  #execute(request: FetchedRequest): void {
    const { bytes, length, chain, refused } = request;
    // A command that can't be read can't be answered either.
    if (refused) return this.engine.fail();
    const response = this.#options.service.execute(bytes.subarray(0, length));
    const written = scatter(this.dma, chain!, 0, response, 0, response.length);
    this.#fetcher.release(request);
    if (!this.engine.complete(chain!, written)) this.engine.fail();
  }
}
