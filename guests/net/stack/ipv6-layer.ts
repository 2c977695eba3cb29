// IPv6 (RFC 8200) on Ethernet, with neighbour discovery (RFC 4861). There are no routers, and the address is
// taken as nobody else's.
import {
  ALL_NODES,
  ETHER_TYPE,
  type FrameView,
  groupMac,
  ICMP,
  IP_PROTOCOL,
  IPV6,
  IPV6_HEADER,
  type IpAddress,
  internetChecksum,
  isAddress,
  NEIGHBOUR,
  pseudoHeaderSum,
  readMac,
  solicitedGroup,
  writeBig16,
  writeMac,
} from '../../../platform/network/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import { NET_GSO } from '../../../platform/virtio/index.ts';
import type { EthernetLink } from './ethernet-link.ts';
import type { Outgoing, Station } from './ip.ts';
import { HOPS, type IpFormat, IpLayer } from './ip-layer.ts';

const SOLICITATION = 135;
const ADVERTISEMENT = 136;
/** Flags of an advertisement: it answers, and it replaces what was known. */
const SOLICITED = 0x40;
const OVERRIDE = 0x20;
/** Messages that came over a router have fewer hops left, and count for nothing (RFC 4861 §7.1). */
const NEIGHBOUR_HOPS = 255;
/** Options for MAC addresses: that of who asks, and that which is asked for. Their size is 8 bytes each. */
const OPTION = { sender: 1, target: 2, mac: 2, unit: 8 } as const;
const MESSAGE_SIZE = NEIGHBOUR.options + OPTION.unit;
/** The address that a message of a station comes from while it has none. */
const NOBODY: IpAddress = new Uint8Array(16);

const FORMAT: IpFormat = {
  version: 6,
  etherType: ETHER_TYPE.ipv6,
  header: IPV6_HEADER,
  source: IPV6.source,
  destination: IPV6.destination,
  gsoTcp: NET_GSO.TCPV6,
  echo: { protocol: IP_PROTOCOL.icmpv6, request: 128, reply: 129 },
};

/** A question or an answer, and whom it goes to. */
interface NeighbourMessage {
  readonly type: number;
  readonly flags: number;
  readonly target: IpAddress;
  readonly option: number;
  readonly to: IpAddress;
  readonly mac: number;
}

export class Ipv6Layer extends IpLayer {
  readonly groups: readonly number[];

  constructor(node: Node, link: EthernetLink, address: IpAddress) {
    super(node, link, FORMAT, address);
    this.groups = [groupMac(ALL_NODES), groupMac(solicitedGroup(address))];
  }

  /** An advertisement that nobody has asked for (RFC 4861 §7.2.6). */
  announce(): void {
    this.#advertise(ALL_NODES, groupMac(ALL_NODES), OVERRIDE);
  }

  protected ask(address: IpAddress): void {
    const to = solicitedGroup(address);
    const question = { type: SOLICITATION, flags: 0, target: address, option: OPTION.sender };
    this.#sendMessage({ ...question, to, mac: groupMac(to) });
  }

  discover(bytes: Uint8Array, _length: number, view: FrameView): boolean {
    if (!view.isIpv6 || view.protocol !== IP_PROTOCOL.icmpv6) return false;
    const type = bytes[view.transport + ICMP.type];
    if (type !== SOLICITATION && type !== ADVERTISEMENT) return false;
    if (!makesSense(bytes, view)) return true;
    if (type === SOLICITATION) this.#asked(bytes, view);
    else this.#told(bytes, view);
    return true;
  }

  /** IPv6 leaves checksums to what it carries. */
  headerHolds(): boolean {
    return true;
  }

  protected writeHeader(to: IpAddress, { protocol, length }: Outgoing): void {
    const ends = { source: this.address, destination: to };
    writeIpv6(this.frame, this.link.header, { ...ends, protocol, length, hops: HOPS });
  }

