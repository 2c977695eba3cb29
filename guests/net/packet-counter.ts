// The far end of the `pktgen` workload: it counts the datagrams of each generator and tells the counts
// to whoever asks. Datagrams carry their send time; all clocks of a simulation agree.
import type { Node } from '../../platform/node/index.ts';
import {
  LATENCY_KEYS,
  LatencyRecorder,
  type LatencySummary,
  NO_LATENCIES,
} from '../../platform/observe/index.ts';
import type { NetStack } from './stack/index.ts';

/** The discard port (RFC 863). */
export const COUNTER_PORT = 9;
/** A datagram: kind, generator (le32 both), number and send time in ps (doubles); then anything. */
export const COUNTER_HEADER = 24;
export const COUNTER_KIND = { packet: 0, question: 1, answer: 2 } as const;

/** What was counted of one generator. */
export interface PacketCounts {
  readonly packets: number;
  /** Payload bytes. */
  readonly bytes: number;
  /** Datagrams that came after a later one. */
  readonly reordered: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** Times on the way. */
  readonly delays: LatencySummary;
}

/** The figures of an answer, in their order: doubles, from byte 8 on. */
const COUNTS = ['packets', 'bytes', 'reordered', 'firstAt', 'lastAt'] as const;
const FIGURES_AT = 8;
const ANSWER_SIZE = FIGURES_AT + 8 * (COUNTS.length + LATENCY_KEYS.length);

/** Reads an answer; null when it is too short to be one. */
export function readCounts(view: DataView): PacketCounts | null {
  if (view.byteLength < ANSWER_SIZE) return null;
  const figures = <Name extends string>(names: readonly Name[], first: number) =>
    Object.fromEntries(
      names.map((name, i) => [name, view.getFloat64(FIGURES_AT + 8 * (first + i), true)]),
    ) as Record<Name, number>;
  const counts = figures(COUNTS, 0);
  const delays = counts.packets === 0 ? NO_LATENCIES : figures(LATENCY_KEYS, COUNTS.length);
  return { ...counts, delays };
}

class Counter {
  packets = 0;
  bytes = 0;
  reordered = 0;
  firstAt = 0;
  lastAt = 0;
  readonly #delays = new LatencyRecorder();
  #next = 0;

  count(view: DataView, now: number): void {
    if (this.packets === 0) this.firstAt = now;
    this.packets++;
    this.bytes += view.byteLength;
    this.lastAt = now;
    this.#delays.record(now - view.getFloat64(16, true));
    const number = view.getFloat64(8, true);
    if (number < this.#next) this.reordered++;
    this.#next = Math.max(this.#next, number + 1);
  }

  answer(generator: number): Uint8Array {
    const bytes = new Uint8Array(ANSWER_SIZE);
    const view = new DataView(bytes.buffer);
    const delays = this.#delays.summary();
    view.setUint32(0, COUNTER_KIND.answer, true);
    view.setUint32(4, generator, true);
    const figures = [
      ...COUNTS.map((name) => this[name]),
      ...LATENCY_KEYS.map((key) => delays[key] ?? 0),
    ];
    for (const [i, figure] of figures.entries()) view.setFloat64(FIGURES_AT + 8 * i, figure, true);
    return bytes;
  }
}

/** Lets a stack count datagrams. */
export function servePacketCounts(node: Node, stack: NetStack): void {
  const counters = new Map<number, Counter>();
  stack.udp.listen(COUNTER_PORT, ({ source, sourcePort, bytes, offset, length }) => {
    if (length < COUNTER_HEADER) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
    const kind = view.getUint32(0, true);
    const generator = view.getUint32(4, true);
    const counter = counters.get(generator) ?? new Counter();
    counters.set(generator, counter);
    if (kind === COUNTER_KIND.packet) counter.count(view, node.kernel.now);
    if (kind !== COUNTER_KIND.question) return;
    const place = { station: source, port: sourcePort, ownPort: COUNTER_PORT };
    stack.udp.send(place, counter.answer(generator));
  });
}
