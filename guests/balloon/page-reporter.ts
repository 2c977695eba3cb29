// Reports free memory to the device, whenever there is more of it than before (virtio 1.4 §5.5.6.7).
import type { Chart } from '../../platform/machine/index.ts';
import type { Memory } from '../../platform/node/index.ts';
import { BALLOON_QUEUE } from '../../platform/virtio/index.ts';
import { type FreePageOwner, FreePageQueue } from './free-page-queue.ts';
import { type ReportingEffect, type ReportingEvent, reportingChart } from './reporting-chart.ts';

export class PageReporter extends FreePageQueue {
  readonly #memory: Memory;
  readonly #chart: Chart<unknown, ReportingEvent>;
  /** Free bytes when they were last reported. */
  #reported = 0;

  constructor(owner: FreePageOwner) {
    super(owner, BALLOON_QUEUE.report);
    const { node, name } = owner;
    this.#memory = node.memory;
    this.#chart = node.charts.start(reportingChart, {
      name: `${name}.reporting`,
      input: { pause: node.costs.value(node.costs.idOf('balloon.reportInterval')) },
      perform: (effect: ReportingEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  start(): void {
    this.#chart.send({ type: 'START' });
  }

  stop(): void {
    this.#reported = 0;
    this.#chart.send({ type: 'STOP' });
  }

  /** The device has heard of the pages under way. */
  used(): void {
    this.pages.acknowledged();
    this.#chart.send({ type: 'USED' });
  }

  #perform(effect: ReportingEffect): void {
    switch (effect.type) {
      case 'look': {
        const { freeBytes } = this.#memory;
        const more = freeBytes > this.#reported;
        this.#reported = freeBytes;
        this.pages.begin();
        return this.#chart.send({ type: more ? 'MORE' : 'NO_MORE' });
      }
      case 'report':
        if (!this.sendPages()) this.#chart.send({ type: 'NO_MORE' });
        return;
      case 'release':
        return this.clear();
    }
  }
}
