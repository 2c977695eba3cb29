// What both sides of virtio-net agree on (virtio 1.4 §5.1).
import {
  defineBits,
  fixedBytes,
  LayoutCodec,
  le16,
  le32,
  le64,
  masksOf,
  reserved,
  u8,
} from '../wire/index.ts';

export const NET_DEVICE_ID = 1;

const FEATURE_SPEC = 'virtio 1.4 §5.1.3';

/** Feature bits of a network device. */
export const netFeatures = defineBits({
  CSUM: {
    bit: 0,
    spec: FEATURE_SPEC,
    doc: 'Checksums of packets to send may be left to the device.',
  },
  GUEST_CSUM: {
    bit: 1,
    spec: FEATURE_SPEC,
    doc: 'Checksums of received packets may be checked by the device.',
  },
  CTRL_GUEST_OFFLOADS: {
    bit: 2,
    spec: FEATURE_SPEC,
    doc: 'GUEST_CSUM and the like can be turned off and on.',
  },
  MTU: { bit: 3, spec: FEATURE_SPEC, doc: 'The configuration has an MTU.' },
  MAC: { bit: 5, spec: FEATURE_SPEC, doc: 'The configuration has an address.' },
  GUEST_TSO4: {
    bit: 7,
    spec: FEATURE_SPEC,
    doc: 'Received TCP packets over IPv4 may be joined to large ones.',
  },
  GUEST_TSO6: {
    bit: 8,
    spec: FEATURE_SPEC,
    doc: 'Received TCP packets over IPv6 may be joined to large ones.',
  },
  GUEST_ECN: {
    bit: 9,
    spec: FEATURE_SPEC,
    doc: 'Joined packets may say that their sender has slowed down.',
  },
  HOST_TSO4: {
    bit: 11,
    spec: FEATURE_SPEC,
    doc: 'Large TCP packets over IPv4 may be left to the device to cut.',
  },
  HOST_TSO6: {
    bit: 12,
    spec: FEATURE_SPEC,
    doc: 'Large TCP packets over IPv6 may be left to the device to cut.',
  },
  HOST_ECN: {
    bit: 13,
    spec: FEATURE_SPEC,
    doc: 'Packets to cut may say that their sender has slowed down.',
  },
  MRG_RXBUF: { bit: 15, spec: FEATURE_SPEC, doc: 'A received packet may lie in several buffers.' },
  STATUS: { bit: 16, spec: FEATURE_SPEC, doc: 'The configuration has the state of the link.' },
  CTRL_VQ: { bit: 17, spec: FEATURE_SPEC, doc: 'There is a control queue.' },
  CTRL_RX: {
    bit: 18,
    spec: FEATURE_SPEC,
    doc: 'Commands for receive modes and for the address table.',
  },
  CTRL_VLAN: { bit: 19, spec: FEATURE_SPEC, doc: 'Commands for the VLAN table.' },
  CTRL_RX_EXTRA: { bit: 20, spec: FEATURE_SPEC, doc: 'Commands for more receive modes.' },
  GUEST_ANNOUNCE: {
    bit: 21,
    spec: FEATURE_SPEC,
    doc: 'The device may ask the driver to announce itself.',
  },
  MQ: {
    bit: 22,
    spec: FEATURE_SPEC,
    doc: 'Several pairs of queues, with automatic receive steering.',
  },
  CTRL_MAC_ADDR: { bit: 23, spec: FEATURE_SPEC, doc: 'A command for the address.' },
  DEVICE_STATS: { bit: 50, spec: FEATURE_SPEC, doc: 'The driver may ask for statistics.' },
  VQ_NOTF_COAL: {
    bit: 52,
    spec: FEATURE_SPEC,
    doc: 'Commands that hold the notifications of one queue back.',
  },
  NOTF_COAL: {
    bit: 53,
    spec: FEATURE_SPEC,
    doc: 'Commands that hold notifications back until there are more of them.',
  },
  GUEST_USO4: {
    bit: 54,
    spec: FEATURE_SPEC,
    doc: 'Received UDP datagrams over IPv4 may be joined to large ones.',
  },
  GUEST_USO6: {
    bit: 55,
    spec: FEATURE_SPEC,
    doc: 'Received UDP datagrams over IPv6 may be joined to large ones.',
  },
  HOST_USO: {
    bit: 56,
    spec: FEATURE_SPEC,
    doc: 'Large UDP datagrams may be left to the device to cut.',
  },
  HASH_REPORT: {
    bit: 57,
    spec: FEATURE_SPEC,
    doc: 'A received packet comes with the hash of its flow.',
  },
  GUEST_HDRLEN: {
    bit: 59,
    spec: FEATURE_SPEC,
    doc: 'The driver gives the exact length of the headers.',
  },
  RSS: {
    bit: 60,
    spec: FEATURE_SPEC,
    doc: 'The driver says which queue gets the packets of which hash.',
  },
  SPEED_DUPLEX: { bit: 63, spec: FEATURE_SPEC, doc: 'The configuration has speed and duplex.' },
});

