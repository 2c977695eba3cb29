// The Internet protocols as bytes: where the fields of ARP, IPv4, IPv6, ICMP, UDP and TCP stand, and their
// checksum (RFC 791, 8200, 792, 4443, 4861, 768, 9293, 826, 1071).
import { ETHER, ETHER_TYPE, ETHERNET_HEADER, readBig16, VLAN_TAG } from './ethernet.ts';
import { addressHash } from './ip-address.ts';

export const IP_PROTOCOL = { icmp: 1, tcp: 6, udp: 17, ipv6Fragment: 44, icmpv6: 58 } as const;

/** Offsets from the start of each header. Options beyond the fixed part are skipped by length. */
export const ARP = { operation: 6, sender: 8, senderIp: 14, target: 18, targetIp: 24 } as const;
export const IPV4 = {
  version: 0,
  length: 2,
  id: 4,
  fragment: 6,
  hops: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
} as const;
export const IPV6 = { payload: 4, next: 6, hops: 7, source: 8, destination: 24 } as const;
export const ICMP = { type: 0, code: 1, checksum: 2, id: 4, sequence: 6 } as const;
/** Questions and answers of neighbour discovery, from the ICMPv6 header on (RFC 4861 §4.3, §4.4). */
export const NEIGHBOUR = { flags: 4, target: 8, options: 24 } as const;
export const UDP = { source: 0, destination: 2, length: 4, checksum: 6 } as const;
export const TCP = {
  source: 0,
  destination: 2,
  sequence: 4,
  acknowledgement: 8,
  offset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
} as const;

export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, ece: 64, cwr: 128 } as const;

export const ARP_SIZE = 28;
export const IPV4_HEADER = 20;
export const IPV6_HEADER = 40;
export const ICMP_HEADER = 8;
export const UDP_HEADER = 8;
export const TCP_HEADER = 20;

/** Ranges of at least so many bytes are summed by larger words; below, that does not pay. */
const LONG_RANGE = 128;

/** Adds bytes `start … end` as big-endian 16-bit words to a sum that is not folded yet. */
export function sumWords(bytes: Uint8Array, start: number, end: number, sum: number): number {
  let total = sum;
  let at = start;
  if (end - start >= LONG_RANGE) {
    // A word of 32 bits counts as much as its halves, once the sum is folded.
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
    const whole = (end - start) & ~3;
    for (let i = 0; i < whole; i += 4) total += view.getUint32(i);
    at += whole;
  }
  for (; at + 1 < end; at += 2) total += (bytes[at] << 8) | bytes[at + 1];
  return at < end ? total + (bytes[at] << 8) : total;
}

/** Folds a sum to 16 bits by adding the carries back in. */
export function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return folded;
}

/** The checksum of bytes `start … end`, `sum` being what else it covers. */
export function internetChecksum(bytes: Uint8Array, start: number, end: number, sum = 0): number {
  return foldSum(sumWords(bytes, start, end, sum)) ^ 0xffff;
}

/** IPv6 headers that may stand before the transport header, whole packets only (RFC 8200 §4.1). */
const IPV6_EXTENSIONS: readonly number[] = [0, 43, 60];

/** Sum of the pseudo header of TCP or UDP: what the checksum covers of the IP header at `ip`. */
export function pseudoHeaderSum(
  bytes: Uint8Array,
  ip: number,
  protocol: number,
  length: number,
): number {
  const isIpv6 = bytes[ip] >>> 4 === 6;
  const start = ip + (isIpv6 ? IPV6.source : IPV4.source);
  const end = ip + (isIpv6 ? IPV6_HEADER : IPV4_HEADER);
  return sumWords(bytes, start, end, protocol + length);
}

