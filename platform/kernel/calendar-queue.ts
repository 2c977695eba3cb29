// The kernel's event queue: a calendar whose bucket width follows the density of events, with a
// short sorted run in front of it. Why this one: decisions/0007-event-queue.md.
//
//    first ─► run ──► late ──► opened end │ buckets … │ window end │ far …
//             sorted  heap, and a list    │ a list    │            │ unsorted
//                     of equal times      │ each      │            │
//
// A word of 32 buckets is opened at a time: its lists are sorted into the run, which then holds a
// few events. An event for opened time is inserted into the run, or, when many are, is late. The
// window slides with the opened end; far events are admitted when it reaches the first of them.
// While there are only a few events, all time counts as opened and they are all in the run.
import { EventQueue, Layout } from './event-queue.ts';
import { FarEvents } from './far-events.ts';
import { LateEvents } from './late-events.ts';
import { INTERVAL_MIN, WIDTH_MAX, WIDTH_UNKNOWN, WidthSearch } from './width-search.ts';

const { FLOATS_SHIFT, KEY, NO_SLOT } = Layout;

const BUCKETS_MIN = 128;
const BUCKETS_MAX = 2 ** 20;
/** Buckets for one event. Most buckets are empty, so that few events need sorting. */
const BUCKETS_PER_EVENT = 4;

/** The run is filled until it has this many events … */
const RUN_FILLED = 64;
/** … a longer list is not sorted but given to the late heap … */
const LIST_MAX = 64;
/** … and a run of this length takes no more. Looked at when the tail is at RUN_END. */
const RUN_MAX = 128;
const RUN_END = 256;
/** With more than this pending, whoever wants to know is told what comes next. */
const MANY = 50_000;
/** With so few events there are no buckets … */
const FEW = 3;
/** … until there are this many. Looked at when the tail is at FEW_END. */
const FEW_MAX = 6;
const FEW_END = 32;

export class CalendarQueue extends EventQueue {
  // The next events in order: slots from head to tail. All before the late ones.
  readonly #run = new Int32Array(2 * RUN_END);
  #head = 0;
  #tail = 0;
  /** A tail from here on needs a closer look: 0 while events are late. */
  #runEnd = FEW_END;
  readonly #late = new LateEvents(this);
  // Lists of slots linked in `links`, each `width` ps wide, and a bit for each that is not empty.
  #buckets = new Int32Array(BUCKETS_MIN).fill(NO_SLOT);
  #occupied = new Int32Array(BUCKETS_MIN >> 5);
  #mask = BUCKETS_MIN - 1;
  #width = WIDTH_UNKNOWN;
  #bucketsPerPs = 1;
  #inBuckets = 0;
  #crowdedAt = BUCKETS_MIN;
  /** Number of the first bucket that is not opened, counted from time 0. */
  #bucket = 0;
  /** Infinity while there are few events. */
  #openedEnd = Infinity;
  #windowEnd = Infinity;
  readonly #far = new FarEvents(this);
  // What was done since the last tuning, and how long until the next.
  #taken = 0;
  #disorder = 0;
  #searched = 0;
  #untilTuning = INTERVAL_MIN;
  readonly #search = new WidthSearch();

  get size(): number {
    const opened = this.#tail - this.#head + this.#late.size;
    return opened + this.#inBuckets + this.#far.count;
  }

  push(slot: number): void {
    const time = this.floats[slot << FLOATS_SHIFT];
    if (time < this.#openedEnd) {
      this.#insert(slot);
    } else if (time < this.#windowEnd) {
      const index = (time * this.#bucketsPerPs) & this.#mask;
      const buckets = this.#buckets;
      this.links[slot] = buckets[index];
      buckets[index] = slot;
      this.#occupied[index >> 5] |= 1 << index;
      this.#inBuckets++;
    } else {
      this.#far.push(slot);
    }
  }

  first(): number {
    return this.#head !== this.#tail || this.#refill() ? this.#run[this.#head] : NO_SLOT;
  }

  removeFirst(): void {
    this.#head++;
  }

  protected override takeOut(slot: number): boolean {
    if (this.#openedEnd !== Infinity) return false;
    const run = this.#run;
    const last = --this.#tail;
    let at = this.#head;
    while (run[at] !== slot) at++;
    for (; at < last; at++) run[at] = run[at + 1];
    return true;
  }

  protected compact(): void {
    this.#rebuild(this.#width);
  }

  /** Adds an event for opened time: into the run, if that is usual. */
  #insert(slot: number): void {
    const end = this.#tail;
    if (end >= this.#runEnd) {
      this.#insertUnusual(slot);
      return;
    }
    this.#tail = end + 1;
    this.#disorder += (end - this.#settle(slot, end, this.#head)) >> 2;
  }

  /** The same when events are late, or when the tail is far from where the run began. */
  #insertUnusual(slot: number): void {
    if (this.#tail >= RUN_END || this.#openedEnd === Infinity) this.#moveRun();
    const length = this.#tail - this.#head;
    if (this.#openedEnd === Infinity) {
      if (length >= FEW_MAX) {
        this.#rebuild(this.#width);
        this.push(slot);
        return;
      }
    } else if (this.#untilTuning <= 0 && this.#tune()) {
      this.push(slot);
      return;
    } else if (length >= RUN_MAX || this.#late.size > 0) {
      this.#disorder++;
      const isFull = length >= RUN_MAX;
      const isBehind = length === 0 || this.precedes(this.#run[this.#tail - 1], slot);
      if (isBehind || isFull) this.#late.push(isBehind ? slot : this.#run[--this.#tail]);
      this.#runEnd = 0;
      if (isBehind) return;
    }
    this.#settle(slot, this.#tail++, this.#head);
  }

  /** Moves the run to the start of its array. */
  #moveRun(): void {
    this.#run.copyWithin(0, this.#head, this.#tail);
    this.#count(this.#head);
    this.#tail -= this.#head;
    this.#head = 0;
  }

  /** Counts events that have left the run. */
  #count(events: number): void {
    this.#taken += events;
    this.#untilTuning -= events;
  }

