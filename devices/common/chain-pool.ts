// Chains are taken from a pool, and most live briefly: one pool serves a ring.
import { Chain } from './chain.ts';

export class ChainPool {
  readonly #free: Chain[] = [];

  take(head: number): Chain {
    const chain = this.#free.pop() ?? new Chain();
    chain.begin(head);
    return chain;
  }

  give(chain: Chain): void {
    this.#free.push(chain);
  }
}