/** A number for a flow: `addresses` and `ports` are those of both ends, joined by exclusive or. */
export function flowHash(addresses: number, ports: number, protocol: number): number {
  let hash = Math.imul(addresses, 0x9e3779b1) ^ Math.imul(ports + protocol, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** What is where in a frame. One view is used for many frames; `parse` fills it anew. */
export class FrameView {
  /** Of the innermost header: behind a VLAN tag, if there is one. */
  etherType = 0;
  /** VLAN id of an 802.1Q tag, or -1. */
  vlan = -1;
  /** Where what the type names begins. */
  network = 0;
  /** One is true for a packet that is whole and no fragment; what follows is valid only then. */
  isIpv4 = false;
  isIpv6 = false;
  /** That of the transport header, behind extension headers. */
  protocol = 0;
  /** Addresses as numbers below 2^32, as `addressHash` makes them. */
  source = 0;
  destination = 0;
  /** Where the transport header begins, and where the packet ends. */
  transport = 0;
  end = 0;
  /** Both are 0 unless it is TCP or UDP with a whole header. */
  sourcePort = 0;
  destinationPort = 0;

  /** Looks at a frame. Returns false when it is too short to be one. */
  parse(bytes: Uint8Array, length: number): boolean {
    this.isIpv4 = false;
    this.isIpv6 = false;
    this.vlan = -1;
    if (length < ETHERNET_HEADER) return false;
    this.etherType = readBig16(bytes, ETHER.type);
    this.network = ETHERNET_HEADER;
    if (this.etherType === ETHER_TYPE.vlan) {
      if (length < ETHERNET_HEADER + VLAN_TAG) return false;
      this.vlan = readBig16(bytes, ETHERNET_HEADER) & 0xfff;
      this.etherType = readBig16(bytes, ETHERNET_HEADER + 2);
      this.network += VLAN_TAG;
    }
    if (this.etherType === ETHER_TYPE.ipv4) this.#parseIpv4(bytes, length);
    else if (this.etherType === ETHER_TYPE.ipv6) this.#parseIpv6(bytes, length);
    return true;
  }

  get isIp(): boolean {
    return this.isIpv4 || this.isIpv6;
  }

  /** A number that is the same for both directions of a flow. */
  flowHash(): number {
    if (!this.isIp) return 0;
    const ports = this.sourcePort ^ this.destinationPort;
    return flowHash(this.source ^ this.destination, ports, this.protocol);
  }

  /**
   * True when the checksum of a TCP or UDP packet, or of ICMP, is right. UDP may go without one over IPv4, but
   * not over IPv6 (RFC 8200 §8.1); that of ICMP covers no addresses over IPv4.
   */
  transportChecksumHolds(bytes: Uint8Array): boolean {
    const { protocol, transport, end } = this;
    if (protocol === IP_PROTOCOL.udp && readBig16(bytes, transport + UDP.checksum) === 0) {
      return this.isIpv4;
    }
    const length = end - transport;
    const alone = protocol === IP_PROTOCOL.icmp;
    const sum = alone ? 0 : pseudoHeaderSum(bytes, this.network, protocol, length);
    return foldSum(sumWords(bytes, transport, end, sum)) === 0xffff;
  }

  #parseIpv4(bytes: Uint8Array, length: number): void {
    const at = this.network;
    if (length < at + IPV4_HEADER || bytes[at] >>> 4 !== 4) return;
    const header = (bytes[at] & 15) * 4;
    const total = readBig16(bytes, at + IPV4.length);
    // A frame may be padded, but not cut short.
    if (header < IPV4_HEADER || total < header || at + total > length) return;
    // More fragments, or an offset.
    if ((readBig16(bytes, at + IPV4.fragment) & 0x3fff) !== 0) return;
    this.isIpv4 = true;
    this.protocol = bytes[at + IPV4.protocol];
    this.source = addressHash(bytes, at + IPV4.source, 4);
    this.destination = addressHash(bytes, at + IPV4.destination, 4);
    this.transport = at + header;
    this.end = at + total;
    this.#parsePorts(bytes);
  }

  #parseIpv6(bytes: Uint8Array, length: number): void {
    const at = this.network;
    if (length < at + IPV6_HEADER || bytes[at] >>> 4 !== 6) return;
    const end = at + IPV6_HEADER + readBig16(bytes, at + IPV6.payload);
    if (end > length) return;
    let protocol = bytes[at + IPV6.next];
    let transport = at + IPV6_HEADER;
    while (IPV6_EXTENSIONS.includes(protocol)) {
      if (transport + 8 > end) return;
      protocol = bytes[transport];
      transport += (bytes[transport + 1] + 1) * 8;
    }
    if (transport > end || protocol === IP_PROTOCOL.ipv6Fragment) return;
    this.isIpv6 = true;
    this.protocol = protocol;
    this.source = addressHash(bytes, at + IPV6.source, 6);
    this.destination = addressHash(bytes, at + IPV6.destination, 6);
    this.transport = transport;
    this.end = end;
    this.#parsePorts(bytes);
  }

  #parsePorts(bytes: Uint8Array): void {
    const length = this.end - this.transport;
    const ports =
      (this.protocol === IP_PROTOCOL.tcp && length >= TCP_HEADER) ||
      (this.protocol === IP_PROTOCOL.udp && length >= UDP_HEADER);
    this.sourcePort = ports ? readBig16(bytes, this.transport) : 0;
    this.destinationPort = ports ? readBig16(bytes, this.transport + 2) : 0;
  }
}
