// The causes that the groups of a run recorded, joined into one: for any event of the run, why it
// happened when it did. A chain of causes tiles the time before an event without gaps, because each
// event is scheduled at the very instant its cause is delivered.
import { assert } from '../../errors.ts';
import type { AnatomyRecord } from '../../hosts/index.ts';

/** The parent of what was scheduled before the first event. */
const START_OF_RUN = -1;
// Layout of an order key, see the kernel: rank × nodes × sequences + node × sequences + sequence.
const SEQUENCE_SPAN = 2 ** 35;
const NODE_SPAN = 65_536;

/** A piece of a delay with one explanation. */
export interface Piece {
  /** Index of a timing constant, or a negative wait label; null when nobody explained it. */
  readonly label: number | null;
  /** Index of the node that had to spend the time. */
  readonly node: number;
  readonly start: number;
  readonly end: number;
  /** It began before the asked-for interval; only its rest is in here. */
  readonly cut: boolean;
}

type Causes = AnatomyRecord['causes'];

/** The node that scheduled the event of this order key. */
export function nodeOfKey(key: number): number {
  return Math.floor(key / SEQUENCE_SPAN) % NODE_SPAN;
}

export class CauseIndex {
  readonly #records: readonly Causes[];
  /** Order key to position: record number + records × index in it. */
  readonly #positions = new Map<number, number>();

  constructor(records: readonly Causes[]) {
    this.#records = records;
    for (const [number, { keys }] of records.entries()) {
      for (let i = 0; i < keys.length; i++) {
        this.#positions.set(keys[i], number + records.length * i);
      }
    }
  }

  /**
   * The pieces that the time from `since` to the event `key` is made of, following the chain of
   * causes back. They tile it exactly. `timer` labels a delay in which nothing was noted.
   */
  piecesBefore(key: number, since: number, timer: number): Piece[] {
    const chain: number[] = [];
    for (let at = key; at !== START_OF_RUN && this.#timeOf(at) > since; at = this.#parentOf(at)) {
      chain.push(at);
    }
    return chain.reverse().flatMap((event) => this.#piecesOf(event, since, timer));
  }

  /** The pieces of one event's delay, from `since` on. */
  #piecesOf(key: number, since: number, timer: number): Piece[] {
    const { causes, index } = this.#find(key);
    const node = nodeOfKey(key);
    const end = causes.times[index];
    let start = this.#timeOf(causes.parents[index]);
    const pieces: Piece[] = [];
    const add = (label: number | null, until: number) => {
      const cut = start < since;
      if (until > since)
        pieces.push({ label, node, start: Math.max(start, since), end: until, cut });
      start = until;
    };
    const firstPart = index === 0 ? 0 : causes.partEnds[index - 1];
    const endPart = causes.partEnds[index];
    for (let part = firstPart; part < endPart; part++) {
      add(causes.partLabels[part], start + causes.partDurations[part]);
    }
    assert(start <= end, `the parts of a delay are longer than the delay, by ${start - end} ps`);
    if (start < end) add(firstPart === endPart ? timer : null, end);
    return pieces;
  }

  #timeOf(key: number): number {
    if (key === START_OF_RUN) return 0;
    const { causes, index } = this.#find(key);
    return causes.times[index];
  }

  #parentOf(key: number): number {
    const { causes, index } = this.#find(key);
    return causes.parents[index];
  }

  #find(key: number): { causes: Causes; index: number } {
    const position = this.#positions.get(key);
    assert(position !== undefined, `the cause of event ${key} was not recorded`);
    const count = this.#records.length;
    return { causes: this.#records[position % count], index: Math.floor(position / count) };
  }
}
