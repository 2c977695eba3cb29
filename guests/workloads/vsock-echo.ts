// A workload that sends messages over stream or seqpacket sockets to the host's echo service and compares what comes
// back with what went. It connects and closes as often as asked, and may be slow to read.
import { z } from 'zod';
import type { WorkloadEnvironment, WorkloadResult } from '../../platform/contracts/index.ts';
import { count, size, time } from '../../platform/scenario/fields.ts';
import { VSOCK_TYPE } from '../../platform/virtio/index.ts';
import { defineWorkload } from '../common/index.ts';
import type { VsockClient, VsockDriver } from '../vsock/index.ts';
import { EchoCheck } from './echo-check.ts';
import { WorkloadBase } from './workload-base.ts';

const vsockEchoOptions = z.strictObject({
  port: count({ max: 0xffff_ffff }).default(7).describe('The port of the host to connect to.'),
  socket: z
    .enum(['stream', 'seqpacket'])
    .default('stream')
    .describe('seqpacket: each message must come back as one.'),
  streams: count({ min: 1, max: 256 }).default(1).describe('Connections at the same time.'),
  messageSize: size({ min: 1, max: 4 * 1024 * 1024 })
    .default(1024)
    .describe('Bytes of one message.'),
  operations: count({ min: 1 }).default(100).describe('Messages in all.'),
  perConnection: count({ min: 0 })
    .default(0)
    .describe('Messages before a connection is closed and another opened; 0 for all.'),
  bufferSize: size({ min: 1, max: 16 * 1024 * 1024 })
    .default(262144)
    .describe('Bytes that a socket receives ahead of this workload.'),
  readDelay: time({ min: 0 })
    .default(0)
    .describe('Time between the arrival of bytes and their being read.'),
  thinkTime: time({ min: 0 })
    .default(0)
    .describe('Time between the end of a message and the next on its connection.'),
});

type VsockEchoOptions = z.output<typeof vsockEchoOptions>;

const READ_SIZE = 65536;

/** One connection after another. */
interface Stream {
  readonly socket: number;
  readonly echo: EchoCheck;
  connected: boolean;
  /** A message is under way, or the connection is being closed after it. */
  busy: boolean;
  closing: boolean;
  readPending: boolean;
  messages: number;
  since: number;
  latency: number;
  failed: boolean;
  /** Bytes of the message that is being read. */
  read: number;
}

class VsockEcho extends WorkloadBase implements VsockClient {
  readonly #options: VsockEchoOptions;
  readonly #driver: VsockDriver;
  readonly #streams: Stream[];
  readonly #streamOfSocket = new Map<number, number>();
  readonly #message: Uint8Array;
  readonly #scratch = new Uint8Array(READ_SIZE);
  readonly #readTimer: number;
  #left: number;
  #connections = 0;

