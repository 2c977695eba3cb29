// What a device does to a packet before it is a frame on a cable: it fills in the checksum that the
// driver left open, and cuts what is too large for one frame (virtio 1.4 §5.1.6.2). On real bytes.
import {
  FrameView,
  foldSum,
  IP_PROTOCOL,
  IPV4,
  IPV4_HEADER,
  internetChecksum,
  pseudoHeaderSum,
  readBig16,
  readBig32,
  sumWords,
  TCP,
  TCP_FLAG,
  TCP_HEADER,
  writeBig16,
  writeBig32,
} from '../../platform/network/index.ts';
import { NET_GSO, NET_HEADER, NET_HEADER_F, NET_HEADER_SIZE } from '../../platform/virtio/index.ts';

/** CWR says that the sender has slowed down, once: it belongs to the first segment alone. */
const TCP_CWR = 128;

/** The header before a packet. */
export interface PacketHeader {
  flags: number;
  gsoType: number;
  gsoSize: number;
  checksumStart: number;
  checksumOffset: number;
}

export function emptyHeader(): PacketHeader {
  return { flags: 0, gsoType: NET_GSO.NONE, gsoSize: 0, checksumStart: 0, checksumOffset: 0 };
}

/** Reads the header at the start of `bytes`. */
export function readHeader(bytes: Uint8Array, header: PacketHeader): void {
  header.flags = bytes[NET_HEADER.flags];
  header.gsoType = bytes[NET_HEADER.gsoType];
  header.gsoSize = little16(bytes, NET_HEADER.gsoSize);
  header.checksumStart = little16(bytes, NET_HEADER.checksumStart);
  header.checksumOffset = little16(bytes, NET_HEADER.checksumOffset);
}

/** Writes the header of a received packet. */
export function writeHeader(bytes: Uint8Array, flags: number, bufferCount: number): void {
  bytes.fill(0, 0, NET_HEADER_SIZE);
  bytes[NET_HEADER.flags] = flags;
  bytes[NET_HEADER.bufferCount] = bufferCount;
  bytes[NET_HEADER.bufferCount + 1] = bufferCount >>> 8;
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
  const at = from + checksumOffset;
  if (at + 2 > end) return false;
  // The field holds the sum of the pseudo header already, so it takes part like all other words.
  const checksum = internetChecksum(bytes, from, end);
  // A UDP checksum of 0 would mean that there is none; both are zero in ones' complement.
  writeBig16(bytes, at, checksum === 0 ? 0xffff : checksum);
  return true;
}

/** Takes a frame that is ready to be sent; its bytes are valid only during the call. */
export type FrameSink = (bytes: Uint8Array, offset: number, length: number) => void;

/** Cuts large TCP packets into frames. */
export class Segmenter {
  readonly #view = new FrameView();
  #frame = new Uint8Array(2048);

  /**
   * How many frames the packet at `bytes[start … end]` makes, its payload cut into pieces of `size`.
   * 0 when it is no TCP packet over IPv4 that can be cut.
   */
  count(bytes: Uint8Array, start: number, end: number, size: number): number {
    const view = this.#view;
    const packet = bytes.subarray(start, end);
    if (size === 0 || !view.parse(packet, packet.length) || !view.isIpv4) return 0;
    if (view.protocol !== IP_PROTOCOL.tcp || view.transport + TCP_HEADER > view.end) return 0;
    const payload = view.end - this.#headersEnd(packet);
    return payload < 0 ? 0 : Math.max(1, Math.ceil(payload / size));
  }

  /** Makes the frames of the packet that `count` was asked about last. */
  cut(bytes: Uint8Array, start: number, end: number, size: number, sink: FrameSink): void {
    const packet = bytes.subarray(start, end);
    const { network, transport, end: packetEnd } = this.#view;
    const headers = this.#headersEnd(packet);
    const payload = packetEnd - headers;
    const flags = packet[transport + TCP.flags];
    const sequence = readBig32(packet, transport + TCP.sequence);
    const id = readBig16(packet, network + IPV4.id);
    if (this.#frame.length < headers + size) this.#frame = new Uint8Array(headers + size);
    const frame = this.#frame;
    for (let done = 0, index = 0; done < payload || index === 0; done += size, index++) {
      const step = Math.min(size, payload - done);
      const length = headers + step;
      frame.set(packet.subarray(0, headers));
      frame.set(packet.subarray(headers + done, headers + done + step), headers);
      const first = index === 0 ? flags : flags & ~TCP_CWR;
      const last = done + step >= payload ? first : first & ~(TCP_FLAG.fin | TCP_FLAG.psh);
      frame[transport + TCP.flags] = last;
      writeBig32(frame, transport + TCP.sequence, (sequence + done) >>> 0);
      finishIpv4(frame, network, { id: (id + index) & 0xffff, length: length - network });
      finishTcp(frame, network, transport, length);
      sink(frame, 0, length);
    }
  }

  #headersEnd(packet: Uint8Array): number {
    const { transport } = this.#view;
    const header = (packet[transport + TCP.offset] >>> 4) * 4;
    return transport + Math.max(TCP_HEADER, header);
  }
}

function finishIpv4(
  frame: Uint8Array,
  at: number,
  { id, length }: { readonly id: number; readonly length: number },
): void {
  writeBig16(frame, at + IPV4.length, length);
  writeBig16(frame, at + IPV4.id, id);
  writeBig16(frame, at + IPV4.checksum, 0);
  const header = Math.max(IPV4_HEADER, (frame[at] & 15) * 4);
  writeBig16(frame, at + IPV4.checksum, internetChecksum(frame, at, at + header));
}

function finishTcp(frame: Uint8Array, ip: number, tcp: number, end: number): void {
  writeBig16(frame, tcp + TCP.checksum, 0);
  const pseudo = pseudoHeaderSum(frame, ip, IP_PROTOCOL.tcp, end - tcp);
  const sum = foldSum(sumWords(frame, tcp, end, pseudo));
  writeBig16(frame, tcp + TCP.checksum, sum ^ 0xffff);
}

function little16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

/** True when the header asks for a checksum. */
export function needsChecksum({ flags }: PacketHeader): boolean {
  return (flags & NET_HEADER_F.NEEDS_CSUM) !== 0;
}
