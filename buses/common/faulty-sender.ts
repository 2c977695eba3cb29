// What one end of a bus sends, seen by the scenario's fault rules first: a message is passed on, dropped
// or delayed. Without rules it is passed on at once.
import type { FaultPlan } from '../../platform/contracts/index.ts';
import { FaultInjector } from '../../platform/faults/index.ts';
import type { Component } from '../../platform/kernel/index.ts';
import type { Node } from '../../platform/node/index.ts';
import type { MessageCounter } from './message-counter.ts';

export interface FaultySenderOptions {
  readonly node: Node;
  readonly faults: readonly FaultPlan[];
  /** Knows the names of the messages, and hears of those that were dropped. */
  readonly counter: MessageCounter;
  forward(bytes: Uint8Array, length: number): void;
  /** Told of each message that was dropped. */
  dropped?(bytes: Uint8Array): void;
}

export class FaultySender implements Component {
  readonly injector: FaultInjector;
  readonly #options: FaultySenderOptions;
  readonly #delayed: { readonly bytes: Uint8Array; readonly length: number }[] = [];
  readonly #id: number;

  constructor(options: FaultySenderOptions) {
    this.#options = options;
    const { node, faults } = options;
    this.injector = new FaultInjector(node.kernel, faults);
    this.#id = this.injector.active ? node.add(this) : -1;
  }

  send(bytes: Uint8Array, length: number): void {
    const { node, counter, forward } = this.#options;
    const fate = this.injector.active
      ? this.injector.onMessage(counter.index.names[counter.index.rowIndexAt(bytes)])
      : 0;
    if (fate === 0) return forward(bytes, length);
    if (fate === Infinity) return this.#drop(bytes, length);
    const index = this.#delayed.push({ bytes: bytes.slice(0, length), length }) - 1;
    node.kernel.schedule(this.#id, fate, 0, index);
  }

  #drop(bytes: Uint8Array, length: number): void {
    const { counter, dropped } = this.#options;
    counter.drop(bytes, length);
    dropped?.(bytes);
  }

  deliver(_kind: number, index: number): void {
    const { bytes, length } = this.#delayed[index];
    this.#options.forward(bytes, length);
  }
}
