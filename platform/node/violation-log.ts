// What a modelled peer did wrong. A violation is data: it is counted, described and reported, and the
// run goes on.
import type { Kernel } from '../kernel/index.ts';

/** Closed set of what can be violated. */
export type ViolationCode =
  | 'DMA_FAULT'
  | 'ACCESS_FAULT'
  | 'MALFORMED_MESSAGE'
  | 'UNEXPECTED_MESSAGE'
  | 'UNEXPECTED_RESPONSE'
  | 'UNKNOWN_DEVICE'
  | 'EVENT_LOST'
  | 'ILLEGAL_STEP'
  | 'BAD_DESCRIPTOR'
  | 'BAD_REQUEST'
  | 'TIMEOUT'
  | 'VERIFY';

export interface Violation {
  readonly at: number;
  readonly node: string;
  readonly code: ViolationCode;
  readonly text: string;
}

/** Violations beyond this many per node are counted but not described. */
export const VIOLATIONS_DESCRIBED_MAX = 100;

export class ViolationLog {
  count = 0;
  readonly described: Violation[] = [];
  readonly node: number;
  readonly #kernel: Kernel;
  readonly #name: string;

  constructor(kernel: Kernel, node: number, name: string) {
    this.#kernel = kernel;
    this.node = node;
    this.#name = name;
  }

  report(code: ViolationCode, text: string): void {
    this.count++;
    if (this.described.length < VIOLATIONS_DESCRIBED_MAX) {
      this.described.push({ at: this.#kernel.now, node: this.#name, code, text });
    }
  }
}