  /** Somebody asks for an address (RFC 4861 §7.2.3). */
  #asked(bytes: Uint8Array, view: FrameView): void {
    if (!isAddress(this.address, bytes, view.transport + NEIGHBOUR.target)) return;
    // One that has no address yet asks whether its own is free, and all are told that it is not.
    if (isAddress(NOBODY, bytes, view.network + IPV6.source)) return this.announce();
    const mac = macOption(bytes, view, OPTION.sender);
    const sender = this.sender(bytes, view);
    if (mac >= 0) this.neighbours.learn(sender, mac, true);
    this.#answer(sender);
  }

  #answer(station: Station): void {
    this.resolve(station, (mac) => {
      if (mac >= 0) this.#advertise(station.address, mac, SOLICITED | OVERRIDE);
    });
  }

  /** A station tells its address (RFC 4861 §7.2.5). */
  #told(bytes: Uint8Array, view: FrameView): void {
    const mac = macOption(bytes, view, OPTION.target);
    if (mac < 0) return;
    const station = this.neighbours.station(bytes, view.transport + NEIGHBOUR.target);
    const overrides = (bytes[view.transport + NEIGHBOUR.flags] & OVERRIDE) !== 0;
    if (station.mac < 0 || overrides) this.neighbours.learn(station, mac, false);
  }

  #advertise(to: IpAddress, mac: number, flags: number): void {
    const answer = { type: ADVERTISEMENT, flags, target: this.address, option: OPTION.target };
    this.#sendMessage({ ...answer, to, mac });
  }

  #sendMessage({ type, flags, target, option, to, mac }: NeighbourMessage): void {
    const ip = this.link.header;
    const at = this.transport;
    const bytes = new Uint8Array(at + MESSAGE_SIZE);
    const protocol = IP_PROTOCOL.icmpv6;
    const ends = { source: this.address, destination: to };
    writeIpv6(bytes, ip, { ...ends, protocol, length: MESSAGE_SIZE, hops: NEIGHBOUR_HOPS });
    bytes[at + ICMP.type] = type;
    bytes[at + NEIGHBOUR.flags] = flags;
    bytes.set(target, at + NEIGHBOUR.target);
    bytes[at + NEIGHBOUR.options] = option;
    bytes[at + NEIGHBOUR.options + 1] = 1;
    writeMac(bytes, at + NEIGHBOUR.options + OPTION.mac, this.link.mac);
    const pseudo = pseudoHeaderSum(bytes, ip, protocol, MESSAGE_SIZE);
    const checksum = internetChecksum(bytes, at, at + MESSAGE_SIZE, pseudo);
    writeBig16(bytes, at + ICMP.checksum, checksum);
    this.link.sendPlain(bytes, mac, ETHER_TYPE.ipv6);
  }
}

interface Ipv6Header {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  /** Bytes behind the header. */
  readonly length: number;
  readonly hops: number;
}

function writeIpv6(
  bytes: Uint8Array,
  at: number,
  { source, destination, protocol, length, hops }: Ipv6Header,
): void {
  bytes[at] = 0x60;
  bytes.fill(0, at + 1, at + IPV6.payload);
  writeBig16(bytes, at + IPV6.payload, length);
  bytes[at + IPV6.next] = protocol;
  bytes[at + IPV6.hops] = hops;
  bytes.set(source, at + IPV6.source);
  bytes.set(destination, at + IPV6.destination);
}

/** What a question or an answer must be, or else it is ignored (RFC 4861 §7.1.1, §7.1.2). */
function makesSense(bytes: Uint8Array, view: FrameView): boolean {
  const { network, transport, end } = view;
  if (bytes[network + IPV6.hops] !== NEIGHBOUR_HOPS || bytes[transport + ICMP.code] !== 0) {
    return false;
  }
  if (end - transport < NEIGHBOUR.options || !view.transportChecksumHolds(bytes)) return false;
  const isGroup = bytes[transport + NEIGHBOUR.target] === 0xff;
  return !isGroup && optionsFit(bytes, view);
}

function optionsFit(bytes: Uint8Array, { transport, end }: FrameView): boolean {
  let at = transport + NEIGHBOUR.options;
  while (at + 1 < end && bytes[at + 1] > 0) at += bytes[at + 1] * OPTION.unit;
  return at === end;
}

/** The MAC address that an option of a message that makes sense tells, or -1. */
function macOption(bytes: Uint8Array, { transport, end }: FrameView, option: number): number {
  let at = transport + NEIGHBOUR.options;
  while (at < end && bytes[at] !== option) at += bytes[at + 1] * OPTION.unit;
  return at < end ? readMac(bytes, at + OPTION.mac) : -1;
}
