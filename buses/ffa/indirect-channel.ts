// One end's way of sending and receiving with FFA_MSG_SEND2: the message is copied through the sender's
// TX buffer into the receiver's RX buffer, which holds one message until the receiver releases it. A
// sender that finds it full is told BUSY and tries again later, as the Linux driver does. An EVENT_USED for a
// queue that has one waiting to be sent is merged with it.
import type { Component, Packet } from '../../platform/kernel/index.ts';
import {
  type CpuClient,
  InterruptLine,
  labels,
  type Node,
  Priority,
} from '../../platform/node/index.ts';
import { FrameQueue } from '../common/index.ts';
import { usedQueue } from './event-outbox.ts';
import { INDIRECT, RX_RELEASE } from './packets.ts';
import { addressTo, type Service } from './service.ts';
import type { FfaTiming } from './timing.ts';

const SEND = 0;
const RECEIVE = 1;
const RETRY = 2;

export interface IndirectOptions {
  readonly node: Node;
  readonly timing: FfaTiming;
  readonly maxMessageSize: number;
  /** Messages that may wait to be sent. */
  readonly depth: number;
  /** The service that messages are for; those to the driver name none. */
  readonly service: Service | null;
  /** Names of constants: one way to the peer, and having the receiver scheduled. */
  readonly switchTime: number;
  readonly scheduleTime: number;
  /** Sends a packet to the peer's end of the bus. */
  post(packet: Packet, delay: number): void;
  /** Called on a core of this node with each message received. */
  received(bytes: Uint8Array, length: number): void;
}

export class IndirectChannel implements Component, CpuClient {
  sent = 0;
  /** Sends that were refused because the receiver's buffer was full. */
  busy = 0;
  /** Messages that were not taken because as many wait as may. */
  refused = 0;
  merged = 0;
  /** Queues with an EVENT_USED that waits. */
  readonly #waiting = new Set<number>();
  readonly #options: IndirectOptions;
  readonly #queue: FrameQueue;
  readonly #line: InterruptLine;
  readonly #id: number;
  readonly #received: Uint8Array;
  #receivedLength = 0;
  /** Our RX buffer holds a message that has not been taken. */
  #full = false;
  #sending = false;
  /** What the SPMC knows of the peer's RX buffer. */
  #peerFull = false;

  constructor(options: IndirectOptions) {
    this.#options = options;
    const { node, maxMessageSize } = options;
    this.#queue = new FrameQueue(maxMessageSize);
    this.#received = new Uint8Array(maxMessageSize);
    this.#line = new InterruptLine(node, () => this.#interrupted());
    this.#id = node.add(this);
  }

  get highWater(): number {
    return this.#queue.highWater;
  }

  get interrupts(): number {
    return this.#line.taken;
  }

  /** Takes a message to be sent. Returns false when as many wait as may. */
  send(bytes: Uint8Array, length: number): boolean {
    const { node, depth } = this.#options;
    const queue = usedQueue(bytes, length);
    if (this.#waiting.has(queue)) {
      this.merged++;
      return true;
    }
    if (this.#queue.length >= depth) {
      this.refused++;
      return false;
    }
    if (queue >= 0) this.#waiting.add(queue);
    const { kernel } = node;
    const waits = this.#sending && kernel.causes !== null;
    const ticket = waits ? kernel.causes!.suspend(kernel.currentKey, kernel.now) : -1;
    this.#queue.push(bytes, length, ticket);
    if (!this.#sending) this.#next();
    return true;
  }

  /** Takes packets of the kinds INDIRECT and RX_RELEASE. */
  receive(packet: Packet): void {
    if (packet.kind === RX_RELEASE) {
      this.#peerFull = false;
      return;
    }
    this.#full = true;
    this.#receivedLength = packet.length;
    this.#received.set(packet.bytes.subarray(0, packet.length));
    this.#line.raise();
  }

  deliver(step: number): void {
    if (step === SEND) this.#call();
    else if (step === RECEIVE) this.#take();
    else this.#attempt();
  }

  clear(): void {
    this.#queue.clear();
    this.#waiting.clear();
  }

  /** The peer is gone, and its RX buffer with it. */
  peerGone(): void {
    this.clear();
    this.#peerFull = false;
  }

  /** Nobody will take the message in our own RX buffer: the buffer is free. */
  forget(): void {
    if (this.#full) this.#releaseBuffer();
  }

  #next(): void {
    this.#sending = true;
    const { kernel } = this.#options.node;
    const ticket = this.#queue.peek().mark;
    if (ticket >= 0) kernel.causes!.restore(ticket, labels.WAIT_BUS, kernel.now);
    this.#attempt();
  }

  /** Encodes and copies to the TX buffer, then calls. */
  #attempt(): void {
    if (this.#queue.length === 0) {
      this.#sending = false;
      return;
    }
    const { node } = this.#options;
    const cost =
      node.charge(node.timing.messageEncode) +
      node.chargeBytes(node.timing.copyRate, this.#queue.peek().length);
    node.cpu.submit(Priority.task, cost, this, SEND);
  }

  #call(): void {
    const { node, timing, switchTime, scheduleTime, service, post } = this.#options;
    if (this.#queue.length === 0) {
      this.#sending = false;
      return;
    }
    if (this.#peerFull) {
      this.busy++;
      node.kernel.schedule(this.#id, node.charge(timing.indirectRetry), RETRY);
      return;
    }
    const frame = this.#queue.shift();
    this.#waiting.delete(usedQueue(frame.bytes, frame.length));
    this.sent++;
    this.#peerFull = true;
    const packet = node.kernel.packets.acquire(frame.length);
    packet.bytes.set(frame.bytes.subarray(0, frame.length));
    const delay =
      node.charge(switchTime) + node.charge(timing.spmcRoute) + node.charge(scheduleTime);
    packet.label(INDIRECT);
    if (service !== null) addressTo(packet, service);
    post(packet, delay);
    if (this.#queue.length > 0) this.#next();
    else this.#sending = false;
  }

  /** A thread is woken; it copies the message out and releases the buffer. */
  #interrupted(): void {
    const { node } = this.#options;
    const cost =
      node.charge(node.timing.workSwitch) +
      node.chargeBytes(node.timing.copyRate, this.#receivedLength) +
      node.charge(node.timing.messageHandle);
    node.cpu.submit(Priority.task, cost, this, RECEIVE);
  }

  #take(): void {
    if (!this.#full) return;
    this.#releaseBuffer();
    this.#options.received(this.#received, this.#receivedLength);
  }

  #releaseBuffer(): void {
    this.#full = false;
    const { node, switchTime, post } = this.#options;
    post(node.kernel.packets.acquire(0).label(RX_RELEASE), node.charge(switchTime));
  }
}
