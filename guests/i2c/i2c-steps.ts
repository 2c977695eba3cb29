// The steps that a script may have an I2C adapter do: transfers, told byte by byte.
import { z } from 'zod';
import { count } from '../../platform/scenario/fields.ts';
import {
  bytesField,
  bytesOf,
  defineRows,
  defineSteps,
  differenceOf,
  lengthOf,
  patternField,
  type ScriptPort,
  type StepOf,
  type StepPlayer,
} from '../common/index.ts';
import type { I2cClient, I2cDriver, I2cMessage } from './i2c-driver.ts';
import { I2cResult } from './i2c-driver.ts';

const BYTES_MAX = 4096;

const rows = defineRows({
  transfer: {
    doc: 'Writes to a chip, then reads from it, in one transfer; without either it only asks whether there is a chip.',
    fields: {
      address: count({ max: 127 }).describe('The address of the chip.'),
      write: bytesField().optional().describe('Bytes to write: a number, or hexadecimal digits.'),
      read: count({ min: 1, max: BYTES_MAX }).optional().describe('How many bytes to read.'),
      is: patternField()
        .optional()
        .describe('What must be read: a number, or hexadecimal digits, ? for any; repeated.'),
      again: z
        .boolean()
        .default(false)
        .describe('It does no harm twice: done again if the adapter is reset meanwhile, not lost.'),
    },
    // A chip that does not answer, or breaks off, is an error.
    outcomes: ['ok', 'error', 'timeout', 'lost'],
    isRequest: true,
  },
});

type I2cStep = StepOf<typeof rows>;

const OUTCOMES: Readonly<Record<I2cResult, string>> = {
  [I2cResult.ok]: 'ok',
  [I2cResult.error]: 'error',
  [I2cResult.timedOut]: 'timeout',
  [I2cResult.lost]: 'lost',
};

class I2cPlayer implements StepPlayer<I2cStep>, I2cClient {
  readonly #port: ScriptPort<I2cDriver, I2cStep>;
  readonly #slot: number;
  #step: I2cStep | null = null;

  constructor(port: ScriptPort<I2cDriver, I2cStep>) {
    this.#port = port;
    const longest = Math.max(1, ...port.steps.map(bytesMoved));
    this.#slot = port.driver.reserve(this, 1, longest);
  }

  begin(step: I2cStep): void {
    const { driver, node } = this.#port;
    const { address, write, read = 0 } = step;
    this.#step = step;
    const written = write === undefined ? 0 : lengthOf(write);
    if (write !== undefined) {
      node.memory.copyIn(driver.dataAddress(this.#slot), bytesOf(write), 0, written);
    }
    const messages: I2cMessage[] = [];
    if (written > 0 || read === 0)
      messages.push({ address, read: false, offset: 0, length: written });
    if (read > 0) messages.push({ address, read: true, offset: written, length: read });
    driver.transfer(this.#slot, messages, step.again);
  }

  i2cCompleted(_slot: number, result: I2cResult): void {
    const step = this.#step!;
    const bytes = bytesMoved(step);
    const outcome = OUTCOMES[result];
    if (step.is === undefined || result !== I2cResult.ok) return this.#port.end({ outcome, bytes });
    this.#port.end({ outcome, bytes, wrong: this.#difference(step) });
  }

  /** The script itself waits for the device. */
  i2cReady(): void {}
  i2cDown(): void {}

  #difference({ write, read = 0, is = 0 }: I2cStep): string | null {
    const { driver, node } = this.#port;
    const found = new Uint8Array(read);
    const written = write === undefined ? 0 : lengthOf(write);
    node.memory.copyOut(driver.dataAddress(this.#slot) + written, found, 0, read);
    return differenceOf(found, read, is);
  }
}

function bytesMoved({ write, read = 0 }: I2cStep): number {
  return read + (write === undefined ? 0 : lengthOf(write));
}

export const i2cSteps = defineSteps(
  rows,
  (port: ScriptPort<I2cDriver, I2cStep>) => new I2cPlayer(port),
);
