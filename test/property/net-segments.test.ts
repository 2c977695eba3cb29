// Segmentation and its counterpart by properties: what a packet is cut into is right in every checksum,
// and joining that gives the packet again.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Agreement } from '../../devices/net/agreement.ts';
import { FrameMerger } from '../../devices/net/frame-merger.ts';
import { emptyHeader, Segmenter } from '../../devices/net/offloads.ts';
import { FrameView } from '../../platform/network/index.ts';
import { NET_GSO, NET_GUEST_OFFLOADS } from '../../platform/virtio/index.ts';
import { leaveChecksum, tcpFrame, udpFrame } from '../support/net-frames.ts';

const SEED = 20_261_122;
const ALL = new Agreement();
ALL.setOffloads(NET_GUEST_OFFLOADS);

const packets = fc.record({
  ipv6: fc.boolean(),
  udp: fc.boolean(),
  vlan: fc.constantFrom(-1, 7),
  sequence: fc.nat(0xffff_ffff),
  id: fc.nat(0xffff),
  length: fc.integer({ min: 1, max: 6000 }),
  sourcePort: fc.integer({ min: 1, max: 65_535 }),
  size: fc.integer({ min: 100, max: 1460 }),
  push: fc.boolean(),
  slower: fc.boolean(),
});

type Packet = typeof packets extends fc.Arbitrary<infer P> ? P : never;

/** A large packet as a driver hands it over, and what its header says. */
function largePacket({ udp, ipv6, size, push, slower, length, ...fields }: Packet) {
  const payload = Uint8Array.from({ length }, (_, i) => i * fields.id);
  const parts = { ...fields, payload };
  const flags = 0x10 | (push ? 0x08 : 0) | (slower ? 0x80 : 0);
  const whole = (udp ? udpFrame : tcpFrame)({ ...parts, ipv6, flags });
  const checksumStart = (parts.vlan < 0 ? 14 : 18) + (ipv6 ? 40 : 20);
  const checksumOffset = udp ? 6 : 16;
  const packet = leaveChecksum(whole, checksumStart + checksumOffset, { ...parts, ipv6 });
  const type = udp ? NET_GSO.UDP_L4 : ipv6 ? NET_GSO.TCPV6 : NET_GSO.TCPV4;
  const gsoType = type | (slower && !udp ? NET_GSO.ECN : 0);
  const headerLength = checksumStart + (udp ? 8 : 20);
  const header = { flags: 1, gsoType, gsoSize: size, headerLength, checksumStart, checksumOffset };
  return { packet, header };
}

function cut(packet: Uint8Array, header: ReturnType<typeof largePacket>['header']): Uint8Array[] {
  const segmenter = new Segmenter();
  const frames: Uint8Array[] = [];
  expect(segmenter.count(packet, 0, packet.length, header)).toBe(
    Math.ceil((packet.length - header.headerLength) / header.gsoSize),
  );
  segmenter.cut(packet, 0, packet.length, header.gsoSize, (bytes, offset, length) => {
    frames.push(bytes.slice(offset, offset + length));
  });
  return frames;
}

describe('a large packet', () => {
  it('is cut into frames that are right, and joined again to what it was', () => {
    fc.assert(
      fc.property(packets, (chosen) => {
        const { packet, header } = largePacket(chosen);
        const frames = cut(packet, header);
        const view = new FrameView();
        for (const frame of frames) {
          expect(view.parse(frame, frame.length) && view.isIp).toBe(true);
          expect(view.transportChecksumHolds(frame)).toBe(true);
          expect(view.end).toBe(frame.length);
        }
        const merger = new FrameMerger();
        expect(merger.begin(frames[0], frames[0].length, ALL)).toBe(true);
        for (const frame of frames.slice(1)) {
          expect(merger.closed).toBe(false);
          expect(merger.append(frame, frame.length)).toBe(true);
        }
        if (frames.length === 1) return;
        const found = { ...emptyHeader(), flags: 1 };
        merger.finish(found);
        expect(merger.bytes.slice(0, merger.length)).toEqual(packet);
        expect(found).toEqual(header);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });

  it('is not made of frames of which one was changed anywhere', () => {
    const change = fc.record({
      at: fc.double({ min: 0, max: 0.9999, noNaN: true }),
      bit: fc.nat(7),
    });
    fc.assert(
      fc.property(packets, change, (chosen, { at, bit }) => {
        const { packet, header } = largePacket({ ...chosen, length: chosen.size + 100 });
        const frames = cut(packet, header);
        const changed = frames[1].slice();
        changed[Math.floor(at * changed.length)] ^= 1 << bit;
        const merger = new FrameMerger();
        merger.begin(frames[0], frames[0].length, ALL);
        expect(merger.append(changed, changed.length)).toBe(false);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});
