// Messages that wait for room on their way to the peer. A notification of a queue that has one waiting
// already adds nothing and is merged with it, so that a busy device can't make the backlog endless.
import {
  HEADER_SIZE,
  isEventAvail,
  isEventUsed,
  peekDevice,
  peekEventNextOffset,
  peekEventQueue,
} from '../../platform/virtio/messages/index.ts';
import { FrameQueue } from './frame-queue.ts';

/** Queues of a device, and most devices of a bus: what keys are made of. */
const QUEUES = 2 ** 16;
const DEVICES = 2 ** 32;

export class MessageBacklog {
  merged = 0;
  readonly #queue: FrameQueue;
  readonly #headerSize: number;
  /** Keys of the waiting notifications. */
  readonly #waiting = new Set<number>();

  constructor(frameSize: number, headerSize = HEADER_SIZE) {
    this.#queue = new FrameQueue(frameSize);
    this.#headerSize = headerSize;
  }

  get length(): number {
    return this.#queue.length;
  }

  /** Most messages that ever waited. */
  get highWater(): number {
    return this.#queue.highWater;
  }

  /** Adds a message, with whatever its owner wants to keep with it. */
  push(bytes: Uint8Array, length: number, mark: number): void {
    const key = this.#keyOf(bytes, length);
    if (key >= 0) this.#waiting.add(key);
    this.#queue.push(bytes, length, mark);
  }

  /** True, and counted, when a message adds nothing to what waits. */
  merges(bytes: Uint8Array, length: number): boolean {
    if (this.#queue.length === 0) return false;
    const key = this.#keyOf(bytes, length);
    if (key < 0 || !this.#waiting.has(key)) return false;
    this.merged++;
    return true;
  }

  /** The mark of the oldest message. */
  get nextMark(): number {
    return this.#queue.peek().mark;
  }

  /** Removes the oldest message; its bytes stay valid until the next push. */
  shift(): { readonly bytes: Uint8Array; readonly length: number } {
    const frame = this.#queue.shift();
    const key = this.#keyOf(frame.bytes, frame.length);
    if (key >= 0) this.#waiting.delete(key);
    return frame;
  }

  clear(): void {
    this.#queue.clear();
    this.#waiting.clear();
  }

  /** Names what a notification notifies of; -1 for messages that are not merged. */
  #keyOf(bytes: Uint8Array, length: number): number {
    const headerSize = this.#headerSize;
    const used = isEventUsed(bytes, length, 0, headerSize);
    // With NOTIFICATION_DATA each EVENT_AVAIL says something of its own.
    const merges =
      used ||
      (isEventAvail(bytes, length, 0, headerSize) &&
        peekEventNextOffset(bytes, 0, headerSize) === 0);
    if (!merges) return -1;
    const queue = peekEventQueue(bytes, 0, headerSize);
    if (queue >= QUEUES) return -1;
    return (used ? 0 : DEVICES * QUEUES) + peekDevice(bytes, 0, headerSize) * QUEUES + queue;
  }
}
