// Frames for tests, built from the RFCs' layouts byte by byte, without the code that is tested.

/** A frame's parts; what is left out has a plain value. */
export interface FrameParts {
  readonly to?: number;
  readonly from?: number;
  readonly vlan?: number;
  readonly source?: number;
  readonly destination?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly sequence?: number;
  readonly flags?: number;
  readonly id?: number;
  readonly payload?: Uint8Array;
  /** Over IPv6, between two addresses that these numbers end. */
  readonly ipv6?: boolean;
}

/** Ones' complement sum of big-endian words, folded. */
export function onesSum(...parts: readonly (readonly number[])[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += part[i] * 256 + (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum % 65_536) + Math.floor(sum / 65_536);
  return sum;
}

const big = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);

function withSum(bytes: number[], at: number, ...others: readonly (readonly number[])[]): number[] {
  const sum = onesSum(bytes, ...others);
  const result = [...bytes];
  result.splice(at, 2, ...big(0xffff - sum, 2));
  return result;
}

function wrap(parts: FrameParts, protocol: number, transport: number[]): Uint8Array {
  const { to = 0x0200_0000_0001, from = 0x0200_0000_0099, vlan = -1, id = 7 } = parts;
  const { source = 0x0a00_0002, destination = 0x0a00_0001 } = parts;
  const ethernet = [
    ...big(to, 6),
    ...big(from, 6),
    ...(vlan < 0 ? [] : [0x81, 0, ...big(vlan, 2)]),
  ];
  if (parts.ipv6 === true) {
    const ip = [0x60, 0, 0, 0, ...big(transport.length, 2), protocol, 64, ...addresses6(parts)];
    return Uint8Array.from([...ethernet, 0x86, 0xdd, ...ip, ...transport]);
  }
  const ip = withSum(
    [
      ...[0x45, 0, ...big(20 + transport.length, 2), ...big(id, 2), 0x40, 0, 64, protocol, 0, 0],
      ...big(source, 4),
      ...big(destination, 4),
    ],
    10,
  );
  return Uint8Array.from([...ethernet, 8, 0, ...ip, ...transport]);
}

function addresses6({ source = 0x0a00_0002, destination = 0x0a00_0001 }: FrameParts): number[] {
  const prefix = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  return [...prefix, ...big(source, 4), ...prefix, ...big(destination, 4)];
}

function pseudo(parts: FrameParts, protocol: number, length: number): number[] {
  if (parts.ipv6 === true) return [...addresses6(parts), ...big(length, 4), 0, 0, 0, protocol];
  const { source = 0x0a00_0002, destination = 0x0a00_0001 } = parts;
  return [...big(source, 4), ...big(destination, 4), 0, protocol, ...big(length, 2)];
}

/** A TCP segment over IPv4, all checksums right. */
export function tcpFrame(parts: FrameParts = {}): Uint8Array {
  const { sourcePort = 1000, destinationPort = 2000, sequence = 0, flags = 0x10 } = parts;
  const payload = [...(parts.payload ?? [])];
  const header = [
    ...[...big(sourcePort, 2), ...big(destinationPort, 2), ...big(sequence, 4), ...big(5, 4)],
    ...[0x50, flags, 1, 0, 0, 0, 0, 0],
  ];
  const segment = [...header, ...payload];
  return wrap(parts, 6, withSum(segment, 16, pseudo(parts, 6, segment.length)));
}

/** A UDP datagram over IPv4, all checksums right. */
export function udpFrame(parts: FrameParts = {}): Uint8Array {
  const { sourcePort = 1000, destinationPort = 2000 } = parts;
  const payload = [...(parts.payload ?? [])];
  const length = 8 + payload.length;
  const datagram = [
    ...[...big(sourcePort, 2), ...big(destinationPort, 2), ...big(length, 2), 0, 0],
    ...payload,
  ];
  return wrap(parts, 17, withSum(datagram, 6, pseudo(parts, 17, length)));
}

/** Puts into a checksum field what a driver leaves there: the sum of the pseudo header. */
export function leaveChecksum(frame: Uint8Array, at: number, parts: FrameParts = {}): Uint8Array {
  const { ipv6 = false, vlan = -1 } = parts;
  const network = vlan < 0 ? 14 : 18;
  const protocol = frame[network + (ipv6 ? 6 : 9)];
  const left = frame.slice();
  const headers = network + (ipv6 ? 40 : 20);
  const sum = onesSum(pseudo(parts, protocol, frame.length - headers));
  left[at] = sum >>> 8;
  left[at + 1] = sum;
  return left;
}

/** The header before a packet, little-endian fields in the order of the specification. */
export function netHeader(fields: {
  readonly flags?: number;
  readonly gsoType?: number;
  readonly headerLength?: number;
  readonly gsoSize?: number;
  readonly checksumStart?: number;
  readonly checksumOffset?: number;
}): Uint8Array {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint8(0, fields.flags ?? 0);
  view.setUint8(1, fields.gsoType ?? 0);
  view.setUint16(2, fields.headerLength ?? 0, true);
  view.setUint16(4, fields.gsoSize ?? 0, true);
  view.setUint16(6, fields.checksumStart ?? 0, true);
  view.setUint16(8, fields.checksumOffset ?? 0, true);
  return new Uint8Array(view.buffer);
}
