// All TCP connections of a stack: calls out, calls in, and which connection a segment is for.
import { PS_PER_S, type RandomStream } from '../../../platform/kernel/index.ts';
import {
  type FrameView,
  IP_PROTOCOL,
  readBig32,
  TCP,
  TCP_FLAG,
  TCP_HEADER,
  writeBig16,
  writeBig32,
} from '../../../platform/network/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import type { Outgoing, Station } from './ip.ts';
import { TcpConnection, type TcpHandler } from './tcp-connection.ts';

/** First port of those that calls out come from. */
const FIRST_PORT = 49_152;
const PORTS = 16_384;
/** Shorter than the standard's: frames live no longer on these networks. */
const TIME_WAIT = PS_PER_S;

/** How a port answers calls. */
export interface Listener {
  readonly window: number;
  accept(connection: TcpConnection): TcpHandler;
}

export interface Call {
  readonly station: Station;
  readonly port: number;
  readonly window: number;
  handler(connection: TcpConnection): TcpHandler;
}

/** Whom a connection is with, and which of several it is. */
interface Place {
  readonly remote: Station;
  readonly remotePort: number;
  readonly localPort: number;
}

export class TcpLayer {
  readonly #node: Node;
  readonly #name: string;
  readonly #random: RandomStream;
  readonly #listeners = new Map<number, Listener>();
  /** Connections by station, then by both ports. */
  readonly #connections = new Map<Station, Map<number, TcpConnection>>();
  readonly #reset: Outgoing = {
    protocol: IP_PROTOCOL.tcp,
    length: TCP_HEADER,
    ports: 0,
    segment: 0,
    header: TCP_HEADER,
  };
  #count = 0;
  #calls = 0;

  constructor(node: Node, name: string) {
    this.#node = node;
    this.#name = name;
    this.#random = node.random(`tcp/${name}`);
  }

  /** Answers calls to a port. */
  listen(port: number, listener: Listener): void {
    this.#listeners.set(port, listener);
  }

  /** Calls a station. */
  connect({ station, port, window, handler }: Call): TcpConnection {
    const localPort = FIRST_PORT + (this.#calls++ % PORTS);
    const place = { remote: station, remotePort: port, localPort };
    const connection = this.#add(place, window, handler);
    connection.open();
    return connection;
  }

  receive(bytes: Uint8Array, view: FrameView, source: Station): void {
    const { sourcePort, destinationPort, transport } = view;
    if (view.end - transport < TCP_HEADER) return;
    const ports = portsKey(destinationPort, sourcePort);
    const connection = this.#connections.get(source)?.get(ports);
    if (connection !== undefined) return connection.receive(bytes, view);
    const flags = bytes[transport + TCP.flags];
    const listener = this.#listeners.get(destinationPort);
    if (listener !== undefined && (flags & (TCP_FLAG.syn | TCP_FLAG.ack)) === TCP_FLAG.syn) {
      const place = { remote: source, remotePort: sourcePort, localPort: destinationPort };
      this.#add(place, listener.window, (made) => listener.accept(made)).receive(bytes, view);
      return;
    }
    if ((flags & TCP_FLAG.rst) === 0) this.#refuse(bytes, view, source);
  }

  writable(): void {
    for (const connections of this.#connections.values()) {
      for (const connection of connections.values()) connection.writable();
    }
  }

  roundOver(): void {
    for (const connections of this.#connections.values()) {
      for (const connection of connections.values()) connection.roundOver();
    }
  }

  /** The interface is gone. */
  abandon(reason: string): void {
    const all = [...this.#connections.values()].flatMap((each) => [...each.values()]);
    this.#connections.clear();
    for (const connection of all) connection.abandon(reason);
  }

  #add(
    place: Place,
    window: number,
    handler: (connection: TcpConnection) => TcpHandler,
  ): TcpConnection {
    const connection = new TcpConnection({
      ...place,
      node: this.#node,
      name: `${this.#name}.tcp${this.#count++}`,
      window,
      firstSequence: this.#random.next(),
      timeWait: TIME_WAIT,
      handler,
      forget: (over) => this.#forget(over),
    });
    const { remote, remotePort, localPort } = place;
    const connections = this.#connections.get(remote) ?? new Map<number, TcpConnection>();
    connections.set(portsKey(localPort, remotePort), connection);
    this.#connections.set(remote, connections);
    return connection;
  }

  #forget({ remote, remotePort, localPort }: TcpConnection): void {
    this.#connections.get(remote)?.delete(portsKey(localPort, remotePort));
  }

  /** Says that there is no such connection. */
  #refuse(bytes: Uint8Array, view: FrameView, source: Station): void {
    const { sourcePort, destinationPort, transport, end } = view;
    const { frame, transport: at } = source.ip;
    const flags = bytes[transport + TCP.flags];
    const header = (bytes[transport + TCP.offset] >>> 4) * 4;
    const marks = (flags & TCP_FLAG.syn) !== 0 || (flags & TCP_FLAG.fin) !== 0 ? 1 : 0;
    const next = readBig32(bytes, transport + TCP.sequence) + end - transport - header + marks;
    const answers = (flags & TCP_FLAG.ack) !== 0;
    writeBig16(frame, at + TCP.source, destinationPort);
    writeBig16(frame, at + TCP.destination, sourcePort);
    const acknowledged = readBig32(bytes, transport + TCP.acknowledgement);
    writeBig32(frame, at + TCP.sequence, answers ? acknowledged : 0);
    writeBig32(frame, at + TCP.acknowledgement, next >>> 0);
    frame[at + TCP.offset] = (TCP_HEADER / 4) << 4;
    frame[at + TCP.flags] = TCP_FLAG.rst | TCP_FLAG.ack;
    writeBig16(frame, at + TCP.window, 0);
    writeBig32(frame, at + TCP.checksum, 0);
    this.#reset.ports = sourcePort ^ destinationPort;
    source.ip.send(source, this.#reset);
  }
}

/** Both ports as one number below 2^32. */
function portsKey(localPort: number, remotePort: number): number {
  return localPort * 65_536 + remotePort;
}
