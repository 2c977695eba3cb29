// The card's access to the host's memory. Writes are posted, in bursts of packets. Reads are cut into
// read requests, of which as many are outstanding as there are tags; others wait.
//
// Requests of one transaction that together ask for no more than one read request may travel as one
// kernel packet; each of them is still a packet on the link and takes a tag of its own. An engine may join
// what lies in one burst into one request.
import type { DmaClient, DmaPort } from '../contracts/index.ts';
import type { Packet } from '../kernel/index.ts';
import { Segments } from '../memory/index.ts';
import { labels, type Node } from '../node/index.ts';
import { CreditTimer } from './credit.ts';
import type { PcieFunction } from './function.ts';
import type { Lane } from './lane.ts';
import type { PciePath } from './options.ts';
import { DMA_LOAD, DMA_STORE, PIECE_SIZE, Status, writePiece } from './packets.ts';
import { ReadTransaction } from './read-transaction.ts';
import { readRequestLength, TlpTally } from './tlp.ts';

/** Requests that one kernel packet holds at the most. */
const PIECES_MAX = 32;

export interface DmaEngineOptions {
  readonly node: Node;
  readonly path: PciePath;
  readonly lane: Lane;
  /** Constant for the translation of an address, or -1 without an IOMMU. */
  readonly translation: number;
  /** Reads of one go that lie in a block of this size are joined; 0 for none. */
  readonly readBurst: number;
  readonly hostNode: number;
  readonly hostPort: number;
}

export class DmaEngine {
  reads = 0;
  writes = 0;
  refusals = 0;
  readBytes = 0;
  writeBytes = 0;
  /** Most reads that were outstanding at a time, and transactions that waited for a tag. */
  tagsMax = 0;
  tagWaits = 0;
  /** False while the card is out of its slot. */
  linkUp = true;
  readonly #options: DmaEngineOptions;
  readonly #tally: TlpTally;
  #tagsUsed = 0;
  readonly #transactions: ReadTransaction[] = [];
  readonly #freeTransactions: ReadTransaction[] = [];
  /** Transactions that have requests left to send, oldest first. */
  readonly #waiting: ReadTransaction[] = [];
  // Outstanding kernel packets by slot: transaction, place of its data there, bytes and tags.
  readonly #slotOwner: (ReadTransaction | null)[] = [];
  readonly #slotOffset: number[] = [];
  readonly #slotLength: number[] = [];
  readonly #slotTags: number[] = [];
  readonly #freeSlots: number[] = [];
  readonly #pieceAddress = new Float64Array(PIECES_MAX);
  readonly #pieceLength = new Float64Array(PIECES_MAX);

  readonly #creditTimer: CreditTimer | null;

  constructor(options: DmaEngineOptions) {
    this.#options = options;
    this.#tally = new TlpTally(options.path);
    const { node, lane } = options;
    const credit = lane.requestCredit;
    const creditBack = () => {
      this.#issue();
      this.#awaitCredit();
    };
    this.#creditTimer = credit === null ? null : new CreditTimer(node, credit, creditBack);
  }

  /**
   * Makes a port through which a function reaches the host. What is under way when the card loses its
   * power is never answered, unless `untilTheEnd` asks for a refusal.
   */
  portOf(owner: PcieFunction, untilTheEnd: boolean): DmaPort {
    return new FunctionPort(this, owner, untilTheEnd);
  }

