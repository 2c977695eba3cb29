// The partition's side of FFA_MSG_SEND_DIRECT_REQ2: it runs on the core that the caller lends, and gives
// the core back with FFA_MSG_SEND_DIRECT_RESP2.
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { DIRECT_ERROR, DIRECT_RESPONSE, FfaError } from './packets.ts';

export interface DirectCalleeOptions {
  readonly node: Node;
  readonly maxMessageSize: number;
  /** Handles the request of a call, now or later, by `respond`. */
  handle(bytes: Uint8Array, length: number): void;
  /** Sends a packet to the caller, over the way of a call. */
  send(packet: Packet, kind: number, a: number): void;
}

export class DirectCallee implements CpuClient {
  /** True while the request of a call is being handled. */
  handling = false;
  readonly #options: DirectCalleeOptions;
  /** The frame of the open call. */
  readonly #request: Uint8Array;
  #requestLength = 0;
  /** A call is under way and has not been answered. */
  #open = false;
  /** Counts calls: one that was aborted may still wait for a core. */
  #calls = 0;

  constructor(options: DirectCalleeOptions) {
    this.#options = options;
    this.#request = new Uint8Array(options.maxMessageSize);
  }

  /** Takes a packet of the kind DIRECT_REQUEST: the partition runs, between its other work. */
  receive({ bytes, length }: Packet): void {
    assert(!this.#open, 'one direct call is open at a time');
    this.#open = true;
    this.#requestLength = length;
    this.#request.set(bytes.subarray(0, length));
    const { node } = this.#options;
    const { messageHandle, messageEncode } = node.timing;
    const cost = node.charge(messageHandle) + node.charge(messageEncode);
    node.cpu.submit(Priority.interrupt, cost, this, 0, ++this.#calls);
  }

  deliver(_step: number, call: number): void {
    if (!this.#open || call !== this.#calls) return;
    this.handling = true;
    this.#options.handle(this.#request, this.#requestLength);
    this.handling = false;
  }

  /** Ends the open call with an answer; the core goes back with it. */
  respond(bytes: Uint8Array, length: number): void {
    assert(this.#open, 'a response ends an open call');
    this.#open = false;
    const { node, send } = this.#options;
    const packet = node.kernel.packets.acquire(length);
    packet.bytes.set(bytes.subarray(0, length));
    send(packet, DIRECT_RESPONSE, 0);
  }

  /** The partition has stopped: the SPMC ends the open call. */
  abort(): void {
    if (!this.#open) return;
    this.#open = false;
    this.refuse(FfaError.ABORTED);
  }

  /** Answers a call for the partition with FFA_ERROR, as the SPMC does. */
  refuse(error: number): void {
    const { node, send } = this.#options;
    send(node.kernel.packets.acquire(0), DIRECT_ERROR, error);
  }
}
