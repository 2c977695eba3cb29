// A workload that sends bytes over TCP. The far end compares every byte with what it must be and tells
// at the end how many were right.
import { z } from 'zod';
import type { Statistics, WorkloadEnvironment } from '../../platform/contracts/index.ts';
import { PS_PER_S } from '../../platform/kernel/index.ts';
import { size, time } from '../../platform/scenario/fields.ts';
import { defineWorkload } from '../common/index.ts';
import {
  type NetDriver,
  STREAM_ANSWER,
  STREAM_HEADER,
  STREAM_PORT,
  StreamPattern,
  streamNumber,
  type TcpConnection,
  type TcpHandler,
} from '../net/index.ts';
import { checkPeer, ipOption, NetWorkload } from './net-workload.ts';
import { type Goal, totalOf } from './progress.ts';

const streamOptions = z.strictObject({
  to: z.string().describe('Whom to send to: a network device or an IP address.'),
  ...ipOption,
  bytes: size({ min: 1 }).optional().describe('Bytes in all. Default: until `duration`, or 1MiB.'),
  duration: time({ min: 1 }).optional().describe('How long to send.'),
  window: size({ min: 4096, max: 16 * 1024 * 1024 })
    .default(256 * 1024)
    .describe('Bytes of a connection that may be on their way.'),
  connections: z.int().min(1).max(64).default(1).describe('Connections at the same time.'),
  chunk: size({ min: 1024, max: 16 * 1024 * 1024 })
    .default(64 * 1024)
    .describe('Bytes whose time until they are acknowledged is one latency.'),
});

type StreamOptions = z.output<typeof streamOptions>;

const DEFAULT_BYTES = 1024 * 1024;
class Stream extends NetWorkload {
  readonly #options: StreamOptions;
  readonly #total: number;
  readonly #senders: StreamSender[] = [];
  #open = 0;

  constructor(environment: WorkloadEnvironment<StreamOptions, NetDriver>) {
    super(environment, environment.plan.options.duration ?? Infinity);
    this.#options = environment.plan.options;
    const { bytes: wanted, duration } = this.#options;
    this.#total = totalOf({ wanted, duration, otherwise: DEFAULT_BYTES });
  }

  get chunk(): number {
    return this.#options.chunk;
  }

  get now(): number {
    return this.node.kernel.now;
  }

  /** A chunk, or what is left of one, is acknowledged. */
  chunkOver(since: number, bytes: number): void {
    this.over(this.now - since, bytes);
  }

