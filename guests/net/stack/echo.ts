// ICMP echo (RFC 792): it answers requests, and hands answers to whoever asked.
import {
  type FrameView,
  ICMP,
  ICMP_HEADER,
  IP_PROTOCOL,
  internetChecksum,
  readBig16,
  writeBig16,
} from '../../../platform/network/index.ts';
import type { NetStack, Outgoing } from './net-stack.ts';

const ECHO_REPLY = 0;
const ECHO_REQUEST = 8;

/** An answer: its payload is `bytes[offset … offset + length]`, valid only during the call. */
export type EchoHandler = (
  sequence: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
) => void;

export class EchoLayer {
  readonly #stack: NetStack;
  readonly #handlers = new Map<number, EchoHandler>();
  readonly #packet: Outgoing = {
    destination: 0,
    protocol: IP_PROTOCOL.icmp,
    length: 0,
    ports: 0,
    segment: 0,
    header: ICMP_HEADER,
  };

  constructor(stack: NetStack) {
    this.#stack = stack;
  }

  /** Takes the answers to requests with this id. */
  listen(id: number, handler: EchoHandler): void {
    this.#handlers.set(id, handler);
  }

  /** Sends a request. Returns false when there is no room now. */
  request(destination: number, id: number, sequence: number, payload: Uint8Array): boolean {
    const { frame, transport } = this.#stack;
    writeBig16(frame, transport + ICMP.id, id);
    writeBig16(frame, transport + ICMP.sequence, sequence);
    frame.set(payload, transport + ICMP_HEADER);
    return this.#send(ECHO_REQUEST, destination, ICMP_HEADER + payload.length);
  }

  receive(bytes: Uint8Array, { transport, end, source }: FrameView): void {
    const length = end - transport;
    if (length < ICMP_HEADER || bytes[transport + ICMP.code] !== 0) return;
    if (internetChecksum(bytes, transport, end) !== 0) {
      this.#stack.damaged++;
      return;
    }
    const type = bytes[transport + ICMP.type];
    if (type === ECHO_REQUEST) {
      const { frame, transport: to } = this.#stack;
      frame.set(bytes.subarray(transport, end), to);
      this.#send(ECHO_REPLY, source, length);
    } else if (type === ECHO_REPLY) {
      const sequence = readBig16(bytes, transport + ICMP.sequence);
      const handler = this.#handlers.get(readBig16(bytes, transport + ICMP.id));
      handler?.(sequence, bytes, transport + ICMP_HEADER, length - ICMP_HEADER);
    }
  }

  #send(type: number, destination: number, length: number): boolean {
    const { frame, transport } = this.#stack;
    frame[transport + ICMP.type] = type;
    frame[transport + ICMP.code] = 0;
    writeBig16(frame, transport + ICMP.checksum, 0);
    const checksum = internetChecksum(frame, transport, transport + length);
    writeBig16(frame, transport + ICMP.checksum, checksum);
    this.#packet.destination = destination;
    this.#packet.length = length;
    return this.#stack.sendIpv4(this.#packet);
  }
}
