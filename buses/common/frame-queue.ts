// A first-in first-out queue of message frames, in buffers that are reused.
import { copyBytes } from '../../platform/node/index.ts';

interface Frame {
  readonly bytes: Uint8Array;
  length: number;
  /** Whatever the queue's owner wants to keep with the frame. */
  mark: number;
}

export class FrameQueue {
  length = 0;
  /** Most frames that ever waited. */
  highWater = 0;
  readonly #frameSize: number;
  #frames: Frame[] = [];
  #head = 0;

  constructor(frameSize: number) {
    this.#frameSize = frameSize;
  }

  /** Copies a frame in. */
  push(bytes: Uint8Array, length: number, mark = -1): void {
    if (this.length === this.#frames.length) this.#grow();
    const frame = this.#frames[(this.#head + this.length++) % this.#frames.length];
    copyBytes(bytes, 0, frame.bytes, 0, length);
    frame.length = length;
    frame.mark = mark;
    if (this.length > this.highWater) this.highWater = this.length;
  }

  /** The oldest frame; it stays valid until the next push. */
  peek(): Readonly<Frame> {
    return this.#frames[this.#head];
  }

  /** Removes the oldest frame and returns it; it stays valid until the next push. */
  shift(): Readonly<Frame> {
    const frame = this.#frames[this.#head];
    this.#head = (this.#head + 1) % this.#frames.length;
    this.length--;
    return frame;
  }

  clear(): void {
    this.length = 0;
  }

  #grow(): void {
    const old = this.#frames;
    const frames: Frame[] = [];
    for (let i = 0; i < old.length; i++) frames.push(old[(this.#head + i) % old.length]);
    for (let i = Math.max(8, old.length); i > 0; i--) {
      frames.push({ bytes: new Uint8Array(this.#frameSize), length: 0, mark: -1 });
    }
    this.#frames = frames;
    this.#head = 0;
  }
}
