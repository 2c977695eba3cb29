// ICMP echo (RFC 792, RFC 4443): it answers requests, and hands answers to whoever asked.
import {
  type FrameView,
  ICMP,
  ICMP_HEADER,
  readBig16,
  writeBig16,
} from '../../../platform/network/index.ts';
import type { Outgoing, Station } from './ip.ts';

/** An answer: its payload is `bytes[offset … offset + length]`, valid only during the call. */
export type EchoHandler = (
  sequence: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
) => void;

export class EchoLayer {
  readonly #handlers = new Map<number, EchoHandler>();
  readonly #packet: Outgoing = {
    protocol: 0,
    length: 0,
    ports: 0,
    segment: 0,
    header: ICMP_HEADER,
  };

  /** Takes the answers to requests with this id. */
  listen(id: number, handler: EchoHandler): void {
    this.#handlers.set(id, handler);
  }

  /** Sends a request. Returns false when there is no room now. */
  request(to: Station, id: number, sequence: number, payload: Uint8Array): boolean {
    const { frame, transport, echo } = to.ip;
    writeBig16(frame, transport + ICMP.id, id);
    writeBig16(frame, transport + ICMP.sequence, sequence);
    frame.set(payload, transport + ICMP_HEADER);
    return this.#send(echo.request, to, ICMP_HEADER + payload.length);
  }

  receive(bytes: Uint8Array, { transport, end }: FrameView, from: Station): void {
    const length = end - transport;
    if (length < ICMP_HEADER || bytes[transport + ICMP.code] !== 0) return;
    const { frame, transport: at, echo } = from.ip;
    const type = bytes[transport + ICMP.type];
    if (type === echo.request) {
      frame.set(bytes.subarray(transport, end), at);
      this.#send(echo.reply, from, length);
    } else if (type === echo.reply) {
      const sequence = readBig16(bytes, transport + ICMP.sequence);
      const handler = this.#handlers.get(readBig16(bytes, transport + ICMP.id));
      handler?.(sequence, bytes, transport + ICMP_HEADER, length - ICMP_HEADER);
    }
  }

  #send(type: number, to: Station, length: number): boolean {
    const { ip } = to;
    ip.frame[ip.transport + ICMP.type] = type;
    ip.frame[ip.transport + ICMP.code] = 0;
    this.#packet.protocol = ip.echo.protocol;
    this.#packet.length = length;
    return ip.send(to, this.#packet);
  }
}
