// What a stack tells its driver about a frame besides its bytes, and how sending may end.
import type { IpVersion } from '../../platform/network/index.ts';
import { NET_GSO } from '../../platform/virtio/index.ts';

/** Work on a frame that is left to the device. One record is used for many frames. */
export interface Offload {
  /** Where the checksum to be filled in begins to count, from the start of the frame; -1 for none. */
  checksumStart: number;
  /** Where it goes, from there. */
  checksumOffset: number;
  gsoType: number;
  /** Payload of each frame that the packet is to be cut into. */
  gsoSize: number;
  /** Bytes of all headers. */
  headerLength: number;
  /** Part of a large transfer, which can wait: it may not take all the room there is. */
  bulk: boolean;
}

export function noOffload(): Offload {
  return {
    checksumStart: -1,
    checksumOffset: 0,
    gsoType: NET_GSO.NONE,
    gsoSize: 0,
    headerLength: 0,
    bulk: false,
  };
}

/** What the driver can leave to its device. */
export interface Capabilities {
  readonly checksum: boolean;
  /** Large TCP packets, by version of IP. */
  readonly tcpSegmentation: Readonly<Record<IpVersion, boolean>>;
  /** Large UDP datagrams, too. */
  readonly udpSegmentation: boolean;
  /** Largest IP packet. */
  readonly mtu: number;
}
