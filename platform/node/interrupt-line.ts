// A level interrupt line into a node's CPUs: raising it while it is pending changes nothing, and the
// handler runs once a core has taken the interrupt.
import { ANY_CORE, type CpuClient, Priority } from './cpu.ts';
import type { Node } from './node.ts';

export class InterruptLine implements CpuClient {
  /** Times the line went from idle to pending. */
  taken = 0;
  /** Times it was raised while already pending. */
  coalesced = 0;
  readonly #node: Node;
  readonly #handler: () => void;
  readonly #core: number;
  #pending = false;

  /** `handler` runs on a core, or on the given one, after the interrupt entry cost. */
  constructor(node: Node, handler: () => void, core = ANY_CORE) {
    this.#node = node;
    this.#handler = handler;
    this.#core = core;
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
    cpu.submit(Priority.interrupt, this.#node.charge(timing.irqEntry), this, 0, 0, 0, this.#core);
  }

  deliver(): void {
    this.#pending = false;
    this.#handler();
  }
}

interface InterruptTotals {
  readonly interrupts: number;
  readonly interruptsCoalesced: number;
}

/** What several lines have counted together, as a report names it. */
export function interruptTotals(lines: Iterable<InterruptLine>): InterruptTotals {
  let interrupts = 0;
  let interruptsCoalesced = 0;
  for (const { taken, coalesced } of lines) {
    interrupts += taken;
    interruptsCoalesced += coalesced;
  }
  return { interrupts, interruptsCoalesced };
}
