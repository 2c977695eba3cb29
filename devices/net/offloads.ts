// What a device does to a packet before it is a frame on a cable: it fills in the checksum that the
// driver left open, and cuts what is too large for one frame (virtio 1.4 §5.1.6.2). On real bytes.
import {
  type FlowHasher,
  FrameView,
  foldSum,
  IP_PROTOCOL,
  IPV4,
  IPV4_HEADER,
  IPV6,
  IPV6_HEADER,
  internetChecksum,
  pseudoHeaderSum,
  readBig16,
  readBig32,
  TCP,
  TCP_FLAG,
  TCP_HEADER,
  UDP,
  UDP_HEADER,
  writeBig16,
  writeBig32,
} from '../../platform/network/index.ts';
import { NET_GSO, NET_HEADER, NET_HEADER_F } from '../../platform/virtio/index.ts';
import { readU16, writeU16, writeU32 } from '../../platform/wire/index.ts';

/** The header before a packet. */
export interface PacketHeader {
  flags: number;
  gsoType: number;
  headerLength: number;
  gsoSize: number;
  checksumStart: number;
  checksumOffset: number;
}

export function emptyHeader(): PacketHeader {
  const offload = { gsoType: NET_GSO.NONE, headerLength: 0, gsoSize: 0 };
  return { flags: 0, ...offload, checksumStart: 0, checksumOffset: 0 };
}

/** Makes a header ask for nothing. */
export function clearHeader(header: PacketHeader): void {
  header.flags = 0;
  header.gsoType = NET_GSO.NONE;
  header.headerLength = 0;
  header.gsoSize = 0;
  header.checksumStart = 0;
  header.checksumOffset = 0;
}

/** Reads the header at the start of `bytes`. */
export function readHeader(bytes: Uint8Array, header: PacketHeader): void {
  header.flags = bytes[NET_HEADER.flags];
  header.gsoType = bytes[NET_HEADER.gsoType];
  header.headerLength = readU16(bytes, NET_HEADER.headerLength);
  header.gsoSize = readU16(bytes, NET_HEADER.gsoSize);
  header.checksumStart = readU16(bytes, NET_HEADER.checksumStart);
  header.checksumOffset = readU16(bytes, NET_HEADER.checksumOffset);
}

/** Writes the header of a received packet that lies in `bufferCount` buffers. */
export function writeHeader(bytes: Uint8Array, header: PacketHeader, bufferCount: number): void {
  bytes[NET_HEADER.flags] = header.flags;
  bytes[NET_HEADER.gsoType] = header.gsoType;
  writeU16(bytes, NET_HEADER.headerLength, header.headerLength);
  writeU16(bytes, NET_HEADER.gsoSize, header.gsoSize);
  writeU16(bytes, NET_HEADER.checksumStart, header.checksumStart);
  writeU16(bytes, NET_HEADER.checksumOffset, header.checksumOffset);
  writeU16(bytes, NET_HEADER.bufferCount, bufferCount);
}

/** Writes what follows in the header of a packet with a hash. */
export function writeHash(bytes: Uint8Array, { kind, value }: FlowHasher): void {
  writeU32(bytes, NET_HEADER.hashValue, value);
  writeU16(bytes, NET_HEADER.hashReport, kind);
  writeU16(bytes, NET_HEADER.hashReport + 2, 0);
}

/**
 * Fills in the checksum of the frame at `bytes[start … end]`. Returns false when the header asks for
 * bytes that the frame does not have.
 */
export function fillChecksum(
  bytes: Uint8Array,
  start: number,
  end: number,
  { checksumStart, checksumOffset }: PacketHeader,
): boolean {
  const from = start + checksumStart;
  if (from + checksumOffset + 2 > end) return false;
  completeChecksum(bytes, from, checksumOffset, end);
  return true;
}

/** Makes a checksum of the sum that is left at `from + offset`, over all bytes up to `end`. */
function completeChecksum(bytes: Uint8Array, from: number, offset: number, end: number): void {
  // The field holds the sum of the pseudo header already, so it takes part like all other words.
  const checksum = internetChecksum(bytes, from, end);
  // A UDP checksum of 0 would mean that there is none; both are zero in ones' complement.
  writeBig16(bytes, from + offset, checksum === 0 ? 0xffff : checksum);
}

/** Takes a frame that is ready to be sent; its bytes are valid only during the call. */
export type FrameSink = (bytes: Uint8Array, offset: number, length: number) => void;

/** Cuts large TCP packets and UDP datagrams into frames. */
export class Segmenter {
  readonly #view = new FrameView();
  #frame = new Uint8Array(2048);

