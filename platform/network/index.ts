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
export { type FrameHandler, NetworkPort } from './network-port.ts';
export { EthernetSwitch, MAC_AGE_MAX, MAC_TABLE_MAX } from './switch.ts';
