// One TCP connection: segments as bytes, around a sending half, a receiving half and the chart of its
// life. It has no SACK, no time stamps, no urgent data, and its peers always have room to receive.
import type { Chart } from '../../../platform/machine/index.ts';
import {
  type FrameView,
  IP_PROTOCOL,
  readBig16,
  readBig32,
  TCP,
  TCP_FLAG,
  TCP_HEADER,
  writeBig16,
  writeBig32,
} from '../../../platform/network/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import type { Outgoing, Station } from './ip.ts';
import { type TcpEffect, type TcpEvent, tcpChart } from './tcp-chart.ts';
import { TcpReceiver } from './tcp-receiver.ts';
import { TcpSender } from './tcp-sender.ts';

/** Options of a SYN: maximum segment size and window scale. */
const OPTION = { mss: 2, mssSize: 4, scale: 3, scaleSize: 3, nop: 1, end: 0 } as const;
const SYN_OPTIONS = 8;
const DEFAULT_MSS = 536;
const SCALE_MAX = 14;
/** Segments' worth of data in order after which an acknowledgement does not wait for the end of a round. */
const UNACKED_MAX = 16;
/** Payload that the device cuts into segments, at the most. */
const PACKET_MAX = 61_440;

/** Whoever uses a connection. */
export interface TcpHandler {
  connected(): void;
  /** Bytes came in order; they are valid only during the call. */
  received(bytes: Uint8Array, offset: number, length: number): void;
  /** The peer has acknowledged more, and `write` has room again. */
  acknowledged(): void;
  /** The peer has no more to send. */
  peerEnded(): void;
  /** It is over; null when in order. */
  closed(reason: string | null): void;
}

export interface ConnectionOptions {
  readonly node: Node;
  readonly name: string;
  readonly remote: Station;
  readonly remotePort: number;
  readonly localPort: number;
  /** Bytes that may be on their way, in either direction. */
  readonly window: number;
  /** First sequence number. */
  readonly firstSequence: number;
  readonly timeWait: number;
  handler(connection: TcpConnection): TcpHandler;
  forget(connection: TcpConnection): void;
}

export class TcpConnection {
  readonly remote: Station;
  readonly remotePort: number;
  readonly localPort: number;
  readonly receiver: TcpReceiver;
  readonly sender: TcpSender;
  readonly #options: ConnectionOptions;
  readonly #handler: TcpHandler;
  readonly #chart: Chart<unknown, TcpEvent>;
  readonly #ownScale: number;
  readonly #packet: Outgoing;
  #peerSequence = 0;
  #peerScale = 0;
  #peerSegment = DEFAULT_MSS;
  #synSeen = false;
  #lastWindow = -1;
  #unacked = 0;
  #ackWanted = false;

