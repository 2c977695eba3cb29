// Compares what an entropy source gives with the random stream that it has.
import type { RandomStream } from '../../platform/kernel/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { rngStreamName } from '../../platform/virtio/index.ts';

export class SourceCheck {
  readonly #stream: RandomStream;
  readonly #expected: Uint8Array;
  /** Requests whose bytes the source may have spent on a reset of the device. */
  #skips = 0;

  /** Checks the device of this name, at most `length` bytes at a time. */
  constructor(node: Node, device: string, length: number) {
    this.#stream = node.random(rngStreamName(device));
    this.#expected = new Uint8Array(length);
  }

  /** The device was reset while up to `depth` requests were under way. */
  recovered(depth: number): void {
    this.#skips = depth;
  }

  /** Requests are served in order, so the stream replayed here yields the same bytes. */
  matches(bytes: Uint8Array, length: number): boolean {
    const expected = firstOf(this.#expected, length);
    const skips = this.#skips;
    this.#skips = 0;
    for (let skipped = 0; skipped <= skips; skipped++) {
      this.#stream.fill(expected);
      if (Buffer.compare(firstOf(bytes, length), expected) === 0) return true;
    }
    return false;
  }
}

/** Views are made only where needed: the first one of a small array takes the array off the heap. */
function firstOf(bytes: Uint8Array, length: number): Uint8Array {
  return length === bytes.length ? bytes : bytes.subarray(0, length);
}
