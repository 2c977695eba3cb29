// What every event queue shares: the records of the pending events, and what a queue must do with
// them. A record is 64 bytes under a slot number, seen both as doubles and as 32-bit words; queues
// order slots and read times and keys from the records, so that no double is passed on a hot call.
//
//   byte 0      8     16    24    32       36     40           44      48 … 63
//        time   key   a     b     target   kind   generation   depth   unused
//
// Links between slots are kept apart, close together: following a list of a million events through
// their records would miss the cache at every step.
import { assert } from '../errors.ts';
import { doubled } from './doubled.ts';

/**
 * The layout of a record, and the marks in it. Files with hot loops take these out once, by
 * destructuring at the top: a constant of the module itself is folded into the compiled code, but
 * an imported one is read through its module and checked at every use.
 */
export const Layout = {
  /** slot << FLOATS_SHIFT | field indexes `floats`; the time is field 0. */
  FLOATS_SHIFT: 3,
  KEY: 1,
  ARGUMENT_A: 2,
  ARGUMENT_B: 3,
  /** slot << WORDS_SHIFT | field indexes `words`. */
  WORDS_SHIFT: 4,
  TARGET: 8,
  KIND: 9,
  GENERATION: 10,
  DEPTH: 11,
  /** The target of a record that is not pending: cancelled, or free. */
  NO_TARGET: -1,
  /** Ends a list of slots. */
  NO_SLOT: -1,
  /** More events than this cannot be pending. */
  SLOTS_MAX: 2 ** 24,
} as const;
const { FLOATS_SHIFT, GENERATION, KEY, NO_SLOT, NO_TARGET, SLOTS_MAX, TARGET, WORDS_SHIFT } =
  Layout;

const GENERATION_MASK = 2 ** 29 - 1;
const SLOTS_INITIAL = 64;
/** Fewer cancelled entries than this are left for the run loop to skip. */
const CANCELLED_MIN = 64;

/** A priority queue of slots by (time, key). Keys are unique, so the order is total. */
export abstract class EventQueue {
  /** The records as doubles: slot << 3 | field. Replaced when it grows. */
  floats = new Float64Array(SLOTS_INITIAL << FLOATS_SHIFT);
  /** The same memory as 32-bit words: slot << 4 | field. */
  words = new Int32Array(this.floats.buffer);
  /** By slot: the next in the list that the slot is in. */
  links = new Int32Array(SLOTS_INITIAL);
  /**
   * Told the first `count` of `slots`, which come next, when so many events are pending that what
   * belongs to them is hardly in the cache. Only queues that know several ahead tell.
   */
  upcoming: ((slots: Int32Array, count: number) => void) | null = null;
  /** First of the list of free slots. */
  freeSlot: number = NO_SLOT;
  #slotCount = 0;
  #cancelled = 0;

  /** Entries in the queue, cancelled ones included. */
  abstract readonly size: number;

  /** Entries that are not cancelled. */
  get pending(): number {
    return this.size - this.#cancelled;
  }

  /** Adds a slot whose record holds its time and key. */
  abstract push(slot: number): void;

  /** The slot that is first in order (it may be a cancelled one), or NO_SLOT. */
  abstract first(): number;

  /** Takes out the slot that `first` has just returned. */
  abstract removeFirst(): void;

  /** Takes out all cancelled entries and releases their slots. */
  protected abstract compact(): void;

  /** Takes a slot for a new event. Its fields are whatever they were. */
  takeSlot(): number {
    const slot = this.freeSlot;
    if (slot === NO_SLOT) return this.#newSlot();
    this.freeSlot = this.links[slot];
    return slot;
  }

  #newSlot(): number {
    const slot = this.#slotCount++;
    assert(slot < SLOTS_MAX, 'more than 2^24 events are pending');
    if (slot << FLOATS_SHIFT === this.floats.length) {
      this.floats = doubled(this.floats);
      this.words = new Int32Array(this.floats.buffer);
      this.links = doubled(this.links);
    }
    return slot;
  }

  /** Frees a slot that is in the queue no more. Handles of its event are stale from now on. */
  release(slot: number): void {
    const { words } = this;
    const record = slot << WORDS_SHIFT;
    words[record | TARGET] = NO_TARGET;
    words[record | GENERATION] = (words[record | GENERATION] + 1) & GENERATION_MASK;
    this.links[slot] = this.freeSlot;
    this.freeSlot = slot;
  }

  /** Takes a pending entry out at once if that is cheap; else returns false. */
  protected takeOut(_slot: number): boolean {
    return false;
  }

  /** Cancels a pending entry. Amortised over calls, this takes constant time. */
  cancel(slot: number): void {
    if (this.takeOut(slot)) {
      this.release(slot);
      return;
    }
    this.words[(slot << WORDS_SHIFT) | TARGET] = NO_TARGET;
    this.#cancelled++;
    if (this.#cancelled > CANCELLED_MIN && this.#cancelled * 2 > this.size) {
      this.compact();
      assert(this.#cancelled === 0, 'compaction missed a cancelled entry');
    }
  }

  isCancelled(slot: number): boolean {
    return this.words[(slot << WORDS_SHIFT) | TARGET] === NO_TARGET;
  }

  /** Releases a cancelled entry that has left the queue. */
  drop(slot: number): void {
    this.#cancelled--;
    this.release(slot);
  }

  /** True when `slot` comes before `other`. */
  precedes(slot: number, other: number): boolean {
    const { floats } = this;
    const time = floats[slot << FLOATS_SHIFT];
    const otherTime = floats[other << FLOATS_SHIFT];
    if (time !== otherTime) return time < otherTime;
    return floats[(slot << FLOATS_SHIFT) | KEY] < floats[(other << FLOATS_SHIFT) | KEY];
  }
}
