// A workload that does what the scenario says, step by step: requests on a disk with the bytes and the
// status that must come of them, resets, and waiting. One step at a time.
import { z } from 'zod';
import type { WorkloadEnvironment } from '../../platform/contracts/index.ts';
import { count, size, time } from '../../platform/scenario/fields.ts';
import {
  BLK_LIFETIME_SIZE,
  BLK_RANGE_TYPES,
  BLK_S,
  BLK_T,
  SECTOR_SIZE,
} from '../../platform/virtio/index.ts';
import { BLK_LOST, type BlkClient, type BlkDriver } from '../blk/index.ts';
import { defineWorkload } from '../common/index.ts';
import { WorkloadBase } from './workload-base.ts';

const LENGTH_MAX = 1024 * 1024;

const STATUSES = { ok: BLK_S.OK, ioerr: BLK_S.IOERR, unsupported: BLK_S.UNSUPP, lost: BLK_LOST };
type StatusName = keyof typeof STATUSES;

const step = z.strictObject({
  do: z
    .enum([
      'read',
      'write',
      'flush',
      'discard',
      'writeZeroes',
      'secureErase',
      'lifetime',
      'resetQueue',
      'resetDevice',
      'cacheMode',
      'sleep',
    ])
    .describe('What to do.'),
  at: size({ min: 0, multipleOf: SECTOR_SIZE }).default(0).describe('Where on the disk.'),
  length: size({ min: SECTOR_SIZE, multipleOf: SECTOR_SIZE, max: LENGTH_MAX })
    .default(4096)
    .describe('How many bytes.'),
  ranges: z
    .array(
      z.strictObject({
        at: size({ min: 0, multipleOf: SECTOR_SIZE }),
        length: size({ min: SECTOR_SIZE, multipleOf: SECTOR_SIZE }),
      }),
    )
    .min(1)
    .optional()
    .describe('Parts of the disk for one discard, writeZeroes or secureErase, instead of `at`.'),
  pattern: z
    .union([z.int().min(0).max(255), z.string().regex(/^(?:[0-9a-f]{2})+$/)])
    .optional()
    .describe(
      'Bytes to write, or that a read must give: a number, or hexadecimal digits; repeated.',
    ),
  queue: count().default(0).describe('Queue to reset.'),
  writeBack: z.boolean().default(true).describe('Cache mode to choose.'),
  for: time({ min: 1 }).default(1_000_000).describe('How long to sleep.'),
  expect: z
    .enum(['ok', 'ioerr', 'unsupported', 'lost'])
    .default('ok')
    .describe('What must come of it.'),
});

const scriptOptions = z.strictObject({
  steps: z.array(step).min(1).describe('What to do, one after another: see the README.'),
});

type ScriptOptions = z.output<typeof scriptOptions>;
type Step = ScriptOptions['steps'][number];

/** Steps that are requests, with their type; the same names tell them apart in the report. */
const REQUESTS: Readonly<Partial<Record<Step['do'], number>>> = {
  read: BLK_T.IN,
  write: BLK_T.OUT,
  flush: BLK_T.FLUSH,
  discard: BLK_T.DISCARD,
  writeZeroes: BLK_T.WRITE_ZEROES,
  secureErase: BLK_T.SECURE_ERASE,
  lifetime: BLK_T.GET_LIFETIME,
};

class Script extends WorkloadBase implements BlkClient {
  readonly #steps: readonly Step[];
  readonly #driver: BlkDriver;
  readonly #timer: number;
  readonly #kinds: readonly string[];
  readonly #bytes: Uint8Array;
  /** The step under way. */
  #at = -1;

  constructor(environment: WorkloadEnvironment<ScriptOptions, BlkDriver>) {
    const { node, plan, driver, finished } = environment;
    const { steps } = plan.options;
    const kinds = [...new Set(steps.map((each) => each.do))].filter((kind) => kind in REQUESTS);
    super({
      node,
      name: plan.name,
      duration: Infinity,
      depth: 1,
      total: steps.length,
      thinkTime: 0,
      operations: kinds,
      finished,
    });
    this.#steps = steps;
    this.#driver = driver;
    this.#kinds = kinds;
    this.#timer = node.add({ deliver: () => this.goOn(this.firstSlot) });
    const longest = Math.max(...steps.map(({ length }) => length));
    this.#bytes = new Uint8Array(longest);
    this.firstSlot = driver.reserve(this, 1, longest);
  }

  blkReady(): void {
    this.ready();
  }

  blkDown(reason: string): void {
    this.down(reason);
  }

