// One port of a console device, with what stands behind it: a program that sends every byte back. Bytes
// of the driver are taken while the program's buffer has room, and go out again as the driver offers
// buffers for them.
import type { DmaPort } from '../../platform/contracts/index.ts';
import { type CpuClient, Milestone, type Node, Priority } from '../../platform/node/index.ts';
import {
  type Chain,
  type FetchedRequest,
  type QueueEngine,
  type RequestFetcher,
  ServiceStation,
  scatter,
} from '../common/index.ts';

/** Bytes that the program behind a port keeps; beyond them the driver has to wait. */
export const ECHO_BUFFER = 64 * 1024;
/** Bytes of one write of the driver at the most. */
export const WRITE_MAX = 64 * 1024;

export interface PortOptions {
  readonly node: Node;
  readonly index: number;
  readonly fetcher: RequestFetcher;
  dma(): DmaPort;
  /** The device is suspended: buffers stay where they are. */
  pausing(): boolean;
  /** Writes wait for room, and can wait long. */
  blocked(queue: QueueEngine): void;
}

interface Offer {
  readonly queue: QueueEngine;
  readonly chain: Chain;
}

export class ConsolePort implements CpuClient {
  readonly index: number;
  /** The driver was told of the port. */
  added = false;
  /** The driver has set it up. */
  ready = false;
  /** A program on the driver's side has opened it. */
  open = false;
  /** It is not plugged in. */
  gone = false;
  readonly #options: PortOptions;
  readonly #echo: number;
  readonly #rate: number;
  readonly #program: ServiceStation;
  /** Writes of the driver that the program has not taken, oldest first. */
  readonly #writes: FetchedRequest[] = [];
  #serving = false;
  /** Buffers that the driver offers, oldest first. */
  readonly #buffers: Offer[] = [];
  /** Bytes on their way back: `#length` of them from `#start` on. */
  #bytes = new Uint8Array(0);
  #start = 0;
  #length = 0;
  #filling = false;
  /** Service of before a reset carries an older epoch. */
  #epoch = 0;

  constructor(options: PortOptions) {
    const { node, index } = options;
    this.#options = options;
    this.index = index;
    this.#echo = node.costs.idOf('console.echo');
    this.#rate = node.costs.idOf('console.rate');
    this.#program = new ServiceStation(node, 1, (epoch) => this.#taken(epoch));
  }

  /** A write of the driver has been read. */
  write(request: FetchedRequest): void {
    this.#writes.push(request);
    this.#serve();
    if (!this.#serving) this.#options.blocked(request.queue!);
  }

  /** Buffers that wait for bytes. */
  get bufferCount(): number {
    return this.#buffers.length;
  }

  /** Writes that wait for room in the program's buffer, none of which it is taking. */
  get blockedCount(): number {
    return this.#serving || this.#hasRoom ? 0 : this.#writes.length;
  }

  /** The driver offers a buffer. */
  offer(queue: QueueEngine, chain: Chain): void {
    this.#buffers.push({ queue, chain });
    this.fill();
  }

  /** Puts bytes into buffers, one buffer after another, each a step of the device's software. */
  fill(): void {
    if (this.#filling || !this.#canFill) return;
    this.#filling = true;
    const { node } = this.#options;
    node.cpu.submit(Priority.task, node.charge(node.timing.deviceStep), this, 0);
  }

  /** The driver's buffers are gone: the queue was reset. */
  forgetBuffers(): void {
    this.#buffers.length = 0;
  }

  /** What the driver wrote is gone: the queue was reset. */
  forgetWrites(): void {
    this.#writes.length = 0;
    this.#serving = false;
    this.#epoch++;
  }

  /** As after a reset of the device. */
  reset(): void {
    this.added = false;
    this.ready = false;
    this.open = false;
    this.#start = 0;
    this.#length = 0;
  }

  /** A buffer can be filled, unless there is none any more: resets of queues leave such steps alone. */
  deliver(): void {
    this.#filling = false;
    if (!this.#canFill) return;
    const { queue, chain } = this.#buffers.shift()!;
    const length = Math.min(chain.writableBytes, this.#length);
    scatter(this.#options.dma(), chain, 0, this.#bytes, this.#start, length);
    if (!queue.complete(chain, length)) return queue.fail();
    this.#start += length;
    this.#length -= length;
    this.#serve();
    this.fill();
  }

  get #canFill(): boolean {
    const isUsed = this.open && !this.gone && !this.#options.pausing();
    return isUsed && this.#length > 0 && this.#buffers.length > 0;
  }

  /** The program has room for the next write, if there is one. */
  get #hasRoom(): boolean {
    const next = this.#writes.length === 0 ? 0 : this.#writes[0].length;
    return this.#length === 0 || this.#length + next <= ECHO_BUFFER;
  }

  /** Gives the program the next write, if it has room for it. */
  #serve(): void {
    if (this.#serving || this.#writes.length === 0) return;
    if (!this.#hasRoom) return;
    this.#serving = true;
    const { node } = this.#options;
    const { length } = this.#writes[0];
    const time = node.charge(this.#echo) + node.chargeBytes(this.#rate, length);
    this.#program.request(time, this.#epoch);
  }

  #taken(epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#serving = false;
    const request = this.#writes.shift()!;
    const { queue, chain } = request;
    queue!.mark(chain!, Milestone.served);
    this.#keep(request);
    this.#options.fetcher.release(request);
    if (!queue!.complete(chain!, 0)) return queue!.fail();
    this.#serve();
    this.fill();
  }

  #keep({ bytes, length }: FetchedRequest): void {
    const needed = this.#length + length;
    if (this.#start + needed > this.#bytes.length) {
      const larger = needed > this.#bytes.length;
      const target = larger ? new Uint8Array(Math.max(1024, 2 * needed)) : this.#bytes;
      target.set(this.#bytes.subarray(this.#start, this.#start + this.#length));
      this.#bytes = target;
      this.#start = 0;
    }
    const end = this.#start + this.#length;
    for (let i = 0; i < length; i++) this.#bytes[end + i] = bytes[i];
    this.#length = needed;
  }
}
