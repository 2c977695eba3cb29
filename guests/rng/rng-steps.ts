// The steps that a script may have an entropy source do: reading, and comparing with the stream of the seed.
import { z } from 'zod';
import { size } from '../../platform/scenario/fields.ts';
import {
  defineRows,
  defineSteps,
  type ScriptPort,
  type StepOf,
  type StepPlayer,
} from '../common/index.ts';
import type { RngClient, RngDriver } from './rng-driver.ts';
import { SourceCheck } from './source-check.ts';

const rows = defineRows({
  read: {
    doc: 'Reads random bytes.',
    fields: {
      length: size({ min: 1, max: 65536 }).default(64).describe('Bytes to ask for.'),
      verify: z
        .boolean()
        .default(true)
        .describe(
          "Compare them with the source's stream; right only if nobody else reads from it.",
        ),
    },
    // A source that gives fewer bytes than it was asked for is short.
    outcomes: ['ok', 'short', 'lost'],
    isRequest: true,
  },
});

type RngStep = StepOf<typeof rows>;

class RngPlayer implements StepPlayer<RngStep>, RngClient {
  readonly #port: ScriptPort<RngDriver, RngStep>;
  readonly #slot: number;
  readonly #bytes: Uint8Array;
  readonly #check: SourceCheck;
  #step: RngStep | null = null;

  constructor(port: ScriptPort<RngDriver, RngStep>) {
    this.#port = port;
    const { node, device, driver } = port;
    const longest = Math.max(1, ...port.steps.map(({ length }) => length));
    this.#bytes = new Uint8Array(longest);
    this.#check = new SourceCheck(node, device.name, longest);
    this.#slot = driver.reserve(this, 1, longest);
  }

  begin(step: RngStep): void {
    this.#step = step;
    this.#port.driver.submit(this.#slot, step.length);
  }

  rngCompleted(slot: number, length: number): void {
    const step = this.#step!;
    this.#step = null;
    if (length < 0) return this.#port.end({ outcome: 'lost' });
    const { node, driver } = this.#port;
    node.memory.copyOut(driver.dataAddress(slot), this.#bytes, 0, length);
    const matches = this.#check.matches(this.#bytes, length);
    this.#port.end({
      outcome: length === step.length ? 'ok' : 'short',
      detail: `${length} of ${step.length} bytes`,
      bytes: length,
      ...(step.verify ? { wrong: matches ? null : `found ${length} other bytes` } : {}),
    });
  }

  /** The source may have spent bytes on a request that it had to be asked for again. */
  rngRecovered(): void {
    if (this.#step !== null) this.#check.recovered(1);
  }

  /** The script itself waits for the device. */
  rngReady(): void {}
  rngDown(): void {}
}

export const rngSteps = defineSteps(
  rows,
  (port: ScriptPort<RngDriver, RngStep>) => new RngPlayer(port),
);
