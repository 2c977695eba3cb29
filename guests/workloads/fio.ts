// A block workload after fio: reads and writes on a disk, in a closed or an open loop. With `verify` every
// block that is read is compared with what was last written there, or with the image.
import type { WorkloadEnvironment, WorkloadResult } from '../../platform/contracts/index.ts';
import { Backing } from '../../platform/memory/index.ts';
import { copyBytes } from '../../platform/node/index.ts';
import { BLK_S, BLK_T } from '../../platform/virtio/index.ts';
import { BLK_LOST, type BlkClient, type BlkDriver, type BlockDriver } from '../blk/index.ts';
import { defineWorkload } from '../common/index.ts';
import { arrivalProcess } from './arrivals.ts';
import { BlockPicker } from './block-picker.ts';
import { ExpectedDisk } from './expected-disk.ts';
import { checkFio, type FioOptions, fioOptions } from './fio-options.ts';
import { totalOf } from './progress.ts';
import { WorkloadBase } from './workload-base.ts';
import { ZonedFio } from './zoned-fio.ts';

const DEFAULT_OPERATIONS = 1000;
/** Written data is a window of a random pattern, stamped with block and count. */
const PATTERN_SLACK = 4096;
const STAMP = 16;

/** Kinds of request, as the report tells them apart. */
const KINDS = ['read', 'write', 'flush', 'discard'] as const;
const READ = 0;
const WRITE = 1;
const FLUSH = 2;
const DISCARD = 3;
const TYPES = [BLK_T.IN, BLK_T.OUT, BLK_T.FLUSH, BLK_T.DISCARD] as const;

/** The kinds of request that a workload with these options has. */
function kindsOf({ rw, flushEvery, discardEvery }: FioOptions): number[] {
  const kinds = rw.endsWith('read') ? [READ] : rw.endsWith('write') ? [WRITE] : [READ, WRITE];
  return [...kinds, ...(flushEvery > 0 ? [FLUSH] : []), ...(discardEvery > 0 ? [DISCARD] : [])];
}

class Fio extends WorkloadBase implements BlkClient {
  readonly #options: FioOptions;
  readonly #environment: WorkloadEnvironment<FioOptions, BlockDriver>;
  readonly #driver: BlockDriver;
  readonly #pattern: Uint8Array;
  readonly #scratch: Uint8Array;
  /** The same bytes, a word at a time. */
  readonly #scratchWords: Int32Array;
  readonly #random;
  readonly #block: Int32Array;
  readonly #operation: Int32Array;
  /** Index of each kind among those that this workload has. */
  readonly #kindIndex: readonly number[];
  /** What the disk must contain; null without `verify`. */
  #expected: ExpectedDisk | null = null;
  #picker: BlockPicker | null = null;
  #left: number;
  #writes = 0;
  #sinceFlush = 0;
  #sinceDiscard = 0;
  #recoveries = 0;
  #resizes = 0;

