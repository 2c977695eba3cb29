// Request slots of a driver: each workload reserves some, with a buffer of its own behind each.

export interface SlotRange<Client> {
  readonly client: Client;
  readonly first: number;
  readonly count: number;
  readonly bufferBytes: number;
}

/** Hands out slots to the clients of a driver before it goes live. */
export class SlotTable<Client> {
  /** Number of slots handed out. */
  count = 0;
  /** Bytes of all buffers, as they will lie one after another. */
  bytes = 0;
  readonly ranges: SlotRange<Client>[] = [];
  readonly #clients: Client[] = [];
  readonly #offsets: number[] = [];
  readonly #sizes: number[] = [];

  /** Reserves `count` slots with buffers of `bufferBytes` each, rounded up to `alignment`. */
  reserve(client: Client, count: number, bufferBytes: number, alignment: number): number {
    const first = this.count;
    const stride = Math.ceil(bufferBytes / alignment) * alignment;
    for (let i = 0; i < count; i++) {
      this.#clients.push(client);
      this.#offsets.push(this.bytes);
      this.#sizes.push(stride);
      this.bytes += stride;
    }
    this.count += count;
    this.ranges.push({ client, first, count, bufferBytes: stride });
    return first;
  }

  clientOf(slot: number): Client {
    return this.#clients[slot];
  }

  /** Bytes of a slot's buffer. */
  bytesOf(slot: number): number {
    return this.#sizes[slot];
  }

  /** Offset of a slot's buffer from the start of all buffers. */
  offsetOf(slot: number): number {
    return this.#offsets[slot];
  }
}
