// Counts messages and their bytes by table row, without a look-up by name per message.

/** What the counter needs of a codec. */
export interface MessageIndex {
  readonly names: readonly string[];
  rowIndexAt(bytes: Uint8Array): number;
}

export class MessageCounter {
  messages = 0;
  bytes = 0;
  readonly #index: MessageIndex;
  readonly #byRow: Float64Array;

  constructor(index: MessageIndex) {
    this.#index = index;
    this.#byRow = new Float64Array(index.names.length + 1);
  }

  /** Counts one sent message. */
  count(bytes: Uint8Array, length: number): void {
    this.messages++;
    this.bytes += length;
    this.#byRow[this.#index.rowIndexAt(bytes) + 1]++;
  }

  /** Counts by message name, those not zero; unknown ids are under `unknown`. */
  byName(): Record<string, number> {
    const counts: Record<string, number> = {};
    this.#byRow.forEach((count, row) => {
      if (count > 0) counts[row === 0 ? 'unknown' : this.#index.names[row - 1]] = count;
    });
    return counts;
  }
}
