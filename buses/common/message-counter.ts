// Counts messages and their bytes by table row, without a look-up by name per message, and tells
// whoever traces them.
import type { MessageObserver } from '../../platform/contracts/index.ts';

/** What the counter needs of a codec. */
export interface MessageIndex {
  readonly names: readonly string[];
  rowIndexAt(bytes: Uint8Array): number;
}

export class MessageCounter {
  messages = 0;
  bytes = 0;
  readonly index: MessageIndex;
  readonly #observer: MessageObserver | undefined;
  readonly #byRow: Float64Array;

  constructor(index: MessageIndex, observer: MessageObserver | undefined) {
    this.index = index;
    this.#observer = observer;
    this.#byRow = new Float64Array(index.names.length + 1);
  }

  /** Counts one sent message. */
  count(bytes: Uint8Array, length: number): void {
    this.messages++;
    this.bytes += length;
    this.#byRow[this.index.rowIndexAt(bytes) + 1]++;
    this.#observer?.(bytes, length, false);
  }

  /** A message that would have been sent was dropped: it is not counted, but traced. */
  drop(bytes: Uint8Array, length: number): void {
    this.#observer?.(bytes, length, true);
  }

  /** Counts by message name, those not zero; unknown ids are under `unknown`. */
  byName(): Record<string, number> {
    const counts: Record<string, number> = {};
    this.#byRow.forEach((count, row) => {
      if (count > 0) counts[row === 0 ? 'unknown' : this.index.names[row - 1]] = count;
    });
    return counts;
  }
}