  /**
   * How many frames the packet at `bytes[start … end]` makes, its payload cut into pieces as its header
   * says. 0 when it is no packet of the type that the header names, or can't be cut.
   */
  count(bytes: Uint8Array, start: number, end: number, { gsoType, gsoSize }: PacketHeader): number {
    const view = this.#view;
    const packet = bytes.subarray(start, end);
    if (gsoSize === 0 || !view.parse(packet, packet.length) || !view.isIp) return 0;
    if (!isOfType(view, gsoType & ~NET_GSO.ECN)) return 0;
    const payload = view.end - headersEnd(view, packet);
    return payload < 0 ? 0 : Math.max(1, Math.ceil(payload / gsoSize));
  }

  /** Makes the frames of the packet that `count` was asked about last. */
  cut(bytes: Uint8Array, start: number, end: number, size: number, sink: FrameSink): void {
    const packet = bytes.subarray(start, end);
    const { network, transport, protocol, end: packetEnd } = this.#view;
    const headers = headersEnd(this.#view, packet);
    const payload = packetEnd - headers;
    if (this.#frame.length < headers + size) this.#frame = new Uint8Array(headers + size);
    const frame = this.#frame;
    const place = { network, transport, protocol, end: 0 };
    for (let done = 0, index = 0; done < payload || index === 0; done += size, index++) {
      const step = Math.min(size, payload - done);
      const length = headers + step;
      frame.set(packet.subarray(0, headers));
      frame.set(packet.subarray(headers + done, headers + done + step), headers);
      if (this.#view.isIpv4) {
        writeBig16(frame, network + IPV4.id, readBig16(packet, network + IPV4.id) + index);
      }
      finishIp(frame, network, length);
      if (protocol === IP_PROTOCOL.tcp) {
        finishSegment(frame, transport, { index, done, last: done + step >= payload });
      }
      place.end = length;
      completeChecksum(frame, transport, leaveChecksum(frame, place), length);
      sink(frame, 0, length);
    }
  }
}

function isOfType({ isIpv4, protocol, sourcePort }: FrameView, gsoType: number): boolean {
  // Without a whole transport header there is no port.
  if (sourcePort === 0) return false;
  if (gsoType === NET_GSO.UDP_L4) return protocol === IP_PROTOCOL.udp;
  return protocol === IP_PROTOCOL.tcp && gsoType === (isIpv4 ? NET_GSO.TCPV4 : NET_GSO.TCPV6);
}

/** Where the data of a TCP or UDP packet begins. */
export function headersEnd({ transport, protocol }: FrameView, bytes: Uint8Array): number {
  if (protocol === IP_PROTOCOL.udp) return transport + UDP_HEADER;
  return transport + Math.max(TCP_HEADER, (bytes[transport + TCP.offset] >>> 4) * 4);
}

/** Puts length and checksum of the IP header at `at` right, the packet ending at `end`. */
export function finishIp(frame: Uint8Array, at: number, end: number): void {
  if (frame[at] >>> 4 === 6) return writeBig16(frame, at + IPV6.payload, end - at - IPV6_HEADER);
  writeBig16(frame, at + IPV4.length, end - at);
  writeBig16(frame, at + IPV4.checksum, 0);
  const header = Math.max(IPV4_HEADER, (frame[at] & 15) * 4);
  writeBig16(frame, at + IPV4.checksum, internetChecksum(frame, at, at + header));
}

/** Sequence and flags of one of the segments that a TCP packet is cut into. */
function finishSegment(
  frame: Uint8Array,
  at: number,
  { index, done, last }: { readonly index: number; readonly done: number; readonly last: boolean },
): void {
  const sequence = readBig32(frame, at + TCP.sequence);
  writeBig32(frame, at + TCP.sequence, (sequence + done) >>> 0);
  // CWR says that the sender has slowed down, once.
  if (index > 0) frame[at + TCP.flags] &= ~TCP_FLAG.cwr;
  if (!last) frame[at + TCP.flags] &= ~(TCP_FLAG.fin | TCP_FLAG.psh);
}

/** Where the headers of a TCP or UDP packet stand. */
export interface TransportPlace {
  readonly network: number;
  readonly transport: number;
  readonly protocol: number;
  readonly end: number;
}

/**
 * Puts the sum of the pseudo header where the checksum belongs, and the length into a UDP header. Returns
 * where that is, from the transport header on.
 */
export function leaveChecksum(
  frame: Uint8Array,
  { network, transport, protocol, end }: TransportPlace,
): number {
  const isUdp = protocol === IP_PROTOCOL.udp;
  const length = end - transport;
  if (isUdp) writeBig16(frame, transport + UDP.length, length);
  const offset = isUdp ? UDP.checksum : TCP.checksum;
  const pseudo = pseudoHeaderSum(frame, network, protocol, length);
  writeBig16(frame, transport + offset, foldSum(pseudo));
  return offset;
}

/** True when the header asks for a checksum. */
export function needsChecksum({ flags }: PacketHeader): boolean {
  return (flags & NET_HEADER_F.NEEDS_CSUM) !== 0;
}