  /** The end of a reset of the whole disk, if that was the step. */
  blkRecovered(): void {
    if (this.#steps[this.#at]?.do === 'resetDevice') this.#ended('ok');
  }

  blkCompleted(slot: number, status: number, latency: number): void {
    const { do: what, expect, length, pattern } = this.#steps[this.#at];
    const moves = what === 'read' || what === 'write';
    let asExpected = status === STATUSES[expect];
    if (!asExpected) this.#complain(`came back with status ${status}, not '${expect}'`);
    const reads = what === 'read' || what === 'lifetime';
    if (asExpected && reads && status === BLK_S.OK && pattern !== undefined) {
      const compared = what === 'read' ? length : BLK_LIFETIME_SIZE;
      asExpected = this.#compare(slot, compared, pattern);
    }
    const bytes = moves && status === BLK_S.OK ? length : 0;
    this.over(slot, latency, !asExpected, bytes, this.#kinds.indexOf(what));
  }

  protected override next(slot: number): boolean {
    if (this.#at + 1 === this.#steps.length) return false;
    const current = this.#steps[++this.#at];
    const type = REQUESTS[current.do];
    if (type !== undefined) this.#request(slot, type, current);
    else if (current.do === 'sleep') this.node.kernel.schedule(this.#timer, current.for, 0);
    else if (current.do === 'resetDevice') this.#driver.resetDevice();
    else if (current.do === 'resetQueue') {
      this.#driver.resetQueue(current.queue, (done) => this.#later(done));
    } else this.#driver.setWriteBack(current.writeBack, (done) => this.#later(done));
    return true;
  }

  #request(slot: number, type: number, { at, length, ranges, pattern = 0 }: Step): void {
    if (type === BLK_T.OUT) {
      fill(this.#bytes, length, pattern);
      this.node.memory.copyIn(this.#driver.dataAddress(slot), this.#bytes, 0, length);
    }
    if (type === BLK_T.FLUSH) return this.#driver.submit(slot, type, 0, 0);
    if (type === BLK_T.GET_LIFETIME) return this.#driver.submit(slot, type, 0, BLK_LIFETIME_SIZE);
    if (ranges === undefined || !BLK_RANGE_TYPES.has(type)) {
      return this.#driver.submit(slot, type, at, length);
    }
    const parts = ranges.map((range) => ({ offset: range.at, length: range.length }));
    this.#driver.submitRanges(slot, type, parts);
  }

  /** The end of a step that may have been refused on the spot, before it was begun. */
  #later(done: boolean): void {
    const ended = done ? 'ok' : 'unsupported';
    if (ended !== this.#steps[this.#at].expect) this.#wrong(ended);
    this.node.kernel.schedule(this.#timer, 0, 0);
  }

  /** The end of a step that is no request. */
  #ended(status: StatusName): void {
    if (status !== this.#steps[this.#at].expect) this.#wrong(status);
    this.goOn(this.firstSlot);
  }

  #wrong(status: StatusName): void {
    this.errors++;
    this.#complain(`ended in '${status}', not '${this.#steps[this.#at].expect}'`);
  }

  #compare(slot: number, length: number, pattern: number | string): boolean {
    this.verified++;
    const { memory } = this.node;
    const address = this.#driver.dataAddress(slot);
    fill(this.#bytes, length, pattern);
    for (let i = 0; i < length; i++) {
      const found = memory.readU8(address + i);
      if (found === this.#bytes[i]) continue;
      this.#complain(`has read ${found} at byte ${i}, not ${this.#bytes[i]}`);
      return false;
    }
    return true;
  }

  #complain(text: string): void {
    const what = `step ${this.#at + 1} (${this.#steps[this.#at].do})`;
    this.node.violations.report('VERIFY', `${this.name}: ${what} ${text}`);
  }
}

/** Fills the first `length` bytes with a byte, or with bytes in hexadecimal, over and over. */
function fill(bytes: Uint8Array, length: number, pattern: number | string): void {
  const unit =
    typeof pattern === 'number'
      ? [pattern]
      : Array.from({ length: pattern.length / 2 }, (_, i) =>
          Number.parseInt(pattern.slice(2 * i, 2 * i + 2), 16),
        );
  for (let i = 0; i < length; i++) bytes[i] = unit[i % unit.length];
}

export const script = defineWorkload({
  type: 'script',
  drives: ['blk'],
  doc: 'Does on a disk what a list of steps says, and checks what comes of each.',
  spec: 'busbar',
  options: scriptOptions,
  timing: [],
  create: (environment: WorkloadEnvironment<ScriptOptions, BlkDriver>) => new Script(environment),
});
