// Joins received frames of one flow to one large packet, as the driver allows it (virtio 1.4 §5.1.6.4: the
// receiving side of segmentation offloads). What it makes could be cut into the same frames again.
//
//   │ headers │ data │   │ headers │ data │   │ headers │ data │     frames, in sequence
//   │ headers │ data   data   data │                                packet, its checksum left open
import {
  FrameView,
  IP_PROTOCOL,
  IPV4,
  IPV4_HEADER,
  internetChecksum,
  readBig16,
  readBig32,
  TCP,
  TCP_FLAG,
  UDP,
} from '../../platform/network/index.ts';
import { NET_GSO } from '../../platform/virtio/index.ts';
import { Agreement } from './agreement.ts';
import { finishIp, headersEnd, leaveChecksum, type PacketHeader } from './offloads.ts';

/** Largest IP packet. */
const PACKET_MAX = 65_535;
/** Ethernet header and tag before it. */
const FRAME_MAX = PACKET_MAX + 18;

const NOTHING = new Agreement();

/** Flags of TCP segments that may be joined; one with any other flag comes alone. */
const JOINED_FLAGS = TCP_FLAG.ack | TCP_FLAG.psh | TCP_FLAG.ece | TCP_FLAG.cwr;

export class FrameMerger {
  /** Frames joined so far. */
  frames = 0;
  /** The packet so far is `bytes[0 … length]`. */
  readonly bytes = new Uint8Array(FRAME_MAX);
  length = 0;
  /** No more frames can follow. */
  closed = false;
  #agreement: Agreement = NOTHING;
  readonly #first = new FrameView();
  readonly #next = new FrameView();
  /** What a driver would ask to have it cut again. */
  #gsoType: number = NET_GSO.NONE;
  /** Data of each frame but the last, and bytes of all headers. */
  #step = 0;
  #headers = 0;

  /** Forgets what was joined. */
  clear(): void {
    this.frames = 0;
    this.length = 0;
    this.closed = false;
  }

  /** Begins with a frame. Returns false for one that must come alone. */
  begin(bytes: Uint8Array, length: number, agreement: Agreement): boolean {
    this.#agreement = agreement;
    const view = this.#first;
    const gsoType = this.#typeOf(view, bytes, length);
    if (gsoType === NET_GSO.NONE) return false;
    this.#gsoType = gsoType;
    this.#headers = headersEnd(view, bytes);
    this.#step = length - this.#headers;
    if (this.#step <= 0) return false;
    this.bytes.set(bytes.subarray(0, length));
    this.length = length;
    this.frames = 1;
    this.closed = isLast(view, bytes);
    return true;
  }

  /** Joins the next frame. Returns false for one that does not follow. */
  append(bytes: Uint8Array, length: number): boolean {
    const view = this.#next;
    if (this.#typeOf(view, bytes, length) !== (this.#gsoType & ~NET_GSO.ECN)) return false;
    const headers = this.#headers;
    const data = length - headers;
    const tooLong = this.length - this.#first.network + data > PACKET_MAX;
    if (data <= 0 || data > this.#step || tooLong || !this.#follows(view, bytes)) return false;
    this.bytes.set(bytes.subarray(headers, length), this.length);
    this.length += data;
    this.frames++;
    this.closed = data < this.#step || isLast(view, bytes);
    if (view.protocol === IP_PROTOCOL.tcp) {
      this.bytes[view.transport + TCP.flags] |= bytes[view.transport + TCP.flags] & TCP_FLAG.psh;
    }
    return true;
  }

  /** Puts right the headers of a packet of several frames, and tells what goes before it. */
  finish(header: PacketHeader): void {
    const { bytes, length } = this;
    const { network, transport, protocol } = this.#first;
    finishIp(bytes, network, length);
    header.gsoType = this.#gsoType;
    header.gsoSize = this.#step;
    header.headerLength = this.#headers;
    header.checksumStart = transport;
    header.checksumOffset = leaveChecksum(bytes, { network, transport, protocol, end: length });
  }

  /** How a frame might be joined with others; NONE for one that can't be, or whose checksums are wrong. */
  #typeOf(view: FrameView, bytes: Uint8Array, length: number): number {
    if (!view.parse(bytes, length) || !view.isIp || view.end !== length) return NET_GSO.NONE;
    const { isIpv4, network, transport, protocol } = view;
    if (isIpv4 && transport !== network + IPV4_HEADER) return NET_GSO.NONE;
    const type = this.#allowed(isIpv4, protocol);
    if (type === NET_GSO.NONE || view.sourcePort === 0) return NET_GSO.NONE;
    const ecn = protocol === IP_PROTOCOL.tcp ? this.#flagsAllow(bytes[transport + TCP.flags]) : 0;
    if (ecn < 0 || (protocol === IP_PROTOCOL.udp && hasNoChecksum(bytes, transport))) {
      return NET_GSO.NONE;
    }
    if (isIpv4 && internetChecksum(bytes, network, transport) !== 0) return NET_GSO.NONE;
    return view.transportChecksumHolds(bytes) ? type | ecn : NET_GSO.NONE;
  }

  #allowed(isIpv4: boolean, protocol: number): number {
    const { joinsTcp4, joinsTcp6, joinsUdp4, joinsUdp6 } = this.#agreement;
    if (protocol === IP_PROTOCOL.tcp) {
      if (isIpv4) return joinsTcp4 ? NET_GSO.TCPV4 : NET_GSO.NONE;
      return joinsTcp6 ? NET_GSO.TCPV6 : NET_GSO.NONE;
    }
    if (protocol !== IP_PROTOCOL.udp) return NET_GSO.NONE;
    return (isIpv4 ? joinsUdp4 : joinsUdp6) ? NET_GSO.UDP_L4 : NET_GSO.NONE;
  }

  /** ECN for a segment that says that its sender has slowed down; -1 for one that must come alone. */
  #flagsAllow(flags: number): number {
    if ((flags & ~JOINED_FLAGS) !== 0 || (flags & TCP_FLAG.ack) === 0) return -1;
    if ((flags & TCP_FLAG.cwr) === 0) return 0;
    return this.#agreement.joinsEcn ? NET_GSO.ECN : -1;
  }

