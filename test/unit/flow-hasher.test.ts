// The hash of receive-side scaling, by the vectors that Microsoft publishes for its verification
// ("Verifying the RSS Hash Calculation"), and what is hashed of which packet.
import { describe, expect, it } from 'vitest';
import { FlowHasher, FrameView, HASH_KIND } from '../../platform/network/index.ts';
import { tcpFrame, udpFrame } from '../support/net-frames.ts';

const KEY = Uint8Array.from([
  ...[
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
  ],
  ...[
    0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
  ],
  ...[0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa],
]);
const ALL = 0x3f;
const ADDRESSES = 0x09;

function hashed(types: number, frame: Uint8Array): { kind: number; value: number } {
  const hasher = new FlowHasher();
  hasher.set(types, KEY);
  const view = new FrameView();
  view.parse(frame, frame.length);
  hasher.hash(frame, view);
  return { kind: hasher.kind, value: hasher.value };
}

const ip4 = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

describe('the hash over IPv4', () => {
  it.each([
    ['66.9.149.187', 2794, '161.142.100.80', 1766, 0x323e8fc2, 0x51ccc178],
    ['199.92.111.2', 14230, '65.69.140.83', 4739, 0xd718262a, 0xc626b0ea],
    ['24.19.198.95', 12898, '12.22.207.184', 38024, 0xd2d0a5de, 0x5c2b394a],
    ['38.27.205.30', 48228, '209.142.163.6', 2217, 0x82989176, 0xafc7327f],
    ['153.39.163.191', 44251, '202.188.127.2', 1303, 0x5d1809c5, 0x10e828a2],
  ])('of %s:%i to %s:%i is as published', (from, sourcePort, to, destinationPort, ip, tcp) => {
    const ends = { source: ip4(from), destination: ip4(to), sourcePort, destinationPort };
    expect(hashed(ADDRESSES, tcpFrame(ends))).toEqual({ kind: HASH_KIND.ipv4, value: ip });
    expect(hashed(ALL, tcpFrame(ends))).toEqual({ kind: HASH_KIND.tcpv4, value: tcp });
    expect(hashed(ALL, udpFrame(ends))).toEqual({ kind: HASH_KIND.udpv4, value: tcp });
  });
});

describe('the hash over IPv6', () => {
  const words = (text: string) =>
    text.split(':').flatMap((word) => [word.slice(0, 2), word.slice(2)]);
  const bytes = (text: string) => words(text).map((digits) => Number.parseInt(digits, 16));

  it.each([
    [
      '3ffe:2501:0200:1fff:0000:0000:0000:0007',
      2794,
      '3ffe:2501:0200:0003:0000:0000:0000:0001',
      1766,
      0x2cc18cd5,
      0x40207d3d,
    ],
    [
      '3ffe:0501:0008:0000:0260:97ff:fe40:efab',
      14230,
      'ff02:0000:0000:0000:0000:0000:0000:0001',
      4739,
      0x0f0c461c,
      0xdde51bbf,
    ],
    [
      '3ffe:1900:4545:0003:0200:f8ff:fe21:67cf',
      44251,
      'fe80:0000:0000:0000:0200:f8ff:fe21:67cf',
      38024,
      0x4b61e985,
      0x02d1feef,
    ],
  ])(
    'of %s port %i to %s port %i is as published',
    (from, sourcePort, to, destinationPort, ip, tcp) => {
      const frame = tcpFrame({ ipv6: true, sourcePort, destinationPort });
      frame.set([...bytes(from), ...bytes(to)], 22);
      expect(hashed(ADDRESSES, frame)).toEqual({ kind: HASH_KIND.ipv6, value: ip });
      expect(hashed(ALL, frame)).toEqual({ kind: HASH_KIND.tcpv6, value: tcp });
    },
  );
});

describe('what is hashed', () => {
  it('is nothing of what is no IP packet, or of no type that is wanted', () => {
    const arp = new Uint8Array(60);
    arp.set([8, 6], 12);
    expect(hashed(ALL, arp)).toEqual({ kind: HASH_KIND.none, value: 0 });
    expect(hashed(0, tcpFrame())).toEqual({ kind: HASH_KIND.none, value: 0 });
    const tcpOnly = 1 << (HASH_KIND.tcpv4 - 1);
    expect(hashed(tcpOnly, udpFrame()).kind).toBe(HASH_KIND.none);
  });

  it('is behind a VLAN tag as without one', () => {
    expect(hashed(ALL, tcpFrame({ vlan: 5 }))).toEqual(hashed(ALL, tcpFrame()));
  });
});
