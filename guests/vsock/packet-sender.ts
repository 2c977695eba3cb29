// Sends packets to the host while there are places for them: replies first, then data of the sockets that
// have some, in turn, each as far as its credit goes.
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  VSOCK_HEADER_SIZE,
  VSOCK_HOST_CID,
  VSOCK_OP,
  VsockHeader,
  type VsockReply,
} from '../../platform/virtio/index.ts';
import type { RingCosts } from '../common/index.ts';
import type { Socket } from './socket.ts';

export interface SenderOptions {
  readonly node: Node;
  /** What the driver's work on rings costs. */
  readonly ringCosts: RingCosts;
  /** Payload of a packet at the most. */
  readonly payload: number;
  guestCid(): number;
  /** Puts a packet in one of the places into the ring. */
  post(place: number, bytes: Uint8Array, length: number): void;
  /** A reply has gone: there is room for another. */
  replied(): void;
}

export class PacketSender implements CpuClient {
  creditRequests = 0;
  /** When and in which event the packet that is being sent was taken up. */
  since = 0;
  sinceKey = 0;
  readonly #options: SenderOptions;
  readonly #places: number[] = [];
  readonly #replies: VsockReply[] = [];
  readonly #sockets: Socket[] = [];
  #placesAll = 0;
  #sending = false;
  /** Work of before a loss of the device carries an older epoch. */
  #epoch = 0;
  readonly #header = new VsockHeader();
  readonly #bytes: Uint8Array;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#bytes = new Uint8Array(VSOCK_HEADER_SIZE + options.payload);
  }

  /** Replies that have no place yet. */
  get backlog(): number {
    return this.#replies.length;
  }

  /** Forgets everything: the device is lost or being reset. What is queued now waits for `start`. */
  stop(): void {
    this.#places.length = 0;
    this.#replies.length = 0;
    this.#sockets.length = 0;
    this.#sending = false;
    this.#epoch++;
  }

  /** Begins, with so many places for packets. */
  start(places: number): void {
    for (let place = places - 1; place >= 0; place--) this.#places.push(place);
    this.#placesAll = places;
    this.#next();
  }

  /** The device has returned all packets. */
  get idle(): boolean {
    return this.#places.length === this.#placesAll;
  }

  /** The device has returned a packet. */
  returned(place: number): void {
    this.#places.push(place);
    this.#next();
  }

  reply(reply: VsockReply): void {
    this.#replies.push(reply);
    this.#next();
  }

  /** The socket has something to send. */
  queue(socket: Socket): void {
    if (socket.queued) return;
    socket.queued = true;
    this.#sockets.push(socket);
    this.#next();
  }

  deliver(_kind: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#sending = false;
    const reply = this.#replies.shift();
    if (reply === undefined) {
      this.#sendData();
    } else {
      this.#header.setReply(reply);
      this.#send(0);
      this.#options.replied();
    }
    this.#next();
  }

  /** Takes up the next packet, if there is one and a place for it. */
  #next(): void {
    const something = this.#replies.length > 0 || this.#sockets.length > 0;
    if (this.#sending || !something || this.#places.length === 0) return;
    this.#sending = true;
    const { node, ringCosts, payload } = this.#options;
    const { cpu, timing, kernel } = node;
    this.since = kernel.now;
    this.sinceKey = kernel.currentKey;
    let cost = node.charge(timing.submit) + ringCosts.add();
    if (this.#replies.length === 0) {
      const { unsent, peerFree } = this.#sockets[0].stream;
      cost += node.chargeBytes(timing.copyRate, Math.min(unsent, peerFree, payload));
    }
    cpu.submit(Priority.task, cost, this, 0, this.#epoch);
  }

  /** Sends what the socket whose turn it is may send. */
  #sendData(): void {
    const socket = this.#sockets.shift();
    if (socket === undefined) return;
    socket.queued = false;
    const { stream } = socket;
    if (stream.unsent === 0 || !socket.chart.matches('established')) return;
    const taken = stream.take(this.#bytes, VSOCK_HEADER_SIZE, this.#options.payload);
    // Without credit it asks once, and goes on when the peer tells of room.
    if (taken === 0 && socket.askedForCredit) return;
    const header = this.#header;
    header.srcPort = socket.localPort;
    header.dstPort = socket.peerPort;
    header.type = socket.type;
    header.flags = stream.takenFlags;
    header.op = taken > 0 ? VSOCK_OP.RW : VSOCK_OP.CREDIT_REQUEST;
    if (taken === 0) {
      socket.askedForCredit = true;
      this.creditRequests++;
    }
    stream.stamp(header);
    this.#send(taken);
    if (taken > 0 && stream.unsent > 0) this.queue(socket);
  }

  /** Sends the packet of `#header`, with payload in `#bytes`. */
  #send(length: number): void {
    const header = this.#header;
    header.srcCid = this.#options.guestCid();
    header.dstCid = VSOCK_HOST_CID;
    header.len = length;
    header.write(this.#bytes, 0);
    this.#options.post(this.#places.pop()!, this.#bytes, VSOCK_HEADER_SIZE + length);
  }
}
