// Internet addresses as bytes, whose number says which version they are, and as text (RFC 4291, RFC 5952).
import { readBig16, readBig32, writeBig16, writeBig32 } from './ethernet.ts';

export type IpVersion = 4 | 6;
/** Four bytes for IPv4, sixteen for IPv6. */
export type IpAddress = Uint8Array;

const IPV6_SIZE = 16;
const IPV6_GROUPS = 8;
/** Every station of the link. */
export const ALL_NODES: IpAddress = Uint8Array.of(
  0xff,
  2,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  1,
);
/** Addresses of frames to a group end like the group's (RFC 2464 §7). */
const GROUP_MAC = 0x3333_0000_0000;

export function ipVersion(address: IpAddress): IpVersion {
  return address.length === IPV6_SIZE ? 6 : 4;
}

/** The address at a place as a number below 2^32; one of IPv6 is folded. */
export function addressHash(bytes: Uint8Array, at: number, version: IpVersion): number {
  if (version === 4) return readBig32(bytes, at);
  let hash = 0;
  for (let i = 0; i < IPV6_SIZE; i += 4) hash ^= readBig32(bytes, at + i);
  return hash >>> 0;
}

/** True when an address stands at a place. */
export function isAddress(address: IpAddress, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < address.length; i++) if (bytes[at + i] !== address[i]) return false;
  return true;
}

/** The IPv4 address that a number below 2^32 is. */
export function ipv4Address(number: number): IpAddress {
  const address = new Uint8Array(4);
  writeBig32(address, 0, number);
  return address;
}

/** The address that is good on one link only, made of a MAC address (RFC 4291 §2.5.6, appendix A). */
export function linkLocalAddress(mac: number): IpAddress {
  const address = new Uint8Array(IPV6_SIZE);
  const vendor = Math.floor(mac / 2 ** 24);
  writeBig16(address, 0, 0xfe80);
  // The bit that tells local MAC addresses from universal ones is turned round.
  writeBig32(address, 8, (((vendor ^ 0x02_0000) << 8) | 0xff) >>> 0);
  writeBig32(address, 12, (0xfe00_0000 | (mac % 2 ** 24)) >>> 0);
  return address;
}

/** The group in which a station hears questions for its address (RFC 4291 §2.7.1). */
export function solicitedGroup(address: IpAddress): IpAddress {
  const group = Uint8Array.from(ALL_NODES);
  group[11] = 1;
  group[12] = 0xff;
  group.set(address.subarray(13), 13);
  return group;
}

/** The MAC address for frames to a group. */
export function groupMac(group: IpAddress): number {
  return GROUP_MAC + readBig32(group, 12);
}

/** The address that a text like `10.0.0.1` or `fe80::1` is; null when it is none. */
export function parseIp(text: string): IpAddress | null {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

const IPV4_TEXT = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

function parseIpv4(text: string): IpAddress | null {
  const parts = IPV4_TEXT.exec(text)?.slice(1).map(Number);
  return parts === undefined || parts.some((part) => part > 255) ? null : Uint8Array.from(parts);
}

const GROUP_TEXT = /^[0-9a-f]{1,4}$/i;

function parseIpv6(text: string): IpAddress | null {
  const halves = text.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const [head, tail] = halves;
  const missing = IPV6_GROUPS - head.length - (tail?.length ?? 0);
  // Two colons stand for at least one group, and stand only once.
  if (halves.length > 2 || (tail === undefined ? missing !== 0 : missing < 1)) return null;
  const groups = [...head, ...new Array<string>(missing).fill('0'), ...(tail ?? [])];
  if (!groups.every((group) => GROUP_TEXT.test(group))) return null;
  const address = new Uint8Array(IPV6_SIZE);
  for (const [i, group] of groups.entries()) writeBig16(address, 2 * i, Number.parseInt(group, 16));
  return address;
}

export function ipText(address: IpAddress): string {
  return ipVersion(address) === 4 ? address.join('.') : ipv6Text(address);
}

/** The longest run of zeros, the first of equal ones, is left out, unless it is a single group. */
function ipv6Text(address: IpAddress): string {
  const groups = Array.from({ length: IPV6_GROUPS }, (_, i) => readBig16(address, 2 * i));
  const text = groups.map((group) => group.toString(16)).join(':');
  const runs = [...text.matchAll(/\b0(:0)+\b/g)].map(([run]) => run);
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  return longest === '' ? text : text.replace(new RegExp(`(^|:)${longest}(:|$)`), '::');
}
