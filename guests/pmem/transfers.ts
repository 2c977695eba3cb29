// Reads and writes of persistent memory: copies between a slot's buffer and the region, a piece at a time, each the
// work of a core.
import type { RegionClient, RegionPort } from '../../platform/contracts/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';

/** Bytes that a core copies before other work has its turn. */
const PIECE = 4096;
/** More than there are slots. A tag is generation × SLOTS + slot. */
const SLOTS = 2 ** 26;

// Work on a core.
const LOAD = 0;
const STORE = 1;
const DONE = 2;

export interface TransfersOptions {
  readonly node: Node;
  readonly port: () => RegionPort;
  /** A copy has come to its end; or a load or store was refused. */
  ended(slot: number, done: boolean): void;
}

export class Transfers implements RegionClient, CpuClient {
  // By slot: where in own RAM, where cores reach the region, how many bytes, and which way.
  buffer = new Float64Array(0);
  address = new Float64Array(0);
  length = new Float64Array(0);
  isWrite = new Uint8Array(0);
  readonly #options: TransfersOptions;
  #isUnderWay = new Uint8Array(0);
  #copied = new Float64Array(0);
  readonly #piece = new Uint8Array(PIECE);
  /** Copies of before an interruption are of an older generation. */
  #generation = 0;

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  /** Has this many slots from now on. */
  clear(slots: number): void {
    this.buffer = new Float64Array(slots);
    this.address = new Float64Array(slots);
    this.length = new Float64Array(slots);
    this.isWrite = new Uint8Array(slots);
    this.#isUnderWay = new Uint8Array(slots);
    this.#copied = new Float64Array(slots);
  }

  /** Begins the copy that a slot's fields say, which costs a core `cost` ps before its first byte. */
  begin(slot: number, cost: number): void {
    this.#isUnderWay[slot] = 1;
    this.#copied[slot] = 0;
    this.#next(slot, cost);
  }

  /** Nothing that is under way comes to an end any more. */
  forget(): void {
    this.#generation++;
    this.#isUnderWay.fill(0);
  }

  deliver(work: number, tag: number): void {
    const slot = this.#slotOf(tag);
    if (slot < 0) return;
    if (work === DONE) return this.#end(slot, true);
    const at = this.address[slot] + this.#copied[slot];
    if (work === LOAD) this.#options.port().load(at, this.#step(slot), this, tag);
    else this.#store(slot, at);
  }

  loaded(tag: number, bytes: Uint8Array, length: number): void {
    const slot = this.#slotOf(tag);
    if (slot < 0) return;
    const { memory } = this.#options.node;
    memory.copyIn(this.buffer[slot] + this.#copied[slot], bytes, 0, length);
    this.#copied[slot] += length;
    this.#next(slot, 0);
  }

  loadRefused(tag: number): void {
    const slot = this.#slotOf(tag);
    if (slot >= 0) this.#end(slot, false);
  }

  #store(slot: number, at: number): void {
    const { memory } = this.#options.node;
    const length = this.#step(slot);
    memory.copyOut(this.buffer[slot] + this.#copied[slot], this.#piece, 0, length);
    if (!this.#options.port().store(at, this.#piece, 0, length)) return this.#end(slot, false);
    this.#copied[slot] += length;
    this.#next(slot, 0);
  }

  /** Has a core come to the next piece, or to the end. */
  #next(slot: number, cost: number): void {
    const { node, port } = this.#options;
    const isWrite = this.isWrite[slot] === 1;
    const length = this.#step(slot);
    const tag = this.#generation * SLOTS + slot;
    if (length === 0) {
      const end = node.charge(node.timing.complete);
      return node.cpu.submit(Priority.task, cost + end, this, DONE, tag);
    }
    const stores = isWrite ? port().storeCost(length) : 0;
    node.cpu.submit(Priority.task, cost + stores, this, isWrite ? STORE : LOAD, tag);
  }

  /** Bytes of the next piece. */
  #step(slot: number): number {
    return Math.min(PIECE, this.length[slot] - this.#copied[slot]);
  }

  #end(slot: number, done: boolean): void {
    this.#isUnderWay[slot] = 0;
    this.#options.ended(slot, done);
  }

  /** The slot of a tag, or -1 for one of before an interruption. */
  #slotOf(tag: number): number {
    const slot = tag % SLOTS;
    const isNow = Math.floor(tag / SLOTS) === this.#generation;
    return isNow && this.#isUnderWay[slot] === 1 ? slot : -1;
  }
}
