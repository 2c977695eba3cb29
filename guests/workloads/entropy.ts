// A workload that reads random bytes. With `verify` they are compared with what the modelled source
// must give: the stream of the scenario's seed.
import { z } from 'zod';
import type { WorkloadEnvironment } from '../../platform/contracts/index.ts';
import { size, time } from '../../platform/scenario/fields.ts';
import { defineWorkload } from '../common/index.ts';
import { type RngClient, type RngDriver, SourceCheck } from '../rng/index.ts';
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
  readonly #check: SourceCheck;
  readonly #bytes: Uint8Array;
  #left: number;

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
    this.#bytes = new Uint8Array(options.requestSize);
    this.#check = new SourceCheck(node, device.name, options.requestSize);
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
    this.#check.recovered(this.#options.depth);
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

  #verify(slot: number, length: number): boolean {
    this.verified++;
    this.node.memory.copyOut(this.#driver.dataAddress(slot), this.#bytes, 0, length);
    if (this.#check.matches(this.#bytes, length)) return true;
    this.node.violations.report('VERIFY', `${this.name}: ${length} bytes are not the source's`);
    return false;
  }
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