  /** A connection is over. */
  closed(sender: StreamSender, reason: string | null): void {
    this.#open--;
    if (reason !== null) {
      this.errors++;
      this.failure ??= `a connection was lost: ${reason}`;
    } else if (sender.right !== sender.sent) {
      this.errors++;
      const text = `${this.name}: ${sender.right} of ${sender.sent} bytes came through`;
      this.node.violations.report('VERIFY', text);
    }
    // The far end has seen whole chunks, and perhaps a last one that is short.
    if (sender.right === sender.sent) this.verified += Math.ceil(sender.right / this.chunk);
    if (this.#open > 0) return;
    this.enough();
    this.drained();
  }

  protected override begin(): void {
    const { connections, duration, window } = this.#options;
    const all = this.#total;
    if (duration !== undefined) this.node.kernel.schedule(this.id, duration, 0);
    for (let i = 0; i < connections; i++) {
      // Bytes that can't be divided go to the first ones.
      const share = Math.floor(all / connections) + (i < all % connections ? 1 : 0);
      this.#open++;
      const stream = streamNumber(`${this.name}/${i}`);
      const pattern = new StreamPattern(this.node, stream);
      this.stack.tcp.connect({
        station: this.peer,
        port: STREAM_PORT,
        window,
        handler: (connection) => {
          const sender = new StreamSender(this, connection, { stream, pattern, bytes: share });
          this.#senders.push(sender);
          return sender;
        },
      });
    }
  }

  /** The time is over. */
  override deliver(): void {
    for (const sender of this.#senders) sender.stop();
  }

  protected override goal(): Omit<Goal, 'elapsed'> {
    const { duration = Infinity } = this.#options;
    return { done: this.bytes, total: this.#total, duration };
  }

  protected override extra(): Statistics {
    const sum = (pick: (sender: StreamSender) => number) =>
      this.#senders.reduce((total, sender) => total + pick(sender), 0);
    const seconds = (this.ended - this.started) / PS_PER_S;
    const right = sum((sender) => sender.right);
    return {
      goodputBitsPerSecond: seconds > 0 ? Math.round((8 * this.bytes) / seconds) : 0,
      sentBytes: sum((sender) => sender.sent),
      rightBytes: right,
      wrongBytes: sum((sender) => sender.wrong),
      segments: sum(({ connection }) => connection.sender.segments),
      retransmissions: sum(({ connection }) => connection.sender.retransmissions),
      fastRetransmissions: sum(({ connection }) => connection.sender.fastRetransmissions),
      timeouts: sum(({ connection }) => connection.sender.timeouts),
      windowMax: Math.max(
        0,
        ...this.#senders.map(({ connection }) => connection.sender.congestion.windowMax),
      ),
    };
  }
}

class StreamSender implements TcpHandler {
  readonly connection: TcpConnection;
  sent = 0;
  right = 0;
  wrong = 0;
  readonly #owner: Stream;
  readonly #pattern: StreamPattern;
  readonly #stream: number;
  readonly #answer = new Uint8Array(STREAM_ANSWER);
  /** When the first byte of each chunk not yet acknowledged was written. */
  readonly #since: number[] = [];
  #answerBytes = 0;
  #left: number;
  /** Bytes of whole chunks that are acknowledged. */
  #acknowledged = 0;
  #closed = false;
  #connected = false;

  constructor(
    owner: Stream,
    connection: TcpConnection,
    what: { readonly stream: number; readonly pattern: StreamPattern; readonly bytes: number },
  ) {
    this.#owner = owner;
    this.connection = connection;
    this.#pattern = what.pattern;
    this.#stream = what.stream;
    this.#left = what.bytes;
  }

  connected(): void {
    const header = new Uint8Array(STREAM_HEADER);
    new DataView(header.buffer).setUint32(0, this.#stream, true);
    this.connection.write(header, 0, STREAM_HEADER);
    this.#connected = true;
    this.#write();
  }

  received(bytes: Uint8Array, offset: number, length: number): void {
    for (let i = 0; i < length && this.#answerBytes < STREAM_ANSWER; i++) {
      this.#answer[this.#answerBytes++] = bytes[offset + i];
    }
    if (this.#answerBytes < STREAM_ANSWER) return;
    const view = new DataView(this.#answer.buffer);
    this.right = view.getFloat64(0, true);
    this.wrong = view.getFloat64(8, true);
  }

  acknowledged(): void {
    const { chunk } = this.#owner;
    const data = this.connection.sender.acknowledgedBytes - STREAM_HEADER;
    while (this.#since.length > 0) {
      const whole = Math.min(this.sent - this.#acknowledged, chunk);
      // The last chunk is short, once all is written.
      if (whole < chunk && this.#left > 0) break;
      if (data < this.#acknowledged + whole) break;
      this.#acknowledged += whole;
      this.#owner.chunkOver(this.#since.shift()!, whole);
    }
    if (this.#connected) this.#write();
  }

  peerEnded(): void {}

  closed(reason: string | null): void {
    this.#owner.closed(this, reason);
  }

  /** Sends no more than what is written already. */
  stop(): void {
    this.#left = 0;
    if (this.#connected) this.#write();
  }

  #write(): void {
    const { chunk, now } = this.#owner;
    for (let room = this.connection.sender.room; room > 0 && this.#left > 0; ) {
      const inChunk = this.sent % chunk;
      if (inChunk === 0) this.#since.push(now);
      const piece = this.#pattern.take(Math.min(room, this.#left, chunk - inChunk));
      this.sent += piece.length;
      this.#left -= piece.length;
      this.connection.write(piece, 0, piece.length);
      room = this.connection.sender.room;
    }
    if (this.#left > 0 || this.#closed) return;
    this.#closed = true;
    this.connection.close();
  }
}

export const stream = defineWorkload({
  type: 'stream',
  drives: ['net'],
  doc: 'Sends bytes over TCP; the far end compares every one of them.',
  spec: 'RFC 9293',
  options: streamOptions,
  timing: [],
  check: (plan, topology) => checkPeer(plan as never, topology, 0),
  create: (environment: WorkloadEnvironment<StreamOptions, NetDriver>) => new Stream(environment),
});
