// The trace digest: it sees every field of every event, and nothing of the host. The same network of
// nodes is run with all nodes in one kernel, spread over several, and on each event queue.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CalendarQueue,
  type Component,
  combineDigests,
  type EventQueue,
  Kernel,
  type Outbox,
  type Packet,
  type RandomStream,
  randomStream,
} from '../../platform/kernel/index.ts';
import { HeapQueue } from '../bench/queues/heap-queue.ts';
import { LadderQueue } from '../bench/queues/ladder-queue.ts';
import { WheelQueue } from '../bench/queues/wheel-queue.ts';

const SEED = 1;
/** No packet arrives sooner than this after it was sent. */
const LATENCY = 500;
const END = 60_000;

/** Does a bit of everything at random: timers, zero delays, cancellations, packets to others. */
class Chatter implements Component {
  readonly #kernel: Kernel;
  readonly #node: number;
  readonly #nodeCount: number;
  readonly #random: RandomStream;
  readonly #id: number;
  #timer = -1;

  constructor(kernel: Kernel, node: number, nodeCount: number) {
    this.#kernel = kernel;
    this.#node = node;
    this.#nodeCount = nodeCount;
    this.#random = randomStream(SEED, `chatter/${node}`);
    this.#id = kernel.add(node, this);
    kernel.bindPort(0, this.#id);
    kernel.schedule(this.#id, this.#random.below(100), 1, node);
  }

  deliver(kind: number, a: number, b: number): void {
    const random = this.#random;
    const kernel = this.#kernel;
    if (kind !== 1) return;
    // Round delays, so that nodes meet at one instant.
    kernel.schedule(this.#id, 100 * (1 + random.below(8)), 1, a + 1, b * 0.5);
    if (random.ratio(1, 4)) kernel.schedule(this.#id, 0, 2, random.next());
    if (random.ratio(1, 8)) {
      kernel.cancel(this.#timer);
      this.#timer = kernel.schedule(this.#id, 5000, 2, -1);
    }
    if (random.ratio(1, 2)) this.#send(random.below(200));
  }

  receive({ bytes, length }: Packet): void {
    if (length > 0 && bytes[0] < 64) this.#kernel.schedule(this.#id, 100, 2, length, bytes[0]);
  }

  #send(length: number): void {
    const packet = this.#kernel.packets.acquire(length);
    Object.assign(packet, { kind: 3, a: this.#node, b: length, c: 1, d: 2 });
    for (let i = 0; i < length; i++) packet.bytes[i] = this.#random.next();
    const to = (this.#node + 1 + this.#random.below(this.#nodeCount - 1)) % this.#nodeCount;
    this.#kernel.send(this.#node, to, 0, LATENCY + 100 * this.#random.below(3), packet);
  }
}

/** Runs `groupOf.length` nodes, each in the kernel of its group, in windows of the latency. */
function run(groupOf: readonly number[], makeQueue: () => EventQueue): string {
  const count = Math.max(...groupOf) + 1;
  const letters: (() => void)[] = [];
  const outbox: Outbox = {
    push(at, key, toNode, toPort, packet) {
      const target = kernels[groupOf[toNode]];
      const copy = target.packets.acquire(packet.length);
      const { kind, a, b, c, d } = packet;
      Object.assign(copy, { kind, a, b, c, d });
      copy.bytes.set(packet.bytes.subarray(0, packet.length));
      letters.push(() => target.accept(at, key, toNode, toPort, copy));
    },
  };
  const kernels = Array.from(
    { length: count },
    () => new Kernel(groupOf.length, outbox, makeQueue()),
  );
  for (const [node, group] of groupOf.entries()) new Chatter(kernels[group], node, groupOf.length);
  for (let time = LATENCY; time <= END; time += LATENCY) {
    for (const kernel of kernels) kernel.runUntil(time);
    for (const deliver of letters.splice(0)) deliver();
  }
  return combineDigests(groupOf.map((group, node) => kernels[group].digestOf(node)));
}

const calendar = () => new CalendarQueue();
const reference = run([0, 0, 0, 0, 0], calendar);

describe('the digest of a network of nodes', () => {
  it('is the same however the nodes are grouped', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 5, maxLength: 5 }), (groups) => {
        // Groups must be numbered without gaps.
        const names = [...new Set(groups)];
        expect(
          run(
            groups.map((group) => names.indexOf(group)),
            calendar,
          ),
        ).toBe(reference);
      }),
      { seed: SEED, numRuns: 12 },
    );
  });

  it.each<[string, () => EventQueue]>([
    ['4-ary heap', () => new HeapQueue()],
    ['ladder', () => new LadderQueue()],
    ['timing wheel', () => new WheelQueue()],
  ])('is the same on a %s', (_name, makeQueue) => {
    expect(run([0, 1, 0, 1, 2], makeQueue)).toBe(reference);
  });

  it('differs for another number of nodes', () => {
    expect(run([0, 0, 0, 0], calendar)).not.toBe(reference);
  });
});

interface Event {
  readonly at: number;
  readonly node: number;
  readonly component: number;
  readonly kind: number;
  readonly a: number;
  readonly b: number;
}

/** The digest of a run that delivers just these events, in this order if they are simultaneous. */
function digestOf(events: readonly Event[]): string {
  const kernel = new Kernel(2);
  const ids = [0, 1].map((node) => [0, 1].map(() => kernel.add(node, { deliver: () => {} })));
  for (const { at, node, component, kind, a, b } of events) {
    kernel.schedule(ids[node][component], at, kind, a, b);
  }
  kernel.runUntil(Infinity);
  return combineDigests([kernel.digestOf(0), kernel.digestOf(1)]);
}

const number = fc.oneof(fc.nat(3), fc.maxSafeNat(), fc.double({ noNaN: true }));
const event: fc.Arbitrary<Event> = fc.record({
  at: fc.oneof(fc.nat(10), fc.maxSafeNat()),
  node: fc.nat(1),
  component: fc.nat(1),
  kind: fc.oneof(fc.nat(3), fc.nat(2 ** 31 - 1)),
  a: number,
  b: number,
});

describe('the digest of a list of events', () => {
  it('changes with any field of any event', () => {
    const field = fc.constantFrom('at', 'node', 'component', 'kind', 'a', 'b');
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 1 }),
        fc.nat(),
        field,
        event,
        (events, n, key, by) => {
          const index = n % events.length;
          const changed = events.with(index, { ...events[index], [key]: by[key as keyof Event] });
          fc.pre(!Object.is(changed[index][key as keyof Event], events[index][key as keyof Event]));
          expect(digestOf(changed)).not.toBe(digestOf(events));
        },
      ),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('changes when an event is left out, or a and b are swapped', () => {
    const events: Event[] = [1, 2, 3].map((at) => {
      return { at, node: 0, component: 0, kind: 1, a: 1, b: 2 };
    });
    expect(digestOf(events.slice(1))).not.toBe(digestOf(events));
    expect(digestOf(events.slice(0, 2))).not.toBe(digestOf(events));
    expect(digestOf(events.with(1, { ...events[1], a: 2, b: 1 }))).not.toBe(digestOf(events));
  });

  it('changes with each number and byte of a packet', () => {
    const digest = (change: Partial<Packet>, length: number, byte: number) => {
      const kernel = new Kernel(2);
      kernel.bindPort(0, kernel.add(1, { deliver: () => {}, receive: () => {} }));
      const packet = kernel.packets.acquire(length);
      packet.bytes.fill(0);
      packet.bytes[byte] = 1;
      Object.assign(packet, { kind: 1, a: 2, b: 3, c: 4, d: 5 }, change);
      kernel.send(0, 1, 0, 10, packet);
      kernel.runUntil(Infinity);
      return combineDigests([kernel.digestOf(1)]);
    };
    // Long packets enter by their first and last 64 bytes.
    const bytes = [0, 1, 51, 63, 437, 499].map((byte) => digest({}, 500, byte));
    const shorts = [0, 64, 127].map((byte) => digest({}, 128, byte));
    const fields = ['kind', 'a', 'b', 'c', 'd'].map((name) => digest({ [name]: 99 }, 128, 0));
    const all = [...bytes, ...shorts, ...fields];
    expect(new Set(all).size).toBe(all.length);
    expect(digest({}, 500, 100)).toBe(digest({}, 500, 200));
  });

  it('combines lanes in node order', () => {
    expect(combineDigests([])).toMatch(/^[0-9a-f]{16}$/);
    expect(
      combineDigests([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ).not.toBe(
      combineDigests([
        [4, 5, 6],
        [1, 2, 3],
      ]),
    );
  });
});
