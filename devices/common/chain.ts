// A descriptor chain as the device has fetched it.
import { doubled } from '../../platform/kernel/index.ts';

export class Chain {
  /** The driver's name for the chain: its head in a split ring, its buffer id in a packed one. */
  head = 0;
  /** How often this head was fetched before, since the queue was set up; with it names the request. */
  use = 0;
  /** Segments fetched so far; the readable ones come first. */
  count = 0;
  readableCount = 0;
  readableBytes = 0;
  writableBytes = 0;
  /** Next descriptor to fetch, or -1 when the chain is complete. */
  next = -1;
  /** An indirect table that is to be fetched, or length 0. */
  tableAddress = 0;
  tableLength = 0;
  /** Descriptors of the ring itself that the chain takes up. */
  slots = 0;
  addresses = new Float64Array(8);
  lengths = new Float64Array(8);

  begin(head: number): void {
    this.head = head;
    this.use = 0;
    this.count = 0;
    this.readableCount = 0;
    this.readableBytes = 0;
    this.writableBytes = 0;
    this.next = head;
    this.tableAddress = 0;
    this.tableLength = 0;
    this.slots = 0;
  }

  get complete(): boolean {
    return this.next < 0 && this.tableLength === 0;
  }

  /** Appends a segment. Returns false for a readable segment after a writable one (§2.7.4.2). */
  add(address: number, length: number, writable: boolean): boolean {
    if (this.count === this.addresses.length) this.#grow();
    this.addresses[this.count] = address;
    this.lengths[this.count] = length;
    this.count++;
    if (writable) {
      this.writableBytes += length;
      return true;
    }
    this.readableBytes += length;
    this.readableCount++;
    return this.readableCount === this.count;
  }

  #grow(): void {
    this.addresses = doubled(this.addresses);
    this.lengths = doubled(this.lengths);
  }
}
