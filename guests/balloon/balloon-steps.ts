// The steps that a script may have a balloon do: it follows its target by itself, so that they only wait.
import { size } from '../../platform/scenario/fields.ts';
import { BALLOON_PAGE } from '../../platform/virtio/index.ts';
import {
  defineRows,
  defineSteps,
  type ScriptPort,
  type StepOf,
  type StepPlayer,
  withinField,
} from '../common/index.ts';
import type { BalloonClient } from './balloon-client.ts';
import type { BalloonDriver } from './balloon-driver.ts';

const rows = defineRows({
  waitForSize: {
    doc: 'Waits until the balloon has followed its target and has this size.',
    fields: {
      size: size({ min: 0, multipleOf: BALLOON_PAGE }).describe('What is in the balloon.'),
      within: withinField(),
    },
    outcomes: ['ok', 'timeout'],
    isRequest: true,
  },
});

type BalloonStep = StepOf<typeof rows>;

class BalloonPlayer implements StepPlayer<BalloonStep>, BalloonClient {
  readonly #port: ScriptPort<BalloonDriver, BalloonStep>;
  #step: BalloonStep | null = null;
  #settled = false;

  constructor(port: ScriptPort<BalloonDriver, BalloonStep>) {
    this.#port = port;
    port.driver.watch(this);
  }

  begin(step: BalloonStep): void {
    this.#step = step;
    this.#port.expireAfter(step.within);
    this.#look();
  }

  expired(): void {
    this.#step = null;
    const detail = `found ${this.#port.driver.held * BALLOON_PAGE} bytes`;
    this.#port.end({ outcome: 'timeout', detail });
  }

  deviceInterrupted(): void {
    this.#settled = false;
  }

  balloonTarget(pages: number): void {
    if (pages !== this.#port.driver.held) this.#settled = false;
  }

  balloonSettled(): void {
    this.#settled = true;
    this.#look();
  }

  /** The script itself waits for the device. */
  balloonReady(): void {}
  balloonDown(): void {}
  balloonReleased(): void {}
  balloonInspected(): void {}

  #look(): void {
    const held = this.#port.driver.held * BALLOON_PAGE;
    if (!this.#settled || held !== this.#step?.size) return;
    this.#step = null;
    this.#port.end({ outcome: 'ok', bytes: held });
  }
}

export const balloonSteps = defineSteps(
  rows,
  (port: ScriptPort<BalloonDriver, BalloonStep>) => new BalloonPlayer(port),
);
