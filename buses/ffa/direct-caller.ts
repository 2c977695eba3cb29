// The driver side's way to the partition: FFA_MSG_SEND_DIRECT_REQ2. The call is synchronous: the core
// that makes it is lent to the partition until the response is back. One call is under way at a time;
// others wait, as behind the mutex of the Linux driver.
import type { Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, labels, type Node, Priority } from '../../platform/node/index.ts';
import { peekId, peekIsBus } from '../../platform/virtio/messages/index.ts';
import { FrameQueue } from '../common/index.ts';
import { DIRECT_REQUEST } from './packets.ts';

const CALL = 0;
const RETURNED = 1;

export interface DirectCallerOptions {
  readonly node: Node;
  /** Constants: one way to the peer, and routing the call. */
  readonly switchTime: number;
  readonly routeTime: number;
  readonly toNode: number;
  readonly toPort: number;
  readonly maxMessageSize: number;
  /** Called on the caller's core with the answer of each call. */
  answered(bytes: Uint8Array, length: number): void;
}

export class DirectCaller implements CpuClient {
  calls = 0;
  /** Id of the bus request that the call under way makes, or -1 for a transport message. */
  askedBusId = -1;
  readonly #options: DirectCallerOptions;
  readonly #queue: FrameQueue;
  readonly #answer: Uint8Array;
  #answerLength = 0;
  #core = -1;
  #calling = false;

  constructor(options: DirectCallerOptions) {
    this.#options = options;
    this.#queue = new FrameQueue(options.maxMessageSize);
    this.#answer = new Uint8Array(options.maxMessageSize);
  }

  /** Most frames that ever waited for the calls before them. */
  get highWater(): number {
    return this.#queue.highWater;
  }

  send(bytes: Uint8Array, length: number): void {
    const { kernel } = this.#options.node;
    const waits = this.#calling && kernel.causes !== null;
    const ticket = waits ? kernel.causes!.suspend(kernel.currentKey, kernel.now) : -1;
    this.#queue.push(bytes, length, ticket);
    if (!this.#calling) this.#next();
  }

  /** Takes the DIRECT_RESPONSE packet. */
  receive(packet: Packet): void {
    this.#answerLength = packet.length;
    this.#answer.set(packet.bytes.subarray(0, packet.length));
    const { node } = this.#options;
    const cost = node.charge(node.timing.messageHandle);
    node.cpu.resume(this.#core, cost, this, RETURNED);
  }

  deliver(step: number): void {
    if (step === CALL) return this.#call();
    this.#options.answered(this.#answer, this.#answerLength);
    this.#calling = false;
    if (this.#queue.length > 0) this.#next();
  }

  #next(): void {
    this.#calling = true;
    const { node } = this.#options;
    const ticket = this.#queue.peek().mark;
    if (ticket >= 0) node.kernel.causes!.restore(ticket, labels.WAIT_BUS, node.kernel.now);
    node.cpu.submit(Priority.task, node.charge(node.timing.messageEncode), this, CALL);
  }

  #call(): void {
    const { node, switchTime, routeTime, toNode, toPort } = this.#options;
    const frame = this.#queue.shift();
    this.calls++;
    this.askedBusId = peekIsBus(frame.bytes) ? peekId(frame.bytes) : -1;
    this.#core = node.cpu.hold();
    const packet = node.kernel.packets.acquire(frame.length);
    packet.bytes.set(frame.bytes.subarray(0, frame.length));
    packet.kind = DIRECT_REQUEST;
    packet.a = 0;
    packet.b = 0;
    packet.c = 0;
    packet.d = 0;
    const delay = node.charge(switchTime) + node.charge(routeTime);
    node.kernel.send(node.index, toNode, toPort, delay, packet);
  }
}
