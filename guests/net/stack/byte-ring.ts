// Bytes of a stream around a moving position, in a ring of fixed size.

export class ByteRing {
  readonly size: number;
  readonly #bytes: Uint8Array;

  constructor(size: number) {
    this.size = size;
    this.#bytes = new Uint8Array(size);
  }

  /** Copies bytes of the stream from `position` on into the ring. */
  put(position: number, source: Uint8Array, offset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = (position + done) % this.size;
      const step = Math.min(length - done, this.size - at);
      this.#bytes.set(source.subarray(offset + done, offset + done + step), at);
      done += step;
    }
  }

  /** Copies bytes of the stream from `position` on out of the ring. */
  get(position: number, target: Uint8Array, offset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = (position + done) % this.size;
      const step = Math.min(length - done, this.size - at);
      target.set(this.#bytes.subarray(at, at + step), offset + done);
      done += step;
    }
  }

  /** The bytes from `position` on that lie in one piece, no more than `length`. */
  piece(position: number, length: number): Uint8Array {
    const at = position % this.size;
    return this.#bytes.subarray(at, at + Math.min(length, this.size - at));
  }
}
