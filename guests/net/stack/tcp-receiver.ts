// The receiving half of a TCP connection: it puts segments back in order. Positions count from the
// peer's SYN, which is 0; its first byte is 1.
import { ByteRing } from './byte-ring.ts';

/** Takes bytes in order; they are valid only during the call. */
export type ByteSink = (bytes: Uint8Array, offset: number, length: number) => void;

export class TcpReceiver {
  /** Next position expected. */
  next = 1;
  /** Position of the peer's FIN, or Infinity. */
  end = Infinity;
  /** Bytes that came more than once. */
  duplicateBytes = 0;
  readonly #ring: ByteRing;
  readonly #sink: ByteSink;
  /** Pieces that are here ahead of time: starts and ends, in order, never touching. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  constructor(window: number, sink: ByteSink) {
    this.#ring = new ByteRing(window);
    this.#sink = sink;
  }

  /** True when the peer has sent all, and it is here. */
  get ended(): boolean {
    return this.next > this.end;
  }

  /** True when something is missing before what is here. */
  get hasGap(): boolean {
    return this.#starts.length > 0;
  }

  /** Takes a segment with bytes from `position` on. Returns false when it brought nothing new. */
  accept(position: number, bytes: Uint8Array, offset: number, length: number): boolean {
    const skip = Math.max(0, this.next - position);
    const from = position + skip;
    const to = Math.min(position + length, this.next + this.#ring.size);
    if (to <= from) {
      this.duplicateBytes += length;
      return false;
    }
    this.duplicateBytes += skip;
    if (from === this.next && this.#starts.length === 0) {
      this.next = to;
      this.#sink(bytes, offset + skip, to - from);
      this.#passEnd();
      return true;
    }
    this.#ring.put(from, bytes, offset + skip, to - from);
    this.#insert(from, to);
    if (from === this.next) this.#deliver();
    return true;
  }

  /** The peer's FIN stands at this position. */
  finish(position: number): void {
    this.end = position;
    this.#passEnd();
  }

  #passEnd(): void {
    if (this.next === this.end) this.next++;
  }

  /** Adds a piece, joined with those that it touches. */
  #insert(from: number, to: number): void {
    let first = 0;
    while (first < this.#starts.length && this.#ends[first] < from) first++;
    let after = first;
    let start = from;
    let end = to;
    while (after < this.#starts.length && this.#starts[after] <= to) {
      start = Math.min(start, this.#starts[after]);
      end = Math.max(end, this.#ends[after]);
      after++;
    }
    this.#starts.splice(first, after - first, start);
    this.#ends.splice(first, after - first, end);
  }

  #deliver(): void {
    const end = this.#ends.shift()!;
    this.#starts.shift();
    while (this.next < end) {
      const piece = this.#ring.piece(this.next, end - this.next);
      this.next += piece.length;
      this.#sink(piece, 0, piece.length);
    }
    this.#passEnd();
  }
}
