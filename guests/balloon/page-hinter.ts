// Gives the device hints of free pages while it wants them (virtio 1.4 §5.5.6.5).
import type { Chart } from '../../platform/machine/index.ts';
import type { Memory } from '../../platform/node/index.ts';
import { BALLOON_HINT, BALLOON_HINT_SIZE, BALLOON_QUEUE } from '../../platform/virtio/index.ts';
import { type FreePageOwner, FreePageQueue } from './free-page-queue.ts';
import { type HintingEffect, type HintingEvent, hintingChart } from './hinting-chart.ts';

const ID_BYTES = 16;
/** Memory for ids: the one that begins a round, and the one that ends it. */
export const HINT_BYTES = 2 * ID_BYTES;

export class PageHinter extends FreePageQueue {
  readonly #memory: Memory;
  readonly #chart: Chart<unknown, HintingEvent>;
  #buffer = 0;
  /** What the device last said. */
  #id: number = BALLOON_HINT.DONE;

  constructor(owner: FreePageOwner) {
    super(owner, BALLOON_QUEUE.hint);
    const { node, name } = owner;
    this.#memory = node.memory;
    this.#chart = node.charts.start(hintingChart, {
      name: `${name}.hinting`,
      perform: (effect: HintingEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  /** The device is live; `buffer` is HINT_BYTES of shared memory. */
  start(buffer: number): void {
    this.#buffer = buffer;
  }

  stop(): void {
    this.#id = BALLOON_HINT.DONE;
    this.#chart.send({ type: 'STOP' });
  }

  /** The device says which round it wants hints for now, or that it wants none. */
  follow(id: number): void {
    if (id === this.#id) return;
    this.#id = id;
    if (id === BALLOON_HINT.DONE) this.#chart.send({ type: 'DONE' });
    else this.#chart.send({ type: id === BALLOON_HINT.STOP ? 'UNWANTED' : 'WANTED' });
  }

  /** The device has taken what was under way. */
  used(): void {
    this.pages.acknowledged();
    this.#chart.send({ type: 'USED' });
  }

  #perform(effect: HintingEffect): void {
    switch (effect.type) {
      case 'begin':
        this.pages.begin();
        return this.#sendId(this.#buffer, this.#id);
      case 'hint':
        if (!this.sendPages()) this.#chart.send({ type: 'NO_MORE' });
        return;
      case 'end':
        return this.#sendId(this.#buffer + ID_BYTES, BALLOON_HINT.STOP);
      case 'release':
        return this.clear();
    }
  }

  #sendId(address: number, id: number): void {
    this.#memory.writeU32(address, id);
    this.sendBytes(address, BALLOON_HINT_SIZE);
  }
}
