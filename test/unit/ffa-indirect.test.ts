// FF-A indirect messages: one RX buffer at each receiver, BUSY while it is full, retries in between.
import { describe, expect, it } from 'vitest';
import { IndirectChannel } from '../../buses/ffa/indirect-channel.ts';
import { INDIRECT, RX_RELEASE } from '../../buses/ffa/packets.ts';
import { ffaTimingIds } from '../../buses/ffa/timing.ts';
import { Packet } from '../../platform/kernel/index.ts';
import { writeEventAvail } from '../../platform/virtio/messages/index.ts';
import { testNodes } from '../support/test-nodes.ts';

const MILLISECOND = 1_000_000_000;

/** One end, with what it posts and receives. */
function channel(depth = 128) {
  const { kernel, linux } = testNodes();
  const posted: { kind: number; at: number; queue: number }[] = [];
  const received: number[] = [];
  const timing = ffaTimingIds(linux.costs);
  const end = new IndirectChannel({
    node: linux,
    timing,
    maxMessageSize: 104,
    switchTime: timing.vmSwitch,
    scheduleTime: timing.schedule,
    depth,
    service: null,
    post: (packet) => {
      const { kind } = packet;
      posted.push({ kind, at: kernel.now, queue: packet.length > 8 ? packet.bytes[8] : -1 });
      kernel.packets.release(packet);
    },
    received: (bytes) => received.push(bytes[8]),
  });
  const frame = new Uint8Array(16);
  const send = (queue: number) => end.send(frame, writeEventAvail(frame, 0, 0, queue, 0));
  const incoming = (kind: number, queue = 0) => {
    const packet = new Packet(7);
    packet.kind = kind;
    packet.length = writeEventAvail(packet.bytes, 0, 0, queue, 0);
    end.receive(packet);
  };
  let until = 0;
  const run = (ms: number) => kernel.runUntil((until += ms * MILLISECOND));
  return { end, posted, received, send, incoming, run };
}

describe('sending', () => {
  it('fills the peer’s buffer and is refused until it is released, 10 ms later at the earliest', () => {
    const { end, posted, send, incoming, run } = channel();
    send(1);
    send(2);
    run(1);
    expect(posted.map(({ queue }) => queue)).toEqual([1]);
    expect(end.busy).toBe(1);
    incoming(RX_RELEASE);
    run(5);
    expect(posted.length).toBe(1);
    run(5);
    expect(posted.map(({ kind, queue }) => [kind, queue])).toEqual([
      [INDIRECT, 1],
      [INDIRECT, 2],
    ]);
    expect(posted[1].at - posted[0].at).toBeGreaterThan(10 * MILLISECOND);
    expect(end.sent).toBe(2);
  });

  it('goes on trying while the buffer stays full', () => {
    const { end, posted, send, run } = channel();
    send(1);
    send(2);
    run(51);
    expect([posted.length, end.busy]).toEqual([1, 6]);
  });
});

describe('the line of messages', () => {
  it('takes as many as it has places, and refuses the next', () => {
    const { end, send, run } = channel(2);
    expect([send(1), send(2), send(3)]).toEqual([true, true, false]);
    expect(end.refused).toBe(1);
    run(1);
    // The first has gone, the second still waits for the buffer.
    expect([send(4), send(5)]).toEqual([true, false]);
  });
});

describe('receiving', () => {
  it('takes an interrupt, releases the buffer and hands the message on', () => {
    const { end, posted, received, incoming, run } = channel();
    incoming(INDIRECT, 9);
    expect(received).toEqual([]);
    run(1);
    expect(received).toEqual([9]);
    expect(posted.map(({ kind }) => kind)).toEqual([RX_RELEASE]);
    expect(end.interrupts).toBe(1);
  });
});
