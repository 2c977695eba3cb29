// A level interrupt line into a node's CPUs: raising it while it is pending changes nothing, and the
// handler runs once a core has taken the interrupt.
import { type CpuClient, Priority } from './cpu.ts';
import type { Node } from './node.ts';

export class InterruptLine implements CpuClient {
  /** Times the line went from idle to pending. */
  taken = 0;
  /** Times it was raised while already pending. */
  coalesced = 0;
  readonly #node: Node;
  readonly #handler: () => void;
  #pending = false;

  /** `handler` runs on a core, after the interrupt entry cost. */
  constructor(node: Node, handler: () => void) {
    this.#node = node;
    this.#handler = handler;
  }

  raise(): void {
    if (this.#pending) {
      this.coalesced++;
      return;
    }
    this.#pending = true;
    this.taken++;
    this.#node.interrupts++;
    const { cpu, timing } = this.#node;
    cpu.submit(Priority.interrupt, this.#node.charge(timing.irqEntry), this, 0);
  }

  deliver(): void {
    this.#pending = false;
    this.#handler();
  }
}
