// Pages of the guest's memory that a balloon holds, and those on their way into it or out of it.
import { RunError } from '../../platform/errors.ts';
import { type Memory, PAGE_SIZE } from '../../platform/node/index.ts';
import { BALLOON_PAGE } from '../../platform/virtio/index.ts';

export class BalloonPages {
  /** Addresses of the pages in the balloon, the last one in being the first out. */
  readonly held: number[] = [];
  /** Pages of the request under way. */
  readonly moving: number[] = [];
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Takes a page of the guest's memory; -1 when there is none to spare. */
  take(): number {
    try {
      return this.#memory.allocate(BALLOON_PAGE, PAGE_SIZE);
    } catch (error) {
      if (error instanceof RunError && error.code === 'MEMORY') return -1;
      throw error;
    }
  }

  /** Pages that were moving are the guest's. */
  release(): void {
    for (const page of this.moving) this.#memory.free(page, PAGE_SIZE);
  }

  /** All pages are the guest's again. */
  giveBack(): void {
    for (const page of this.held) this.#memory.free(page, PAGE_SIZE);
    this.release();
    this.held.length = 0;
    this.moving.length = 0;
  }
}