  constructor(options: ConnectionOptions) {
    const { node, name, window, remotePort, localPort, timeWait } = options;
    this.#options = options;
    this.remote = options.remote;
    this.remotePort = remotePort;
    this.localPort = localPort;
    this.#packet = {
      protocol: IP_PROTOCOL.tcp,
      length: 0,
      ports: remotePort ^ localPort,
      segment: 0,
      header: TCP_HEADER,
    };
    this.#ownScale = scaleFor(window);
    this.receiver = new TcpReceiver(window, (bytes, offset, length) =>
      this.#handler.received(bytes, offset, length),
    );
    this.sender = new TcpSender({
      node,
      buffer: window,
      transmit: (position, length) => this.#transmit(position, length),
      giveUp: () => this.#chart.send({ type: 'GIVE_UP' }),
    });
    this.#handler = options.handler(this);
    this.#chart = node.charts.start(tcpChart, {
      name,
      input: { timeWait },
      perform: (effect: TcpEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  get state(): string {
    return this.#chart.state;
  }

  /** Calls the peer. */
  open(): void {
    this.#chart.send({ type: 'OPEN' });
    this.sender.output();
  }

  /** Adds bytes to send; returns how many there was room for. */
  write(bytes: Uint8Array, offset: number, length: number): number {
    return this.sender.write(bytes, offset, length);
  }

  /** No more will be written. */
  close(): void {
    this.#chart.send({ type: 'CLOSE' });
  }

  /** Takes a segment of this connection. */
  receive(bytes: Uint8Array, view: FrameView): void {
    const at = view.transport;
    const flags = bytes[at + TCP.flags];
    const header = (bytes[at + TCP.offset] >>> 4) * 4;
    const sequence = readBig32(bytes, at + TCP.sequence);
    if ((flags & TCP_FLAG.rst) !== 0) {
      this.#chart.send({ type: 'RESET' });
      return;
    }
    if ((flags & TCP_FLAG.syn) !== 0) {
      this.#synReceived(bytes, at, header, flags);
      return;
    }
    if (!this.#synSeen) return;
    const near = this.receiver.next;
    const position = near + ((sequence - ((this.#peerSequence + near) >>> 0)) | 0);
    const length = view.end - at - header;
    if ((flags & TCP_FLAG.ack) !== 0) {
      const window = readBig16(bytes, at + TCP.window) * 2 ** this.#peerScale;
      this.#acknowledged(readBig32(bytes, at + TCP.acknowledgement), window, length === 0);
    }
    this.#takeData(bytes, at + header, position, length, (flags & TCP_FLAG.fin) !== 0);
  }

  /** There is room to send again. */
  writable(): void {
    if (this.#ackWanted) this.#sendAck();
    this.sender.output();
  }

  /** No more segments come in for now. */
  roundOver(): void {
    if (this.#unacked > 0 || this.#ackWanted) this.#sendAck();
  }

  /** The interface is gone. */
  abandon(reason: string): void {
    this.sender.stop();
    this.#handler.closed(reason);
    this.#chart.stop();
  }

  #perform(effect: TcpEffect): void {
    switch (effect.type) {
      case 'connected':
        return this.#handler.connected();
      case 'end':
        return this.sender.finish();
      case 'peerEnded':
        return this.#handler.peerEnded();
      case 'closed':
        return this.#handler.closed(effect.reason);
      case 'forget':
        this.sender.stop();
        return this.#options.forget(this);
    }
  }

  /** SYN of the peer: as a call, as the answer to ours, or once more because ours was lost. */
  #synReceived(bytes: Uint8Array, at: number, header: number, flags: number): void {
    if (!this.#synSeen) {
      this.#synSeen = true;
      this.#peerSequence = readBig32(bytes, at + TCP.sequence);
      this.#readOptions(bytes, at + TCP_HEADER, at + header);
      const segment = Math.min(this.#peerSegment, this.#ownSegment);
      const whole = PACKET_MAX - (PACKET_MAX % segment);
      this.sender.agree(segment, this.remote.ip.cutsSegments ? whole : segment);
      if ((flags & TCP_FLAG.ack) === 0) this.#chart.send({ type: 'CALLED' });
    }
    // A window in a SYN is not scaled.
    this.sender.peerWindow = readBig16(bytes, at + TCP.window);
    if ((flags & TCP_FLAG.ack) === 0) return this.sender.output();
    const window = readBig16(bytes, at + TCP.window);
    this.#ackWanted = true;
    this.#acknowledged(readBig32(bytes, at + TCP.acknowledgement), window, false);
    if (this.#ackWanted) this.#sendAck();
  }

  #readOptions(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end && bytes[at] !== OPTION.end; ) {
      const size = bytes[at] === OPTION.nop ? 1 : Math.max(1, bytes[at + 1]);
      if (bytes[at] === OPTION.mss && size === OPTION.mssSize) {
        this.#peerSegment = readBig16(bytes, at + 2);
      } else if (bytes[at] === OPTION.scale && size === OPTION.scaleSize) {
        this.#peerScale = Math.min(SCALE_MAX, bytes[at + 2]);
      }
      at += size;
    }
  }

  #acknowledged(acknowledgement: number, window: number, empty: boolean): void {
    const { sender } = this;
    const { una } = sender;
    const position = una + ((acknowledgement - ((this.#options.firstSequence + una) >>> 0)) | 0);
    if (position > sender.sent || position < 0) return;
    const duplicate = empty && position === una && window === this.#lastWindow;
    this.#lastWindow = window;
    sender.peerWindow = window;
    sender.acknowledge(position, duplicate);
    if (una === 0 && sender.una > 0) this.#chart.send({ type: 'AGREED' });
    if (sender.una > una) this.#handler.acknowledged();
    if (sender.done) this.#chart.send({ type: 'END_ACKED' });
  }

  #takeData(
    bytes: Uint8Array,
    offset: number,
    position: number,
    length: number,
    fin: boolean,
  ): void {
    const { receiver } = this;
    const had = receiver.ended;
    let inOrder = true;
    if (length > 0) {
      const fresh = receiver.accept(position, bytes, offset, length);
      // What comes out of order is answered at once: that is how the sender learns of a loss.
      inOrder = fresh && !receiver.hasGap;
      this.#unacked += Math.max(1, Math.ceil(length / this.#ownSegment));
    }
    if (fin) {
      receiver.finish(position + length);
      inOrder = false;
    }
    if (!inOrder || this.#unacked >= UNACKED_MAX) this.#sendAck();
    if (receiver.ended && !had) {
      this.#sendAck();
      this.#chart.send({ type: 'PEER_ENDED' });
    }
  }

  get #ownSegment(): number {
    return this.remote.ip.payloadMax - TCP_HEADER;
  }

  #sendAck(): void {
    this.#ackWanted = !this.#emit(this.sender.sent, 0, TCP_FLAG.ack, 0);
  }

  #transmit(position: number, length: number): boolean {
    if (position === 0) {
      const flags = this.#synSeen ? TCP_FLAG.syn | TCP_FLAG.ack : TCP_FLAG.syn;
      return this.#emit(0, 0, flags, SYN_OPTIONS);
    }
    if (length === 0) return this.#emit(position, 0, TCP_FLAG.fin | TCP_FLAG.ack, 0);
    return this.#emit(position, length, TCP_FLAG.ack | TCP_FLAG.psh, 0);
  }

  /** Builds a segment and sends it. Every one but the first SYN acknowledges what came in. */
  #emit(position: number, length: number, flags: number, options: number): boolean {
    const { ip } = this.remote;
    const { frame, transport: at } = ip;
    const header = TCP_HEADER + options;
    writeBig16(frame, at + TCP.source, this.localPort);
    writeBig16(frame, at + TCP.destination, this.remotePort);
    writeBig32(frame, at + TCP.sequence, (this.#options.firstSequence + position) >>> 0);
    const acknowledges = (flags & TCP_FLAG.ack) !== 0;
    const next = (this.#peerSequence + this.receiver.next) >>> 0;
    writeBig32(frame, at + TCP.acknowledgement, acknowledges ? next : 0);
    frame[at + TCP.offset] = (header / 4) << 4;
    frame[at + TCP.flags] = flags;
    const scale = options > 0 ? 0 : this.#ownScale;
    const window = Math.min(0xffff, Math.floor(this.#options.window / 2 ** scale));
    writeBig16(frame, at + TCP.window, window);
    writeBig32(frame, at + TCP.checksum, 0);
    if (options > 0) this.#writeOptions(frame, at + TCP_HEADER);
    if (length > 0) this.sender.copy(position, frame, at + header, length);
    const segment = Math.min(this.#peerSegment, this.#ownSegment);
    this.#packet.length = header + length;
    this.#packet.segment = length > segment ? segment : 0;
    this.#packet.header = header;
    if (!ip.send(this.remote, this.#packet)) return false;
    if (acknowledges) {
      this.#unacked = 0;
      this.#ackWanted = false;
    }
    return true;
  }

  #writeOptions(frame: Uint8Array, at: number): void {
    frame[at] = OPTION.mss;
    frame[at + 1] = OPTION.mssSize;
    writeBig16(frame, at + 2, this.#ownSegment);
    frame[at + 4] = OPTION.nop;
    frame[at + 5] = OPTION.scale;
    frame[at + 6] = OPTION.scaleSize;
    frame[at + 7] = this.#ownScale;
  }
}

/** The least scale with which a window fits into 16 bits. */
function scaleFor(window: number): number {
  let scale = 0;
  while (window > 0xffff * 2 ** scale && scale < SCALE_MAX) scale++;
  return scale;
}
