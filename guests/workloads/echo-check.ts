// Checks a stream of messages that comes back: composes each from random bytes, remembers them, and
// compares what is received, however it is cut, with the oldest message that is not complete.
import type { RandomStream } from '../../platform/kernel/index.ts';

export class EchoCheck {
  readonly #random: RandomStream;
  readonly #answered: (slot: number, intact: boolean) => void;
  /** Slots whose messages are under way, oldest first, and their bytes. */
  readonly #slots: number[] = [];
  readonly #expected: Uint8Array[] = [];
  readonly #spare: Uint8Array[] = [];
  /** Bytes of the oldest message that have come back. */
  #done = 0;
  #intact = true;

  /** `answered` is called when all bytes of a slot's message have come back. */
  constructor(random: RandomStream, answered: (slot: number, intact: boolean) => void) {
    this.#random = random;
    this.#answered = answered;
  }

  /** Fills `message` with bytes to be sent for a slot, and expects them back after all before. */
  compose(slot: number, message: Uint8Array): void {
    this.#random.fill(message);
    const copy = this.#spare.pop() ?? new Uint8Array(message.length);
    copy.set(message);
    this.#slots.push(slot);
    this.#expected.push(copy);
  }

  /** Takes bytes that came back. Returns how many of them nobody has sent. */
  received(bytes: Uint8Array, length: number): number {
    let at = 0;
    while (at < length && this.#slots.length > 0) {
      const expected = this.#expected[0];
      const step = Math.min(length - at, expected.length - this.#done);
      for (let i = 0; i < step; i++) {
        if (bytes[at + i] !== expected[this.#done + i]) this.#intact = false;
      }
      this.#done += step;
      at += step;
      if (this.#done === expected.length) this.#complete();
    }
    return length - at;
  }

  /** Expects only the messages of some slots, which are sent once more, and forgets the others. */
  restart(sentAgain: (slot: number) => boolean): void {
    for (let i = this.#slots.length - 1; i >= 0; i--) {
      if (sentAgain(this.#slots[i])) continue;
      this.#spare.push(...this.#expected.splice(i, 1));
      this.#slots.splice(i, 1);
    }
    this.#done = 0;
    this.#intact = true;
  }

  /** Forgets all messages under way. */
  clear(): void {
    this.restart(() => false);
  }

  #complete(): void {
    const slot = this.#slots.shift()!;
    this.#spare.push(this.#expected.shift()!);
    const intact = this.#intact;
    this.#done = 0;
    this.#intact = true;
    this.#answered(slot, intact);
  }
}
