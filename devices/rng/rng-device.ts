// The device side of virtio-rng (virtio 1.4 §5.4): it fills what the driver offers, in order, one
// request at a time.
import type {
  DeviceEnvironment,
  DmaClient,
  DmaFault,
  Statistics,
} from '../../platform/contracts/index.ts';
import type { RandomStream } from '../../platform/kernel/index.ts';
import { type CpuClient, Milestone, Priority } from '../../platform/node/index.ts';
import { RNG_DEVICE_ID, rngStreamName } from '../../platform/virtio/index.ts';
import { type Chain, type QueueEngine, ServiceStation, VirtioDevice } from '../common/index.ts';
import type { RngOptions } from './options.ts';

export class RngDevice extends VirtioDevice implements DmaClient, CpuClient {
  readonly #source: RandomStream;
  readonly #options: RngOptions;
  readonly #timing: { readonly service: number; readonly rate: number };
  readonly #station: ServiceStation;
  /** Chains in the order of their arrival; the source serves them in that order. */
  readonly #waiting: { queue: QueueEngine; chain: Chain }[] = [];
  /** Requests of before a reset carry an older epoch. */
  #epoch = 0;
  #bytes = new Uint8Array(4096);

  constructor({ node, plan }: DeviceEnvironment<RngOptions>) {
    super(node, plan, {
      deviceId: RNG_DEVICE_ID,
      features: 0n,
      config: new Uint8Array(0),
      queueSizes: [plan.options.queueSize],
    });
    this.#source = node.random(rngStreamName(plan.name));
    this.#options = plan.options;
    this.#timing = { service: node.costs.idOf('rng.service'), rate: node.costs.idOf('rng.rate') };
    this.#station = new ServiceStation(node, 1, (epoch) => {
      const cost = node.charge(node.timing.deviceStep);
      node.cpu.submit(Priority.task, cost, this, 0, epoch);
    });
  }

  override statistics(): Statistics {
    return { ...super.statistics(), ...this.#station.statistics() };
  }

  protected serve(queue: QueueEngine, chain: Chain): void {
    this.#waiting.push({ queue, chain });
    queue.mark(chain, Milestone.started);
    const { node } = this;
    const time =
      node.charge(this.#timing.service) + node.chargeBytes(this.#timing.rate, this.#length(chain));
    this.#station.request(time, this.#epoch);
  }

  protected forget(): void {
    this.#waiting.length = 0;
    this.#epoch++;
  }

  /** It reads nothing but its ring. */
  readDone(): void {}

  refused(_tag: number, fault: DmaFault): void {
    this.node.violations.report(
      'DMA_FAULT',
      `${this.name}: write of ${fault.length} bytes at bus address ` +
        `0x${fault.address.toString(16)} refused: ${fault.reason}`,
    );
  }

  deliver(_kind: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    const { queue, chain } = this.#waiting.shift()!;
    queue.mark(chain, Milestone.served);
    const length = this.#length(chain);
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(length);
    this.#source.fill(this.#bytes.subarray(0, length));
    let done = 0;
    for (let i = chain.readableCount; i < chain.count && done < length; i++) {
      const step = Math.min(chain.lengths[i], length - done);
      this.dma.writeSegment(chain.addresses[i], this.#bytes, done, step);
      done += step;
    }
    if (!queue.complete(chain, length)) return queue.fail();
  }

  #length(chain: Chain): number {
    return Math.min(chain.writableBytes, this.#options.chunk);
  }
}
