// Every event queue against a sorted list: the order is exact, whatever the mix of times, ties and
// cancellations. The calendar queue is the kernel's; the others are the candidates it was chosen from.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CalendarQueue,
  type EventQueue,
  Layout,
  randomStream,
} from '../../platform/kernel/index.ts';
import { HeapQueue } from '../bench/queues/heap-queue.ts';
import { LadderQueue } from '../bench/queues/ladder-queue.ts';
import { WheelQueue } from '../bench/queues/wheel-queue.ts';

const { FLOATS_SHIFT, KEY, NO_SLOT, TARGET, WORDS_SHIFT } = Layout;
const SEED = 1;

interface Entry {
  readonly time: number;
  readonly key: number;
}

/** A queue and what it should hold. Times never go behind the last one taken, as in a kernel. */
class Checked {
  readonly queue: EventQueue;
  now = 0;
  taken = 0;
  readonly pending: number[] = [];
  readonly #live = new Map<number, Entry>();
  /** Entries in order; cancelled ones are removed. */
  #model: Entry[] = [];
  #sequence = 0;

  constructor(queue: EventQueue) {
    this.queue = queue;
  }

  get size(): number {
    return this.#model.length;
  }

  /** `sender` is the upper part of the key, so that keys do not come in order. */
  push(delay: number, sender: number): void {
    const entry = { time: this.now + delay, key: sender * 2 ** 35 + this.#sequence++ };
    const { queue } = this;
    const slot = queue.takeSlot();
    queue.floats[slot << FLOATS_SHIFT] = entry.time;
    queue.floats[(slot << FLOATS_SHIFT) | KEY] = entry.key;
    queue.words[(slot << WORDS_SHIFT) | TARGET] = 0;
    queue.push(slot);
    this.#live.set(slot, entry);
    this.pending.push(slot);
    this.#model.splice(this.#place(entry), 0, entry);
  }

  /** Takes the first live entry, as the kernel does, and compares it with the model's. */
  take(): void {
    const { queue } = this;
    for (;;) {
      const slot = queue.first();
      if (slot === NO_SLOT) {
        expect(this.#model).toEqual([]);
        return;
      }
      queue.removeFirst();
      if (queue.isCancelled(slot)) {
        queue.drop(slot);
        continue;
      }
      const expected = this.#model.shift()!;
      const got = queue.floats[slot << FLOATS_SHIFT];
      const key = queue.floats[(slot << FLOATS_SHIFT) | KEY];
      if (got !== expected.time || key !== expected.key)
        expect({ time: got, key }).toEqual(expected);
      this.now = expected.time;
      this.#live.delete(slot);
      this.pending.splice(this.pending.indexOf(slot), 1);
      queue.release(slot);
      this.taken++;
      return;
    }
  }

  /** Takes all that is left, and then finds the queue empty. */
  drain(): void {
    while (this.size > 0) this.take();
    this.take();
    expect(this.queue.size).toBe(0);
  }

  cancel(index: number): void {
    const slot = this.pending[index % this.pending.length];
    const entry = this.#live.get(slot)!;
    this.#model.splice(this.#place(entry), 1);
    this.#live.delete(slot);
    this.pending.splice(this.pending.indexOf(slot), 1);
    this.queue.cancel(slot);
  }

  #place({ time, key }: Entry): number {
    let low = 0;
    let high = this.#model.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#model[middle];
      if (other.time < time || (other.time === time && other.key < key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const QUEUES: readonly [string, () => EventQueue][] = [
  ['calendar', () => new CalendarQueue()],
  ['4-ary heap', () => new HeapQueue()],
  ['ladder', () => new LadderQueue()],
  ['timing wheel', () => new WheelQueue()],
];

const delays = fc.oneof(
  fc.constant(0),
  fc.nat(3),
  fc.nat(10_000),
  fc.nat(300).map((n) => n * 1000),
  fc.nat(2 ** 42),
);
const commands = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fc.constant('push'), delays, fc.nat(3)) },
    { weight: 3, arbitrary: fc.tuple(fc.constant('take'), fc.constant(0), fc.constant(0)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('peek'), fc.constant(0), fc.constant(0)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('cancel'), fc.nat(1000), fc.constant(0)) },
  ),
  { maxLength: 400, size: 'max' },
);

describe.each(QUEUES)('%s queue', (_name, make) => {
  it('agrees with a sorted list on any short sequence of operations', () => {
    fc.assert(
      fc.property(commands, (list) => {
        const checked = new Checked(make());
        for (const [what, number, sender] of list) {
          if (what === 'push') checked.push(number, sender);
          else if (what === 'take') checked.take();
          else if (what === 'peek') checked.queue.first();
          else if (checked.pending.length > 0) checked.cancel(number);
        }
        checked.drain();
      }),
      { seed: SEED, numRuns: 150 },
    );
  });

  // Long enough for widths to be tuned, buckets to be resized and lists to be compacted.
  it.each([
    { spread: 'uniform', pending: 300, delay: (r: number) => 1 + (r % 10_000) },
    { spread: 'heavily tied', pending: 2000, delay: (r: number) => (r % 3) * 1000 },
    { spread: 'bimodal', pending: 700, delay: (r: number) => (r % 10 ? r % 100 : r % 10_000_000) },
    { spread: 'at one instant', pending: 500, delay: (r: number) => (r % 200 ? 0 : 5) },
    { spread: 'sparse then dense', pending: 40, delay: (r: number) => (r % 64 ? r % 50 : r) },
  ])('agrees with a sorted list over a long run, delays $spread', ({ pending, delay }) => {
    const checked = new Checked(make());
    const random = randomStream(SEED, 'queue');
    while (checked.taken < 12_000) {
      const draw = random.below(16);
      // Grows to the wanted size and is then held there, with a few cancellations.
      if (checked.size < pending && draw < 10) checked.push(delay(random.next()), random.below(4));
      else if (draw === 15 && checked.size > 0) checked.cancel(random.next());
      else if (draw === 14) checked.queue.first();
      else checked.take();
    }
    checked.drain();
  });

  it('agrees with a sorted list while it grows and shrinks', () => {
    const checked = new Checked(make());
    const random = randomStream(SEED, 'waves');
    for (let wave = 0; wave < 40; wave++) {
      const size = [900, 2, 60, 300][wave % 4];
      const spread = [500, 20, 100_000, 3_000][random.below(4)];
      while (checked.size < size) checked.push(random.below(spread), random.below(4));
      // Long enough at one size for a change to be noticed.
      for (let i = 0; i < 700; i++) {
        checked.take();
        if (i % 3 === 0 && checked.size > 0) checked.cancel(random.next());
        while (checked.size < size) checked.push(random.below(spread), random.below(4));
      }
      while (checked.size > 2) checked.take();
    }
    checked.drain();
  });

  it('keeps few cancelled entries, however many are cancelled', () => {
    const checked = new Checked(make());
    const random = randomStream(SEED, 'timers');
    let largest = 0;
    // A hundred timers far ahead, each re-armed again and again.
    for (let i = 0; i < 100; i++) checked.push(5_000_000 + random.below(1000), 0);
    for (let i = 0; i < 20_000; i++) {
      checked.cancel(random.below(100));
      checked.push(5_000_000 + random.below(1000), 0);
      largest = Math.max(largest, checked.queue.size);
    }
    expect(largest).toBeLessThan(300);
    checked.drain();
    expect(checked.taken).toBe(100);
  });
});
