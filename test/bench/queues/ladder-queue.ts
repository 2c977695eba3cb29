// A ladder queue after Tang, Goh and Thng (ACM TOMACS 15(3), 2005): an unsorted top, rungs of ever
// finer buckets, and a sorted bottom. One of the candidates for the kernel's queue.
import { doubled, EventQueue, Layout } from '../../../platform/kernel/index.ts';

const { FLOATS_SHIFT, NO_SLOT } = Layout;
/** A bucket with more events than this becomes a rung of its own. */
const THRESHOLD = 50;
const RUNGS_MAX = 8;

class Rung {
  heads = new Int32Array(64);
  counts = new Int32Array(64);
  bucketCount = 0;
  start = 0;
  width = 1;
  /** First bucket not emptied. */
  current = 0;
  size = 0;

  reset(start: number, end: number, events: number): void {
    this.start = start;
    // Whole picoseconds, so that the borders of buckets are exact.
    this.width = Math.max(1, Math.ceil((end - start) / events));
    this.bucketCount = Math.floor((end - start) / this.width) + 1;
    if (this.heads.length < this.bucketCount) {
      this.heads = new Int32Array(this.bucketCount * 2);
      this.counts = new Int32Array(this.bucketCount * 2);
    }
    this.heads.fill(NO_SLOT, 0, this.bucketCount);
    this.counts.fill(0, 0, this.bucketCount);
    this.current = 0;
    this.size = 0;
  }

  /** Events from here on are not in lower rungs. */
  get currentStart(): number {
    return this.start + this.current * this.width;
  }

  get end(): number {
    return this.start + this.bucketCount * this.width;
  }

  add(slot: number, time: number, links: Int32Array): void {
    const bucket = Math.floor((time - this.start) / this.width);
    links[slot] = this.heads[bucket];
    this.heads[bucket] = slot;
    this.counts[bucket]++;
    this.size++;
  }
}

export class LadderQueue extends EventQueue {
  #top = new Int32Array(64);
  #topCount = 0;
  #topStart = 0;
  #topFirst = Infinity;
  #topLast = 0;
  readonly #rungs = Array.from({ length: RUNGS_MAX }, () => new Rung());
  #rungCount = 0;
  #inRungs = 0;
  // Sorted, the first event at the end.
  #bottom = new Int32Array(64);
  #bottomCount = 0;

  get size(): number {
    return this.#topCount + this.#inRungs + this.#bottomCount;
  }

  push(slot: number): void {
    const time = this.floats[slot << FLOATS_SHIFT];
    if (time >= this.#topStart) {
      this.#pushTop(slot, time);
      return;
    }
    for (let i = 0; i < this.#rungCount; i++) {
      const rung = this.#rungs[i];
      if (time >= rung.currentStart) {
        rung.add(slot, time, this.links);
        this.#inRungs++;
        return;
      }
    }
    this.#pushBottom(slot);
  }

