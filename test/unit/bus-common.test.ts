// Small parts that buses share: the queue of frames, the counter of messages.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameQueue, MessageCounter } from '../../buses/common/index.ts';
import { ffaBytes, ffaCodec } from '../support/ffa-peers.ts';

describe('a queue of frames', () => {
  it('is first in, first out, whatever is pushed and taken (seed 1)', () => {
    const actions = fc.array(fc.option(fc.nat(255)), { maxLength: 200 });
    fc.assert(
      fc.property(actions, (steps) => {
        const queue = new FrameQueue(4);
        const model: number[] = [];
        let most = 0;
        for (const value of steps) {
          if (value === null) {
            if (model.length === 0) continue;
            const { bytes, length, mark } = queue.shift();
            const expected = model.shift()!;
            expect([bytes[0], length, mark]).toEqual([expected, 1 + (expected % 4), expected]);
          } else {
            queue.push(new Uint8Array(4).fill(value), 1 + (value % 4), value);
            model.push(value);
          }
          most = Math.max(most, model.length);
          expect([queue.length, queue.highWater]).toEqual([model.length, most]);
        }
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('copies what is pushed, and can be emptied', () => {
    const queue = new FrameQueue(2);
    const frame = Uint8Array.of(1, 2);
    queue.push(frame, 2);
    frame.fill(9);
    expect([...queue.peek().bytes]).toEqual([1, 2]);
    queue.clear();
    expect(queue.length).toBe(0);
    queue.push(frame, 1);
    expect([queue.peek().bytes[0], queue.shift().length]).toEqual([9, 1]);
  });
});

describe('a counter of messages', () => {
  it('counts by name, requests and responses alike, and the unknown ones too', () => {
    const counter = new MessageCounter(ffaCodec(), undefined);
    const ping = { type: 'req.PING', dev: 0, token: 1, body: { data: 1 } };
    for (const message of [ping, { ...ping, type: 'res.PING' }]) {
      const bytes = ffaBytes(message);
      counter.count(bytes, bytes.length);
    }
    counter.count(Uint8Array.of(0, 0x42, 1, 0, 0, 0, 12, 0, 0, 0, 0, 0), 12);
    counter.count(Uint8Array.of(0, 0x3e, 1, 0, 0, 0, 8, 0), 8);
    expect(counter.byName()).toEqual({ PING: 2, EVENT_USED: 1, unknown: 1 });
    expect([counter.messages, counter.bytes]).toEqual([4, 44]);
  });
});
