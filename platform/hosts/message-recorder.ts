// Keeps what the ends of buses send, for a trace that is written after the run: plain numbers and the
// bytes themselves, so that recording costs little and crosses threads as it is. Where there is a file for
// it, a long record takes no more memory than a short one.
import type { BusSide, MessageObserver } from '../contracts/index.ts';
import { doubled, type Kernel } from '../kernel/index.ts';
import { peekDevice, peekIsBus } from '../virtio/messages/index.ts';
import { appendPiece, type MessageRecord, type RecordedMessages } from './message-record.ts';

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

/** Opens an empty file for what one thread records, for reading and writing; returns its descriptor. */
export type TraceStore = () => number;

const DEVICE_SIDE = 1;
const DROPPED = 2;
const FLAG_COUNT = 4;
const MESSAGES_AT_FIRST = 1024;
/** A piece that has as many messages, or is as long, goes to the file. */
export const PIECE_MESSAGES = 8192;
const PIECE_SIZE = 2 ** 20;
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
  readonly #file: number | null;
  #filed = 0;
  #count = 0;
  #at = new Float64Array(MESSAGES_AT_FIRST);
  #sender = new Uint32Array(MESSAGES_AT_FIRST);
  #end = new Float64Array(MESSAGES_AT_FIRST);
  #bytes = new Uint8Array(MESSAGES_AT_FIRST * BYTES_PER_MESSAGE);
  #used = 0;

  /** `file` is the descriptor of an empty file; without one, everything stays in memory. */
  constructor(kernel: Kernel, scope: TraceScope, file: number | null = null) {
    this.#kernel = kernel;
    this.#scope = scope;
    this.#file = file;
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
  record(): RecordedMessages {
    return { file: this.#file, filed: this.#filed, last: this.#piece() };
  }

  #piece(): MessageRecord {
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
    if (this.#count >= PIECE_MESSAGES || this.#used >= PIECE_SIZE) this.#putAside();
    if (this.#count === this.#at.length) this.#growLists();
    if (this.#used + length > this.#bytes.length) this.#growBytes(length);
    this.#bytes.set(bytes.subarray(0, length), this.#used);
    this.#used += length;
    this.#at[this.#count] = this.#kernel.now;
    this.#sender[this.#count] = sender;
    this.#end[this.#count] = this.#used;
    this.#count++;
  }

  #putAside(): void {
    if (this.#file === null) return;
    appendPiece(this.#file, this.#piece());
    this.#filed++;
    this.#count = 0;
    this.#used = 0;
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
