// One connection of the echo service: its stream, its chart, and the program that reads what comes and
// sends it back, at its own speed.
import type { Chart } from '../../platform/machine/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { VSOCK_SEQ, VSOCK_TYPE, VsockStream } from '../../platform/virtio/index.ts';
import { ServiceStation } from '../common/index.ts';
import {
  type ConnectionEffect,
  type ConnectionEvent,
  connectionChart,
} from './connection-chart.ts';

/** Bytes that the program reads at a time. */
const READ_SIZE = 16384;

export interface ConnectionOwner {
  readonly node: Node;
  readonly name: string;
  readonly bufferSize: number;
  performConnection(connection: Connection, effect: ConnectionEffect): void;
  /** The program has bytes to send, or has made room for more. */
  connectionChanged(connection: Connection): void;
}

export class Connection {
  readonly stream: VsockStream;
  readonly chart: Chart<unknown, ConnectionEvent>;
  peerPort = 0;
  type: number = VSOCK_TYPE.STREAM;
  used = false;
  /** The peer was asked for credit and has not answered. */
  askedForCredit = false;
  /** Is in the line of connections that have something to send. */
  queued = false;
  readonly #owner: ConnectionOwner;
  readonly #service: number;
  readonly #rate: number;
  readonly #program: ServiceStation;
  readonly #bytes = new Uint8Array(READ_SIZE);
  #reading = false;
  /** Reads of an earlier connection carry an older epoch. */
  #epoch = 0;

  constructor(owner: ConnectionOwner, index: number, closeTimeout: number) {
    const { node } = owner;
    this.#owner = owner;
    this.stream = new VsockStream(owner.bufferSize);
    this.#service = node.costs.idOf('vsock.service');
    this.#rate = node.costs.idOf('vsock.rate');
    this.#program = new ServiceStation(node, 1, (epoch) => this.#served(epoch));
    this.chart = node.charts.start(connectionChart, {
      name: `${owner.name}.connection${index}`,
      input: { closeTimeout },
      perform: (effect: ConnectionEffect) => owner.performConnection(this, effect),
    });
    this.chart.begin();
  }

  /** Begins anew, for a peer's port, as a socket of this type. */
  open(peerPort: number, type: number): void {
    this.peerPort = peerPort;
    this.type = type;
    this.used = true;
    this.askedForCredit = false;
    this.stream.reset();
    this.#reading = false;
    this.#epoch++;
  }

  /** True when all that came has gone back. */
  get drained(): boolean {
    return this.stream.readable === 0 && this.stream.unsent === 0 && !this.#reading;
  }

  /** What the flags of a packet say of the end of a message; nothing in a stream. */
  endOf(flags: number): number {
    return this.type === VSOCK_TYPE.SEQPACKET ? flags & (VSOCK_SEQ.EOM | VSOCK_SEQ.EOR) : 0;
  }

  /** Lets the program read, unless it is busy, or still has a buffer full to send. */
  serve(): void {
    const { readable, unsent, bufAlloc } = this.stream;
    if (!this.used || this.#reading || readable === 0 || unsent >= bufAlloc) return;
    this.#reading = true;
    const { node } = this.#owner;
    const length = Math.min(readable, READ_SIZE);
    const time = node.charge(this.#service) + node.chargeBytes(this.#rate, length);
    this.#program.request(time, this.#epoch);
  }

  #served(epoch: number): void {
    if (epoch !== this.#epoch || !this.used) return;
    this.#reading = false;
    const length = this.stream.read(this.#bytes, READ_SIZE);
    this.stream.write(this.#bytes, 0, length, this.stream.readFlags);
    this.#owner.connectionChanged(this);
    this.serve();
  }
}
