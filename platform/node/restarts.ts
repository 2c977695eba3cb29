// The restarts of a node that the scenario has planned: its software stops at once, and runs again from the
// beginning some time later. Whoever models a part of that software subscribes.
import type { NodePlan } from '../contracts/index.ts';
import type { Component, Kernel } from '../kernel/index.ts';

const STOP = 0;
const START = 1;

/** A part of a node's software, or what stands for it towards other nodes. */
export interface RestartClient {
  /** The node has stopped: what was under way is lost. Those who subscribed last are told first. */
  stopped(): void;
  /** The node runs again, from the beginning. Those who subscribed first are told first. */
  started(): void;
}

export class Restarts implements Component {
  /** False while the node is down. */
  running = true;
  readonly #clients: RestartClient[] = [];

  constructor(kernel: Kernel, { index, restarts = [] }: NodePlan) {
    if (restarts.length === 0) return;
    const id = kernel.add(index, this);
    for (const { at, for: length } of restarts) {
      kernel.post(id, at, STOP);
      kernel.post(id, at + length, START);
    }
  }

  subscribe(client: RestartClient): void {
    this.#clients.push(client);
  }

  deliver(kind: number): void {
    this.running = kind === START;
    if (this.running) for (const client of this.#clients) client.started();
    else for (const client of this.#clients.toReversed()) client.stopped();
  }
}
