// The device side of virtio-pmem (virtio 1.4 §5.19): memory that the driver loads and stores without the device's
// doing, and requests to make durable what was stored, one after another.
import type {
  DeviceEnvironment,
  SharedRegion,
  Statistics,
} from '../../platform/contracts/index.ts';
import type { RandomStream } from '../../platform/kernel/index.ts';
import { Milestone } from '../../platform/node/index.ts';
import {
  PMEM_CONFIG_SIZE,
  PMEM_DEVICE_ID,
  PMEM_F,
  PMEM_REQUEST,
  PMEM_REQUEST_SIZE,
  PMEM_RESPONSE_SIZE,
  PMEM_RET,
} from '../../platform/virtio/index.ts';
import { readU32, writeU32 } from '../../platform/wire/index.ts';
import {
  type Chain,
  type FetchedRequest,
  type QueueEngine,
  RequestFetcher,
  ServiceStation,
  scatter,
  VirtioDevice,
} from '../common/index.ts';
import { HostMemory } from './host-memory.ts';
import type { PmemOptions } from './options.ts';

export class PmemDevice extends VirtioDevice {
  readonly regions: readonly SharedRegion[];
  readonly #options: PmemOptions;
  readonly #memory: HostMemory;
  readonly #station: ServiceStation;
  readonly #fetcher: RequestFetcher;
  readonly #power: RandomStream;
  readonly #flush: number;
  readonly #flushRate: number;
  /** Requests that are read, oldest first; the first is served. */
  readonly #line: FetchedRequest[] = [];
  /** Requests of before a reset carry an older epoch. */
  #epoch = 0;
  /** The power has failed, and the driver has not reset the device since. */
  #powerLost = false;
  #flushes = 0;
  #powerLosses = 0;
  readonly #response = new Uint8Array(PMEM_RESPONSE_SIZE);

  constructor({ node, plan, resolve }: DeviceEnvironment<PmemOptions>) {
    const { options, name } = plan;
    super(node, plan, {
      deviceId: PMEM_DEVICE_ID,
      features: PMEM_F.SHMEM_REGION,
      // Deviation: a driver that wants a range of physical addresses is not served.
      requiredFeatures: PMEM_F.SHMEM_REGION,
      // §5.19.5.1: start and size are 0, as the region tells both.
      config: new Uint8Array(PMEM_CONFIG_SIZE),
      queueSizes: [options.queueSize],
    });
    const { image, size } = options;
    this.#options = options;
    this.#memory = HostMemory.of(node, image === undefined ? null : resolve(image), size);
    this.regions = [this.#memory.region];
    this.#power = node.random(`power/${name}`);
    this.#flush = node.costs.idOf('pmem.flush');
    this.#flushRate = node.costs.idOf('pmem.flushRate');
    this.#station = new ServiceStation(node, 1, (epoch) => this.#served(epoch));
    this.#fetcher = new RequestFetcher({
      node,
      name,
      bytesMax: PMEM_REQUEST_SIZE,
      ready: (request) => {
        if (this.#line.push(request) === 1) this.#begin(request);
      },
    });
    this.#schedulePowerLosses();
  }

  override statistics(): Statistics {
    return {
      ...super.statistics(),
      ...this.#station.statistics(),
      flushes: this.#flushes,
      powerLosses: this.#powerLosses,
      ...this.#memory.statistics(),
    };
  }

  /** Writes what is durable to the image when the scenario asks for it. */
  close(): void {
    if (this.#options.writeBack) this.#memory.backing.writeBack();
    this.abandon();
  }

  abandon(): void {
    this.#memory.backing.close();
  }

  protected serve(queue: QueueEngine, chain: Chain): void {
    this.#fetcher.fetch(queue, chain);
  }

  protected forget(queue: QueueEngine): void {
    this.#fetcher.forget(queue);
    this.#line.length = 0;
    this.#epoch++;
  }

  /** What a failure of the power has taken shows once the driver has heard of it. */
  protected override wasReset(): void {
    if (!this.#powerLost) return;
    this.#powerLost = false;
    this.#memory.lose(this.#power);
  }

  #begin(request: FetchedRequest): void {
    const { node } = this;
    const problem = problemOf(request);
    if (problem !== null && !request.refused) {
      node.violations.report('BAD_REQUEST', `${this.name}: ${problem}`);
    }
    if (problem !== null) return this.#station.request(0, this.#epoch);
    const bytes = this.#memory.dirtyBytes;
    const time = node.charge(this.#flush);
    const more = bytes === 0 ? 0 : node.chargeBytes(this.#flushRate, bytes);
    this.#station.request(time + more, this.#epoch);
  }

  #served(epoch: number): void {
    if (epoch !== this.#epoch) return;
    const request = this.#line.shift()!;
    const { queue, chain } = request as { queue: QueueEngine; chain: Chain };
    queue.mark(chain, Milestone.served);
    const sound = problemOf(request) === null;
    if (sound) {
      this.#memory.flush();
      this.#flushes++;
    }
    writeU32(this.#response, 0, sound ? PMEM_RET.OK : PMEM_RET.FAILED);
    const written = scatter(this.dma, chain, 0, this.#response, 0, PMEM_RESPONSE_SIZE);
    this.#fetcher.release(request);
    if (!queue.complete(chain, written)) return queue.fail();
    if (epoch === this.#epoch && this.#line.length > 0) this.#begin(this.#line[0]);
  }

  #schedulePowerLosses(): void {
    const { powerLoss } = this.#options;
    if (powerLoss.length === 0) return;
    const { kernel } = this.node;
    const id = this.node.add({ deliver: (_kind, index) => this.#losePower(index) });
    for (const [index, { at }] of powerLoss.entries()) kernel.schedule(id, at, 0, index);
  }

  #losePower(index: number): void {
    this.#powerLosses++;
    this.#powerLost = true;
    this.#station.close(this.node.kernel.now + this.#options.powerLoss[index].for);
    this.needsReset();
  }
}

/** What is wrong with a request, or null. */
function problemOf({ chain, bytes, length, refused }: FetchedRequest): string | null {
  if (refused || length < PMEM_REQUEST_SIZE) return 'a chain without a request';
  if (chain!.writableBytes < PMEM_RESPONSE_SIZE) return 'a chain without room for the response';
  const type = readU32(bytes, 0);
  return type === PMEM_REQUEST.FLUSH ? null : `a request of type ${type}`;
}
