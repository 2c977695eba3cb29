// Message rings of buses, byte by byte: the SPSC queue of QEMU, Linux and Xen full, empty, wrapping and
// taken up again, with a producer beside the memory and a consumer across a link.
import { describe, expect, it } from 'vitest';
import { spscLayout } from '../../buses/common/index.ts';
import { ringUsed, slotOffset } from '../../buses/common/ring-layout.ts';
import { writeEventAvail, writeEventUsed } from '../../platform/virtio/messages/index.ts';
import {
  MessageRing,
  type MessageRingOptions,
  MICROSECOND,
  numbered,
  tokenOf,
} from '../support/message-ring-bench.ts';

const KIB = { layout: spscLayout(0, 1024), size: 1024 };

function bench(more: Partial<MessageRingOptions> = {}): MessageRing {
  return new MessageRing({ ...KIB, ...more });
}

/** A bench whose two sides are open and idle. */
function openBench(more: Partial<MessageRingOptions> = {}): MessageRing {
  const opened = bench(more);
  opened.sender.open();
  opened.receiver.open();
  opened.run();
  return opened;
}

function send(to: MessageRing, first: number, count: number): void {
  for (let token = first; token < first + count; token++) to.sender.send(numbered(token), 8);
}

const tokens = ({ frames }: MessageRing) => frames.map(tokenOf);
const range = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

describe('the layout of an SPSC queue', () => {
  it.each([
    [4096, 62],
    [1024, 14],
  ])('fills %i bytes with %i slots of 64 bytes', (size, slots) => {
    const layout = spscLayout(0x400, size);
    expect(layout).toMatchObject({ slots, capacity: slots - 1, indexSpan: slots, indexBytes: 4 });
    // Reference B0: head at 0x00, tail at 0x40, slots from 0x80.
    expect([layout.producerIndex, layout.consumerIndex]).toEqual([0x400, 0x440]);
    expect(slotOffset(layout, 0)).toBe(0x480);
    expect(slotOffset(layout, slots - 1) + 64).toBe(0x400 + size);
  });

  it('is empty when head equals tail, and full one before', () => {
    const layout = spscLayout(0, 1024);
    expect(ringUsed(layout, 5, 5)).toBe(0);
    expect(ringUsed(layout, 4, 5)).toBe(13);
    expect(ringUsed(layout, 0, 13)).toBe(1);
  });
});

describe('an SPSC queue in memory', () => {
  it('has the message in the first slot, padded with zeroes, and head 1', () => {
    const ring = openBench({ deaf: true });
    ring.nodes.linux.memory.fill(ring.base + 0x80, 128, 0xa5);
    ring.sender.send(numbered(0x1234, 12), 12);
    ring.run();
    expect(ring.hex(0x80, 64)).toBe(`0203000034120c00${'00'.repeat(56)}`);
    expect(ring.hex(0xc0, 64)).toBe('a5'.repeat(64));
    expect([ring.word(0), ring.word(0x40)]).toEqual([1, 0]);
    expect(ring.doorbells).toBe(1);
  });

  it('is empty again when the consumer has taken everything', () => {
    const ring = openBench();
    send(ring, 1, 5);
    ring.run();
    expect(tokens(ring)).toEqual(range(1, 5));
    expect([ring.word(0), ring.word(0x40)]).toEqual([5, 5]);
    // Nothing but the two indexes says what is in it: the slots keep their bytes.
    expect(ring.hex(0x80, 8)).toBe('0203000001000800');
  });

  it('takes 13 messages of 14 slots, then none until the consumer has moved', () => {
    const ring = openBench({ deaf: true });
    send(ring, 1, 20);
    ring.run(500 * MICROSECOND);
    expect([ring.word(0), ring.word(0x40), ring.doorbells]).toEqual([13, 0, 13]);
    expect(ring.sender.fullWaits).toBeGreaterThan(10);
    // The last slot was never written.
    expect(ring.hex(0x80 + 13 * 64, 64)).toBe('00'.repeat(64));
    ring.receiver.rung();
    ring.run();
    expect(tokens(ring)).toEqual(range(1, 13));
    expect([ring.word(0), ring.word(0x40)]).toEqual([6, 13]);
    ring.receiver.rung();
    ring.run();
    expect(tokens(ring)).toEqual(range(1, 20));
    expect([ring.word(0), ring.word(0x40)]).toEqual([6, 6]);
  });

  it('wraps: the index after 13 is 0', () => {
    const ring = openBench();
    for (let round = 0; round < 10; round++) {
      send(ring, round * 11, 11);
      ring.run();
      expect([ring.word(0), ring.word(0x40)]).toEqual([
        ((round + 1) * 11) % 14,
        ((round + 1) * 11) % 14,
      ]);
    }
    expect(tokens(ring)).toEqual(range(0, 110));
  });

  it('is taken up where a producer and a consumer before have left it', () => {
    const ring = openBench();
    send(ring, 1, 9);
    ring.run();
    ring.sender.close();
    ring.sender = ring.makeSender();
    ring.sender.send(numbered(10), 8);
    ring.sender.open();
    ring.run();
    ring.receiver.close();
    send(ring, 11, 8);
    ring.run();
    expect([ring.word(0), ring.word(0x40)]).toEqual([4, 10]);
    ring.receiver = ring.makeReceiver();
    // What lies there is found without a doorbell.
    ring.receiver.open();
    ring.run();
    expect(tokens(ring)).toEqual(range(1, 18));
    expect([ring.word(0), ring.word(0x40)]).toEqual([4, 4]);
  });

  it('keeps messages that are sent before it is there', () => {
    const ring = bench();
    send(ring, 1, 3);
    ring.run();
    expect(ring.word(0)).toBe(0);
    ring.sender.open();
    ring.receiver.open();
    ring.run();
    expect(tokens(ring)).toEqual([1, 2, 3]);
  });

  it('breaks when an index makes no sense, and stays broken', () => {
    for (const [offset, value] of [
      [0, 14],
      [0x40, 0xffff_ffff],
    ]) {
      const ring = bench();
      ring.nodes.linux.memory.writeU32(ring.base + offset, value);
      ring.sender.open();
      ring.receiver.open();
      ring.run();
      expect(ring.broken).toHaveLength(2);
      expect(ring.frames).toEqual([]);
    }
  });
});

