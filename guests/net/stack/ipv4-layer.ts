// IPv4 (RFC 791) on Ethernet, with ARP (RFC 826).
import {
  ARP,
  ARP_SIZE,
  ETHER_TYPE,
  type FrameView,
  IP_PROTOCOL,
  IPV4,
  IPV4_HEADER,
  type IpAddress,
  internetChecksum,
  isAddress,
  MAC_BROADCAST,
  readBig16,
  readMac,
  writeBig16,
  writeMac,
} from '../../../platform/network/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import { NET_GSO } from '../../../platform/virtio/index.ts';
import type { EthernetLink } from './ethernet-link.ts';
import type { Outgoing } from './ip.ts';
import { HOPS, type IpFormat, IpLayer } from './ip-layer.ts';

const DO_NOT_FRAGMENT = 0x4000;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;

const FORMAT: IpFormat = {
  version: 4,
  etherType: ETHER_TYPE.ipv4,
  header: IPV4_HEADER,
  source: IPV4.source,
  destination: IPV4.destination,
  gsoTcp: NET_GSO.TCPV4,
  echo: { protocol: IP_PROTOCOL.icmp, request: 8, reply: 0 },
};

export class Ipv4Layer extends IpLayer {
  /** Questions come by broadcast. */
  readonly groups: readonly number[] = [];
  #packetId = 0;

  constructor(node: Node, link: EthernetLink, address: IpAddress) {
    super(node, link, FORMAT, address);
  }

  /** An ARP announcement (RFC 5227 §3). */
  announce(): void {
    this.#sendArp(ARP_REQUEST, MAC_BROADCAST, 0, this.address);
  }

  protected ask(address: IpAddress): void {
    this.#sendArp(ARP_REQUEST, MAC_BROADCAST, 0, address);
  }

  discover(bytes: Uint8Array, length: number, { etherType, network }: FrameView): boolean {
    if (etherType !== ETHER_TYPE.arp) return false;
    if (length < network + ARP_SIZE) return true;
    const sender = readMac(bytes, network + ARP.sender);
    const station = this.neighbours.station(bytes, network + ARP.senderIp);
    const forUs = isAddress(this.address, bytes, network + ARP.targetIp);
    this.neighbours.learn(station, sender, forUs);
    const operation = readBig16(bytes, network + ARP.operation);
    if (operation === ARP_REQUEST && forUs) {
      this.#sendArp(ARP_REPLY, sender, sender, station.address);
    }
    return true;
  }

  headerHolds(bytes: Uint8Array, { network, transport }: FrameView): boolean {
    return internetChecksum(bytes, network, transport) === 0;
  }

  protected writeHeader(to: IpAddress, { protocol, length, segment }: Outgoing): void {
    const { frame } = this;
    const ip = this.link.header;
    frame[ip] = 0x45;
    frame[ip + 1] = 0;
    writeBig16(frame, ip + IPV4.length, IPV4_HEADER + length);
    writeBig16(frame, ip + IPV4.id, this.#packetId);
    this.#packetId = (this.#packetId + (segment > 0 ? Math.ceil(length / segment) : 1)) & 0xffff;
    writeBig16(frame, ip + IPV4.fragment, DO_NOT_FRAGMENT);
    frame[ip + IPV4.hops] = HOPS;
    frame[ip + IPV4.protocol] = protocol;
    frame.set(this.address, ip + IPV4.source);
    frame.set(to, ip + IPV4.destination);
    writeBig16(frame, ip + IPV4.checksum, 0);
    writeBig16(frame, ip + IPV4.checksum, internetChecksum(frame, ip, ip + IPV4_HEADER));
  }

  #sendArp(operation: number, to: number, target: number, targetIp: IpAddress): void {
    const at = this.link.header;
    const bytes = new Uint8Array(at + ARP_SIZE);
    writeBig16(bytes, at, 1);
    writeBig16(bytes, at + 2, ETHER_TYPE.ipv4);
    bytes[at + 4] = 6;
    bytes[at + 5] = 4;
    writeBig16(bytes, at + ARP.operation, operation);
    writeMac(bytes, at + ARP.sender, this.link.mac);
    bytes.set(this.address, at + ARP.senderIp);
    writeMac(bytes, at + ARP.target, target);
    bytes.set(targetIp, at + ARP.targetIp);
    this.link.sendPlain(bytes, to, ETHER_TYPE.arp);
  }
}