  /** Starts a read of gathered segments, and clears them. */
  read(port: FunctionPort, client: DmaClient, tag: number): void {
    const { owner, segments } = port;
    const denial = this.#denialFor(owner);
    if (denial !== null) return this.#refuse(segments, false, denial, client, tag);
    this.reads++;
    const transaction = this.#freeTransactions.pop() ?? this.#newTransaction();
    transaction.begin(port, client, tag, this.#options.readBurst);
    segments.clear();
    this.readBytes += transaction.total;
    this.#waiting.push(transaction);
    this.#issue();
    if (transaction.issued === 0) {
      this.tagWaits++;
      const { kernel } = this.#options.node;
      transaction.ticket = kernel.causes?.suspend(kernel.currentKey, kernel.now) ?? -1;
    }
    this.#awaitCredit();
  }

  /** Posts a write of gathered segments, and clears them. Returns false when it was refused. */
  write(port: FunctionPort, client: DmaClient, tag: number): boolean {
    const { owner, segments } = port;
    const denial = this.#denialFor(owner);
    if (denial !== null) {
      this.#refuse(segments, true, denial, client, tag);
      return false;
    }
    this.writes++;
    this.writeBytes += segments.bytes;
    const { node, lane, translation, hostNode, hostPort } = this.#options;
    const { count, addresses, lengths } = segments;
    const packet = node.kernel.packets.acquire(count * PIECE_SIZE + segments.bytes);
    this.#tally.clear();
    for (let i = 0; i < count; i++) {
      writePiece(packet.bytes, i, addresses[i], lengths[i]);
      this.#tally.write(addresses[i], lengths[i]);
    }
    segments.copySources(packet.bytes, count * PIECE_SIZE);
    segments.clear();
    packet.label(DMA_STORE, 0, count, owner.id);
    node.kernel.send(node.index, hostNode, hostPort, lane.post(this.#tally, translation), packet);
    return true;
  }

  /** Takes a DMA_COMPLETION packet. */
  receive(packet: Packet): void {
    const slot = packet.a;
    const transaction = this.#slotOwner[slot] ?? null;
    if (transaction === null) return;
    const length = this.#slotLength[slot];
    const offset = this.#slotOffset[slot];
    this.#freeSlot(slot);
    transaction.left -= length;
    if (packet.b !== Status.successful) {
      const reason = 'the host refused the access';
      transaction.fail({ address: packet.c, length: packet.d, write: false, reason });
    }
    this.#issue();
    this.#awaitCredit();
    const whole = length === transaction.total;
    if (!whole) transaction.take(packet.bytes, offset, length);
    if (transaction.left === 0) {
      this.#finish(transaction, whole ? packet.bytes : transaction.buffer);
    }
  }

  /** The card has lost its power: what is under way will never be answered. */
  abandon(reason: string): void {
    this.#waiting.length = 0;
    for (let slot = 0; slot < this.#slotOwner.length; slot++) {
      if (this.#slotOwner[slot] !== null) this.#freeSlot(slot);
    }
    for (const transaction of this.#transactions) {
      if (transaction.client === null) continue;
      transaction.fault ??= { address: 0, length: transaction.total, write: false, reason };
      if (transaction.untilTheEnd) this.#finish(transaction, transaction.buffer);
      else this.#recycle(transaction);
    }
  }

  #newTransaction(): ReadTransaction {
    const transaction = new ReadTransaction();
    this.#transactions.push(transaction);
    return transaction;
  }

  #denialFor(owner: PcieFunction): string | null {
    if (!this.linkUp) return 'the card is not in its slot';
    return owner.config.busMaster ? null : 'the function is not a bus master';
  }

  #refuse(
    segments: Segments,
    write: boolean,
    reason: string,
    client: DmaClient,
    tag: number,
  ): void {
    this.refusals++;
    const fault = { address: segments.addresses[0], length: segments.lengths[0], write, reason };
    // The client may gather anew while it is told.
    segments.clear();
    client.refused(tag, fault);
  }

  #finish(transaction: ReadTransaction, bytes: Uint8Array): void {
    const { client, tag, fault } = transaction;
    transaction.client = null;
    if (fault === null) {
      client!.readDone(tag, transaction.asOrdered(bytes), transaction.asked);
    } else {
      this.refusals++;
      client!.refused(tag, fault);
    }
    this.#recycle(transaction);
  }