describe('what waits for a slot', () => {
  it('a notification of a queue that has one waiting is merged with it', () => {
    const ring = openBench({ deaf: true });
    send(ring, 1, 14);
    ring.run(100 * MICROSECOND);
    const frame = new Uint8Array(16);
    const used = (device: number, queue: number) =>
      ring.sender.send(frame, writeEventUsed(frame, device, 0, queue));
    const available = (device: number, queue: number, next: number) =>
      ring.sender.send(frame, writeEventAvail(frame, device, 0, queue, next));
    used(1, 0);
    used(1, 0);
    used(1, 1);
    used(2, 0);
    available(1, 0, 0);
    available(1, 0, 0);
    // With NOTIFICATION_DATA each one says something else.
    available(1, 0, 7);
    available(1, 0, 8);
    expect(ring.sender.merged).toBe(2);
    ring.receiver.rung();
    ring.run();
    ring.receiver.rung();
    ring.run();
    expect(ring.frames.slice(14).map((hex) => hex.slice(2, 4))).toEqual([
      '42',
      '42',
      '42',
      '41',
      '41',
      '41',
    ]);
    used(1, 0);
    ring.run();
    expect(ring.sender.merged).toBe(2);
  });
});

describe('a consumer that may take three at a time', () => {
  it('wakes itself again for more', () => {
    const ring = openBench({ deaf: true, budget: 3 });
    send(ring, 1, 10);
    ring.run(50 * MICROSECOND);
    ring.receiver.rung();
    ring.run();
    expect(tokens(ring)).toEqual(range(1, 10));
    expect(ring.receiver.wakings).toBe(4);
  });

  it('leaves the rest to the next doorbell when it is told so', () => {
    const ring = openBench({ deaf: true, budget: 3, beyondBudget: 'wait' });
    send(ring, 1, 5);
    ring.run(50 * MICROSECOND);
    ring.receiver.rung();
    ring.run();
    expect(tokens(ring)).toEqual([1, 2, 3]);
    ring.receiver.rung();
    ring.run();
    expect(tokens(ring)).toEqual([1, 2, 3, 4, 5]);
  });

  it('remembers doorbells that came while it was at work', () => {
    const ring = openBench({ deaf: true, budget: 1, beyondBudget: 'wait' });
    send(ring, 1, 5);
    ring.run(50 * MICROSECOND);
    ring.onFrame = () => {
      if (ring.frames.length === 1) for (let i = 0; i < 3; i++) ring.receiver.rung();
    };
    ring.receiver.rung();
    ring.run();
    expect(tokens(ring)).toEqual([1, 2, 3, 4]);
  });
});

describe('what a message costs', () => {
  it('the producer writes without reading, the consumer makes two round trips', () => {
    const ring = openBench();
    const { linux, storage, kernel } = ring.nodes;
    const line = linux.costs.value(linux.timing.lineLatency);
    const charged = () => linux.costs.charges.counts[linux.timing.lineLatency];
    const before = charged();
    const reads = storage.costs.charges.counts[storage.timing.lineLatency];
    const start = kernel.now;
    let taken = 0;
    ring.onFrame = () => {
      taken = kernel.now - start;
    };
    send(ring, 1, 1);
    ring.run();
    // Answers to the consumer: head, slot, and head again to find nothing more.
    expect(charged() - before).toBe(3);
    // Its requests for them, and the posted write of tail.
    expect(storage.costs.charges.counts[storage.timing.lineLatency] - reads).toBe(4);
    const value = (id: number) => linux.costs.value(id);
    const { messageEncode, submit, workSwitch, messageHandle, memoryBandwidth } = linux.timing;
    const bytes = ((4 + 64) * 1e12) / value(memoryBandwidth);
    const cpu = value(messageEncode) + value(submit) + value(workSwitch) + value(messageHandle);
    expect(taken).toBe(cpu + 4 * line + bytes);
  });
});
