// How the driver's end comes to its events with EVENT_POLL: a notification or a timer starts the polling,
// which goes on until the answer is empty. A poll that got lost is repeated, so often and no more.
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, InterruptLine, type Node, Priority } from '../../platform/node/index.ts';
import { peekId, peekIsBus } from '../../platform/virtio/messages/index.ts';
import { ffaMessages } from './messages.ts';
import { eventsOf, type FfaPlan } from './options.ts';
import { type PollEffect, type PollEvent, PollEvents, pollChart } from './poll-chart.ts';
import type { FfaTiming } from './timing.ts';

/** After so many polls in a row that got lost, the partition counts as lost. */
const POLLS_LOST_MAX = 3;

export interface EventPollerOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  readonly timing: FfaTiming;
  /** Sends EVENT_POLL. */
  poll(): void;
  /** Calls `again` so many ps from now. */
  later(delay: number): void;
  /** Nothing comes back any more. */
  gaveUp(): void;
}

export class EventPoller implements CpuClient {
  readonly line: InterruptLine;
  readonly #options: EventPollerOptions;
  readonly #chart: Chart<unknown, PollEvent>;
  readonly #notified: boolean;
  /** Polls lost since anything was heard. */
  #lost = 0;

  constructor(options: EventPollerOptions) {
    this.#options = options;
    const { node, plan, timing, poll } = options;
    const events = eventsOf(plan.options);
    this.#notified = events === 'notification';
    this.line = new InterruptLine(node, () => this.#interrupted());
    const interval = plan.options.pollInterval ?? node.costs.value(timing.pollInterval);
    this.#chart = node.charts.start(pollChart, {
      name: `${plan.name}.poll`,
      input: { interval: events === 'poll' ? interval : Infinity },
      perform: (_: PollEffect) => poll(),
    });
    this.#chart.begin();
  }

  /** Begins, and asks once: events may wait already. */
  enable(): void {
    this.#chart.send({ type: 'ENABLE' });
  }

  disable(): void {
    this.#lost = 0;
    this.#chart.send({ type: 'DISABLE' });
  }

  /** The partition has set our notification. */
  notified(): void {
    if (this.#notified) this.line.raise();
  }

  /** Something has come from the partition. */
  heard(): void {
    this.#lost = 0;
  }

  /** An event has come: in place of the response to a poll, or by itself. */
  event(): void {
    this.#chart.send(PollEvents.EVENT);
  }

  /** A poll has brought no event. */
  empty(): void {
    this.#chart.send(PollEvents.EMPTY);
  }

  /** A poll got lost; `wait` is the time until that is noticed. */
  lost(wait: number): void {
    if (++this.#lost < POLLS_LOST_MAX) this.failed(wait);
    else this.#options.gaveUp();
  }

  /** A poll has failed: it is repeated after a while. */
  failed(wait: number): void {
    const abandons = this.#options.plan.options.quirks.includes('abandonedPoll');
    if (abandons && this.#notified) this.empty();
    else this.#options.later(wait);
  }

  /** The wait is over. */
  again(): void {
    this.#chart.send(PollEvents.LOST);
  }

  deliver(): void {
    this.#chart.send(PollEvents.WAKE);
  }

  /** The interrupt wakes a thread, which asks what is pending and then polls. */
  #interrupted(): void {
    const { node, timing } = this.#options;
    const cost = node.charge(node.timing.workSwitch) + node.charge(timing.notificationGet);
    node.cpu.submit(Priority.task, cost, this, 0);
  }
}

/** True for an EVENT_POLL, or the response to one. */
export function isPoll(bytes: Uint8Array): boolean {
  return peekIsBus(bytes) && peekId(bytes) === ffaMessages.EVENT_POLL.id;
}
