// In-band data at the device's end of a bus: a port for each device, and the order of what they send and
// what else is sent.
import type { DmaPort, Statistics } from '../../../platform/contracts/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import { peekDevice } from '../../../platform/virtio/messages/index.ts';
import { ChunkWindow } from './chunk-window.ts';
import { CopyQueue } from './copy-queue.ts';
import { InBandFormat } from './format.ts';
import { isInBand, Kind } from './messages.ts';
import { InBandPort } from './port.ts';

export interface InBandDeviceOptions {
  readonly node: Node;
  /** The bus. */
  readonly name: string;
  readonly maxMessageSize: number;
  readonly headerSize: number;
  /** ps that an answer may take. */
  readonly timeout: number;
  /** Chunks that may be under way without an answer. */
  readonly window: number;
  /** Sends a message at once; copies its bytes. */
  send(bytes: Uint8Array, length: number): void;
}

export class InBandDeviceSide {
  readonly #options: InBandDeviceOptions;
  readonly #format: InBandFormat;
  readonly #window: ChunkWindow;
  readonly #ports = new Map<number, InBandPort>();
  readonly #outgoing: CopyQueue;
  readonly #answers: CopyQueue;

  constructor(options: InBandDeviceOptions) {
    const { node, headerSize, maxMessageSize: frameSize } = options;
    this.#options = options;
    this.#format = new InBandFormat(headerSize, frameSize);
    this.#window = new ChunkWindow(options.window, () => this.#outgoing.resume());
    this.#outgoing = new CopyQueue({
      node,
      frameSize,
      pass: (bytes, length) => this.#sendNow(bytes, length),
      admits: (bytes) => this.#window.hasRoom || !isInBand(bytes),
    });
    this.#answers = new CopyQueue({
      node,
      frameSize,
      pass: (bytes) => this.#portFor(bytes)!.answered(bytes),
    });
  }

  /** The port of a device. */
  portOf(device: number): DmaPort {
    const { node, name, timeout } = this.#options;
    const port = new InBandPort({
      node,
      name: `${name}.memory${device}`,
      device,
      format: this.#format,
      timeout,
      window: this.#window,
      send: (bytes, length, data) => this.#outgoing.push(bytes, length, data),
    });
    this.#ports.set(device, port);
    return port;
  }

  /** Sends a message of a transport or of the bus: not before what devices have written. */
  send(bytes: Uint8Array, length: number): void {
    if (this.#outgoing.isBusy) this.#outgoing.push(bytes, length, 0);
    else this.#options.send(bytes, length);
  }

  /** Takes an answer of the driver's side. Returns false for other messages. */
  take(bytes: Uint8Array, length: number): boolean {
    if (!isInBand(bytes) || this.#portFor(bytes) === undefined) return false;
    const isRead = this.#format.kind(bytes) === Kind.readAnswer;
    const copied = isRead ? this.#format.readLength(bytes) : 0;
    this.#answers.push(bytes, length, copied);
    return true;
  }

  /** Nothing that is under way will be answered. */
  forget(): void {
    this.#outgoing.clear();
    this.#answers.clear();
    for (const port of this.#ports.values()) port.forget();
  }

  statistics(): Statistics {
    let [memoryReads, memoryWrites, memoryRefused] = [0, 0, 0];
    for (const { reads, writes, refusals } of this.#ports.values()) {
      memoryReads += reads;
      memoryWrites += writes;
      memoryRefused += refusals;
    }
    return { memoryReads, memoryWrites, memoryRefused };
  }

  #portFor(bytes: Uint8Array): InBandPort | undefined {
    return this.#ports.get(peekDevice(bytes, 0, this.#options.headerSize));
  }

  #sendNow(bytes: Uint8Array, length: number): void {
    if (isInBand(bytes) && !this.#portFor(bytes)!.sent(bytes)) return;
    this.#options.send(bytes, length);
  }
}