  /** True when a frame differs from the first only in what cutting the packet would make different. */
  #follows({ isIpv4, network, transport, protocol }: FrameView, bytes: Uint8Array): boolean {
    const first = this.bytes;
    if (transport !== this.#first.transport || headersEnd(this.#next, bytes) !== this.#headers) {
      return false;
    }
    if (isIpv4) {
      const id = (readBig16(first, network + IPV4.id) + this.frames) & 0xffff;
      if (readBig16(bytes, network + IPV4.id) !== id) return false;
      if (!same(first, bytes, 0, network + IPV4.length)) return false;
      if (!same(first, bytes, network + IPV4.fragment, network + IPV4.checksum)) return false;
      if (!same(first, bytes, network + IPV4.source, transport + 4)) return false;
    } else if (
      !same(first, bytes, 0, network + 4) ||
      !same(first, bytes, network + 6, transport + 4)
    ) {
      return false;
    }
    return protocol === IP_PROTOCOL.udp || this.#inSequence(transport, bytes);
  }

  #inSequence(transport: number, bytes: Uint8Array): boolean {
    const first = this.bytes;
    const sequence = readBig32(first, transport + TCP.sequence) + this.length - this.#headers;
    if (readBig32(bytes, transport + TCP.sequence) !== sequence >>> 0) return false;
    // All flags but these two are the same, and a sender slows down in the first frame only.
    const flags = first[transport + TCP.flags] ^ bytes[transport + TCP.flags];
    if ((flags & ~(TCP_FLAG.psh | TCP_FLAG.cwr)) !== 0) return false;
    if (!same(first, bytes, transport + TCP.acknowledgement, transport + TCP.flags)) return false;
    if (!same(first, bytes, transport + TCP.window, transport + TCP.checksum)) return false;
    return same(first, bytes, transport + TCP.checksum + 2, this.#headers);
  }
}

/** A sender asks for its data to be handed on now: nothing is worth waiting for. */
function isLast({ transport, protocol }: FrameView, bytes: Uint8Array): boolean {
  return protocol === IP_PROTOCOL.tcp && (bytes[transport + TCP.flags] & TCP_FLAG.psh) !== 0;
}

function hasNoChecksum(bytes: Uint8Array, transport: number): boolean {
  return readBig16(bytes, transport + UDP.checksum) === 0;
}

function same(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return false;
  return true;
}
