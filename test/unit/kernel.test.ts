// The event kernel: order, limits, cancellation, livelock, packets, causes and the end of the clock.
import { describe, expect, it } from 'vitest';
import { AssertionError, RunError } from '../../platform/errors.ts';
import {
  CalendarQueue,
  CauseLog,
  END_OF_TIME,
  INSTANT_STEPS_MAX,
  Kernel,
  NO_EVENT,
  Packet,
  PS_PER_MS,
  PS_PER_S,
  Rank,
  randomStream,
} from '../../platform/kernel/index.ts';
import { Recorder } from '../support/kernel-recorder.ts';

describe('order', () => {
  it('delivers by time first', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    for (const delay of [30, 10, 20]) kernel.schedule(recorder.id, delay, delay);
    kernel.runUntil(Infinity);
    expect(recorder.deliveries.map(({ at, kind }) => [at, kind])).toEqual([
      [10, 10],
      [20, 20],
      [30, 30],
    ]);
  });

  it('delivers events of one instant by rank, then sender node, then sequence', () => {
    const kernel = new Kernel(3);
    const nodes = [0, 1, 2].map((node) => new Recorder(kernel, node));
    const order: string[] = [];
    nodes.forEach((recorder, node) => {
      recorder.react = ({ kind }) => order.push(`${node}:${kind}`);
    });
    // Kinds are 10 × rank + how many this node has scheduled before.
    for (const [node, rank, kind] of [
      [2, Rank.normal, 10],
      [1, Rank.observe, 20],
      [1, Rank.normal, 11],
      [0, Rank.observe, 20],
      [2, Rank.control, 1],
      [0, Rank.normal, 11],
      [2, Rank.normal, 12],
    ] as const) {
      kernel.schedule(nodes[node].id, 500, kind, 0, 0, rank);
    }
    kernel.runUntil(Infinity);
    expect(order).toEqual(['2:1', '0:11', '1:11', '2:10', '2:12', '0:20', '1:20']);
  });

  it('keeps events of one sender and instant in the order they were scheduled in', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    // More than any internal list is long, so that each way of holding ties is met.
    const count = 2_000;
    for (let i = 0; i < count; i++) kernel.schedule(recorder.id, 1_000_000, i);
    kernel.runUntil(Infinity);
    expect(recorder.kinds).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  it('delivers zero-delay events of an instant after those already due then', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    recorder.react = ({ kind }) => {
      if (kind < 3) kernel.schedule(recorder.id, 0, kind + 10);
    };
    for (const kind of [1, 2, 3]) kernel.schedule(recorder.id, 7, kind);
    kernel.runUntil(Infinity);
    expect(recorder.kinds).toEqual([1, 2, 3, 11, 12]);
    expect(kernel.now).toBe(7);
  });

  it('hands over kind, a and b as they are', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    kernel.schedule(recorder.id, 1, 2 ** 31 - 1, Number.MAX_SAFE_INTEGER, -0.5);
    kernel.schedule(recorder.id, 1, 3);
    kernel.runUntil(Infinity);
    expect(recorder.deliveries).toEqual([
      { at: 1, kind: 2 ** 31 - 1, a: Number.MAX_SAFE_INTEGER, b: -0.5 },
      { at: 1, kind: 3, a: 0, b: 0 },
    ]);
  });
});