  first(): number {
    if (this.#bottomCount === 0 && !this.#refill()) return NO_SLOT;
    return this.#bottom[this.#bottomCount - 1];
  }

  removeFirst(): void {
    this.#bottomCount--;
  }

  protected compact(): void {
    const slots: number[] = [...this.#bottom.subarray(0, this.#bottomCount)];
    slots.push(...this.#top.subarray(0, this.#topCount));
    for (const rung of this.#rungs.slice(0, this.#rungCount)) {
      for (let bucket = rung.current; bucket < rung.bucketCount; bucket++) {
        for (let slot = rung.heads[bucket]; slot !== NO_SLOT; slot = this.links[slot]) {
          slots.push(slot);
        }
      }
    }
    this.#bottomCount = this.#topCount = this.#rungCount = this.#inRungs = 0;
    this.#topStart = this.#topLast = 0;
    this.#topFirst = Infinity;
    for (const slot of slots) {
      if (this.isCancelled(slot)) this.drop(slot);
      else this.push(slot);
    }
  }

  #pushTop(slot: number, time: number): void {
    if (this.#topCount === this.#top.length) this.#top = doubled(this.#top);
    this.#top[this.#topCount++] = slot;
    if (time < this.#topFirst) this.#topFirst = time;
    if (time > this.#topLast) this.#topLast = time;
  }

  #pushBottom(slot: number): void {
    if (this.#bottomCount === this.#bottom.length) this.#bottom = doubled(this.#bottom);
    const bottom = this.#bottom;
    let hole = this.#bottomCount++;
    while (hole > 0 && this.precedes(bottom[hole - 1], slot)) {
      bottom[hole] = bottom[hole - 1];
      hole--;
    }
    bottom[hole] = slot;
    if (this.#bottomCount > THRESHOLD && this.#rungCount < RUNGS_MAX) this.#spawnFromBottom();
  }

  /** Makes a rung of a bottom that has grown long, unless all its events are of one instant. */
  #spawnFromBottom(): void {
    const { floats } = this;
    const bottom = this.#bottom;
    const count = this.#bottomCount;
    const start = floats[bottom[count - 1] << FLOATS_SHIFT];
    const last = floats[bottom[0] << FLOATS_SHIFT];
    if (start === last) return;
    const above =
      this.#rungCount > 0 ? this.#rungs[this.#rungCount - 1].currentStart : this.#topStart;
    const rung = this.#rungs[this.#rungCount++];
    rung.reset(start, Math.max(above - 1, last), count);
    for (let i = 0; i < count; i++)
      rung.add(bottom[i], floats[bottom[i] << FLOATS_SHIFT], this.links);
    this.#inRungs += count;
    this.#bottomCount = 0;
    this.#refill();
  }

  #refill(): boolean {
    for (;;) {
      while (this.#rungCount > 0 && this.#rungs[this.#rungCount - 1].size === 0) this.#rungCount--;
      if (this.#rungCount === 0) {
        if (this.#topCount === 0) return false;
        this.#makeFirstRung();
      }
      const rung = this.#rungs[this.#rungCount - 1];
      while (rung.counts[rung.current] === 0) rung.current++;
      const bucket = rung.current++;
      const count = rung.counts[bucket];
      rung.size -= count;
      if (count > THRESHOLD && rung.width > 1 && this.#rungCount < RUNGS_MAX) {
        const start = rung.start + bucket * rung.width;
        const child = this.#rungs[this.#rungCount++];
        child.reset(start, start + rung.width - 1, count);
        this.#moveList(rung.heads[bucket], child);
      } else {
        this.#sortIntoBottom(rung.heads[bucket], count);
        this.#inRungs -= count;
        return true;
      }
    }
  }

  #makeFirstRung(): void {
    const rung = this.#rungs[0];
    rung.reset(this.#topFirst, this.#topLast, this.#topCount);
    for (let i = 0; i < this.#topCount; i++) {
      rung.add(this.#top[i], this.floats[this.#top[i] << FLOATS_SHIFT], this.links);
    }
    this.#rungCount = 1;
    this.#inRungs = this.#topCount;
    this.#topCount = 0;
    this.#topStart = rung.end;
    this.#topFirst = Infinity;
    this.#topLast = 0;
  }

  #moveList(head: number, target: Rung): void {
    for (let slot = head; slot !== NO_SLOT; ) {
      const next = this.links[slot];
      target.add(slot, this.floats[slot << FLOATS_SHIFT], this.links);
      slot = next;
    }
  }

  #sortIntoBottom(head: number, count: number): void {
    while (this.#bottom.length < count) this.#bottom = doubled(this.#bottom);
    const bottom = this.#bottom;
    let end = 0;
    // Lists are last in, first out: equal times of one sender come already in reverse order.
    for (let slot = head; slot !== NO_SLOT; slot = this.links[slot]) {
      let hole = end++;
      while (hole > 0 && this.precedes(bottom[hole - 1], slot)) {
        bottom[hole] = bottom[hole - 1];
        hole--;
      }
      bottom[hole] = slot;
    }
    this.#bottomCount = end;
  }
}
