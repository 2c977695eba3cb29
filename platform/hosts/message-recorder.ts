// Keeps what the ends of buses send, for a trace that is written after the run: plain numbers and the
// bytes themselves, so that recording costs little and crosses threads as it is.
import type { BusSide, MessageObserver } from '../contracts/index.ts';
import { doubled, type Kernel } from '../kernel/index.ts';
import { peekDevice, peekIsBus } from '../virtio/messages/index.ts';

/** Messages of one bus that are to be recorded. */
export interface TracePart {
  readonly bus: number;
  /** Number of the device that they are about; null for all messages of the bus. */
  readonly device: number | null;
  /** Bytes of a header on this bus. */
  readonly headerSize: number;
}

/** What is to be recorded. */
export type TraceScope = 'all' | readonly TracePart[];

/** Messages in the order in which they were sent; each list has one entry a message. */
export interface MessageRecord {
  readonly count: number;
  /** ps. */
  readonly at: Float64Array;
  /** Which end of which bus, and whether a fault rule has dropped it: see `senderOf`. */
  readonly sender: Uint32Array;
  /** Where the bytes of the message end; those of the next one begin there. */
  readonly end: Float64Array;
  readonly bytes: Uint8Array;
}

const DEVICE_SIDE = 1;
const DROPPED = 2;
const FLAG_COUNT = 4;
const MESSAGES_AT_FIRST = 1024;
const BYTES_PER_MESSAGE = 48;

/** What a `sender` of a record stands for. */
export function senderOf(sender: number): { bus: number; from: BusSide; dropped: boolean } {
  return {
    bus: Math.floor(sender / FLAG_COUNT),
    from: (sender & DEVICE_SIDE) === 0 ? 'driver' : 'device',
    dropped: (sender & DROPPED) !== 0,
  };
}

export class MessageRecorder {
  readonly #kernel: Kernel;
  readonly #scope: TraceScope;
  #count = 0;
  #at = new Float64Array(MESSAGES_AT_FIRST);
  #sender = new Uint32Array(MESSAGES_AT_FIRST);
  #end = new Float64Array(MESSAGES_AT_FIRST);
  #bytes = new Uint8Array(MESSAGES_AT_FIRST * BYTES_PER_MESSAGE);
  #used = 0;

  constructor(kernel: Kernel, scope: TraceScope) {
    this.#kernel = kernel;
    this.#scope = scope;
  }

  /** Told of what one end of a bus sends; undefined when none of that is to be recorded. */
  observer(bus: number, from: BusSide): MessageObserver | undefined {
    const sent = bus * FLAG_COUNT + (from === 'device' ? DEVICE_SIDE : 0);
    const record: MessageObserver = (bytes, length, dropped) =>
      this.#add(dropped ? sent + DROPPED : sent, bytes, length);
    if (this.#scope === 'all') return record;
    const parts = this.#scope.filter((part) => part.bus === bus);
    if (parts.length === 0) return undefined;
    if (parts.some(({ device }) => device === null)) return record;
    const [{ headerSize }] = parts;
    const devices = new Set(parts.map(({ device }) => device));
    return (bytes, length, dropped) => {
      if (!peekIsBus(bytes) && devices.has(peekDevice(bytes, 0, headerSize)))
        record(bytes, length, dropped);
    };
  }

  /** All that was recorded so far. */
  record(): MessageRecord {
    const count = this.#count;
    return {
      count,
      at: this.#at.slice(0, count),
      sender: this.#sender.slice(0, count),
      end: this.#end.slice(0, count),
      bytes: this.#bytes.slice(0, this.#used),
    };
  }

  #add(sender: number, bytes: Uint8Array, length: number): void {
    if (this.#count === this.#at.length) this.#growLists();
    if (this.#used + length > this.#bytes.length) this.#growBytes(length);
    this.#bytes.set(bytes.subarray(0, length), this.#used);
    this.#used += length;
    this.#at[this.#count] = this.#kernel.now;
    this.#sender[this.#count] = sender;
    this.#end[this.#count] = this.#used;
    this.#count++;
  }

  #growLists(): void {
    this.#at = doubled(this.#at);
    this.#sender = doubled(this.#sender);
    this.#end = doubled(this.#end);
  }

  #growBytes(length: number): void {
    const larger = new Uint8Array(2 * this.#bytes.length + length);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
