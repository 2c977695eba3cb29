// A small network stack: ARP, IPv4 without fragments and routes (every station is on the same network),
// ICMP echo, UDP and TCP. All headers and checksums are real bytes.

import {
  ARP,
  ARP_SIZE,
  ETHER,
  ETHER_TYPE,
  ETHERNET_HEADER,
  FrameView,
  flowHash,
  foldSum,
  IP_PROTOCOL,
  IPV4,
  IPV4_HEADER,
  internetChecksum,
  MAC_BROADCAST,
  pseudoHeaderSum,
  readBig16,
  readBig32,
  readMac,
  TCP,
  UDP,
  VLAN_TAG,
  writeBig16,
  writeBig32,
  writeMac,
} from '../../../platform/network/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import { NET_GSO } from '../../../platform/virtio/index.ts';
import { type Capabilities, noOffload, type Offload } from '../packet.ts';
import { ArpTable, type Resolved, type WaitingPacket } from './arp-table.ts';
import { EchoLayer } from './echo.ts';
import { TcpLayer } from './tcp-layer.ts';
import { UdpLayer } from './udp.ts';

const PACKET_MAX = 65_535;
const HOPS = 64;
const DO_NOT_FRAGMENT = 0x4000;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;

export interface StackOptions {
  readonly node: Node;
  readonly name: string;
  /** Own IPv4 address. */
  readonly address: number;
  /** VLAN to be in, or -1 for frames without a tag. */
  readonly vlan: number;
  /** Sends a frame, copying it; false when there is no room now. `flow` is the same for all of a flow. */
  send(flow: number, bytes: Uint8Array, length: number, offload: Offload): boolean;
}

/** A packet to send, of which the transport header and what follows are in the stack's `frame`. */
export interface Outgoing {
  destination: number;
  protocol: number;
  /** Bytes from the transport header on. */
  length: number;
  /** XOR of both ports; 0 where there are none. */
  ports: number;
  /** Payload of each segment or datagram, when the device is to cut the packet; otherwise 0. */
  segment: number;
  /** Bytes of the transport header. */
  header: number;
}

export class NetStack {
  readonly node: Node;
  readonly name: string;
  readonly address: number;
  readonly vlan: number;
  capabilities: Capabilities = {
    checksum: false,
    segmentation: false,
    udpSegmentation: false,
    mtu: 1500,
  };
  /** Packets are built here, from `transport` on. */
  readonly frame: Uint8Array;
  /** Where the transport header of a packet begins, here and in frames that come in. */
  readonly transport: number;
  readonly echo: EchoLayer;
  readonly udp: UdpLayer;
  readonly tcp: TcpLayer;
  /** Packets whose checksum was wrong. */
  damaged = 0;
  readonly #send: StackOptions['send'];
  readonly #arp: ArpTable;
  readonly #network: number;
  readonly #view = new FrameView();
  readonly #offload = noOffload();
  readonly #plain = noOffload();
  #mac = 0;
  #packetId = 0;

