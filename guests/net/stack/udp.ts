// UDP (RFC 768): datagrams to and from ports.
import {
  type FrameView,
  IP_PROTOCOL,
  readBig16,
  UDP,
  UDP_HEADER,
  writeBig16,
} from '../../../platform/network/index.ts';
import type { Outgoing, Station } from './ip.ts';

/** Where a datagram came from, and its payload; valid only during the call. */
export interface Datagram {
  source: Station;
  sourcePort: number;
  bytes: Uint8Array;
  /** Where the payload begins. */
  offset: number;
  length: number;
}

export type DatagramHandler = (datagram: Datagram) => void;

/** Where a datagram goes. */
export interface DatagramPlace {
  readonly station: Station;
  readonly port: number;
  readonly ownPort: number;
}

export class UdpLayer {
  readonly #handlers = new Map<number, DatagramHandler>();
  readonly #waiting: (() => void)[] = [];
  /** One record for all datagrams, from the first one on. */
  #datagram: Datagram | null = null;
  readonly #packet: Outgoing = {
    protocol: IP_PROTOCOL.udp,
    length: 0,
    ports: 0,
    segment: 0,
    header: UDP_HEADER,
  };

  /** Takes the datagrams that come to a port. */
  listen(port: number, handler: DatagramHandler): void {
    this.#handlers.set(port, handler);
  }

  /**
   * Sends a datagram, or several in one go: the device cuts the payload into datagrams of `segment` bytes each,
   * if it cuts datagrams at all. Returns false when there is no room now.
   */
  send(
    { station, port, ownPort }: DatagramPlace,
    payload: Uint8Array,
    segment = payload.length,
  ): boolean {
    const { frame, transport } = station.ip;
    const length = UDP_HEADER + payload.length;
    writeBig16(frame, transport + UDP.source, ownPort);
    writeBig16(frame, transport + UDP.destination, port);
    writeBig16(frame, transport + UDP.length, length);
    frame.set(payload, transport + UDP_HEADER);
    this.#packet.length = length;
    this.#packet.ports = port ^ ownPort;
    this.#packet.segment = segment < payload.length ? segment : 0;
    return station.ip.send(station, this.#packet);
  }

  /** Calls back once when `send` has room again. */
  whenWritable(callback: () => void): void {
    this.#waiting.push(callback);
  }

  writable(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }

  /** Takes a packet; one that was joined holds datagrams of `segment` bytes each, the last perhaps shorter. */
  receive(bytes: Uint8Array, view: FrameView, source: Station, segment: number): void {
    const { transport, end, sourcePort, destinationPort } = view;
    const length = end - transport;
    const stated = length < UDP_HEADER ? 0 : readBig16(bytes, transport + UDP.length);
    if (stated < UDP_HEADER || stated > length) return;
    const handler = this.#handlers.get(destinationPort);
    if (handler === undefined) return;
    this.#datagram ??= { source, sourcePort, bytes, offset: 0, length: 0 };
    const datagram = this.#datagram;
    datagram.source = source;
    datagram.sourcePort = sourcePort;
    datagram.bytes = bytes;
    const last = transport + stated;
    const step = segment > 0 ? segment : stated;
    let offset = transport + UDP_HEADER;
    do {
      datagram.offset = offset;
      datagram.length = Math.min(step, last - offset);
      handler(datagram);
      offset += step;
    } while (offset < last);
  }
}
