// The events of a calendar queue that belong to opened time but are too many for its run: a heap, and
// beside it one list that was found sorted, as the ties of one sender are.
import { type EventQueue, Layout } from './event-queue.ts';
import { SlotHeap } from './slot-heap.ts';

const { NO_SLOT } = Layout;

export class LateEvents {
  size = 0;
  readonly #records: EventQueue;
  readonly #heap: SlotHeap;
  #list = new Int32Array(0);
  #head = 0;
  #tail = 0;

  constructor(records: EventQueue) {
    this.#records = records;
    this.#heap = new SlotHeap(records);
  }

  push(slot: number): void {
    this.size++;
    this.#heap.push(slot);
  }

  /** Takes in a linked list, last event first, when nothing is late yet. Returns if it was sorted. */
  pushList(first: number, length: number): boolean {
    const records = this.#records;
    if (this.#list.length < length) this.#list = new Int32Array(length * 2);
    const list = this.#list;
    let isSorted = true;
    let slot = first;
    for (let i = length - 1; slot !== NO_SLOT; i--) {
      list[i] = slot;
      if (i < length - 1 && records.precedes(list[i + 1], slot)) isSorted = false;
      slot = records.links[slot];
    }
    this.#head = 0;
    this.#tail = isSorted ? length : 0;
    this.size += length;
    if (!isSorted) for (let i = 0; i < length; i++) this.#heap.push(list[i]);
    return isSorted;
  }

  /** Takes out the first event. There must be one. */
  takeFirst(): number {
    this.size--;
    const heap = this.#heap;
    const list = this.#list;
    const head = this.#head;
    if (head < this.#tail) {
      if (heap.size === 0 || this.#records.precedes(list[head], heap.first())) {
        this.#head++;
        return list[head];
      }
    }
    const slot = heap.first();
    heap.removeFirst();
    return slot;
  }
}