  /** Sorts a slot into the run, of which [head, hole) is in order. Returns where it is now. */
  #settle(slot: number, hole: number, head: number): number {
    const { floats } = this;
    const run = this.#run;
    const time = floats[slot << FLOATS_SHIFT];
    const key = floats[(slot << FLOATS_SHIFT) | KEY];
    let at = hole;
    while (at > head) {
      const other = run[at - 1];
      const otherTime = floats[other << FLOATS_SHIFT];
      if (otherTime < time) break;
      if (otherTime === time && floats[(other << FLOATS_SHIFT) | KEY] < key) break;
      run[at--] = other;
    }
    run[at] = slot;
    return at;
  }

  /** Fills the empty run with the next events. Returns false when there are none. */
  #refill(): boolean {
    const isFilled = this.#fill();
    if (this.upcoming !== null && this.size > MANY) this.upcoming(this.#run, this.#tail);
    return isFilled;
  }

  #fill(): boolean {
    this.#count(this.#tail);
    this.#head = this.#tail = 0;
    if (this.#untilTuning <= 0 || this.#inBuckets > this.#crowdedAt) {
      // Having become few, all events are in the run now.
      if (this.#tune() && this.#tail > 0) return true;
    }
    while (this.#late.size === 0) {
      if (this.#inBuckets === 0) {
        if (this.#far.count === 0) return false;
        this.#admit();
      }
      const occupied = this.#occupied;
      const last = occupied.length - 1;
      const index = this.#bucket & this.#mask;
      let word = index >> 5;
      let start = this.#bucket - (index & 31);
      while (occupied[word] === 0) {
        word = (word + 1) & last;
        start += 32;
        this.#searched++;
      }
      if (this.#far.first < (start + 32) * this.#width) {
        // A far event comes before the end of this word.
        this.#admit();
        continue;
      }
      this.#open(word, start);
      if (this.#tail > 0) {
        this.#runEnd = this.#late.size > 0 ? 0 : RUN_END;
        return true;
      }
    }
    const late = this.#late;
    while (this.#tail < RUN_FILLED && late.size > 0) this.#run[this.#tail++] = late.takeFirst();
    this.#runEnd = late.size > 0 ? 0 : RUN_END;
    return true;
  }

  /** Says that all buckets before this one are opened (or were empty). */
  #moveTo(bucket: number): void {
    this.#bucket = bucket;
    this.#openedEnd = bucket * this.#width;
    this.#windowEnd = (bucket - (bucket & 31) + this.#mask + 1) * this.#width;
  }

  /** Moves the window to the first far event, and those that are inside then into their buckets. */
  #admit(): void {
    const far = this.#far;
    this.#moveTo(Math.floor(far.first * this.#bucketsPerPs));
    this.#searched += far.count;
    far.admit(this.#windowEnd);
  }

  /** Sorts the lists of a word into the run, until the word is empty or the run is filled. */
  #open(word: number, start: number): void {
    const { links } = this;
    const run = this.#run;
    const buckets = this.#buckets;
    let bits = this.#occupied[word];
    let bit = 0;
    let count = 0;
    do {
      bit = 31 - Math.clz32(bits & -bits);
      bits &= bits - 1;
      const index = (word << 5) | bit;
      const slot = buckets[index];
      buckets[index] = NO_SLOT;
      if (links[slot] === NO_SLOT) run[count++] = slot;
      else count = this.#openList(slot, count);
    } while (bits !== 0 && count < RUN_FILLED && this.#late.size === 0);
    this.#occupied[word] = bits;
    this.#tail = count;
    this.#inBuckets -= count;
    this.#moveTo(bits === 0 ? start + 32 : start + bit + 1);
  }

  /** Appends a list to the run from `from` on, and sorts it. Returns the new end of the run. */
  #openList(first: number, from: number): number {
    const { floats, links } = this;
    const run = this.#run;
    let end = from;
    for (let slot = first; slot !== NO_SLOT; slot = links[slot]) end++;
    const length = end - from;
    if (length > LIST_MAX) {
      this.#inBuckets -= length;
      if (!this.#late.pushList(first, length)) this.#disorder += length;
      return from;
    }
    // The list is last in, first out. Reversed, events of equal times and one sender are in order.
    let slot = first;
    for (let i = end - 1; i >= from; i--) {
      run[i] = slot;
      slot = links[slot];
    }
    for (let i = from + 1; i < end; i++) this.#settle(run[i], i, from);
    // Equal times cannot be told apart by narrower buckets.
    if (floats[run[from] << FLOATS_SHIFT] !== floats[run[end - 1] << FLOATS_SHIFT]) {
      this.#disorder += length;
    }
    return end;
  }

  /** Looks at the work done since the last time; rebuilds, and returns true, if it was too much. */
  #tune(): boolean {
    const isFew = this.pending <= FEW;
    let width = this.#width;
    const taken = this.#taken;
    // Crowded before anything was taken, it says nothing of the width.
    if (this.#openedEnd !== Infinity && taken > 0) {
      width = this.#search.next(width, this.#disorder / taken, this.#searched / taken);
    }
    const buckets = bucketsFor(this.pending);
    const isResized = buckets > this.#mask + 1 || buckets * 8 <= this.#mask;
    this.#untilTuning = Math.max(this.#search.interval, this.size >> 1);
    this.#taken = this.#disorder = this.#searched = 0;
    if (this.#openedEnd === Infinity) return false;
    if (!isFew && width === this.#width && !isResized) return false;
    // Twice the events in the same time are twice as dense: keep the span of the window.
    this.#rebuild(isResized ? (this.#width * (this.#mask + 1)) / buckets : width);
    return true;
  }

  /** Takes everything out and puts it back: into the run when it is little, else into buckets. */
  #rebuild(width: number): void {
    const slots = this.#takeAll();
    if (slots.length <= FEW) {
      this.#runEnd = FEW_END;
      this.#openedEnd = Infinity;
      this.#windowEnd = Infinity;
    } else {
      this.#runEnd = RUN_END;
      this.#makeBuckets(slots, width === WIDTH_UNKNOWN ? this.#firstWidth(slots) : width);
    }
    for (const slot of slots) this.push(slot);
  }

  /** A width for events that come sorted, from the density of the earlier half. */
  #firstWidth(slots: Int32Array): number {
    const { floats } = this;
    const half = slots.length >> 1;
    const span = floats[slots[half] << FLOATS_SHIFT] - floats[slots[0] << FLOATS_SHIFT];
    return 2 ** Math.floor(Math.log2(Math.max(span / half, 1)));
  }

  /** Makes empty buckets for these events. */
  #makeBuckets(slots: Int32Array, width: number): void {
    const count = bucketsFor(slots.length);
    if (count !== this.#mask + 1) {
      this.#buckets = new Int32Array(count).fill(NO_SLOT);
      this.#occupied = new Int32Array(count >> 5);
      this.#mask = count - 1;
      this.#crowdedAt = count < BUCKETS_MAX ? count : Infinity;
    }
    this.#width = Math.min(Math.max(width, 1), WIDTH_MAX);
    this.#bucketsPerPs = 1 / this.#width;
    let earliest = Infinity;
    for (const slot of slots) earliest = Math.min(earliest, this.floats[slot << FLOATS_SHIFT]);
    this.#moveTo(Math.floor(earliest * this.#bucketsPerPs));
  }

  /** Empties the queue: returns the pending slots and releases the cancelled ones. */
  #takeAll(): Int32Array {
    const { links } = this;
    const slots = new Int32Array(this.size);
    let count = 0;
    const take = (slot: number): void => {
      if (this.isCancelled(slot)) this.drop(slot);
      else slots[count++] = slot;
    };
    for (let at = this.#head; at < this.#tail; at++) take(this.#run[at]);
    this.#head = 0;
    this.#tail = 0;
    while (this.#late.size > 0) take(this.#late.takeFirst());
    for (let index = 0; this.#inBuckets > 0 && index <= this.#mask; index++) {
      for (let slot = this.#buckets[index]; slot !== NO_SLOT; ) {
        const next = links[slot];
        take(slot);
        this.#inBuckets--;
        slot = next;
      }
      this.#buckets[index] = NO_SLOT;
      this.#occupied[index >> 5] &= ~(1 << index);
    }
    for (const slot of this.#far.all()) take(slot);
    this.#far.clear();
    return slots.subarray(0, count);
  }
}

function bucketsFor(events: number): number {
  let count = BUCKETS_MIN;
  while (count < events * BUCKETS_PER_EVENT && count < BUCKETS_MAX) count *= 2;
  return count;
}
