// What of a device's configuration its driver has not read since it changed: one range around all changes.

export class StaleRange {
  #from = Infinity;
  #to = 0;

  get isEmpty(): boolean {
    return this.#to <= this.#from;
  }

  /** These bytes changed; with length 0, any. */
  mark(offset: number, length: number): void {
    this.#from = length === 0 ? 0 : Math.min(this.#from, offset);
    this.#to = length === 0 ? Infinity : Math.max(this.#to, offset + length);
  }

  clear(): void {
    this.#from = Infinity;
    this.#to = 0;
  }

  /** What is to be read of so many bytes, all of them if nothing is known to be stale; it is stale no longer. */
  take(size: number): { readonly offset: number; readonly length: number } {
    const offset = this.#from;
    const length = Math.min(this.#to, size) - offset;
    this.clear();
    return length > 0 ? { offset, length } : { offset: 0, length: size };
  }
}
