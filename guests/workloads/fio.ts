// A block workload after fio: a closed loop of reads and writes on a disk. With `verify` every block
// that is read is compared with what was last written there, or with the image.
import { z } from 'zod';
import type { WorkloadEnvironment } from '../../platform/contracts/index.ts';
import { Backing } from '../../platform/memory/index.ts';
import { copyBytes } from '../../platform/node/index.ts';
import { size, time } from '../../platform/scenario/fields.ts';
import { BLK_S, BLK_T, SECTOR_SIZE } from '../../platform/virtio/index.ts';
import type { BlkClient, BlkDriver } from '../blk/index.ts';
import { defineWorkload } from '../common/index.ts';
import { arrivalOptions, arrivalProcess } from './arrivals.ts';
import { BlockPicker } from './block-picker.ts';
import { WorkloadBase } from './workload-base.ts';

export const fioOptions = z.strictObject({
  rw: z
    .enum(['read', 'write', 'rw', 'randread', 'randwrite', 'randrw'])
    .default('randread')
    .describe('Access pattern: sequential or random, reads, writes or both.'),
  readPercent: z.int().min(0).max(100).default(50).describe('Share of reads when both are done.'),
  blockSize: size({ min: SECTOR_SIZE, multipleOf: SECTOR_SIZE, max: 1024 * 1024 })
    .default(4096)
    .describe('Bytes of one request.'),
  depth: z.int().min(1).max(4096).default(1).describe('Requests under way at the same time.'),
  operations: z.int().min(1).optional().describe('Requests in all. Default: until `duration`.'),
  duration: time({ min: 1 }).optional().describe('How long to submit requests.'),
  thinkTime: time({ min: 0 })
    .default(0)
    .describe('Time between the end of a request and the next on its slot.'),
  ...arrivalOptions,
  verify: z.boolean().default(true).describe('Compare every block that is read.'),
  flushEvery: z.int().min(0).default(0).describe('A flush after this many requests; 0 for none.'),
});

type FioOptions = z.output<typeof fioOptions>;

const DEFAULT_OPERATIONS = 1000;
/** Written data is a window of a random pattern, stamped with block and count. */
const PATTERN_SLACK = 4096;
const STAMP = 16;

class Fio extends WorkloadBase implements BlkClient {
  readonly #options: FioOptions;
  readonly #environment: WorkloadEnvironment<FioOptions, BlkDriver>;
  readonly #driver: BlkDriver;
  readonly #pattern: Uint8Array;
  readonly #scratch: Uint8Array;
  /** The same bytes, a word at a time. */
  readonly #scratchWords: Int32Array;
  readonly #random;
  readonly #block: Int32Array;
  readonly #type: Int32Array;
  /** What the disk must contain; null without `verify`. */
  #expected: Backing | null = null;
  #picker: BlockPicker | null = null;
  #left: number;
  #writes = 0;
  #sinceFlush = 0;

  constructor(environment: WorkloadEnvironment<FioOptions, BlkDriver>) {
    const { node, plan, driver, finished } = environment;
    const { options } = plan;
    super({
      node,
      name: plan.name,
      duration: options.duration ?? Infinity,
      depth: options.depth,
      thinkTime: options.thinkTime,
      arrivals: arrivalProcess(options, node.random(`arrivals/${plan.name}`), environment.resolve),
      finished,
    });
    this.#options = options;
    this.#environment = environment;
    this.#driver = driver;
    const unbounded = options.duration === undefined ? DEFAULT_OPERATIONS : Infinity;
    this.#left = options.operations ?? unbounded;
    this.#random = node.random(`workload/${plan.name}`);
    this.#pattern = new Uint8Array(options.blockSize + PATTERN_SLACK);
    this.#random.fill(this.#pattern);
    const scratch = new ArrayBuffer(options.blockSize);
    this.#scratch = new Uint8Array(scratch);
    this.#scratchWords = new Int32Array(scratch);
    this.firstSlot = driver.reserve(this, options.depth, options.blockSize);
    this.#block = new Int32Array(options.depth);
    this.#type = new Int32Array(options.depth);
  }

