// Flow control (PCI Express Base Specification §2.6): a packet leaves only when the far end has promised
// room for its header, and for its data in units of 16 bytes. Credit comes back a while after a packet has
// left, when the far end has taken it out of its buffer.
import type { Component, ComponentId } from '../kernel/index.ts';
import type { Node } from '../node/index.ts';

/** Bytes of data that one credit is for. */
export const CREDIT_UNIT = 16;

/** Room for one class of packets; Infinity where there is always enough. */
export interface CreditLimits {
  readonly headers: number;
  /** Units of CREDIT_UNIT bytes. */
  readonly data: number;
}

export class Credit {
  readonly #limits: CreditLimits;
  readonly #returnTime: number;
  #data = 0;
  // Packets whose credit is not back, oldest first, as a ring.
  #returnAt = new Float64Array(64);
  #units = new Float64Array(64);
  #head = 0;
  #count = 0;

  /** `returnTime`: ps from the end of a packet until its credit is back. */
  constructor(limits: CreditLimits, returnTime: number) {
    this.#limits = limits;
    this.#returnTime = returnTime;
  }

  /** Headers that may leave at this instant. Instants never go back. */
  headersAt(now: number): number {
    this.#takeBack(now);
    return this.#limits.headers - this.#count;
  }

  /** The first instant from `at` on when a packet with so many units of data may leave. */
  roomFrom(at: number, units: number): number {
    this.#takeBack(at);
    const { headers, data } = this.#limits;
    let room = at;
    while (this.#count > 0 && (this.#count >= headers || this.#data + units > data)) {
      room = this.#returnAt[this.#head];
      this.#takeBack(room);
    }
    return room;
  }

  /** When the credit that has been out longest is back. There must be some. */
  get nextReturn(): number {
    return this.#returnAt[this.#head];
  }

  /** A packet with so many units of data has left, its last byte at `end`. */
  spend(units: number, end: number): void {
    if (this.#count === this.#units.length) this.#grow();
    const at = (this.#head + this.#count++) & (this.#units.length - 1);
    this.#units[at] = units;
    this.#returnAt[at] = end + this.#returnTime;
    this.#data += units;
  }

  #takeBack(now: number): void {
    while (this.#count > 0 && this.#returnAt[this.#head] <= now) {
      this.#data -= this.#units[this.#head];
      this.#head = (this.#head + 1) & (this.#units.length - 1);
      this.#count--;
    }
  }

  #grow(): void {
    const length = this.#units.length;
    const units = new Float64Array(length * 2);
    const returnAt = new Float64Array(length * 2);
    for (let i = 0; i < length; i++) {
      const from = (this.#head + i) & (length - 1);
      units[i] = this.#units[from];
      returnAt[i] = this.#returnAt[from];
    }
    this.#units = units;
    this.#returnAt = returnAt;
    this.#head = 0;
  }
}

/** Tells one who waits for credit when some is back. */
export class CreditTimer implements Component {
  readonly #node: Node;
  readonly #credit: Credit;
  readonly #back: () => void;
  readonly #id: ComponentId;
  #isSet = false;

  constructor(node: Node, credit: Credit, back: () => void) {
    this.#node = node;
    this.#credit = credit;
    this.#back = back;
    this.#id = node.add(this);
  }

  /** Waits for the next credit; does nothing when it waits already. */
  set(): void {
    if (this.#isSet) return;
    this.#isSet = true;
    const { kernel } = this.#node;
    kernel.schedule(this.#id, Math.ceil(this.#credit.nextReturn - kernel.now), 0);
  }

  deliver(): void {
    this.#isSet = false;
    this.#back();
  }
}
