// Free memory of the node that the device is told about: taken from the allocator while that goes on, so that
// nobody uses it meanwhile, and given back afterwards.
import { RunError } from '../../platform/errors.ts';
import type { Memory } from '../../platform/node/index.ts';

/** Bytes of one piece; large ones are worth more to the host than single pages. */
export const BLOCK_BYTES = 65_536;
/** Pieces of one request at the most, as in Linux. */
export const BLOCKS_MAX = 32;
/** Of the free memory, this part stays with the guest while the rest is told about. */
const RESERVE_RATIO = 4;

export class FreePages {
  readonly #memory: Memory;
  /** Blocks that the device is being told of, and those that it has heard of. */
  readonly #told: number[] = [];
  readonly #heard: number[] = [];
  #reserve = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Begins: a part of what is free now stays free. */
  begin(): void {
    this.#reserve = Math.ceil(this.#memory.freeBytes / RESERVE_RATIO);
  }

  /** Takes `max` blocks at the most for a request; there are none when the rest is to stay free. */
  take(max: number): readonly number[] {
    const limit = Math.min(max, BLOCKS_MAX);
    const taken: number[] = [];
    while (taken.length < limit && this.#memory.freeBytes - BLOCK_BYTES >= this.#reserve) {
      const block = this.#takeBlock();
      if (block < 0) break;
      taken.push(block);
    }
    this.#told.push(...taken);
    return taken;
  }

  /** The device has heard of all blocks so far. */
  acknowledged(): void {
    this.#heard.push(...this.#told.splice(0));
  }

  /** Gives back what the device has heard of. Returns false when that is nothing. */
  releaseHeard(): boolean {
    for (const block of this.#heard) this.#memory.free(block, BLOCK_BYTES);
    return this.#heard.splice(0).length > 0;
  }

  /** Gives all blocks back. */
  release(): void {
    this.acknowledged();
    this.releaseHeard();
  }

  /** A block, or -1 when no piece of memory is large enough. */
  #takeBlock(): number {
    try {
      return this.#memory.allocate(BLOCK_BYTES, BLOCK_BYTES);
    } catch (error) {
      if (error instanceof RunError && error.code === 'MEMORY') return -1;
      throw error;
    }
  }
}
