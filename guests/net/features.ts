// The features that the network driver takes when they are offered.
import { NET_F } from '../../platform/virtio/index.ts';

/** With any of these, a received packet may be joined of several. */
export const LARGE_RECEIVE =
  NET_F.GUEST_TSO4 | NET_F.GUEST_TSO6 | NET_F.GUEST_USO4 | NET_F.GUEST_USO6;

export const NET_DRIVER_FEATURES =
  NET_F.CSUM |
  NET_F.GUEST_CSUM |
  LARGE_RECEIVE |
  NET_F.MTU |
  NET_F.MAC |
  NET_F.HOST_TSO4 |
  NET_F.HOST_TSO6 |
  NET_F.HOST_USO |
  NET_F.GUEST_HDRLEN |
  NET_F.MRG_RXBUF |
  NET_F.STATUS |
  NET_F.CTRL_VQ |
  NET_F.CTRL_RX |
  NET_F.CTRL_VLAN |
  NET_F.GUEST_ANNOUNCE |
  NET_F.MQ |
  NET_F.NOTF_COAL |
  NET_F.DEVICE_STATS |
  NET_F.HASH_REPORT |
  NET_F.RSS;
