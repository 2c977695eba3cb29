// What IPv4 and IPv6 have in common: packets without fragments and routes (every station is on the same
// network), whose transport checksum is real or left to the device.
import {
  type FrameView,
  flowHash,
  foldSum,
  ICMP,
  IP_PROTOCOL,
  type IpAddress,
  type IpVersion,
  internetChecksum,
  isAddress,
  pseudoHeaderSum,
  TCP,
  UDP,
  writeBig16,
} from '../../../platform/network/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import { NET_GSO } from '../../../platform/virtio/index.ts';
import { noOffload } from '../packet.ts';
import type { EthernetLink } from './ethernet-link.ts';
import type { EchoTypes, Ip, Outgoing, Resolved, Station } from './ip.ts';
import { NeighbourTable, type WaitingPacket } from './neighbour-table.ts';

/** Hops that a packet may make. */
export const HOPS = 64;

/** Where the checksum stands behind the IP header. */
const CHECKSUM_AT: Readonly<Record<number, number>> = {
  [IP_PROTOCOL.icmp]: ICMP.checksum,
  [IP_PROTOCOL.icmpv6]: ICMP.checksum,
  [IP_PROTOCOL.tcp]: TCP.checksum,
  [IP_PROTOCOL.udp]: UDP.checksum,
};

/** What a version of IP says of itself. */
export interface IpFormat {
  readonly version: IpVersion;
  readonly etherType: number;
  /** Bytes of its header, and where addresses stand in it. */
  readonly header: number;
  readonly source: number;
  readonly destination: number;
  /** Segmentation of TCP over it. */
  readonly gsoTcp: number;
  readonly echo: EchoTypes;
}

export abstract class IpLayer implements Ip {
  readonly frame: Uint8Array;
  readonly transport: number;
  readonly address: IpAddress;
  protected readonly link: EthernetLink;
  protected readonly neighbours: NeighbourTable;
  readonly #format: IpFormat;
  readonly #own: Station;
  readonly #offload = noOffload();

  constructor(node: Node, link: EthernetLink, format: IpFormat, address: IpAddress) {
    this.#format = format;
    this.link = link;
    this.address = address;
    this.frame = link.frame;
    this.transport = link.header + format.header;
    this.neighbours = new NeighbourTable({
      node,
      ip: this,
      ask: (wanted) => this.ask(wanted),
      release: (packet, mac) => this.#release(packet, mac),
    });
    this.#own = this.neighbours.station(address, 0);
  }

  get version(): IpVersion {
    return this.#format.version;
  }

  get echo(): EchoTypes {
    return this.#format.echo;
  }

  get payloadMax(): number {
    return this.link.capabilities.mtu - this.#format.header;
  }

  get cutsSegments(): boolean {
    return this.link.capabilities.tcpSegmentation[this.version];
  }

  get cutsDatagrams(): boolean {
    return this.link.capabilities.udpSegmentation;
  }

  /** Packets dropped because no station had their address. */
  get unresolved(): number {
    return this.neighbours.unresolved;
  }

  /** Groups whose frames this version must hear, as MAC addresses. */
  abstract readonly groups: readonly number[];

  /** Tells everybody which station has the own address. */
  abstract announce(): void;

  /** Takes a message about who has which address; false for anything else. */
  abstract discover(bytes: Uint8Array, length: number, view: FrameView): boolean;

  /** True when the header of a packet is in order. */
  abstract headerHolds(bytes: Uint8Array, view: FrameView): boolean;

  /** Writes the header of a packet to a station into `frame`. */
  protected abstract writeHeader(to: IpAddress, packet: Outgoing): void;

  /** Asks who has an address. */
  protected abstract ask(address: IpAddress): void;

  /** True for a packet to the own address. */
  isForUs(bytes: Uint8Array, { network }: FrameView): boolean {
    return isAddress(this.address, bytes, network + this.#format.destination);
  }

  /** Who has sent a packet. */
  sender(bytes: Uint8Array, { network }: FrameView): Station {
    return this.neighbours.station(bytes, network + this.#format.source);
  }

  /** The station with an address. */
  station(address: IpAddress): Station {
    return this.neighbours.station(address, 0);
  }

  /** A station of which only the MAC address is known: packets to it go to no address. */
  stationAt(mac: number): Station {
    return { ip: this, address: new Uint8Array(this.address.length), hash: 0, mac };
  }

  resolve(station: Station, resolved: Resolved): void {
    this.neighbours.resolve(station, resolved);
  }

  /** Forgets what stations have told. */
  clear(): void {
    this.neighbours.clear();
  }

  send(station: Station, packet: Outgoing): boolean {
    const { frame, link } = this;
    this.writeHeader(station.address, packet);
    this.#leaveToDevice(packet);
    const offload = this.#offload;
    const length = this.transport + packet.length;
    const flow = flowHash(this.#own.hash ^ station.hash, packet.ports, packet.protocol);
    if (station.mac < 0) {
      const bytes = frame.slice(0, length);
      this.neighbours.wait(station, { bytes, flow, offload: { ...offload } });
      return true;
    }
    link.address(frame, station.mac, this.#format.etherType);
    return link.send(flow, frame, length, offload);
  }

  /** Sees to the transport checksum, and says what is left to do. */
  #leaveToDevice({ protocol, length, segment, header }: Outgoing): void {
    const offload = this.#offload;
    const isTcp = protocol === IP_PROTOCOL.tcp;
    offload.checksumStart = -1;
    const type = isTcp ? this.#format.gsoTcp : NET_GSO.UDP_L4;
    offload.gsoType = segment > 0 ? type : NET_GSO.NONE;
    offload.gsoSize = segment;
    offload.headerLength = this.transport + header;
    offload.bulk = isTcp && length > header;
    this.#checksum(protocol, length);
  }

  #checksum(protocol: number, length: number): void {
    const { frame, transport, link } = this;
    const offset = CHECKSUM_AT[protocol];
    const alone = protocol === IP_PROTOCOL.icmp;
    const pseudo = alone ? 0 : pseudoHeaderSum(frame, link.header, protocol, length);
    // Stacks leave the checksum of echo messages to no device.
    if (link.capabilities.checksum && protocol !== this.#format.echo.protocol) {
      this.#offload.checksumStart = transport;
      this.#offload.checksumOffset = offset;
      writeBig16(frame, transport + offset, foldSum(pseudo));
      return;
    }
    writeBig16(frame, transport + offset, 0);
    const checksum = internetChecksum(frame, transport, transport + length, pseudo);
    // A UDP checksum of 0 would mean that there is none; both are zero in ones' complement.
    writeBig16(frame, transport + offset, checksum === 0 ? 0xffff : checksum);
  }

  #release({ bytes, flow, offload }: WaitingPacket, mac: number): void {
    this.link.address(bytes, mac, this.#format.etherType);
    this.link.send(flow, bytes, bytes.length, offload);
  }
}
