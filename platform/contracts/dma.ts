// How the device side reaches memory that belongs to another node: timed transactions through a DMA
// port that checks what may be reached. Addresses are bus addresses, exact below 2^53.

/** Why an access was refused. */
export interface DmaFault {
  readonly address: number;
  readonly length: number;
  readonly write: boolean;
  /** Who refused it and which permission was missing. */
  readonly reason: string;
}

/** Whoever started a transaction. `tag` is the client's own number for it. */
export interface DmaClient {
  /** The bytes of all segments, one after another; valid only during the call. */
  readDone(tag: number, bytes: Uint8Array, length: number): void;
  /** The transaction was refused as a whole; nothing was read or written. */
  refused(tag: number, fault: DmaFault): void;
}

/**
 * A DMA port gathers segments and then starts one transaction over them. Reads return after a round
 * trip plus size over bandwidth. Writes are posted: they land in order, and a message or notification
 * sent afterwards arrives after them. `refused` may be called before `read` or `write` returns.
 */
export interface DmaPort {
  /** Adds a segment to the read being gathered. */
  readSegment(address: number, length: number): void;
  /** Starts the gathered read. */
  read(client: DmaClient, tag: number): void;
  /**
   * Adds a segment to the write being gathered. Up to 64 bytes are copied now; longer segments must not
   * change until the write starts.
   */
  writeSegment(address: number, source: Uint8Array, offset: number, length: number): void;
  /** Starts the gathered write. Returns false when it was refused. */
  write(client: DmaClient, tag: number): boolean;
}
