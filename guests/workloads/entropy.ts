// A workload that reads random bytes. With `verify` they are compared with what the modelled source
// must give: the stream of the scenario's seed.
import { z } from 'zod';
import type { WorkloadEnvironment } from '../../platform/contracts/index.ts';
import type { RandomStream } from '../../platform/kernel/index.ts';
import { size, time } from '../../platform/scenario/fields.ts';
import { rngStreamName } from '../../platform/virtio/index.ts';
import { defineWorkload } from '../common/index.ts';
import type { RngClient, RngDriver } from '../rng/index.ts';
import { totalOf } from './progress.ts';
import { WorkloadBase } from './workload-base.ts';

const entropyOptions = z.strictObject({
  requestSize: size({ min: 1, max: 65536 }).default(64).describe('Bytes asked for at a time.'),
  depth: z.int().min(1).max(64).default(1).describe('Requests under way at the same time.'),
  operations: z
    .int()
    .min(1)
    .optional()
    .describe('Requests in all. Default: until `duration`, or 100.'),
  duration: time({ min: 1 }).optional().describe('How long to submit requests.'),
  thinkTime: time({ min: 0 })
    .default(0)
    .describe('Time between the end of a request and the next on its slot.'),
  verify: z.boolean().default(true).describe('Compare the bytes with what the source must give.'),
});

type EntropyOptions = z.output<typeof entropyOptions>;

const DEFAULT_OPERATIONS = 100;

class Entropy extends WorkloadBase implements RngClient {
  readonly #options: EntropyOptions;
  readonly #driver: RngDriver;
  readonly #source: RandomStream;
  readonly #bytes: Uint8Array;
  readonly #expected: Uint8Array;
  #left: number;
  /** Requests whose bytes the source may have spent on a reset of the device. */
  #skips = 0;

  constructor(environment: WorkloadEnvironment<EntropyOptions, RngDriver>) {
    const { node, plan, device, driver, finished } = environment;
    const { options } = plan;
    const { operations: wanted, duration } = options;
    const total = totalOf({ wanted, duration, otherwise: DEFAULT_OPERATIONS });
    super({
      node,
      name: plan.name,
      duration: duration ?? Infinity,
      depth: options.depth,
      total,
      thinkTime: options.thinkTime,
      finished,
    });
    this.#options = options;
    this.#driver = driver;
    this.#source = node.random(rngStreamName(device.name));
    this.#bytes = new Uint8Array(options.requestSize);
    this.#expected = new Uint8Array(options.requestSize);
    this.#left = total;
    this.firstSlot = driver.reserve(this, options.depth, options.requestSize);
  }

  rngReady(): void {
    this.ready();
  }

  rngDown(reason: string): void {
    this.down(reason);
  }

  rngRecovered(): void {
    this.#skips = this.#options.depth;
  }

  rngCompleted(slot: number, length: number, latency: number): void {
    let failed = length <= 0;
    if (!failed && this.#options.verify) failed = !this.#verify(slot, length);
    this.over(slot, latency, failed, length);
  }

  protected override next(slot: number): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    this.#driver.submit(slot, this.#options.requestSize);
    return true;
  }

  /** Requests are served in order, so the stream replayed here yields the same bytes. */
  #verify(slot: number, length: number): boolean {
    this.verified++;
    this.node.memory.copyOut(this.#driver.dataAddress(slot), this.#bytes, 0, length);
    const expected = firstOf(this.#expected, length);
    const skips = this.#skips;
    this.#skips = 0;
    for (let skipped = 0; skipped <= skips; skipped++) {
      this.#source.fill(expected);
      if (Buffer.compare(firstOf(this.#bytes, length), expected) === 0) return true;
    }
    this.node.violations.report('VERIFY', `${this.name}: ${length} bytes are not the source's`);
    return false;
  }
}

/** Views are made only where needed: the first one of a small array takes the array off the heap. */
function firstOf(bytes: Uint8Array, length: number): Uint8Array {
  return length === bytes.length ? bytes : bytes.subarray(0, length);
}

export const entropy = defineWorkload({
  type: 'entropy',
  drives: ['rng'],
  doc: 'Reads random bytes and compares them with the stream of the seed.',
  spec: 'virtio 1.4 §5.4',
  options: entropyOptions,
  timing: [],
  create: (environment: WorkloadEnvironment<EntropyOptions, RngDriver>) => new Entropy(environment),
});