  #recycle(transaction: ReadTransaction): void {
    transaction.client = null;
    this.#freeTransactions.push(transaction);
  }

  /** Sends read requests while there are tags and credit for them. Writes pass those that wait. */
  #issue(): void {
    for (let room = this.#requestsMax; room > 0; room = this.#requestsMax) {
      if (this.#waiting.length === 0) return;
      const transaction = this.#waiting[0];
      const count = this.#nextPieces(transaction, room);
      if (count > 0) this.#sendRequests(transaction, count);
      if (transaction.allIssued) this.#waiting.shift();
    }
  }

  /** Requests that may leave now. */
  get #requestsMax(): number {
    const { path, node, lane } = this.#options;
    const tags = path.tags - this.#tagsUsed;
    const credit = lane.requestCredit;
    return credit === null ? tags : Math.min(tags, credit.headersAt(node.kernel.now));
  }

  /** Tags come back with completions; credit comes back by itself. */
  #awaitCredit(): void {
    const isStuck = this.#waiting.length > 0 && this.#tagsUsed < this.#options.path.tags;
    if (isStuck) this.#creditTimer?.set();
  }

  /** Cuts the next requests off a transaction: no more than one read request's worth of data. */
  #nextPieces(transaction: ReadTransaction, tags: number): number {
    const { path } = this.#options;
    const most = Math.min(PIECES_MAX, tags);
    let room = path.maxReadRequest;
    let count = 0;
    while (count < most && !transaction.allIssued) {
      const length = readRequestLength(path, transaction.address, transaction.leftInSegment);
      if (length > room) break;
      this.#pieceAddress[count] = transaction.address;
      this.#pieceLength[count++] = length;
      room -= length;
      transaction.advance(length);
    }
    return count;
  }

  #sendRequests(transaction: ReadTransaction, count: number): void {
    const { node, lane, translation, hostNode, hostPort } = this.#options;
    const { kernel } = node;
    if (transaction.ticket >= 0) {
      kernel.causes!.restore(transaction.ticket, labels.WAIT_LINK, kernel.now);
      transaction.ticket = -1;
    }
    const packet = kernel.packets.acquire(count * PIECE_SIZE);
    this.#tally.clear();
    let length = 0;
    for (let i = 0; i < count; i++) {
      writePiece(packet.bytes, i, this.#pieceAddress[i], this.#pieceLength[i]);
      this.#tally.readRequest(this.#pieceAddress[i]);
      length += this.#pieceLength[i];
    }
    const slot = this.#takeSlot(transaction, length, count);
    packet.label(DMA_LOAD, slot, count, transaction.functionId);
    kernel.send(node.index, hostNode, hostPort, lane.request(this.#tally, translation), packet);
  }

  #takeSlot(transaction: ReadTransaction, length: number, tags: number): number {
    const slot = this.#freeSlots.pop() ?? this.#slotOwner.length;
    this.#slotOwner[slot] = transaction;
    this.#slotOffset[slot] = transaction.issued - length;
    this.#slotLength[slot] = length;
    this.#slotTags[slot] = tags;
    this.#tagsUsed += tags;
    if (this.#tagsUsed > this.tagsMax) this.tagsMax = this.#tagsUsed;
    return slot;
  }

  #freeSlot(slot: number): void {
    this.#slotOwner[slot] = null;
    this.#freeSlots.push(slot);
    this.#tagsUsed -= this.#slotTags[slot];
  }
}

/** A function's own port: it gathers apart from other functions. */
class FunctionPort implements DmaPort {
  readonly owner: PcieFunction;
  readonly untilTheEnd: boolean;
  readonly segments = new Segments();
  readonly #engine: DmaEngine;

  constructor(engine: DmaEngine, owner: PcieFunction, untilTheEnd: boolean) {
    this.#engine = engine;
    this.owner = owner;
    this.untilTheEnd = untilTheEnd;
  }

  readSegment(at: number, length: number): void {
    this.segments.add(at, length);
  }

  writeSegment(at: number, source: Uint8Array, offset: number, length: number): void {
    this.segments.addSource(at, source, offset, length);
  }

  read(client: DmaClient, tag: number): void {
    this.#engine.read(this, client, tag);
  }

  write(client: DmaClient, tag: number): boolean {
    return this.#engine.write(this, client, tag);
  }
}