describe('runUntil', () => {
  it('stops before the events at its limit, and goes on from there', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    for (const delay of [99, 100, 101]) kernel.schedule(recorder.id, delay, delay);
    expect(kernel.runUntil(100)).toBe(true);
    expect(recorder.kinds).toEqual([99]);
    expect(kernel.nextTime()).toBe(100);
    expect(kernel.runUntil(101)).toBe(true);
    expect(recorder.kinds).toEqual([99, 100]);
    expect(kernel.runUntil(Infinity)).toBe(true);
    expect(recorder.kinds).toEqual([99, 100, 101]);
    expect(kernel.nextTime()).toBe(Infinity);
    expect(kernel.events).toBe(3);
  });

  it('takes events before one it has already looked at', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    kernel.schedule(recorder.id, PS_PER_S, 1);
    expect(kernel.runUntil(10)).toBe(true);
    expect(kernel.nextTime()).toBe(PS_PER_S);
    for (let i = 0; i < 1000; i++) kernel.schedule(recorder.id, 1000 - i, 2);
    expect(kernel.nextTime()).toBe(1);
    kernel.runUntil(Infinity);
    expect(recorder.deliveries.map(({ at }) => at)).toEqual([
      ...Array.from({ length: 1000 }, (_, i) => i + 1),
      PS_PER_S,
    ]);
  });

  it('returns false after stop, which lets the event being delivered finish', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    recorder.react = ({ kind }) => {
      if (kind === 2) kernel.stop();
    };
    for (const kind of [1, 2, 3]) kernel.schedule(recorder.id, kind, kind);
    expect(kernel.runUntil(Infinity)).toBe(false);
    expect(recorder.kinds).toEqual([1, 2]);
    expect(kernel.runUntil(Infinity)).toBe(true);
    expect(recorder.kinds).toEqual([1, 2, 3]);
  });

  it('returns false when stop was called in the very last event', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    recorder.react = () => kernel.stop();
    kernel.schedule(recorder.id, 1, 1);
    expect(kernel.runUntil(50)).toBe(false);
    expect(kernel.runUntil(50)).toBe(true);
  });
});

describe('cancel', () => {
  // The queue holds few events in another way than many.
  it.each([1, 100])('takes a pending event out, once, beside %i others', (others) => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    const handle = kernel.schedule(recorder.id, 10, 1);
    for (let i = 0; i < others; i++) kernel.schedule(recorder.id, 20 + i, 2);
    expect(kernel.cancel(handle)).toBe(true);
    expect(kernel.cancel(handle)).toBe(false);
    expect(kernel.nextTime()).toBe(20);
    expect(kernel.cancel(handle)).toBe(false);
    kernel.runUntil(Infinity);
    expect(recorder.kinds).toEqual(new Array(others).fill(2));
    expect(kernel.events).toBe(others);
  });

  it('knows handles of delivered events, also when their record is used again', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    const handle = kernel.schedule(recorder.id, 10, 1);
    kernel.runUntil(11);
    expect(kernel.cancel(handle)).toBe(false);
    const next = kernel.schedule(recorder.id, 10, 2);
    expect(next).not.toBe(handle);
    expect(kernel.cancel(handle)).toBe(false);
    kernel.runUntil(Infinity);
    expect(recorder.kinds).toEqual([1, 2]);
  });

  it('finds the own handle stale inside the handler', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    const results: boolean[] = [];
    let handle = NO_EVENT;
    recorder.react = () => results.push(kernel.cancel(handle));
    handle = kernel.schedule(recorder.id, 10, 1);
    kernel.runUntil(Infinity);
    expect(results).toEqual([false]);
  });

  it('takes NO_EVENT for nothing', () => {
    expect(new Kernel(1).cancel(NO_EVENT)).toBe(false);
  });

  it('can be called in a handler for an event of the same instant', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    let second = NO_EVENT;
    recorder.react = () => kernel.cancel(second);
    kernel.schedule(recorder.id, 10, 1);
    second = kernel.schedule(recorder.id, 10, 2);
    kernel.schedule(recorder.id, 10, 3);
    kernel.runUntil(Infinity);
    expect(recorder.kinds).toEqual([1, 3]);
  });

  // Retry timers of 5 s that are re-armed 100,000 times per simulated second (arbitrary, but what
  // charts with a response timeout do under load): cancelled entries must not pile up.
  it.each([1, 50, 1000])(
    'leaves little behind of %i timers that are re-armed all the time',
    (count) => {
      const queue = new CalendarQueue();
      const kernel = new Kernel(1, null, queue);
      const recorder = new Recorder(kernel);
      const timers = new Array<number>(count).fill(NO_EVENT);
      let largest = 0;
      let left = 20_000;
      recorder.react = ({ kind }) => {
        if (kind !== 1) return;
        const index = left % count;
        kernel.cancel(timers[index]);
        timers[index] = kernel.schedule(recorder.id, 5 * PS_PER_S, 2);
        if (--left > 0) kernel.schedule(recorder.id, PS_PER_S / 100_000, 1);
        largest = Math.max(largest, queue.size);
      };
      kernel.schedule(recorder.id, 1, 1);
      kernel.runUntil(Infinity);
      expect(kernel.events).toBe(20_000 + count);
      // As many cancelled as live ones, and 64 that are not worth looking for.
      expect(largest).toBeLessThanOrEqual(2 * (count + 1) + 64);
    },
  );
});

