// UDP (RFC 768): datagrams to and from ports.
import {
  type FrameView,
  IP_PROTOCOL,
  readBig16,
  UDP,
  UDP_HEADER,
  writeBig16,
} from '../../../platform/network/index.ts';
import type { NetStack, Outgoing } from './net-stack.ts';

/** Where a datagram came from, and its payload; valid only during the call. */
export interface Datagram {
  source: number;
  sourcePort: number;
  bytes: Uint8Array;
  /** Where the payload begins. */
  offset: number;
  length: number;
}

export type DatagramHandler = (datagram: Datagram) => void;

/** Where a datagram goes. */
export interface DatagramPlace {
  readonly address: number;
  readonly port: number;
  readonly ownPort: number;
  /** MAC address of the station, where it is known; otherwise -1. */
  readonly mac: number;
}

export class UdpLayer {
  readonly #stack: NetStack;
  readonly #handlers = new Map<number, DatagramHandler>();
  readonly #waiting: (() => void)[] = [];
  readonly #datagram: Datagram = {
    source: 0,
    sourcePort: 0,
    bytes: new Uint8Array(0),
    offset: 0,
    length: 0,
  };
  readonly #packet: Outgoing = {
    destination: 0,
    protocol: IP_PROTOCOL.udp,
    length: 0,
    ports: 0,
    segment: 0,
    header: UDP_HEADER,
  };

  constructor(stack: NetStack) {
    this.#stack = stack;
  }

  /** Takes the datagrams that come to a port. */
  listen(port: number, handler: DatagramHandler): void {
    this.#handlers.set(port, handler);
  }

  /** True when the device cuts a payload into datagrams. */
  get cuts(): boolean {
    return this.#stack.capabilities.udpSegmentation;
  }

  /**
   * Sends a datagram, or several in one go: the device cuts the payload into datagrams of `segment` bytes each,
   * if it `cuts` at all. Returns false when there is no room now.
   */
  send(
    { address, port, ownPort, mac }: DatagramPlace,
    payload: Uint8Array,
    segment = payload.length,
  ): boolean {
    const { frame, transport } = this.#stack;
    const length = UDP_HEADER + payload.length;
    writeBig16(frame, transport + UDP.source, ownPort);
    writeBig16(frame, transport + UDP.destination, port);
    writeBig16(frame, transport + UDP.length, length);
    frame.set(payload, transport + UDP_HEADER);
    this.#packet.destination = address;
    this.#packet.length = length;
    this.#packet.ports = port ^ ownPort;
    this.#packet.segment = segment < payload.length ? segment : 0;
    return mac < 0 ? this.#stack.sendIpv4(this.#packet) : this.#stack.sendTo(mac, this.#packet);
  }

  /** Calls back once when `send` has room again. */
  whenWritable(callback: () => void): void {
    this.#waiting.push(callback);
  }

  writable(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }

  /** Takes a packet; one that was joined holds datagrams of `segment` bytes each, the last perhaps shorter. */
  receive(bytes: Uint8Array, view: FrameView, segment: number): void {
    const { transport, end, source, destinationPort } = view;
    const length = end - transport;
    const stated = length < UDP_HEADER ? 0 : readBig16(bytes, transport + UDP.length);
    if (stated < UDP_HEADER || stated > length) return;
    const datagram = this.#datagram;
    datagram.source = source;
    datagram.sourcePort = readBig16(bytes, transport + UDP.source);
    datagram.bytes = bytes;
    const handler = this.#handlers.get(destinationPort);
    const last = transport + stated;
    const step = segment > 0 ? segment : stated;
    let offset = transport + UDP_HEADER;
    do {
      datagram.offset = offset;
      datagram.length = Math.min(step, last - offset);
      handler?.(datagram);
      offset += step;
    } while (offset < last);
  }
}
