// Events on their way from the partition to the driver. They wait here until the driver asks with
// EVENT_POLL. An EVENT_USED for a queue that already has one waiting adds nothing and is merged; an event
// that finds as many waiting as may wait is lost.
import { isEventUsed, peekDevice, peekEventQueue } from '../../platform/virtio/messages/index.ts';
import { FrameQueue } from '../common/index.ts';

export class EventOutbox {
  merged = 0;
  lost = 0;
  readonly #queue: FrameQueue;
  /** Device and queue of each waiting EVENT_USED, as device × 65536 + queue. */
  readonly #waiting = new Set<number>();

  readonly #depth: number;

  constructor(frameSize: number, depth: number) {
    this.#depth = depth;
    this.#queue = new FrameQueue(frameSize);
  }

  get length(): number {
    return this.#queue.length;
  }

  get highWater(): number {
    return this.#queue.highWater;
  }

  /** Adds an event, unless it is merged with one that waits, or lost. */
  push(bytes: Uint8Array, length: number): 'added' | 'merged' | 'lost' {
    const name = usedQueue(bytes, length);
    if (this.#waiting.has(name)) {
      this.merged++;
      return 'merged';
    }
    if (this.#queue.length >= this.#depth) {
      this.lost++;
      return 'lost';
    }
    if (name >= 0) this.#waiting.add(name);
    this.#queue.push(bytes, length);
    return 'added';
  }

  /** Removes the oldest event; its bytes stay valid until the next push. */
  shift(): { readonly bytes: Uint8Array; readonly length: number } {
    const frame = this.#queue.shift();
    this.#waiting.delete(usedQueue(frame.bytes, frame.length));
    return frame;
  }

  clear(): void {
    this.#queue.clear();
    this.#waiting.clear();
  }
}

/** The queue that an EVENT_USED is about, among those of all devices; -1 for any other message. */
export function usedQueue(bytes: Uint8Array, length: number): number {
  return isEventUsed(bytes, length) ? peekDevice(bytes) * 65536 + peekEventQueue(bytes) : -1;
}
