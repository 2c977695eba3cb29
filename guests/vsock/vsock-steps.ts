// The steps that a script may have a socket device do: one connection after another, and what is said on it.
import { z } from 'zod';
import { count } from '../../platform/scenario/fields.ts';
import { VSOCK_TYPE } from '../../platform/virtio/index.ts';
import {
  awaitedFields,
  bytesOf,
  contentOf,
  defineRows,
  defineSteps,
  Inbox,
  lengthOf,
  oneOf,
  type ScriptPort,
  type StepOf,
  type StepPlayer,
  sentFields,
  withinField,
} from '../common/index.ts';
import type { VsockClient } from './socket.ts';
import type { VsockDriver } from './vsock-driver.ts';

const BUFFER_SIZE = 256 * 1024;
const READ_SIZE = 4096;

const rows = defineRows({
  connect: {
    doc: 'Connects to a port of the host.',
    fields: {
      port: count({ max: 0xffff_ffff }).default(7).describe('The port.'),
      socket: z.enum(['stream', 'seqpacket']).default('stream').describe('The type of socket.'),
    },
    outcomes: ['ok', 'refused'],
    isRequest: true,
  },
  send: {
    doc: 'Sends bytes, on a seqpacket socket as one message.',
    fields: sentFields,
    rule: oneOf('text', 'bytes'),
    outcomes: ['ok', 'closed'],
  },
  receive: {
    doc: 'Waits until as many bytes have come as are expected, or one message of a seqpacket socket, and compares.',
    fields: { ...awaitedFields, within: withinField() },
    rule: oneOf('text', 'bytes'),
    outcomes: ['ok', 'timeout', 'closed'],
  },
  shutdown: {
    doc: 'Ends the connection, and waits until the host has agreed.',
    fields: {},
    outcomes: ['ok', 'closed'],
    isRequest: true,
  },
});

type VsockStep = StepOf<typeof rows>;

const TYPES = { stream: VSOCK_TYPE.STREAM, seqpacket: VSOCK_TYPE.SEQPACKET } as const;
type TypeName = keyof typeof TYPES;

class VsockPlayer implements StepPlayer<VsockStep>, VsockClient {
  readonly #port: ScriptPort<VsockDriver, VsockStep>;
  readonly #sockets = new Map<TypeName, number>();
  readonly #bytes = new Uint8Array(READ_SIZE);
  readonly #inbox = new Inbox();
  /** Lengths of the messages in the inbox, for a seqpacket socket; the last one may go on. */
  readonly #messages: number[] = [];
  #messageEnded = true;
  #type: TypeName = 'stream';
  #connected = false;
  #step: VsockStep | null = null;

  constructor(port: ScriptPort<VsockDriver, VsockStep>) {
    this.#port = port;
    for (const step of port.steps) {
      if (step.do !== 'connect' || this.#sockets.has(step.socket)) continue;
      const socket = port.driver.socket(this, BUFFER_SIZE, TYPES[step.socket]);
      this.#sockets.set(step.socket, socket);
    }
  }

  begin(step: VsockStep): void {
    this.#step = step;
    if (step.do === 'connect') return this.#connect(step.socket, step.port);
    if (!this.#connected) return this.#end('closed', 'there is no connection');
    const { driver } = this.#port;
    switch (step.do) {
      case 'shutdown':
        return driver.close(this.#socket);
      case 'send': {
        const bytes = bytesOf(contentOf(step));
        driver.send(this.#socket, bytes, bytes.length);
        return this.#end('ok');
      }
      case 'receive':
        this.#port.expireAfter(step.within);
        return this.#take();
    }
  }

  expired(): void {
    if (this.#step?.do !== 'receive') return;
    const wanted = lengthOf(contentOf(this.#step));
    this.#end('timeout', `found ${this.#inbox.length} bytes of ${wanted}`);
  }

  /** The script itself waits for the device. */
  vsockReady(): void {}
  vsockDown(): void {}

  vsockConnected(socket: number): void {
    if (socket !== this.#socket) return;
    this.#connected = true;
    if (this.#step?.do === 'connect') this.#end('ok');
  }

  vsockReadable(socket: number): void {
    const { driver } = this.#port;
    for (;;) {
      const length = driver.read(socket, this.#bytes, READ_SIZE);
      if (length === 0) break;
      if (socket === this.#socket) this.#keep(length, driver.messageEnded(socket));
    }
    this.#take();
  }

  vsockClosed(socket: number, reason: string | null): void {
    if (socket !== this.#socket) return;
    this.#connected = false;
    const kind = this.#step?.do;
    if (kind === 'connect') this.#end('refused', reason);
    else if (kind === 'shutdown' && reason === null) this.#end('ok');
    else if (kind !== undefined) this.#end('closed', reason);
  }

  get #socket(): number {
    return this.#sockets.get(this.#type) ?? -1;
  }

  #connect(type: TypeName, port: number): void {
    const { driver } = this.#port;
    if (this.#connected) return this.#end('refused', 'there is a connection already');
    this.#type = type;
    this.#inbox.clear();
    this.#messages.length = 0;
    this.#messageEnded = true;
    driver.connect(this.#socket, port);
  }

  #keep(length: number, ended: boolean): void {
    this.#inbox.add(this.#bytes, length);
    const last = this.#messages.length - 1;
    if (this.#messageEnded) this.#messages.push(length);
    else this.#messages[last] += length;
    this.#messageEnded = ended;
  }

  /** Ends the step under way if what it waits for is there. */
  #take(): void {
    if (this.#step?.do !== 'receive') return;
    const content = contentOf(this.#step);
    if (this.#type === 'stream') {
      if (this.#inbox.has(content)) this.#end('ok', null, this.#inbox.take(content));
      return;
    }
    if (this.#messages.length === 0 || (this.#messages.length === 1 && !this.#messageEnded)) return;
    const length = this.#messages.shift()!;
    if (length === lengthOf(content)) return this.#end('ok', null, this.#inbox.take(content));
    this.#inbox.drop(length);
    this.#end('ok', null, `found a message of ${length} bytes, not ${lengthOf(content)}`);
  }

  #end(outcome: string, detail: string | null = null, wrong?: string | null): void {
    this.#step = null;
    this.#port.end({ outcome, detail, ...(wrong === undefined ? {} : { wrong }) });
  }
}

export const vsockSteps = defineSteps(
  rows,
  (port: ScriptPort<VsockDriver, VsockStep>) => new VsockPlayer(port),
);