  constructor(environment: WorkloadEnvironment<FioOptions, BlockDriver>) {
    const { node, plan, driver, finished } = environment;
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
      arrivals: arrivalProcess(options, node.random(`arrivals/${plan.name}`), environment.resolve),
      survivesRestarts: true,
      operations: kindsOf(options).map((kind) => KINDS[kind]),
      finished,
    });
    this.#options = options;
    this.#environment = environment;
    this.#driver = driver;
    this.#left = total;
    this.#random = node.random(`workload/${plan.name}`);
    this.#pattern = new Uint8Array(options.blockSize + PATTERN_SLACK);
    this.#random.fill(this.#pattern);
    const scratch = new ArrayBuffer(options.blockSize);
    this.#scratch = new Uint8Array(scratch);
    this.#scratchWords = new Int32Array(scratch);
    this.firstSlot = driver.reserve(this, options.depth, options.blockSize);
    this.#block = new Int32Array(options.depth);
    this.#operation = new Int32Array(options.depth);
    const kinds = kindsOf(options);
    this.#kindIndex = KINDS.map((_, kind) => kinds.indexOf(kind));
  }

  blkReady(capacity: number): void {
    const { blockSize, depth, rw, verify } = this.#options;
    const blocks = Math.floor(capacity / blockSize);
    if (blocks <= depth) {
      return this.down(`${blocks} blocks are too few for ${depth} requests at a time`);
    }
    this.#picker = new BlockPicker(blocks, rw.startsWith('rand') ? this.#random : null);
    if (verify) this.#expected ??= this.#makeExpected(capacity);
    this.ready();
  }

  blkRecovered(): void {
    this.#recoveries++;
    this.#expected?.failed();
  }

  blkResized(capacity: number): void {
    const { blockSize, depth } = this.#options;
    const blocks = Math.floor(capacity / blockSize);
    this.#resizes++;
    this.#expected?.resize(capacity);
    if (blocks > depth) this.#picker?.resize(blocks);
    else this.down(`the disk has shrunk to ${blocks} blocks`);
  }

  blkDown(reason: string): void {
    this.down(reason);
  }

  blkCompleted(slot: number, status: number, latency: number): void {
    const index = slot - this.firstSlot;
    const { blockSize } = this.#options;
    const operation = this.#operation[index];
    let failed = status !== BLK_S.OK;
    if (operation === FLUSH) {
      if (!failed) this.#expected?.flushed(slot);
      return this.over(slot, latency, failed, 0, this.#kindIndex[operation]);
    }
    const block = this.#block[index];
    this.#picker!.release(block);
    if (!failed) failed = !this.#done(operation, slot, block);
    else if (status === BLK_LOST && operation === WRITE) this.#lost(slot, block);
    const bytes = operation === DISCARD ? 0 : blockSize;
    this.over(slot, latency, failed, bytes, this.#kindIndex[operation]);
  }

  override result(): WorkloadResult {
    const [recoveries, resizes] = [this.#recoveries, this.#resizes];
    return { ...super.result(), extra: { recoveries, resizes } };
  }

  protected override next(slot: number): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    const index = slot - this.firstSlot;
    const { blockSize } = this.#options;
    const operation = this.#chooseOperation();
    this.#operation[index] = operation;
    if (operation === FLUSH) {
      this.#expected?.flushing(slot);
      this.#driver.submit(slot, BLK_T.FLUSH, 0, 0);
      return true;
    }
    const block = this.#picker!.take();
    this.#block[index] = block;
    if (operation === WRITE) this.#fill(slot, block);
    this.#driver.submit(slot, TYPES[operation], block * blockSize, blockSize);
    return true;
  }

  #makeExpected(capacity: number): ExpectedDisk {
    const { device, resolve } = this.#environment;
    const { image, writeCache, powerLoss } = device.options;
    // Memory has no cache to speak of: what was not flushed is at risk where the power fails.
    const failures = Array.isArray(powerLoss) ? powerLoss.length : 0;
    const atRisk = Number(writeCache ?? failures);
    const backing =
      typeof image === 'string' ? Backing.ofFile(resolve(image)) : Backing.ofMemory(capacity);
    const { blockSize } = this.#options;
    return new ExpectedDisk({ backing, blockSize, volatile: atRisk > 0 });
  }

  #chooseOperation(): number {
    const { flushEvery, discardEvery } = this.#options;
    if (flushEvery > 0 && ++this.#sinceFlush > flushEvery) {
      this.#sinceFlush = 0;
      return FLUSH;
    }
    if (discardEvery > 0 && ++this.#sinceDiscard > discardEvery) {
      this.#sinceDiscard = 0;
      return DISCARD;
    }
    return this.#isRead() ? READ : WRITE;
  }

  /** Takes note of what a request has done. Returns false when what was read is not what it must be. */
  #done(operation: number, slot: number, block: number): boolean {
    const expected = this.#expected;
    if (expected === null) return true;
    if (operation === DISCARD) {
      expected.discarded(block);
      return true;
    }
    const { blockSize } = this.#options;
    this.node.memory.copyOut(this.#driver.dataAddress(slot), this.#scratch, 0, blockSize);
    if (operation === READ) return this.#verify(expected, block);
    expected.written(block, this.#scratch);
    return true;
  }

  /** Nobody knows whether a write has been done. */
  #lost(slot: number, block: number): void {
    const { blockSize } = this.#options;
    const bytes = new Uint8Array(blockSize);
    this.node.memory.copyOut(this.#driver.dataAddress(slot), bytes, 0, blockSize);
    this.#expected?.uncertain(block, bytes);
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

  #verify(expected: ExpectedDisk, block: number): boolean {
    if (expected.isUnknown(block)) return true;
    this.verified++;
    if (expected.matches(block, this.#scratch, this.#scratchWords)) return true;
    this.node.violations.report('VERIFY', `${this.name}: block ${block} is not what it must be`);
    return false;
  }
}

export const fio = defineWorkload({
  type: 'fio',
  drives: ['blk', 'pmem'],
  doc: 'Reads and writes on a disk, with verification of every block read.',
  spec: 'the options of fio',
  options: fioOptions,
  timing: [],
  check: checkFio,
  create: (environment: WorkloadEnvironment<FioOptions, BlockDriver>) => {
    if (environment.plan.options.zoned === undefined) return new Fio(environment);
    // Only disks have zones.
    return new ZonedFio(environment as WorkloadEnvironment<FioOptions, BlkDriver>);
  },
});
