// A descriptor chain as the device has fetched it. Chains are pooled by their queue.

export class Chain {
  /** The driver's name for the chain. */
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
  addresses = new Float64Array(8);
  lengths = new Float64Array(8);

  begin(head: number, use: number): void {
    this.head = head;
    this.use = use;
    this.count = 0;
    this.readableCount = 0;
    this.readableBytes = 0;
    this.writableBytes = 0;
    this.next = head;
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
    const capacity = this.addresses.length * 2;
    const addresses = new Float64Array(capacity);
    addresses.set(this.addresses);
    this.addresses = addresses;
    const lengths = new Float64Array(capacity);
    lengths.set(this.lengths);
    this.lengths = lengths;
  }
}
