// Streams between two ends: whatever the order in which they write, send, receive, read and tell of their
// credit, bytes arrive in order and once, nobody sends beyond what the other has room for, and nobody waits
// for ever. And a device that is sent arbitrary packets answers or reports, but never fails.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  STATUS,
  VSOCK_QUEUE,
  VSOCK_SEQ,
  VsockHeader,
  VsockStream,
} from '../../platform/virtio/index.ts';
import { DeviceBench } from '../support/device-bench.ts';

interface Packet {
  readonly bytes: Uint8Array;
  readonly bufAlloc: number;
  readonly fwdCnt: number;
}

class End {
  readonly stream: VsockStream;
  readonly written: number[] = [];
  readonly read: number[] = [];
  /** Packets on their way to the other end. */
  readonly wire: Packet[] = [];

  constructor(buffer: number) {
    this.stream = new VsockStream(buffer);
  }

  write(count: number): void {
    const bytes = Uint8Array.from({ length: count }, (_, i) => (this.written.length + i) % 253);
    this.written.push(...bytes);
    this.stream.write(bytes, 0, count);
  }

  send(limit: number, evenEmpty: boolean): void {
    const bytes = new Uint8Array(limit);
    const count = this.stream.take(bytes, 0, limit);
    if (count === 0 && !evenEmpty) return;
    const header = new VsockHeader();
    this.stream.stamp(header);
    const { bufAlloc, fwdCnt } = header;
    this.wire.push({ bytes: bytes.subarray(0, count), bufAlloc, fwdCnt });
  }

  receive(packet: Packet): void {
    this.stream.learn(Object.assign(new VsockHeader(), packet));
    expect(this.stream.receive(packet.bytes, 0, packet.bytes.length)).toBe(true);
  }

  consume(limit: number): void {
    const bytes = new Uint8Array(limit);
    const count = this.stream.read(bytes, limit);
    this.read.push(...bytes.subarray(0, count));
    if (this.stream.owesUpdate) this.send(0, true);
  }
}

const act = fc.tuple(
  fc.constantFrom('write', 'send', 'receive', 'receive', 'consume'),
  fc.boolean(),
  fc.integer({ min: 1, max: 90 }),
);
const buffer = fc.integer({ min: 1, max: 200 });

it('carries every byte once and in order, within the credit, and never gets stuck', () => {
  fc.assert(
    fc.property(buffer, buffer, fc.array(act, { maxLength: 200 }), (first, second, acts) => {
      const [a, b] = [new End(first), new End(second)];
      const deliver = (from: End, to: End) => {
        const packet = from.wire.shift();
        if (packet !== undefined) to.receive(packet);
      };
      a.send(0, true);
      b.send(0, true);
      for (const [what, swap, count] of acts) {
        const [one, other] = swap ? [b, a] : [a, b];
        if (what === 'write') one.write(count);
        else if (what === 'send') one.send(count, false);
        else if (what === 'receive') deliver(other, one);
        else one.consume(count);
      }
      for (let round = 0; round < 5000; round++) {
        for (const [one, other] of [
          [a, b],
          [b, a],
        ]) {
          one.send(64, false);
          deliver(one, other);
          other.consume(64);
        }
      }
      expect(b.read).toEqual(a.written);
      expect(a.read).toEqual(b.written);
    }),
    { seed: 1, numRuns: 120 },
  );
});

const packetBytes = fc
  .record({
    srcCid: fc.constantFrom(42, 42, 42, 3, 0),
    dstCid: fc.constantFrom(2, 2, 2, 7),
    srcPort: fc.nat(3),
    dstPort: fc.constantFrom(7, 7, 7, 8),
    len: fc.oneof(fc.nat(40), fc.constant(0xffff_ffff)),
    type: fc.constantFrom(1, 1, 1, 2, 9),
    op: fc.nat(9),
    flags: fc.nat(4),
    bufAlloc: fc.oneof(fc.nat(100), fc.constant(0xffff_ffff)),
    fwdCnt: fc.oneof(fc.nat(100), fc.constant(0xffff_fff0)),
    payload: fc.uint8Array({ maxLength: 60 }),
    cut: fc.nat(120),
  })
  .map(({ payload, cut, ...fields }) => {
    const bytes = new Uint8Array(44 + payload.length);
    Object.assign(new VsockHeader(), fields).write(bytes, 0);
    bytes.set(payload, 44);
    return [...bytes.subarray(0, Math.max(1, bytes.length - (cut > 100 ? cut - 60 : 0)))];
  });

it('survives any packets', () => {
  fc.assert(
    fc.property(fc.array(packetBytes, { maxLength: 40 }), (packets) => {
      const dut = new DeviceBench('vsock', {
        options: { guestCid: 42, bufferSize: '64B', connections: 2 },
        queueSize: 128,
      });
      dut.start();
      for (let i = 0; i < 100; i++) dut.send(VSOCK_QUEUE.rx, [], [80]);
      dut.device.available(VSOCK_QUEUE.rx, 0);
      for (const bytes of packets) dut.send(VSOCK_QUEUE.tx, [bytes], []);
      dut.device.available(VSOCK_QUEUE.tx, 0);
      dut.run();
      // Every packet comes back, and the device is still there.
      const back = dut.returned.filter(({ queue }) => queue === VSOCK_QUEUE.tx);
      expect(back).toHaveLength(packets.length);
      expect(dut.device.status & STATUS.DEVICE_NEEDS_RESET).toBe(0);
      expect(dut.violations.every((code) => code === 'BAD_REQUEST')).toBe(true);
    }),
    { seed: 1, numRuns: 150 },
  );
});

it('keeps the ends of messages, however they are sent and read', () => {
  const message = fc.record({ length: fc.integer({ min: 1, max: 300 }), record: fc.boolean() });
  const parameters = fc.record({
    messages: fc.array(message, { minLength: 1, maxLength: 20 }),
    packet: fc.integer({ min: 1, max: 200 }),
    piece: fc.integer({ min: 1, max: 200 }),
    buffer: fc.integer({ min: 1, max: 400 }),
  });
  fc.assert(
    fc.property(parameters, ({ messages, packet, piece, buffer }) => {
      const from = new VsockStream(1);
      const to = new VsockStream(buffer);
      const flagsOf = (record: boolean) => (record ? VSOCK_SEQ.EOM | VSOCK_SEQ.EOR : VSOCK_SEQ.EOM);
      for (const { length, record } of messages) {
        from.write(new Uint8Array(length), 0, length, flagsOf(record));
      }
      const header = new VsockHeader();
      const bytes = new Uint8Array(400);
      const found: { length: number; record: boolean }[] = [];
      let length = 0;
      while (from.unsent > 0 || to.readable > 0) {
        to.stamp(header);
        from.learn(header);
        const taken = from.take(bytes, 0, packet);
        expect(to.receive(bytes, 0, taken, from.takenFlags)).toBe(true);
        length += to.read(bytes, piece);
        if (to.readFlags === 0) continue;
        found.push({ length, record: (to.readFlags & VSOCK_SEQ.EOR) !== 0 });
        length = 0;
      }
      expect(found).toEqual(messages);
      expect(length).toBe(0);
    }),
    { numRuns: 300, seed: 1 },
  );
});