/** Masks of the feature bits (§5.1.3). */
export const NET_F = masksOf(netFeatures);

const GUEST_TSO = NET_F.GUEST_TSO4 | NET_F.GUEST_TSO6;
const HOST_TSO = NET_F.HOST_TSO4 | NET_F.HOST_TSO6;

/** Features that make sense only with one of others (§5.1.3.1). */
export const NET_F_REQUIRES: readonly { readonly feature: bigint; readonly needs: bigint }[] = [
  { feature: GUEST_TSO | NET_F.GUEST_USO4 | NET_F.GUEST_USO6, needs: NET_F.GUEST_CSUM },
  { feature: NET_F.GUEST_ECN, needs: GUEST_TSO },
  { feature: HOST_TSO | NET_F.HOST_USO, needs: NET_F.CSUM },
  { feature: NET_F.HOST_ECN, needs: HOST_TSO },
  { feature: NET_F.CTRL_RX, needs: NET_F.CTRL_VQ },
  { feature: NET_F.CTRL_VLAN, needs: NET_F.CTRL_VQ },
  { feature: NET_F.GUEST_ANNOUNCE, needs: NET_F.CTRL_VQ },
  { feature: NET_F.MQ, needs: NET_F.CTRL_VQ },
  { feature: NET_F.CTRL_MAC_ADDR, needs: NET_F.CTRL_VQ },
  { feature: NET_F.NOTF_COAL, needs: NET_F.CTRL_VQ },
  { feature: NET_F.VQ_NOTF_COAL, needs: NET_F.CTRL_VQ },
  { feature: NET_F.RSS, needs: NET_F.CTRL_VQ },
];

/** Offloads of received packets, which CTRL_GUEST_OFFLOADS turns off and on (§5.1.6.5.8). */
export const NET_GUEST_OFFLOADS =
  NET_F.GUEST_CSUM | GUEST_TSO | NET_F.GUEST_ECN | NET_F.GUEST_USO4 | NET_F.GUEST_USO6;

/** The configuration space (§5.1.4). */
export const netConfig = new LayoutCodec('net config', {
  mac: fixedBytes(6),
  status: le16,
  maxPairs: le16,
  mtu: le16,
  speed: le32,
  duplex: u8,
  rssMaxKeySize: u8,
  rssMaxTableLength: le16,
  hashTypes: le32,
});

/** Offsets in the configuration space. */
export const NET_CONFIG = {
  mac: netConfig.offsetOf('mac'),
  status: netConfig.offsetOf('status'),
  maxPairs: netConfig.offsetOf('maxPairs'),
  mtu: netConfig.offsetOf('mtu'),
  speed: netConfig.offsetOf('speed'),
  duplex: netConfig.offsetOf('duplex'),
  rssMaxKeySize: netConfig.offsetOf('rssMaxKeySize'),
  rssMaxTableLength: netConfig.offsetOf('rssMaxTableLength'),
  hashTypes: netConfig.offsetOf('hashTypes'),
} as const;
/** Bytes of configuration space up to and including duplex. */
export const NET_CONFIG_SIZE = NET_CONFIG.rssMaxKeySize;
/** With what RSS and HASH_REPORT add to it. */
export const NET_CONFIG_HASH_SIZE = netConfig.fixedSize;

/** Key and table of receive-side scaling, at the most. */
export const NET_RSS_KEY_MAX = 40;
export const NET_RSS_TABLE_MAX = 128;

