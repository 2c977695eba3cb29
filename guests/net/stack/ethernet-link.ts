// The interface below IP: it puts Ethernet headers before packets, with the tag of its VLAN, and hands frames
// to the driver.
import {
  ETHER,
  ETHER_TYPE,
  ETHERNET_HEADER,
  VLAN_TAG,
  writeBig16,
  writeMac,
} from '../../../platform/network/index.ts';
import { type Capabilities, noOffload, type Offload } from '../packet.ts';

const PACKET_MAX = 65_535;

/** Sends a frame, copying it; false when there is no room now. `flow` is the same for all of a flow. */
export type SendFrame = (
  flow: number,
  bytes: Uint8Array,
  length: number,
  offload: Offload,
) => boolean;

export class EthernetLink {
  /** VLAN to be in, or -1 for frames without a tag. */
  readonly vlan: number;
  /** Bytes before the packet. */
  readonly header: number;
  /** Room for the largest packet, which is built here. */
  readonly frame: Uint8Array;
  readonly send: SendFrame;
  mac = 0;
  capabilities: Capabilities = {
    checksum: false,
    tcpSegmentation: { 4: false, 6: false },
    udpSegmentation: false,
    mtu: 1500,
  };
  readonly #plain = noOffload();

  constructor(vlan: number, send: SendFrame) {
    this.vlan = vlan;
    this.send = send;
    this.header = ETHERNET_HEADER + (vlan >= 0 ? VLAN_TAG : 0);
    this.frame = new Uint8Array(this.header + PACKET_MAX);
  }

  /** Writes the header of a frame for a station or a group. */
  address(bytes: Uint8Array, to: number, type: number): void {
    writeMac(bytes, ETHER.destination, to);
    writeMac(bytes, ETHER.source, this.mac);
    if (this.vlan < 0) return writeBig16(bytes, ETHER.type, type);
    writeBig16(bytes, ETHER.type, ETHER_TYPE.vlan);
    writeBig16(bytes, ETHERNET_HEADER, this.vlan);
    writeBig16(bytes, ETHERNET_HEADER + 2, type);
  }

  /** Sends a whole frame that belongs to no flow; without room it is lost. */
  sendPlain(bytes: Uint8Array, to: number, type: number): void {
    this.address(bytes, to, type);
    this.send(0, bytes, bytes.length, this.#plain);
  }
}