  constructor({ node, name, address, vlan, send }: StackOptions) {
    this.node = node;
    this.name = name;
    this.address = address;
    this.vlan = vlan;
    this.#send = send;
    this.#network = ETHERNET_HEADER + (vlan >= 0 ? VLAN_TAG : 0);
    this.transport = this.#network + IPV4_HEADER;
    this.frame = new Uint8Array(this.#network + PACKET_MAX);
    this.#arp = new ArpTable({
      node,
      ask: (wanted) => this.#sendArp(ARP_REQUEST, MAC_BROADCAST, 0, wanted),
      release: (packet, mac) => this.#release(packet, mac),
    });
    this.echo = new EchoLayer(this);
    this.udp = new UdpLayer(this);
    this.tcp = new TcpLayer(this);
  }

  /** The interface is there. */
  start(mac: number, capabilities: Capabilities): void {
    this.#mac = mac;
    this.capabilities = capabilities;
  }

  /** The interface is gone, and all connections with it. */
  stop(reason: string): void {
    this.#arp.clear();
    this.tcp.abandon(reason);
  }

  /** Packets dropped because no station had their address. */
  get unresolved(): number {
    return this.#arp.unresolved;
  }

  /** Tells everybody which station has the own address (RFC 5227 ARP announcement). */
  announce(): void {
    this.#sendArp(ARP_REQUEST, MAC_BROADCAST, 0, this.address);
  }

  /** There is room to send again. */
  writable(): void {
    this.tcp.writable();
    this.udp.writable();
  }

  /** No more packets come in for now. */
  roundOver(): void {
    this.tcp.roundOver();
  }

  /**
   * Takes a packet. `checked` says that the device has found its transport checksum right; if `segment` is
   * not 0, it was joined of frames with so many bytes of data each.
   */
  receive(bytes: Uint8Array, length: number, checked: boolean, segment: number): void {
    const view = this.#view;
    if (!view.parse(bytes, length) || view.vlan !== this.vlan) return;
    if (view.etherType === ETHER_TYPE.arp) return this.#receiveArp(bytes, length);
    if (!view.isIpv4 || view.destination !== this.address) return;
    const header = view.transport - view.network;
    const broken = internetChecksum(bytes, view.network, view.network + header) !== 0;
    const hasPorts = view.protocol === IP_PROTOCOL.tcp || view.protocol === IP_PROTOCOL.udp;
    if (broken || (hasPorts && !checked && !view.transportChecksumHolds(bytes))) {
      this.damaged++;
      return;
    }
    if (view.protocol === IP_PROTOCOL.icmp) this.echo.receive(bytes, view);
    else if (view.protocol === IP_PROTOCOL.tcp) this.tcp.receive(bytes, view);
    else if (view.protocol === IP_PROTOCOL.udp) this.udp.receive(bytes, view, segment);
  }

  /** Finds the MAC address of a station; `resolved` is told it, or -1 when nobody has answered. */
  resolve(address: number, resolved: Resolved): void {
    this.#arp.resolve(address, resolved);
  }

  /** Sends the packet that is in `frame`. Returns false when there is no room now. */
  sendIpv4(packet: Outgoing): boolean {
    this.#finish(packet);
    const offload = this.#offload;
    const length = this.transport + packet.length;
    const addresses = this.address ^ packet.destination;
    const flow = flowHash(addresses, packet.ports, packet.protocol);
    const mac = this.#arp.find(packet.destination);
    if (mac < 0) {
      const bytes = this.frame.slice(0, length);
      this.#arp.wait(packet.destination, { bytes, flow, offload: { ...offload } });
      return true;
    }
    this.#writeEthernet(this.frame, mac, ETHER_TYPE.ipv4);
    return this.#send(flow, this.frame, length, offload);
  }

  /** As `sendIpv4`, but to a station whose MAC address the caller knows. */
  sendTo(mac: number, packet: Outgoing): boolean {
    this.#finish(packet);
    this.#writeEthernet(this.frame, mac, ETHER_TYPE.ipv4);
    const flow = flowHash(this.address ^ packet.destination, packet.ports, packet.protocol);
    return this.#send(flow, this.frame, this.transport + packet.length, this.#offload);
  }

  /** Writes the IPv4 header and sees to the transport checksum. */
  #finish({ destination, protocol, length, segment, header }: Outgoing): void {
    const { frame } = this;
    const ip = this.#network;
    frame[ip] = 0x45;
    frame[ip + 1] = 0;
    writeBig16(frame, ip + IPV4.length, IPV4_HEADER + length);
    writeBig16(frame, ip + IPV4.id, this.#packetId);
    this.#packetId = (this.#packetId + (segment > 0 ? Math.ceil(length / segment) : 1)) & 0xffff;
    writeBig16(frame, ip + IPV4.fragment, DO_NOT_FRAGMENT);
    frame[ip + IPV4.hops] = HOPS;
    frame[ip + IPV4.protocol] = protocol;
    writeBig32(frame, ip + IPV4.source, this.address);
    writeBig32(frame, ip + IPV4.destination, destination);
    writeBig16(frame, ip + IPV4.checksum, 0);
    writeBig16(frame, ip + IPV4.checksum, internetChecksum(frame, ip, ip + IPV4_HEADER));
    const offload = this.#offload;
    offload.checksumStart = -1;
    const type = protocol === IP_PROTOCOL.tcp ? NET_GSO.TCPV4 : NET_GSO.UDP_L4;
    offload.gsoType = segment > 0 ? type : NET_GSO.NONE;
    offload.gsoSize = segment;
    offload.headerLength = this.transport + header;
    offload.bulk = protocol === IP_PROTOCOL.tcp && length > header;
    if (protocol === IP_PROTOCOL.icmp) return;
    this.#checksum(protocol, length);
  }

  #checksum(protocol: number, length: number): void {
    const { frame, transport } = this;
    const offset = protocol === IP_PROTOCOL.tcp ? TCP.checksum : UDP.checksum;
    const pseudo = pseudoHeaderSum(frame, this.#network, protocol, length);
    if (this.capabilities.checksum) {
      this.#offload.checksumStart = transport;
      this.#offload.checksumOffset = offset;
      writeBig16(frame, transport + offset, foldSum(pseudo));
      return;
    }
    writeBig16(frame, transport + offset, 0);
    const checksum = internetChecksum(frame, transport, transport + length, pseudo);
    writeBig16(frame, transport + offset, checksum === 0 ? 0xffff : checksum);
  }

  #writeEthernet(bytes: Uint8Array, destination: number, type: number): void {
    writeMac(bytes, ETHER.destination, destination);
    writeMac(bytes, ETHER.source, this.#mac);
    if (this.vlan < 0) return writeBig16(bytes, ETHER.type, type);
    writeBig16(bytes, ETHER.type, ETHER_TYPE.vlan);
    writeBig16(bytes, ETHERNET_HEADER, this.vlan);
    writeBig16(bytes, ETHERNET_HEADER + 2, type);
  }

  #release({ bytes, flow, offload }: WaitingPacket, mac: number): void {
    this.#writeEthernet(bytes, mac, ETHER_TYPE.ipv4);
    this.#send(flow, bytes, bytes.length, offload);
  }

  #sendArp(operation: number, to: number, target: number, targetIp: number): void {
    const bytes = new Uint8Array(this.#network + ARP_SIZE);
    const at = this.#network;
    this.#writeEthernet(bytes, to, ETHER_TYPE.arp);
    writeBig16(bytes, at, 1);
    writeBig16(bytes, at + 2, ETHER_TYPE.ipv4);
    bytes[at + 4] = 6;
    bytes[at + 5] = 4;
    writeBig16(bytes, at + ARP.operation, operation);
    writeMac(bytes, at + ARP.sender, this.#mac);
    writeBig32(bytes, at + ARP.senderIp, this.address);
    writeMac(bytes, at + ARP.target, target);
    writeBig32(bytes, at + ARP.targetIp, targetIp);
    this.#send(0, bytes, bytes.length, this.#plain);
  }

  #receiveArp(bytes: Uint8Array, length: number): void {
    const at = this.#view.network;
    if (length < at + ARP_SIZE) return;
    const operation = readBig16(bytes, at + ARP.operation);
    const sender = readMac(bytes, at + ARP.sender);
    const senderIp = readBig32(bytes, at + ARP.senderIp);
    const forUs = readBig32(bytes, at + ARP.targetIp) === this.address;
    this.#arp.learn(senderIp, sender, forUs);
    if (operation === ARP_REQUEST && forUs) this.#sendArp(ARP_REPLY, sender, sender, senderIp);
  }
}