describe('limits', () => {
  it('names the component of an endless chain of zero delays', () => {
    class Spinner extends Recorder {}
    const kernel = new Kernel(2);
    new Recorder(kernel, 1);
    const spinner = new Spinner(kernel, 1);
    spinner.react = ({ kind }) => kernel.schedule(spinner.id, 0, kind);
    kernel.schedule(spinner.id, 5, 77);
    const error = thrownBy(() => kernel.runUntil(Infinity));
    expect(error).toBeInstanceOf(RunError);
    expect((error as RunError).code).toBe('LIVELOCK');
    expect((error as RunError).message).toMatch(/kind 77 for Spinner \(component 1 of node 1\)/);
    expect(spinner.deliveries).toHaveLength(INSTANT_STEPS_MAX + 1);
  });

  it('lets a chain of exactly the limit pass, and starts again when time moves', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    let left = 2 * (INSTANT_STEPS_MAX + 1);
    recorder.react = () => {
      left--;
      if (left > 0) kernel.schedule(recorder.id, left % (INSTANT_STEPS_MAX + 1) === 0 ? 1 : 0, 1);
    };
    kernel.schedule(recorder.id, 5, 1);
    expect(kernel.runUntil(Infinity)).toBe(true);
    expect(left).toBe(0);
  });

  it('does not take many events of one instant for a livelock', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    for (let i = 0; i < 3 * INSTANT_STEPS_MAX; i++) kernel.schedule(recorder.id, 5, 1);
    expect(kernel.runUntil(Infinity)).toBe(true);
  });

  it('delivers at the last instant of the clock and schedules nothing beyond', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    kernel.schedule(recorder.id, END_OF_TIME, 1);
    expect(() => kernel.schedule(recorder.id, END_OF_TIME + 1, 1)).toThrow(AssertionError);
    kernel.runUntil(Infinity);
    expect(recorder.deliveries).toEqual([{ at: END_OF_TIME, kind: 1, a: 0, b: 0 }]);
    expect(() => kernel.schedule(recorder.id, 1, 1)).toThrow(AssertionError);
  });

  it('refuses delays that are below zero or not a number', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    expect(() => kernel.schedule(recorder.id, -1, 1)).toThrow(AssertionError);
    expect(() => kernel.schedule(recorder.id, Number.NaN, 1)).toThrow(AssertionError);
  });

  it('spends under a second on two hours with timers running', () => {
    const kernel = new Kernel(1);
    const recorder = new Recorder(kernel);
    // Periods of a clock tick, a watchdog and a statistics timer; 2 h is near the end of the clock.
    const periods = [10 * PS_PER_MS, 250 * PS_PER_MS, PS_PER_S];
    let ticks = 0;
    const component = kernel.add(0, {
      deliver(kind) {
        ticks++;
        kernel.schedule(component, periods[kind], kind);
      },
    });
    for (const kind of periods.keys()) kernel.schedule(component, periods[kind], kind);
    const started = performance.now();
    kernel.runUntil(7200 * PS_PER_S);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(ticks).toBe(720_000 - 1 + 28_800 - 1 + 7200 - 1);
    expect(recorder.deliveries).toEqual([]);
  });
});

