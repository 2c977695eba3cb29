// What echo, UDP and TCP see of IP, the same for both versions: stations, and packets to them.
import type { IpAddress, IpVersion } from '../../../platform/network/index.ts';

/** A station of the network, one object for each address. */
export interface Station {
  readonly ip: Ip;
  readonly address: IpAddress;
  /** The address as a number; others may have the same. */
  readonly hash: number;
  /** Its MAC address, or -1 while that is not known. */
  mac: number;
}

/** A packet to send, of which the transport header and what follows are in the `frame` already. */
export interface Outgoing {
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

/** Protocol and types of messages for echo. */
export interface EchoTypes {
  readonly protocol: number;
  readonly request: number;
  readonly reply: number;
}

/** Is told the MAC address of a station, or -1 when nobody has answered. */
export type Resolved = (mac: number) => void;

export interface Ip {
  readonly version: IpVersion;
  readonly echo: EchoTypes;
  /** Packets are built here, from `transport` on. */
  readonly frame: Uint8Array;
  readonly transport: number;
  /** Bytes behind the IP header at the most. */
  readonly payloadMax: number;
  /** The device cuts large TCP packets, or large datagrams. */
  readonly cutsSegments: boolean;
  readonly cutsDatagrams: boolean;
  /** Sends the packet that is in `frame`. Returns false when there is no room now. */
  send(station: Station, packet: Outgoing): boolean;
  /** Finds the MAC address of a station, asking for it if need be. */
  resolve(station: Station, resolved: Resolved): void;
}
