// The rings between threads: whatever goes in comes out, in order, whatever the size of ring and packet.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRing, PacketReader, PacketWriter } from '../../platform/hosts/packet-ring.ts';
import { type Component, Kernel, type Packet } from '../../platform/kernel/index.ts';

const NODE = 3;
const PORT = 5;

/** Keeps what arrives, as text. */
class Receiver implements Component {
  readonly received: string[] = [];
  deliver(): void {}
  receive(packet: Packet): void {
    this.received.push(textOf(packet));
  }
}

function textOf({ kind, a, b, c, d, bytes, length }: Packet): string {
  return `${kind} ${a} ${b} ${c} ${d} ${Buffer.from(bytes.subarray(0, length)).toString('hex')}`;
}

function setUp(ringSize: number, start = 0) {
  const kernel = new Kernel(NODE + 1);
  const receiver = new Receiver();
  kernel.bindPort(PORT, kernel.add(NODE, receiver));
  const ring = createRing(ringSize, start);
  const writer = new PacketWriter(ring);
  const reader = new PacketReader(ring, kernel);
  const sent: string[] = [];
  const send = (length: number) => {
    const packet = kernel.packets.acquire(length);
    const number = sent.length;
    packet.kind = number % 7;
    packet.a = number;
    packet.b = -1.5;
    packet.c = 2 ** 52 + number;
    packet.d = -number;
    for (let i = 0; i < length; i++) packet.bytes[i] = number + i * 7;
    sent.push(textOf(packet));
    writer.push(1000 + number, number, NODE, PORT, packet);
    kernel.packets.release(packet);
  };
  return { kernel, receiver, writer, reader, sent, send };
}

describe('a packet ring', () => {
  it('carries every packet whole and in order, through any ring', () => {
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 700 }) },
      fc.constant('flush' as const),
      fc.constant('drain' as const),
    );
    const ringSizes = fc.constantFrom(128, 256, 1024, 65536);
    fc.assert(
      fc.property(ringSizes, fc.array(action, { maxLength: 60 }), (ringSize, actions) => {
        const { kernel, receiver, writer, reader, sent, send } = setUp(ringSize);
        for (const step of actions) {
          if (step === 'flush') writer.flush();
          else if (step === 'drain') reader.drain();
          else send(step);
        }
        while (!writer.flush()) reader.drain();
        reader.drain();
        kernel.runUntil(Infinity);
        expect(receiver.received).toEqual(sent);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('passes a packet larger than itself in pieces', () => {
    const { kernel, receiver, writer, reader, sent, send } = setUp(128);
    send(1000);
    let rounds = 0;
    while (!writer.flush()) {
      rounds++;
      reader.drain();
    }
    // 17 lines, two at a time; the last flush finds room for the last one.
    expect(rounds).toBe(8);
    reader.drain();
    kernel.runUntil(Infinity);
    expect(receiver.received).toEqual(sent);
    expect(writer.spilled).toBe(1);
  });

  it('keeps the least arrival time until everything has been passed on', () => {
    const { writer, reader, send } = setUp(128);
    send(0);
    send(0);
    expect(writer.earliest).toBe(1000);
    expect(writer.flush()).toBe(true);
    send(10);
    writer.beginRound();
    // The third packet still waits.
    expect(writer.earliest).toBe(1000);
    expect(writer.flush()).toBe(false);
    reader.drain();
    expect(writer.flush()).toBe(true);
    writer.beginRound();
    expect(writer.earliest).toBe(Infinity);
  });

  it('goes on when its positions overflow 32 bits', () => {
    const { kernel, receiver, writer, reader, sent, send } = setUp(256, 2 ** 31 - 500);
    for (let i = 0; i < 1000; i++) {
      send(i % 130);
      while (!writer.flush()) reader.drain();
      reader.drain();
    }
    kernel.runUntil(Infinity);
    expect(receiver.received).toEqual(sent);
  });
});
