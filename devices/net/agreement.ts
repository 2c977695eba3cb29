// What driver and device have agreed on, in the form in which the queues need it for each packet.
import { NET_F, NET_GSO, NET_GUEST_OFFLOADS, netHeaderSize } from '../../platform/virtio/index.ts';

/** The feature that each type of segmentation needs. */
const SEGMENTATION = [
  { type: NET_GSO.TCPV4, feature: NET_F.HOST_TSO4 },
  { type: NET_GSO.TCPV6, feature: NET_F.HOST_TSO6 },
  { type: NET_GSO.UDP_L4, feature: NET_F.HOST_USO },
] as const;

export class Agreement {
  /** Bytes of the header before every packet. */
  headerSize = netHeaderSize(0n);
  /** A received packet may lie in several buffers. */
  mergesBuffers = false;
  /** A received packet comes with the hash of its flow. */
  reportsHash = false;
  /** Checksums of packets to send may be left open. */
  fillsChecksums = false;
  /** Offloads of received packets: checksums are checked, frames of these kinds joined. */
  checksChecksums = false;
  joinsTcp4 = false;
  joinsTcp6 = false;
  joinsUdp4 = false;
  joinsUdp6 = false;
  joinsEcn = false;
  /** Types of segmentation, ECN's bit included, that a packet to send may ask for. */
  readonly #cuts = new Set<number>();

  constructor() {
    this.negotiate(0n);
  }

  /** Takes over the features that driver and device have agreed on. */
  negotiate(features: bigint): void {
    const has = (feature: bigint) => (features & feature) !== 0n;
    this.headerSize = netHeaderSize(features);
    this.mergesBuffers = has(NET_F.MRG_RXBUF);
    this.reportsHash = has(NET_F.HASH_REPORT);
    this.fillsChecksums = has(NET_F.CSUM);
    this.#cuts.clear();
    for (const { type, feature } of SEGMENTATION) {
      if (!has(feature)) continue;
      this.#cuts.add(type);
      if (has(NET_F.HOST_ECN) && type !== NET_GSO.UDP_L4) this.#cuts.add(type | NET_GSO.ECN);
    }
    this.setOffloads(features & NET_GUEST_OFFLOADS);
  }

  /** Turns offloads of received packets on and off, as the bits of their features say. */
  setOffloads(offloads: bigint): void {
    const has = (feature: bigint) => (offloads & feature) !== 0n;
    this.checksChecksums = has(NET_F.GUEST_CSUM);
    this.joinsTcp4 = has(NET_F.GUEST_TSO4);
    this.joinsTcp6 = has(NET_F.GUEST_TSO6);
    this.joinsUdp4 = has(NET_F.GUEST_USO4);
    this.joinsUdp6 = has(NET_F.GUEST_USO6);
    this.joinsEcn = has(NET_F.GUEST_ECN);
  }

  get joins(): boolean {
    return this.joinsTcp4 || this.joinsTcp6 || this.joinsUdp4 || this.joinsUdp6;
  }

  /** True when a packet to send may ask for this type of segmentation. */
  cuts(gsoType: number): boolean {
    return this.#cuts.has(gsoType);
  }
}
