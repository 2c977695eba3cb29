// Where a group's packets for other groups go: into the ring of the receiving group. Counts what
// crosses each cut link on the way.
import { assert } from '../errors.ts';
import type { Instant, Kernel, Outbox, Packet } from '../kernel/index.ts';
import type { CutLink } from './lookahead.ts';
import { PacketReader, PacketWriter } from './packet-ring.ts';
import type { Board } from './shared-board.ts';

export interface ExchangeOptions {
  /** See `groupDistances`. */
  readonly distances: Float64Array;
  /** Group of each node. */
  readonly placement: ArrayLike<number>;
  readonly groupCount: number;
  readonly own: number;
  readonly cuts: readonly CutLink[];
  /** The ring from one group to another, at [from × count + to]; null where no link is. */
  readonly rings: readonly (SharedArrayBuffer | null)[];
}

/** What this group has sent over one cut link. */
export interface Crossing {
  /** Place of the link among the cuts. */
  readonly cut: number;
  packets: number;
  bytes: number;
}

export class GroupOutbox implements Outbox {
  readonly crossings: readonly Crossing[];
  /**
   * Where this window ends: at the horizon, or where the first answer to anything sent in the window
   * could be back.
   */
  echo: Instant = Infinity;
  /** Called when `echo` has become less. */
  echoed: () => void = () => {};
  readonly #placement: ArrayLike<number>;
  readonly #writers: (PacketWriter | null)[];
  /** Least time from each group to this one. */
  readonly #wayBack: Float64Array;
  /** The crossing that a packet belongs to, by receiving node and port. */
  readonly #crossingAt: Crossing[][] = [];

  constructor({ placement, groupCount, own, cuts, rings, distances }: ExchangeOptions) {
    this.#placement = placement;
    this.#wayBack = Float64Array.from(
      { length: groupCount },
      (_, from) => distances[from * groupCount + own],
    );
    this.#writers = Array.from({ length: groupCount }, (_, to) => {
      const ring = rings[own * groupCount + to];
      return ring === null ? null : new PacketWriter(ring);
    });
    const crossings: Crossing[] = [];
    for (const [cut, { groups, ends }] of cuts.entries()) {
      if (!groups.includes(own)) continue;
      const crossing = { cut, packets: 0, bytes: 0 };
      crossings.push(crossing);
      const { node, port } = groups[0] === own ? ends[1] : ends[0];
      (this.#crossingAt[node] ??= [])[port] = crossing;
    }
    this.crossings = crossings;
  }

  /** Packets that had to wait for room in a ring. */
  get spilled(): number {
    return this.#writers.reduce((sum, writer) => sum + (writer?.spilled ?? 0), 0);
  }

  push(at: Instant, key: number, toNode: number, toPort: number, packet: Packet): void {
    const crossing = this.#crossingAt[toNode]?.[toPort];
    assert(crossing !== undefined, `no link leads to port ${toPort} of node ${toNode}`);
    crossing.packets++;
    crossing.bytes += packet.length;
    const group = this.#placement[toNode];
    this.#writers[group]!.push(at, key, toNode, toPort, packet);
    const back = at + this.#wayBack[group];
    if (back >= this.echo) return;
    this.echo = back;
    this.echoed();
  }

  beginRound(): void {
    for (const writer of this.#writers) if (writer !== null) writer.beginRound();
  }

  /** Publishes what was sent. Returns false if some of it found no room. */
  flush(): boolean {
    let complete = true;
    for (const writer of this.#writers) {
      if (writer !== null && !writer.flush()) complete = false;
    }
    return complete;
  }

  writeSent(board: Board): void {
    for (let group = 0; group < this.#writers.length; group++) {
      board.writeSent(group, this.#writers[group]?.earliest ?? Infinity);
    }
  }
}

/** Makes the readers of all rings that lead to this group. */
export function ringReaders(
  { groupCount, own, rings }: ExchangeOptions,
  kernel: Kernel,
): PacketReader[] {
  const readers: PacketReader[] = [];
  for (let from = 0; from < groupCount; from++) {
    const ring = rings[from * groupCount + own];
    if (ring !== null) readers.push(new PacketReader(ring, kernel));
  }
  return readers;
}
