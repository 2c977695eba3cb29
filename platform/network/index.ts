export { ipOf, macOf } from './addresses.ts';
export { Cable, FRAME } from './cable.ts';
export {
  bytesOnCable,
  ETHER,
  ETHER_TYPE,
  ETHERNET_HEADER,
  FRAME_MIN,
  isGroupMac,
  MAC_BROADCAST,
  macText,
  parseMac,
  readBig16,
  readBig32,
  readMac,
  VLAN_TAG,
  writeBig16,
  writeBig32,
  writeMac,
} from './ethernet.ts';
export { FlowHasher, HASH_KIND } from './flow-hasher.ts';
export {
  ARP,
  ARP_SIZE,
  FrameView,
  flowHash,
  foldSum,
  ICMP,
  ICMP_HEADER,
  IP_PROTOCOL,
  IPV4,
  IPV4_HEADER,
  IPV6,
  IPV6_HEADER,
  internetChecksum,
  NEIGHBOUR,
  pseudoHeaderSum,
  sumWords,
  TCP,
  TCP_FLAG,
  TCP_HEADER,
  UDP,
  UDP_HEADER,
} from './inet.ts';
export {
  ALL_NODES,
  addressHash,
  groupMac,
  type IpAddress,
  type IpVersion,
  ipText,
  ipVersion,
  isAddress,
  parseIp,
  solicitedGroup,
} from './ip-address.ts';
export { type FrameHandler, NetworkPort } from './network-port.ts';
export { EthernetSwitch, MAC_AGE_MAX, MAC_TABLE_MAX } from './switch.ts';