  constructor(environment: WorkloadEnvironment<VsockEchoOptions, VsockDriver>) {
    const { node, plan, driver, finished } = environment;
    const { options } = plan;
    const { streams, thinkTime, messageSize, bufferSize } = options;
    const type = options.socket === 'stream' ? VSOCK_TYPE.STREAM : VSOCK_TYPE.SEQPACKET;
    super({
      node,
      name: plan.name,
      duration: Infinity,
      depth: streams,
      total: options.operations,
      thinkTime,
      finished,
    });
    this.#options = options;
    this.#driver = driver;
    this.#left = options.operations;
    this.#message = new Uint8Array(messageSize);
    this.#streams = Array.from({ length: streams }, (_, slot) => {
      const socket = driver.socket(this, bufferSize, type);
      this.#streamOfSocket.set(socket, slot);
      const random = node.random(`workload/${plan.name}/${slot}`);
      const echo = new EchoCheck(random, (_slot, intact) => this.#answered(slot, intact));
      return {
        socket,
        echo,
        connected: false,
        busy: false,
        closing: false,
        readPending: false,
        messages: 0,
        since: 0,
        latency: 0,
        failed: false,
        read: 0,
      };
    });
    this.#readTimer = node.add({ deliver: (_kind, slot) => this.#read(slot) });
  }

  override result(): WorkloadResult {
    return { ...super.result(), extra: { connections: this.#connections } };
  }

  vsockReady(): void {
    this.ready();
  }

  vsockDown(reason: string): void {
    this.down(reason);
  }

  vsockConnected(socket: number): void {
    const slot = this.#streamOfSocket.get(socket)!;
    const stream = this.#streams[slot];
    stream.connected = true;
    stream.messages = 0;
    this.#connections++;
    this.#send(slot);
  }

  vsockReadable(socket: number): void {
    const slot = this.#streamOfSocket.get(socket)!;
    const { readDelay } = this.#options;
    if (readDelay === 0) return this.#read(slot);
    const stream = this.#streams[slot];
    if (stream.readPending) return;
    stream.readPending = true;
    this.node.kernel.schedule(this.#readTimer, readDelay, 0, slot);
  }

  vsockClosed(socket: number, reason: string | null): void {
    const slot = this.#streamOfSocket.get(socket)!;
    const stream = this.#streams[slot];
    stream.connected = false;
    stream.read = 0;
    stream.echo.clear();
    if (!stream.busy) return;
    if (!stream.closing) stream.latency = this.node.kernel.now - stream.since;
    stream.failed ||= reason !== null;
    this.#over(slot);
  }

  protected override next(slot: number): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    const stream = this.#streams[slot];
    stream.busy = true;
    stream.closing = false;
    stream.failed = false;
    stream.since = this.node.kernel.now;
    if (stream.connected) this.#send(slot);
    else this.#driver.connect(stream.socket, this.#options.port);
    return true;
  }

  #send(slot: number): void {
    const stream = this.#streams[slot];
    stream.since = this.node.kernel.now;
    stream.messages++;
    stream.echo.compose(slot, this.#message);
    this.#driver.send(stream.socket, this.#message, this.#message.length);
  }

  #read(slot: number): void {
    const stream = this.#streams[slot];
    stream.readPending = false;
    for (;;) {
      const length = this.#driver.read(stream.socket, this.#scratch, READ_SIZE);
      if (length === 0) return;
      this.#checkEnd(stream, length);
      const surplus = stream.echo.received(this.#scratch, length);
      if (surplus > 0) this.#wrong(`${surplus} bytes came that nobody sent`);
    }
  }

  /** Messages of a seqpacket socket end where they were ended, and nowhere else. */
  #checkEnd(stream: Stream, length: number): void {
    if (this.#options.socket === 'stream') return;
    stream.read += length;
    const ended = this.#driver.messageEnded(stream.socket);
    const size = this.#message.length;
    if (ended ? stream.read !== size : stream.read >= size) {
      this.#wrong(`a message ${ended ? 'ends' : 'goes on'} after ${stream.read} of ${size} bytes`);
    }
    if (ended) stream.read = 0;
  }

  #answered(slot: number, intact: boolean): void {
    const stream = this.#streams[slot];
    this.verified++;
    stream.latency = this.node.kernel.now - stream.since;
    if (!intact) {
      stream.failed = true;
      this.#wrong('a message came back changed');
    }
    const { perConnection } = this.#options;
    const enough = perConnection > 0 && stream.messages >= perConnection;
    if (!enough && this.#left > 0) return this.#over(slot);
    stream.closing = true;
    this.#driver.close(stream.socket);
  }

  #over(slot: number): void {
    const stream = this.#streams[slot];
    stream.busy = false;
    this.over(slot, stream.latency, stream.failed, this.#message.length);
  }

  #wrong(text: string): void {
    this.node.violations.report('VERIFY', `${this.name}: ${text}`);
  }
}

export const vsockEcho = defineWorkload({
  type: 'vsockEcho',
  drives: ['vsock'],
  doc: "Sends messages to the host's echo service over sockets, and compares every byte.",
  spec: 'virtio 1.4 §5.10',
  options: vsockEchoOptions,
  timing: [],
  create: (environment: WorkloadEnvironment<VsockEchoOptions, VsockDriver>) =>
    new VsockEcho(environment),
});
