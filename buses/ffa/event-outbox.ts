// Events on their way from the partition to the driver. They wait here until the driver asks with
// EVENT_POLL. An EVENT_USED for a queue that already has one waiting adds nothing and is merged.
import { isEventUsed, peekDevice, peekEventQueue } from '../../platform/virtio/messages/index.ts';
import { FrameQueue } from '../common/index.ts';

export class EventOutbox {
  merged = 0;
  readonly #queue: FrameQueue;
  /** Device and queue of each waiting EVENT_USED, as device × 65536 + queue. */
  readonly #waiting = new Set<number>();

  constructor(frameSize: number) {
    this.#queue = new FrameQueue(frameSize);
  }

  get length(): number {
    return this.#queue.length;
  }

  get highWater(): number {
    return this.#queue.highWater;
  }

  /** Adds an event. Returns false when it was merged with one that waits. */
  push(bytes: Uint8Array, length: number): boolean {
    if (isEventUsed(bytes, length)) {
      const name = peekDevice(bytes) * 65536 + peekEventQueue(bytes);
      if (this.#waiting.has(name)) {
        this.merged++;
        return false;
      }
      this.#waiting.add(name);
    }
    this.#queue.push(bytes, length);
    return true;
  }

  /** Removes the oldest event; its bytes stay valid until the next push. */
  shift(): { readonly bytes: Uint8Array; readonly length: number } {
    const frame = this.#queue.shift();
    if (isEventUsed(frame.bytes, frame.length)) {
      this.#waiting.delete(peekDevice(frame.bytes) * 65536 + peekEventQueue(frame.bytes));
    }
    return frame;
  }

  clear(): void {
    this.#queue.clear();
    this.#waiting.clear();
  }
}
