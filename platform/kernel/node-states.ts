// What the kernel keeps of each node: the next sequence number, how many events it got, and the two
// lanes of its trace digest. 32 bytes a node: two doubles, then two 32-bit words.
import { Layout } from './event-queue.ts';
import type { Packet } from './packet.ts';

const { KIND } = Layout;
const A_WORD = Layout.ARGUMENT_A * 2;
const B_WORD = Layout.ARGUMENT_B * 2;
const FLOATS_SHIFT = 2;
const WORDS_SHIFT = 3;
const SEQUENCE = 0;
const EVENTS = 1;
const LANE_X = 4;
const LANE_Y = 5;

/** Packets up to this length enter the digest whole, longer ones by length and both ends. */
const DIGESTED_WHOLE = 128;
const DIGESTED_END = 64;

const { imul } = Math;
/** Odd numbers without a pattern: multiplying by them can be undone. */
const MIX_A = 0x9e3779b1;
const MIX_B = 0x85ebca77;

export class NodeStates {
  readonly count: number;
  readonly #floats: Float64Array;
  readonly #words: Int32Array;

  /** Sequence numbers of node n start at n × `sequenceSpan`, which makes them part of a key. */
  constructor(count: number, sequenceSpan: number) {
    this.count = count;
    this.#floats = new Float64Array(count << FLOATS_SHIFT);
    this.#words = new Int32Array(this.#floats.buffer);
    for (let node = 0; node < count; node++) {
      this.#floats[(node << FLOATS_SHIFT) | SEQUENCE] = node * sequenceSpan;
    }
  }

  /** Draws the next sequence number of a node. */
  nextSequence(node: number): number {
    return this.#floats[(node << FLOATS_SHIFT) | SEQUENCE]++;
  }

  /** Events delivered to all nodes. */
  get events(): number {
    let sum = 0;
    for (let node = 0; node < this.count; node++) {
      sum += this.#floats[(node << FLOATS_SHIFT) | EVENTS];
    }
    return sum;
  }

  /** Both lanes of the digest, and the count of events. */
  lanesOf(node: number): readonly [number, number, number] {
    const word = node << WORDS_SHIFT;
    return [
      this.#words[word | LANE_X],
      this.#words[word | LANE_Y],
      this.#floats[(node << FLOATS_SHIFT) | EVENTS],
    ];
  }

  /**
   * Counts an event and mixes its time, target, kind, a and b into the lanes. `record` is where the
   * event's record starts in `words`. Doubles enter with both their words, so that no bit of them
   * is lost. Each step can be undone, so that none forgets what the lanes have seen.
   */
  digest(node: number, index: number, words: Int32Array, record: number): void {
    const state = this.#words;
    const lanes = node << WORDS_SHIFT;
    let x = state[lanes | LANE_X];
    let y = state[lanes | LANE_Y];
    x = imul(x ^ words[record], MIX_A) ^ words[record | 1];
    x = imul(x ^ words[record | KIND] ^ (index << 12), MIX_B);
    y = imul(y ^ words[record | A_WORD], MIX_A) ^ words[record | (A_WORD + 1)];
    y = imul(y ^ words[record | B_WORD], MIX_B) ^ words[record | (B_WORD + 1)];
    x ^= y >>> 15;
    state[lanes | LANE_X] = x;
    state[lanes | LANE_Y] = y + x;
    this.#floats[(node << FLOATS_SHIFT) | EVENTS]++;
  }

  /** Mixes the rest of a packet, whose `kind`, `a` and `b` are its event's, into the lanes. */
  digestPacket(node: number, packet: Packet): void {
    const { bytes, length } = packet;
    const lanes = node << WORDS_SHIFT;
    let x = this.#words[lanes | LANE_X] ^ length ^ (packet.c | 0);
    const y = (packet.d | 0) + 0x165667b1;
    const head = length <= DIGESTED_WHOLE ? length : DIGESTED_END;
    for (let i = 0; i < head; i++) x = imul(x ^ bytes[i], 0x01000193);
    for (let i = Math.max(head, length - DIGESTED_END); i < length; i++) {
      x = imul(x ^ bytes[i], 0x01000193);
    }
    this.#words[lanes | LANE_X] = imul(x ^ (x >>> 15), MIX_A) ^ y;
  }
}
