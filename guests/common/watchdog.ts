// Watches that requests make progress: when none comes back for too long while some are under way,
// whoever asked is told, as a kernel's request timeout does.
import { emit, setup } from 'xstate';
import type { Chart } from '../../platform/machine/index.ts';
import type { Node } from '../../platform/node/index.ts';

export type WatchdogEvent =
  | { readonly type: 'START' }
  | { readonly type: 'PROGRESS' }
  | { readonly type: 'IDLE' };

export type WatchdogEffect = { readonly type: 'expired' };

export interface WatchdogInput {
  /** ps without progress that are too long, or Infinity. */
  readonly timeout: number;
}

export const watchdogChart = setup({
  types: {} as {
    context: WatchdogInput;
    input: WatchdogInput;
    events: WatchdogEvent;
    emitted: WatchdogEffect;
  },
  delays: { TIMEOUT: ({ context }) => context.timeout },
  actions: { expired: emit({ type: 'expired' }) },
}).createMachine({
  id: 'watchdog',
  context: ({ input }) => input,
  initial: 'idle',
  on: { '*': {} },
  states: {
    idle: { description: 'Nothing is under way.', on: { START: 'watching' } },
    watching: {
      description: 'Requests are under way, and the last progress is recent.',
      on: { PROGRESS: { target: 'watching', reenter: true }, IDLE: 'idle' },
      after: { TIMEOUT: 'expired' },
    },
    expired: {
      description: 'Nothing came back for too long.',
      entry: 'expired',
      on: { PROGRESS: 'watching', IDLE: 'idle' },
      after: { TIMEOUT: { target: 'expired', reenter: true } },
    },
  },
});

const START: WatchdogEvent = { type: 'START' };
const PROGRESS: WatchdogEvent = { type: 'PROGRESS' };
const IDLE: WatchdogEvent = { type: 'IDLE' };

export interface WatchdogOptions {
  readonly node: Node;
  readonly name: string;
  /** ps without progress that are too long, or Infinity. */
  readonly timeout: number;
  /** Called when too long has passed, and again after as long a time. */
  expired(): void;
}

export class Watchdog {
  readonly #chart: Chart<unknown, WatchdogEvent>;
  #count = 0;

  constructor({ node, name, timeout, expired }: WatchdogOptions) {
    this.#chart = node.charts.start(watchdogChart, {
      name: `${name}.watchdog`,
      input: { timeout },
      perform: () => expired(),
    });
    this.#chart.begin();
  }

  /** A request is under way. */
  began(): void {
    if (this.#count++ === 0) this.#chart.send(START);
  }

  /** A request is over. */
  ended(): void {
    this.#chart.send(--this.#count === 0 ? IDLE : PROGRESS);
  }

  /** All requests are over. */
  clear(): void {
    this.#count = 0;
    this.#chart.send(IDLE);
  }
}
