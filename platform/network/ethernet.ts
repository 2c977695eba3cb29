// Ethernet frames as bytes (IEEE 802.3): where addresses and tags stand, and what a frame takes on a
// cable. MAC addresses are numbers below 2^48, so that they can be keys.

/** Destination, source and type. */
export const ETHERNET_HEADER = 14;
export const VLAN_TAG = 4;
export const ETHER = { destination: 0, source: 6, type: 12 } as const;
export const ETHER_TYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd } as const;

export const MAC_BROADCAST = 2 ** 48 - 1;

/** Shortest frame without its check sequence; shorter ones are padded on the cable. */
export const FRAME_MIN = 60;
const PREAMBLE = 8;
const CHECK_SEQUENCE = 4;
const GAP = 12;

/** Bytes that a frame of `length` bytes (without check sequence) takes on a cable, gap included. */
export function bytesOnCable(length: number): number {
  return PREAMBLE + Math.max(length, FRAME_MIN) + CHECK_SEQUENCE + GAP;
}

export function readMac(bytes: Uint8Array, at: number): number {
  const high = (bytes[at] << 8) | bytes[at + 1];
  return high * 2 ** 32 + readBig32(bytes, at + 2);
}

export function writeMac(bytes: Uint8Array, at: number, mac: number): void {
  const high = Math.floor(mac / 2 ** 32);
  bytes[at] = high >>> 8;
  bytes[at + 1] = high;
  writeBig32(bytes, at + 2, mac % 2 ** 32);
}

/** True for group addresses, broadcast among them. */
export function isGroupMac(mac: number): boolean {
  return (Math.floor(mac / 2 ** 40) & 1) === 1;
}

const MAC_TEXT = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** The address that a text like `02:00:00:00:00:01` is; null when it is none. */
export function parseMac(text: string): number | null {
  return MAC_TEXT.test(text) ? Number.parseInt(text.replaceAll(':', ''), 16) : null;
}

export function macText(mac: number): string {
  const digits = mac.toString(16).padStart(12, '0');
  return digits.replace(/..(?!$)/g, '$&:');
}

export function readBig16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

export function writeBig16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function readBig32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

export function writeBig32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
