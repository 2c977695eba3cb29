// A socket of the guest: its stream, its chart, and who uses it.
import type { Chart } from '../../platform/machine/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { VSOCK_TYPE, VsockStream } from '../../platform/virtio/index.ts';
import { type SocketEffect, type SocketEvent, socketChart } from './socket-chart.ts';

/** Whoever uses a socket. */
export interface VsockClient {
  /** The device can be used: sockets may connect. */
  vsockReady(): void;
  vsockConnected(socket: number): void;
  /** Bytes wait to be read. */
  vsockReadable(socket: number): void;
  /** The connection has ended: as asked for, or for this reason. */
  vsockClosed(socket: number, reason: string | null): void;
  vsockDown(reason: string): void;
}

export interface SocketOwner {
  readonly node: Node;
  readonly name: string;
  performSocket(socket: Socket, effect: SocketEffect): void;
}

export interface SocketOptions {
  readonly index: number;
  readonly client: VsockClient;
  /** Bytes that it receives ahead of its reader. */
  readonly bufferSize: number;
  readonly type: number;
}

export class Socket {
  readonly index: number;
  readonly client: VsockClient;
  readonly type: number;
  readonly stream: VsockStream;
  readonly chart: Chart<unknown, SocketEvent>;
  localPort = 0;
  peerPort = 0;
  /** The peer was asked for credit and has not answered. */
  askedForCredit = false;
  /** Is in the line of sockets that have something to send. */
  queued = false;

  constructor(owner: SocketOwner, { index, client, bufferSize, type }: SocketOptions) {
    const { node } = owner;
    this.index = index;
    this.client = client;
    this.type = type;
    this.stream = new VsockStream(bufferSize);
    const timeout = (name: string) => node.costs.value(node.costs.idOf(name));
    this.chart = node.charts.start(socketChart, {
      name: `${owner.name}.socket${index}`,
      input: {
        connectTimeout: timeout('vsock.connectTimeout'),
        closeTimeout: timeout('vsock.closeTimeout'),
      },
      perform: (effect: SocketEffect) => owner.performSocket(this, effect),
    });
    this.chart.begin();
  }

  get isSeqpacket(): boolean {
    return this.type === VSOCK_TYPE.SEQPACKET;
  }
}
