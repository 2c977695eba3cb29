// The addresses of a network device: those that the scenario gives it, or else some made from its place
// in the scenario. Device and guest, on their own nodes, come to the same answer.
import type { DevicePlan } from '../contracts/index.ts';
import { parseMac } from './ethernet.ts';
import {
  type IpAddress,
  type IpVersion,
  ipv4Address,
  linkLocalAddress,
  parseIp,
} from './ip-address.ts';

/** 02:00:00:00:00:00, locally administered, and 10.0.0.0. */
const MAC_BASE = 0x0200_0000_0000;
const IPV4_BASE = 0x0a00_0000;

type Plan = Pick<DevicePlan, 'index' | 'options'>;

/** The MAC address of a network device. */
export function macOf({ index, options: { mac } }: Plan): number {
  return (typeof mac === 'string' ? parseMac(mac) : null) ?? MAC_BASE + index + 1;
}

/** An address of the guest's interface on a network device; that of IPv6 is made of its MAC address. */
export function ipOf(plan: Plan, version: IpVersion): IpAddress {
  if (version === 6) return linkLocalAddress(macOf(plan));
  const { address } = plan.options;
  const given = typeof address === 'string' ? parseIp(address) : null;
  return given ?? ipv4Address(IPV4_BASE + plan.index + 1);
}
