// Sends packets to the guest as it offers buffers: replies first, then data of the connections that have
// some, in turn, each as far as its credit goes.
import type { DmaPort } from '../../platform/contracts/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  VSOCK_HEADER_SIZE,
  VSOCK_HOST_CID,
  VSOCK_OP,
  VSOCK_PAYLOAD_MAX,
  VsockHeader,
  type VsockReply,
} from '../../platform/virtio/index.ts';
import { type Chain, type QueueEngine, scatter } from '../common/index.ts';
import type { Connection } from './connection.ts';

export interface SenderOptions {
  readonly node: Node;
  /** Port of the service, from which data comes. */
  readonly port: number;
  dma(): DmaPort;
  guestCid(): number;
  /** The device is suspended: packets wait. */
  pausing(): boolean;
  /** A packet has gone: there is room for another reply, and for bytes of this connection, if any. */
  sent(connection: Connection | null): void;
}

export class PacketSender implements CpuClient {
  creditRequests = 0;
  readonly #options: SenderOptions;
  readonly #cost: number;
  /** Buffers that the guest offers, oldest first. */
  readonly #offers: { readonly queue: QueueEngine; readonly chain: Chain }[] = [];
  readonly #replies: VsockReply[] = [];
  readonly #connections: Connection[] = [];
  #sending = false;
  /** Work of before a reset carries an older epoch. */
  #epoch = 0;
  readonly #header = new VsockHeader();
  readonly #bytes = new Uint8Array(VSOCK_HEADER_SIZE + VSOCK_PAYLOAD_MAX);

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#cost = options.node.costs.idOf('vsock.packet');
  }

  /** Buffers that wait for packets. */
  get offerCount(): number {
    return this.#offers.length;
  }

  /** The device was suspended and goes on. */
  resume(): void {
    this.#next();
  }

  /** Replies that have no buffer yet. */
  get backlog(): number {
    return this.#replies.length;
  }

  /** The guest offers a buffer. */
  offer(queue: QueueEngine, chain: Chain): void {
    this.#offers.push({ queue, chain });
    this.#next();
  }

  reply(reply: VsockReply): void {
    this.#replies.push(reply);
    this.#next();
  }

  /** The connection has something to send. */
  queue(connection: Connection): void {
    if (connection.queued) return;
    connection.queued = true;
    this.#connections.push(connection);
    this.#next();
  }

  /** The guest's buffers are gone: the queue was reset. */
  forgetOffers(): void {
    this.#offers.length = 0;
    this.#sending = false;
    this.#epoch++;
  }

  /** Forgets what was to be sent. */
  clear(): void {
    this.#replies.length = 0;
    this.#connections.length = 0;
  }

  /** A packet may go now. */
  deliver(_kind: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#sending = false;
    if (this.#options.pausing()) return;
    let connection: Connection | null = null;
    const reply = this.#replies.shift();
    if (reply === undefined) {
      connection = this.#sendData();
    } else {
      this.#header.setReply(reply);
      this.#send(0);
    }
    this.#options.sent(connection);
    this.#next();
  }

  /** Takes up the next packet, if there is one and a buffer for it. */
  #next(): void {
    const something = this.#replies.length > 0 || this.#connections.length > 0;
    const waits = this.#sending || this.#offers.length === 0 || this.#options.pausing();
    if (waits || !something) return;
    this.#sending = true;
    const { node } = this.#options;
    const cost = node.charge(node.timing.deviceStep) + node.charge(this.#cost);
    node.cpu.submit(Priority.task, cost, this, 0, this.#epoch);
  }

  /** Sends what the connection whose turn it is may send; returns it if bytes of it went. */
  #sendData(): Connection | null {
    const connection = this.#connections.shift();
    if (connection === undefined) return null;
    connection.queued = false;
    const { stream } = connection;
    if (!connection.used || stream.unsent === 0) return null;
    const room = this.#offers[0].chain.writableBytes - VSOCK_HEADER_SIZE;
    const taken = stream.take(this.#bytes, VSOCK_HEADER_SIZE, Math.min(room, VSOCK_PAYLOAD_MAX));
    const header = this.#header;
    header.srcPort = this.#options.port;
    header.dstPort = connection.peerPort;
    header.type = connection.type;
    header.flags = stream.takenFlags;
    header.op = VSOCK_OP.RW;
    if (taken === 0) {
      // Without credit it asks once, and goes on when the peer tells of room.
      if (connection.askedForCredit || room === 0) return null;
      connection.askedForCredit = true;
      this.creditRequests++;
      header.op = VSOCK_OP.CREDIT_REQUEST;
    }
    stream.stamp(header);
    this.#send(taken);
    return taken > 0 ? connection : null;
  }

  /** Puts the packet of `#header`, with payload in `#bytes`, into the oldest buffer. */
  #send(length: number): void {
    const { queue, chain } = this.#offers.shift()!;
    const header = this.#header;
    header.srcCid = VSOCK_HOST_CID;
    header.dstCid = this.#options.guestCid();
    header.len = length;
    header.write(this.#bytes, 0);
    const written = VSOCK_HEADER_SIZE + length;
    scatter(this.#options.dma(), chain, 0, this.#bytes, 0, written);
    if (!queue.complete(chain, written)) queue.fail();
  }
}
