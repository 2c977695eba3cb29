// The driver side's way to the partition: FFA_MSG_SEND_DIRECT_REQ2. The call is synchronous: the core
// that makes it is lent to the partition until the response is back. One call is under way at a time;
// others wait, as behind the mutex of the Linux driver. A partition that is busy is called again.
import type { Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, labels, type Node, Priority } from '../../platform/node/index.ts';
import { peekId, peekIsBus } from '../../platform/virtio/messages/index.ts';
import { FrameQueue } from '../common/index.ts';
import { DIRECT_ERROR, DIRECT_REQUEST, FfaError } from './packets.ts';
import { addressTo, type Service } from './service.ts';

const CALL = 0;
const RETURNED = 1;

/** How often a call is made that finds the partition busy (Linux). */
export const TRIES_MAX = 3;

/** Why a call brought no answer: FFA_ERROR, or a partition that was busy each time. */
export type CallFailure = 'busy' | 'aborted' | 'refused';

export interface DirectCallerOptions {
  readonly node: Node;
  /** Constants: one way to the peer, and routing the call. */
  readonly switchTime: number;
  readonly routeTime: number;
  readonly toNode: number;
  readonly toPort: number;
  readonly maxMessageSize: number;
  /** The service of the partition that is called. */
  readonly service: Service;
  /** Called on the caller's core with the answer of each call. */
  answered(bytes: Uint8Array, length: number): void;
  /** Called on the caller's core with a request that was not answered. */
  failed(request: Uint8Array, why: CallFailure): void;
}

export class DirectCaller implements CpuClient {
  calls = 0;
  /** Id of the bus request that the call under way makes, or -1 for a transport message. */
  askedBusId = -1;
  readonly #options: DirectCallerOptions;
  readonly #queue: FrameQueue;
  readonly #request: Uint8Array;
  #requestLength = 0;
  readonly #answer: Uint8Array;
  #answerLength = 0;
  /** FFA_ERROR in place of an answer, or 0. */
  #error = 0;
  #tries = 0;
  #core = -1;
  #calling = false;
  /** A core is lent, or handles the answer. */
  #lent = false;
  /** The answer of the call under way is nobody's business any more. */
  #abandoned = false;

  constructor(options: DirectCallerOptions) {
    this.#options = options;
    this.#queue = new FrameQueue(options.maxMessageSize);
    this.#request = new Uint8Array(options.maxMessageSize);
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

  /** Takes a packet of the kinds DIRECT_RESPONSE and DIRECT_ERROR. */
  receive(packet: Packet): void {
    this.#error = packet.kind === DIRECT_ERROR ? packet.a : 0;
    this.#answerLength = packet.length;
    this.#answer.set(packet.bytes.subarray(0, packet.length));
    const { node } = this.#options;
    const cost = node.charge(node.timing.messageHandle);
    node.cpu.resume(this.#core, cost, this, RETURNED);
  }

  deliver(step: number): void {
    if (step === CALL) return this.#call();
    this.#lent = false;
    if (!this.#abandoned) return this.#returned();
    this.#abandoned = false;
    this.#over();
  }

  /** Forgets the calls that wait, and the answer of the one under way. */
  clear(): void {
    this.#queue.clear();
    if (this.#lent) this.#abandoned = true;
    else this.#tries = 0;
  }

  #returned(): void {
    const busy = this.#error === FfaError.BUSY || (this.#error === 0 && this.#answerIsNull());
    if (busy && this.#tries < TRIES_MAX) return this.#encode();
    const { answered, failed } = this.#options;
    if (busy) failed(this.#request, 'busy');
    else if (this.#error === 0) answered(this.#answer, this.#answerLength);
    else failed(this.#request, this.#error === FfaError.ABORTED ? 'aborted' : 'refused');
    this.#over();
  }

  #over(): void {
    this.#calling = false;
    if (this.#queue.length > 0) this.#next();
  }

  #next(): void {
    this.#calling = true;
    this.#tries = 0;
    const { kernel } = this.#options.node;
    const ticket = this.#queue.peek().mark;
    if (ticket >= 0) kernel.causes!.restore(ticket, labels.WAIT_BUS, kernel.now);
    this.#encode();
  }

  #encode(): void {
    const { node } = this.#options;
    node.cpu.submit(Priority.task, node.charge(node.timing.messageEncode), this, CALL);
  }

  #call(): void {
    const { node, switchTime, routeTime, toNode, toPort, service } = this.#options;
    if (this.#tries === 0 && this.#queue.length === 0) return this.#over();
    if (this.#tries++ === 0) this.#take();
    this.calls++;
    this.#lent = true;
    this.#core = node.cpu.hold();
    const packet = node.kernel.packets.acquire(this.#requestLength);
    packet.bytes.set(this.#request.subarray(0, this.#requestLength));
    packet.kind = DIRECT_REQUEST;
    addressTo(packet, service);
    const delay = node.charge(switchTime) + node.charge(routeTime);
    node.kernel.send(node.index, toNode, toPort, delay, packet);
  }

  /** Takes the next frame from the line: it may be called with more than once. */
  #take(): void {
    const { bytes, length } = this.#queue.shift();
    this.#request.set(bytes.subarray(0, length));
    this.#requestLength = length;
    this.askedBusId = peekIsBus(bytes) ? peekId(bytes) : -1;
  }

  /** Registers full of zeroes: what a partition that has no time answers. */
  #answerIsNull(): boolean {
    for (let i = 0; i < this.#answerLength; i++) if (this.#answer[i] !== 0) return false;
    return true;
  }
}
