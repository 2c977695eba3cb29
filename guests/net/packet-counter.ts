// The far end of the `pktgen` workload: it counts the datagrams of each generator and tells the counts
// to whoever asks. Datagrams carry their send time; all clocks of a simulation agree.
import type { Node } from '../../platform/node/index.ts';
import type { NetStack } from './stack/index.ts';

/** The discard port (RFC 863). */
export const COUNTER_PORT = 9;
/** A datagram: kind, generator (le32 both), number and send time in ps (doubles); then anything. */
export const COUNTER_HEADER = 24;
export const COUNTER_KIND = { packet: 0, question: 1, answer: 2 } as const;
/** The answer after its kind and generator: seven doubles. */
export const COUNTER_ANSWER = 64;

/** What was counted of one generator. */
export interface PacketCounts {
  packets: number;
  /** Payload bytes. */
  bytes: number;
  /** Datagrams that came after a later one. */
  reordered: number;
  firstAt: number;
  lastAt: number;
  /** Sum of the times on the way, in ps, and the largest of them. */
  delaySum: number;
  delayMax: number;
}

const FIELDS: readonly (keyof PacketCounts)[] = [
  'packets',
  'bytes',
  'reordered',
  'firstAt',
  'lastAt',
  'delaySum',
  'delayMax',
];

function noCounts(): PacketCounts {
  return {
    packets: 0,
    bytes: 0,
    reordered: 0,
    firstAt: 0,
    lastAt: 0,
    delaySum: 0,
    delayMax: 0,
  };
}

/** Reads an answer. */
export function readCounts(view: DataView): PacketCounts {
  const counts = noCounts();
  for (const [i, field] of FIELDS.entries()) counts[field] = view.getFloat64(8 + 8 * i, true);
  return counts;
}

/** Lets a stack count datagrams. */
export function servePacketCounts(node: Node, stack: NetStack): void {
  const byGenerator = new Map<number, { counts: PacketCounts; next: number }>();
  stack.udp.listen(COUNTER_PORT, ({ source, sourcePort, bytes, offset, length }) => {
    if (length < COUNTER_HEADER) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
    const kind = view.getUint32(0, true);
    const generator = view.getUint32(4, true);
    const known = byGenerator.get(generator) ?? { counts: noCounts(), next: 0 };
    byGenerator.set(generator, known);
    if (kind === COUNTER_KIND.packet) {
      const number = view.getFloat64(8, true);
      count(known.counts, length, node.kernel.now, node.kernel.now - view.getFloat64(16, true));
      if (number < known.next) known.counts.reordered++;
      known.next = Math.max(known.next, number + 1);
      return;
    }
    if (kind !== COUNTER_KIND.question) return;
    const place = { address: source, port: sourcePort, ownPort: COUNTER_PORT, mac: -1 };
    stack.udp.send(place, writeCounts(generator, known.counts));
  });
}

function count(counts: PacketCounts, bytes: number, now: number, delay: number): void {
  if (counts.packets === 0) counts.firstAt = now;
  counts.packets++;
  counts.bytes += bytes;
  counts.lastAt = now;
  counts.delaySum += delay;
  if (delay > counts.delayMax) counts.delayMax = delay;
}

function writeCounts(generator: number, counts: PacketCounts): Uint8Array {
  const answer = new Uint8Array(COUNTER_ANSWER);
  const view = new DataView(answer.buffer);
  view.setUint32(0, COUNTER_KIND.answer, true);
  view.setUint32(4, generator, true);
  for (const [i, field] of FIELDS.entries()) view.setFloat64(8 + 8 * i, counts[field], true);
  return answer;
}