/** Bits of the configuration's status. */
export const NET_S = { LINK_UP: 1, ANNOUNCE: 2 } as const;
export const NET_DUPLEX_FULL = 1;

/** The header before every packet (§5.1.6), little-endian. */
export const NET_HEADER = {
  flags: 0,
  gsoType: 1,
  headerLength: 2,
  gsoSize: 4,
  checksumStart: 6,
  checksumOffset: 8,
  bufferCount: 10,
  /** With HASH_REPORT only. */
  hashValue: 12,
  hashReport: 16,
} as const;
const PLAIN_HEADER_SIZE = 12;
const HASH_HEADER_SIZE = 20;
export const NET_HEADER_SIZE_MAX = HASH_HEADER_SIZE;

/** Bytes of the header before every packet, with these features. */
export function netHeaderSize(features: bigint): number {
  return (features & NET_F.HASH_REPORT) === 0n ? PLAIN_HEADER_SIZE : HASH_HEADER_SIZE;
}

export const NET_HEADER_F = { NEEDS_CSUM: 1, DATA_VALID: 2 } as const;
/** How a packet is to be cut, or was joined; ECN is a bit beside the type. */
export const NET_GSO = { NONE: 0, TCPV4: 1, TCPV6: 4, UDP_L4: 5, ECN: 0x80 } as const;

/** Classes and commands of the control queue (§5.1.6.5). */
export const NET_CTRL = {
  RX: 0,
  MAC: 1,
  VLAN: 2,
  ANNOUNCE: 3,
  MQ: 4,
  GUEST_OFFLOADS: 5,
  NOTF_COAL: 6,
  STATS: 8,
} as const;
export const NET_CTRL_RX = {
  PROMISC: 0,
  ALLMULTI: 1,
  ALLUNI: 2,
  NOMULTI: 3,
  NOUNI: 4,
  NOBCAST: 5,
} as const;
export const NET_CTRL_MAC = { TABLE_SET: 0, ADDR_SET: 1 } as const;
export const NET_CTRL_VLAN = { ADD: 0, DEL: 1 } as const;
export const NET_CTRL_ANNOUNCE = { ACK: 0 } as const;
export const NET_CTRL_MQ = { VQ_PAIRS_SET: 0, RSS_CONFIG: 1, HASH_CONFIG: 2 } as const;
export const NET_CTRL_GUEST_OFFLOADS = { SET: 0 } as const;
export const NET_CTRL_NOTF_COAL = { TX_SET: 0, RX_SET: 1, VQ_SET: 2, VQ_GET: 3 } as const;
/** A notification may wait for so many packets and µs, whichever comes first (§5.1.6.5.9). */
export const netCoalescing = new LayoutCodec('net coalescing', {
  maxPackets: le32,
  maxUsecs: le32,
});

/** Parameters of receive-side scaling (§5.1.6.5.7). Queues are numbered by pairs. */
export const netRssStart = new LayoutCodec('net rss', {
  hashTypes: le32,
  tableMask: le16,
  unclassifiedPair: le16,
});

export const NET_CTRL_STATS = { QUERY: 0, GET: 1 } as const;
/** Types of statistics, as bits of a mask (§5.1.6.5.10). */
export const NET_STATS = { RX_BASIC: 0, TX_BASIC: 16, CVQ: 32 } as const;
export const netStatsQuestion = new LayoutCodec('net statistics question', {
  vqIndex: le16,
  reserved: reserved(6),
  types: le64,
});
export const netStatsHeader = new LayoutCodec('net statistics', {
  type: u8,
  reserved: reserved(1),
  vqIndex: le16,
  reserved1: reserved(2),
  size: le16,
});

/** Results of a command. */
export const NET_OK = 0;
export const NET_ERR = 1;

/** Most queue pairs (§5.1.4.1). */
export const NET_PAIRS_MAX = 0x8000;

/** Queue numbers (§5.1.2): pair 0 has queues 0 and 1, and so on; control comes after all pairs. */
export const receiveQueue = (pair: number): number => 2 * pair;
export const transmitQueue = (pair: number): number => 2 * pair + 1;
export const controlQueue = (pairsMax: number): number => 2 * pairsMax;
