// A small network stack: IPv4 and IPv6 without fragments and routes (every station is on the same network),
// ICMP echo, UDP and TCP. All headers and checksums are real bytes.

import { assert } from '../../../platform/errors.ts';
import {
  FrameView,
  IP_PROTOCOL,
  type IpAddress,
  type IpVersion,
  ipVersion,
} from '../../../platform/network/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import type { Capabilities } from '../packet.ts';
import { EchoLayer } from './echo.ts';
import { EthernetLink, type SendFrame } from './ethernet-link.ts';
import type { Station } from './ip.ts';
import type { IpLayer } from './ip-layer.ts';
import { Ipv4Layer } from './ipv4-layer.ts';
import { Ipv6Layer } from './ipv6-layer.ts';
import { TcpLayer } from './tcp-layer.ts';
import { UdpLayer } from './udp.ts';

export interface StackOptions {
  readonly node: Node;
  readonly name: string;
  /** Own IPv4 address. */
  readonly ipv4: IpAddress;
  /** Own IPv6 address, or null to do without. */
  readonly ipv6: IpAddress | null;
  /** VLAN to be in, or -1 for frames without a tag. */
  readonly vlan: number;
  readonly send: SendFrame;
}

export class NetStack {
  readonly name: string;
  readonly echo = new EchoLayer();
  readonly udp = new UdpLayer();
  readonly tcp: TcpLayer;
  /** Packets whose checksum was wrong. */
  damaged = 0;
  readonly #link: EthernetLink;
  readonly #ipv4: Ipv4Layer;
  readonly #ipv6: Ipv6Layer | null;
  readonly #view = new FrameView();

  constructor({ node, name, ipv4, ipv6, vlan, send }: StackOptions) {
    this.name = name;
    this.#link = new EthernetLink(vlan, send);
    this.#ipv4 = new Ipv4Layer(node, this.#link, ipv4);
    this.#ipv6 = ipv6 === null ? null : new Ipv6Layer(node, this.#link, ipv6);
    this.tcp = new TcpLayer(node, name);
  }

  get vlan(): number {
    return this.#link.vlan;
  }

  /** The interface is there. */
  start(mac: number, capabilities: Capabilities): void {
    this.#link.mac = mac;
    this.#link.capabilities = capabilities;
  }

  /** The interface is gone, and all connections with it. */
  stop(reason: string): void {
    this.#ipv4.clear();
    this.#ipv6?.clear();
    this.tcp.abandon(reason);
  }

  /** Packets dropped because no station had their address. */
  get unresolved(): number {
    return this.#ipv4.unresolved + (this.#ipv6?.unresolved ?? 0);
  }

  /** Groups whose frames the interface must hear, as MAC addresses. */
  get groups(): readonly number[] {
    return [...this.#ipv4.groups, ...(this.#ipv6?.groups ?? [])];
  }

  /** The station with an address. */
  station(address: IpAddress): Station {
    return this.#layer(ipVersion(address)).station(address);
  }

  /** A station of which only the MAC address is known. */
  stationAt(mac: number, version: IpVersion): Station {
    return this.#layer(version).stationAt(mac);
  }

  /** Tells everybody which station has the own addresses. */
  announce(): void {
    this.#ipv4.announce();
    this.#ipv6?.announce();
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
    if (this.#ipv4.discover(bytes, length, view)) return;
    if (this.#ipv6?.discover(bytes, length, view) === true) return;
    const ip = this.#layerOf(view);
    if (ip === null || !ip.isForUs(bytes, view)) return;
    const { protocol } = view;
    const isEcho = protocol === ip.echo.protocol;
    if (!isEcho && protocol !== IP_PROTOCOL.tcp && protocol !== IP_PROTOCOL.udp) return;
    // Devices look at the checksums of TCP and UDP only.
    const trusted = checked && !isEcho;
    if (!ip.headerHolds(bytes, view) || !(trusted || view.transportChecksumHolds(bytes))) {
      this.damaged++;
      return;
    }
    const sender = ip.sender(bytes, view);
    if (isEcho) this.echo.receive(bytes, view, sender);
    else if (protocol === IP_PROTOCOL.tcp) this.tcp.receive(bytes, view, sender);
    else this.udp.receive(bytes, view, sender, segment);
  }

  #layer(version: IpVersion): IpLayer {
    const ip = version === 4 ? this.#ipv4 : this.#ipv6;
    assert(ip !== null, `${this.name} has an address of version ${version}`);
    return ip;
  }

  #layerOf({ isIpv4, isIpv6 }: FrameView): IpLayer | null {
    if (isIpv4) return this.#ipv4;
    return isIpv6 ? this.#ipv6 : null;
  }
}
