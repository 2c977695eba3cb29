// One direction of a hardware message unit, at the side that signals: a flag that is set here and cleared
// there. While it is set, another signal has to wait for its turn, so that none is lost.
export class MessageUnit {
  /** Signals that had to wait. */
  waited = 0;
  readonly #set: () => void;
  #isSet = false;
  #owed = 0;

  /** `set` makes the flag visible to the other side. */
  constructor(set: () => void) {
    this.#set = set;
  }

  get isSet(): boolean {
    return this.#isSet;
  }

  signal(): void {
    if (this.#isSet) {
      this.#owed++;
      this.waited++;
      return;
    }
    this.#isSet = true;
    this.#set();
  }

  /** The other side has cleared the flag. Returns true when a signal waits for that. */
  cleared(): boolean {
    this.#isSet = false;
    return this.#owed > 0;
  }

  /** Sends a signal that waited. */
  sendOwed(): void {
    if (this.#owed === 0 || this.#isSet) return;
    this.#owed--;
    this.signal();
  }
}
