// The steps that a script may have a disk do: requests with their bytes and status, and the cache mode. Those of
// `blockRows` are for disks of any kind.
import { z } from 'zod';
import { size } from '../../platform/scenario/fields.ts';
import { BLK_LIFETIME_SIZE, BLK_S, BLK_T, SECTOR_SIZE } from '../../platform/virtio/index.ts';
import {
  type AnyStep,
  type Bytes,
  bytesField,
  defineRows,
  defineSteps,
  differenceOf,
  fillBytes,
  patternField,
  type ScriptPort,
  type StepOf,
  type StepPlayer,
} from '../common/index.ts';
import { BLK_LOST, type BlkClient } from './blk-client.ts';
import type { BlkDriver } from './blk-driver.ts';
import type { BlockDriver } from './block-driver.ts';

const LENGTH_MAX = 1024 * 1024;

const OUTCOMES = ['ok', 'ioerr', 'unsupported', 'lost'] as const;
const STATUS_OF = { ok: BLK_S.OK, ioerr: BLK_S.IOERR, unsupported: BLK_S.UNSUPP, lost: BLK_LOST };
const EXPECTED_TEXT = 'Bytes to be found: a number, or hexadecimal digits, ? for any; repeated.';

const place = {
  at: size({ min: 0, multipleOf: SECTOR_SIZE }).default(0).describe('Where on the disk.'),
  length: size({ min: SECTOR_SIZE, multipleOf: SECTOR_SIZE, max: LENGTH_MAX })
    .default(4096)
    .describe('How many bytes.'),
};

const ranges = {
  ...place,
  ranges: z
    .array(
      z.strictObject({
        at: size({ min: 0, multipleOf: SECTOR_SIZE }),
        length: size({ min: SECTOR_SIZE, multipleOf: SECTOR_SIZE }),
      }),
    )
    .min(1)
    .optional()
    .describe('Several parts of the disk for one request, instead of `at`.'),
};

const request = { outcomes: OUTCOMES, isRequest: true } as const;

/** Requests that any kind of disk takes. */
export const blockRows = defineRows({
  read: {
    doc: 'Reads, and compares if there is a `pattern`.',
    fields: { ...place, pattern: patternField().optional().describe(EXPECTED_TEXT) },
    ...request,
  },
  write: {
    doc: 'Writes.',
    fields: {
      ...place,
      pattern: bytesField()
        .default(0)
        .describe('Bytes to write: a number, or hexadecimal digits; repeated.'),
    },
    ...request,
  },
  flush: { doc: 'Has what was written so far made lasting.', fields: {}, ...request },
});

const rows = defineRows({
  ...blockRows,
  discard: {
    doc: 'Says that parts of the disk are of no use any more.',
    fields: ranges,
    ...request,
  },
  writeZeroes: { doc: 'Fills parts of the disk with zeroes.', fields: ranges, ...request },
  secureErase: { doc: 'Erases parts of the disk for good.', fields: ranges, ...request },
  lifetime: {
    doc: 'Asks how worn the disk is.',
    fields: { pattern: patternField().optional().describe(EXPECTED_TEXT) },
    ...request,
  },
  cacheMode: {
    doc: 'Chooses the cache mode.',
    fields: { writeBack: z.boolean().default(true).describe('Writes are cached.') },
    outcomes: ['ok', 'unsupported'],
  },
});

type BlkStep = StepOf<typeof rows>;

/** A request of any kind of disk. */
interface RequestStep extends AnyStep {
  readonly at?: number;
  readonly length?: number;
  readonly pattern?: Bytes | undefined;
}

const TYPES: Readonly<Record<string, number>> = {
  read: BLK_T.IN,
  write: BLK_T.OUT,
  flush: BLK_T.FLUSH,
  discard: BLK_T.DISCARD,
  writeZeroes: BLK_T.WRITE_ZEROES,
  secureErase: BLK_T.SECURE_ERASE,
  lifetime: BLK_T.GET_LIFETIME,
};

/** Plays the requests of any kind of disk. */
export class BlockPlayer<D extends BlockDriver> implements StepPlayer<RequestStep>, BlkClient {
  protected readonly port: ScriptPort<D, RequestStep>;
  protected readonly slot: number;
  readonly #bytes: Uint8Array;
  #step: RequestStep | null = null;

  constructor(port: ScriptPort<D, RequestStep>) {
    this.port = port;
    const longest = Math.max(BLK_LIFETIME_SIZE, ...port.steps.map(({ length = 0 }) => length));
    this.#bytes = new Uint8Array(longest);
    this.slot = port.driver.reserve(this, 1, longest);
  }

  begin(step: RequestStep): void {
    const { driver, node } = this.port;
    const { at = 0, length = 0, pattern = 0 } = step;
    this.#step = step;
    if (step.do === 'write') {
      fillBytes(this.#bytes, length, pattern);
      node.memory.copyIn(driver.dataAddress(this.slot), this.#bytes, 0, length);
    }
    this.submit(TYPES[step.do], at, length);
  }

  /** The script itself waits for the device. */
  blkReady(): void {}
  blkDown(): void {}

  blkCompleted(_slot: number, status: number): void {
    const { do: kind, length = BLK_LIFETIME_SIZE, pattern } = this.#step!;
    const outcome = OUTCOMES.find((name) => STATUS_OF[name] === status) ?? `status ${status}`;
    const compares = status === BLK_S.OK && kind !== 'write' && pattern !== undefined;
    this.port.end({
      outcome,
      ...(compares ? { wrong: this.#difference(length, pattern) } : {}),
      bytes: kind === 'read' || kind === 'write' ? length : 0,
    });
  }

  /** Starts the request of the step under way. */
  protected submit(type: number, at: number, length: number): void {
    this.port.driver.submit(this.slot, type, at, length);
  }

  #difference(length: number, pattern: Bytes): string | null {
    const { driver, node } = this.port;
    node.memory.copyOut(driver.dataAddress(this.slot), this.#bytes, 0, length);
    return differenceOf(this.#bytes, length, pattern);
  }
}

class BlkPlayer extends BlockPlayer<BlkDriver> {
  #ranges: Extract<BlkStep, { readonly do: 'discard' }>['ranges'];

  override begin(step: BlkStep): void {
    if (step.do === 'cacheMode') {
      const ended = (done: boolean) => this.port.end({ outcome: done ? 'ok' : 'unsupported' });
      return this.port.driver.setWriteBack(step.writeBack, ended);
    }
    this.#ranges = 'ranges' in step ? step.ranges : undefined;
    super.begin(step);
  }

  protected override submit(type: number, at: number, length: number): void {
    if (type === BLK_T.GET_LIFETIME) return super.submit(type, 0, BLK_LIFETIME_SIZE);
    if (this.#ranges === undefined) return super.submit(type, at, length);
    const ranges = this.#ranges.map((part) => ({ offset: part.at, length: part.length }));
    this.port.driver.submitRanges(this.slot, type, ranges);
  }
}

export const blkSteps = defineSteps(
  rows,
  (port: ScriptPort<BlkDriver, BlkStep>) => new BlkPlayer(port),
);
