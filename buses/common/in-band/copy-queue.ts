// Messages that a core copies data into or out of, one after another: each is passed on when its copy is
// done, and none overtakes another.
import { type CpuClient, type Node, Priority } from '../../../platform/node/index.ts';
import { FrameQueue } from '../frame-queue.ts';

export interface CopyQueueOptions {
  readonly node: Node;
  /** Bytes of the largest message. */
  readonly frameSize: number;
  /** Gets each message in its turn, on a core; the bytes are valid only during the call. */
  pass(bytes: Uint8Array, length: number): void;
  /** False while the oldest message has to wait, until `resume`. Left out where none ever has to. */
  admits?(bytes: Uint8Array): boolean;
}

export class CopyQueue implements CpuClient {
  readonly #options: CopyQueueOptions;
  readonly #frames: FrameQueue;
  #state: 'idle' | 'copying' | 'waiting' = 'idle';

  constructor(options: CopyQueueOptions) {
    this.#options = options;
    this.#frames = new FrameQueue(options.frameSize);
  }

  /** A message that is passed on now would overtake others. */
  get isBusy(): boolean {
    return this.#state !== 'idle';
  }

  /** Adds a message, without padding; a core copies so many bytes for it in its turn. */
  push(bytes: Uint8Array, length: number, copied: number): void {
    this.#frames.push(bytes, Math.min(length, this.#options.frameSize), copied);
    if (this.#state === 'idle') this.#next();
  }

  /** The oldest message may be admitted now. */
  resume(): void {
    if (this.#state === 'waiting') this.#next();
  }

  clear(): void {
    this.#frames.clear();
    if (this.#state === 'waiting') this.#state = 'idle';
  }

  deliver(): void {
    if (this.#frames.length > 0) this.#passOn();
    this.#next();
  }

  #next(): void {
    const { node, admits } = this.#options;
    while (this.#frames.length > 0) {
      const { bytes, mark: copied } = this.#frames.peek();
      if (admits?.(bytes) === false) {
        this.#state = 'waiting';
        return;
      }
      this.#state = 'copying';
      if (copied > 0) {
        const cost = node.chargeBytes(node.timing.copyRate, copied);
        return node.cpu.submit(Priority.task, cost, this, 0);
      }
      this.#passOn();
    }
    this.#state = 'idle';
  }

  #passOn(): void {
    const { bytes, length } = this.#frames.shift();
    this.#options.pass(bytes, length);
  }
}