  blkReady(capacity: number): void {
    const { blockSize, depth, rw, verify } = this.#options;
    const blocks = Math.floor(capacity / blockSize);
    if (blocks <= depth) {
      return this.down(`${blocks} blocks are too few for ${depth} requests at a time`);
    }
    this.#picker = new BlockPicker(blocks, rw.startsWith('rand') ? this.#random : null);
    const { image } = this.#environment.device.options;
    if (verify) {
      this.#expected =
        typeof image === 'string'
          ? Backing.ofFile(this.#environment.resolve(image))
          : Backing.ofMemory(capacity);
    }
    this.ready();
  }

  blkDown(reason: string): void {
    this.down(reason);
  }

  blkCompleted(slot: number, status: number, latency: number): void {
    const index = slot - this.firstSlot;
    const { blockSize } = this.#options;
    let failed = status !== BLK_S.OK;
    const type = this.#type[index];
    if (type === BLK_T.FLUSH) return this.over(slot, latency, failed, 0);
    const block = this.#block[index];
    this.#picker!.release(block);
    if (!failed && this.#expected !== null) {
      this.node.memory.copyOut(this.#driver.dataAddress(slot), this.#scratch, 0, blockSize);
      if (type === BLK_T.OUT) this.#expected.write(block * blockSize, this.#scratch, 0, blockSize);
      else failed = !this.#verify(block);
    }
    this.over(slot, latency, failed, blockSize);
  }

  protected override next(slot: number): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    const index = slot - this.firstSlot;
    const { blockSize, flushEvery } = this.#options;
    if (flushEvery > 0 && ++this.#sinceFlush > flushEvery) {
      this.#sinceFlush = 0;
      this.#type[index] = BLK_T.FLUSH;
      this.#driver.submit(slot, BLK_T.FLUSH, 0, 0);
      return true;
    }
    const block = this.#picker!.take();
    this.#block[index] = block;
    this.#type[index] = this.#isRead() ? BLK_T.IN : BLK_T.OUT;
    if (this.#type[index] === BLK_T.OUT) this.#fill(slot, block);
    this.#driver.submit(slot, this.#type[index], block * blockSize, blockSize);
    return true;
  }

  #isRead(): boolean {
    const { rw, readPercent } = this.#options;
    if (rw === 'read' || rw === 'randread') return true;
    if (rw === 'write' || rw === 'randwrite') return false;
    return this.#random.ratio(readPercent, 100);
  }

  /** Puts data that no other write has into the slot's buffer. */
  #fill(slot: number, block: number): void {
    const { blockSize } = this.#options;
    const window = this.#random.below(PATTERN_SLACK / 8) * 8;
    const scratch = this.#scratch;
    copyBytes(this.#pattern, window, scratch, 0, blockSize);
    this.#writes++;
    for (let i = 0; i < STAMP / 2; i++) {
      scratch[i] = (block / 2 ** (8 * i)) & 0xff;
      scratch[STAMP / 2 + i] = (this.#writes / 2 ** (8 * i)) & 0xff;
    }
    this.node.memory.copyIn(this.#driver.dataAddress(slot), scratch, 0, blockSize);
  }

  #verify(block: number): boolean {
    const { blockSize } = this.#options;
    this.verified++;
    if (this.#expected!.equals(block * blockSize, this.#scratchWords, blockSize)) return true;
    this.node.violations.report('VERIFY', `${this.name}: block ${block} is not what it must be`);
    return false;
  }
}

export const fio = defineWorkload({
  type: 'fio',
  drives: 'blk',
  doc: 'Reads and writes on a disk in a closed loop, with verification of every block read.',
  spec: 'after the options of fio',
  options: fioOptions,
  timing: [],
  create: (environment: WorkloadEnvironment<FioOptions, BlkDriver>) => new Fio(environment),
});
