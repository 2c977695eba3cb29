// Faults of one bus, as the scenario asks for them: a rule matches a message by name and acts a number
// of times from an instant on. Without rules a lookup costs one comparison.
import type { FaultPlan } from '../contracts/index.ts';
import type { Kernel } from '../kernel/index.ts';

/** Nothing happens to the message. */
export const PASS = 0;

interface Rule {
  readonly plan: FaultPlan;
  left: number;
}

export class FaultInjector {
  /** How often rules have acted. */
  acted = 0;
  readonly #kernel: Kernel;
  readonly #rules: readonly Rule[];

  constructor(kernel: Kernel, plans: readonly FaultPlan[]) {
    this.#kernel = kernel;
    this.#rules = plans.map((plan) => ({ plan, left: plan.count }));
  }

  /** True when there is any rule at all; callers need not name messages otherwise. */
  get active(): boolean {
    return this.#rules.length > 0;
  }

  /** What happens to a message on its way: Infinity to drop it, ps to delay it, or PASS. */
  onMessage(name: string): number {
    const drop = this.#take(name, 'drop');
    if (drop !== null) return Infinity;
    return this.#take(name, 'delay')?.amount ?? PASS;
  }

  /** True when the step that would send this message is to be left out. */
  omits(name: string): boolean {
    return this.#take(name, 'omit') !== null;
  }

  /** Pages by which what this message announces falls short. */
  shrinksBy(name: string): number {
    return this.#take(name, 'shrink')?.amount ?? 0;
  }

  #take(name: string, action: FaultPlan['action']): FaultPlan | null {
    for (const rule of this.#rules) {
      const { plan } = rule;
      const matches = plan.message === name && plan.action === action;
      if (!matches || rule.left === 0 || this.#kernel.now < plan.at) continue;
      rule.left--;
      this.acted++;
      return plan;
    }
    return null;
  }
}