describe('packets', () => {
  it('arrive after their delay with all they carry', () => {
    const kernel = new Kernel(2);
    const receiver = new Recorder(kernel, 1);
    kernel.bindPort(3, receiver.id);
    const packet = kernel.packets.acquire(4);
    Object.assign(packet, { kind: 9, a: 1, b: 2, c: 3, d: 4 });
    packet.bytes.set([5, 6, 7, 8]);
    kernel.send(0, 1, 3, 250, packet);
    kernel.runUntil(Infinity);
    expect(receiver.packets).toEqual([
      { at: 250, kind: 9, a: 1, b: 2, c: 3, d: 4, bytes: [5, 6, 7, 8] },
    ]);
  });

  it('are used again', () => {
    const kernel = new Kernel(2);
    const receiver = new Recorder(kernel, 1);
    kernel.bindPort(0, receiver.id);
    const seen = new Set<Packet>();
    for (let i = 0; i < 100; i++) {
      const packet = kernel.packets.acquire(100);
      seen.add(packet);
      kernel.send(0, 1, 0, 10, packet);
      kernel.runUntil(Infinity);
    }
    expect(seen.size).toBe(1);
    expect(receiver.packets).toHaveLength(100);
  });

  it.each([
    { length: 0, capacity: 128 },
    { length: 128, capacity: 128 },
    { length: 129, capacity: 256 },
    { length: 4096, capacity: 4096 },
    { length: 4097, capacity: 8192 },
  ])('of $length bytes get $capacity', ({ length, capacity }) => {
    const packet = new Kernel(1).packets.acquire(length);
    expect(packet).toBeInstanceOf(Packet);
    expect([packet.length, packet.bytes.length]).toEqual([length, capacity]);
  });

  it('for nodes hosted elsewhere go to the outbox and are recycled', () => {
    const sent: unknown[] = [];
    const outbox = {
      push: (at: number, key: number, node: number, port: number, { kind }: Packet) =>
        sent.push([at, key, node, port, kind]),
    };
    const kernel = new Kernel(2, outbox);
    const sender = new Recorder(kernel, 0);
    sender.react = () => {
      const packet = kernel.packets.acquire(1);
      packet.kind = 5;
      kernel.send(0, 1, 2, 30, packet);
      expect(kernel.packets.acquire(1)).toBe(packet);
    };
    kernel.schedule(sender.id, 100, 1);
    kernel.runUntil(Infinity);
    // The key: rank normal, node 0, and the second sequence number drawn there.
    expect(sent).toEqual([[130, 2 ** 51 + 1, 1, 2, 5]]);
  });

  it('cannot take no time, go to an unbound port, or arrive in the past', () => {
    const kernel = new Kernel(2);
    const receiver = new Recorder(kernel, 1);
    kernel.bindPort(0, receiver.id);
    const packet = () => kernel.packets.acquire(0);
    expect(() => kernel.send(0, 1, 0, 0, packet())).toThrow(AssertionError);
    expect(() => kernel.send(0, 1, 7, 10, packet())).toThrow(AssertionError);
    expect(() => kernel.bindPort(0, receiver.id)).toThrow(AssertionError);
    kernel.schedule(receiver.id, 100, 1);
    kernel.runUntil(Infinity);
    expect(() => kernel.accept(99, 1, 1, 0, packet())).toThrow(AssertionError);
  });

  it('to a node hosted nowhere are a bug of the host', () => {
    const kernel = new Kernel(2);
    expect(() => kernel.send(0, 1, 0, 10, kernel.packets.acquire(0))).toThrow(AssertionError);
  });
});

describe('causes', () => {
  it('tile the time before an event exactly', () => {
    const kernel = new Kernel(1);
    const causes = new CauseLog();
    kernel.causes = causes;
    const recorder = new Recorder(kernel);
    const random = randomStream(1, 'causes');
    const lastKeys: number[] = [];
    recorder.react = ({ kind }) => {
      lastKeys[0] = kernel.currentKey;
      if (kind === 50) return;
      // A delay of three parts, one of which may be nothing.
      const parts = [random.below(100), random.below(2), random.below(1000) + 1];
      for (const [label, part] of parts.entries()) causes.note(label, part);
      kernel.schedule(recorder.id, parts[0] + parts[1] + parts[2], kind + 1);
    };
    causes.note(0, 40);
    kernel.schedule(recorder.id, 40, 0);
    kernel.runUntil(Infinity);

    let total = 0;
    let steps = 0;
    for (let key = lastKeys[0]; key !== -1; steps++) {
      const index = causes.keys.indexOf(key);
      const start = index === 0 ? 0 : causes.partEnds[index - 1];
      const parts = causes.partDurations.slice(start, causes.partEnds[index]);
      total += parts.reduce((sum, part) => sum + part, 0);
      const parent = causes.parents[index];
      const parentTime = parent === -1 ? 0 : causes.times[causes.keys.indexOf(parent)];
      expect(parts.reduce((sum, part) => sum + part, 0)).toBe(causes.times[index] - parentTime);
      key = parent;
    }
    expect(steps).toBe(51);
    expect(total).toBe(kernel.now);
  });
});

function thrownBy(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
