// Frames that wait, first in, first out, in buffers that are reused.

interface Slot {
  bytes: Uint8Array;
  length: number;
}

export class FrameFifo {
  count = 0;
  /** Bytes of the frames that wait. */
  bytes = 0;
  #slots: Slot[] = Array.from({ length: 8 }, emptySlot);
  #head = 0;

  /** Copies a frame in. */
  push(frame: Uint8Array, length: number): void {
    if (this.count === this.#slots.length) this.#grow();
    const slot = this.#slots[(this.#head + this.count++) & (this.#slots.length - 1)];
    if (slot.bytes.length < length) slot.bytes = new Uint8Array(Math.max(length, 2048));
    slot.bytes.set(frame.subarray(0, length));
    slot.length = length;
    this.bytes += length;
  }

  /** The oldest frame; valid until it is shifted out and another one is pushed. */
  peek(): Readonly<Slot> {
    return this.#slots[this.#head];
  }

  shift(): void {
    this.bytes -= this.#slots[this.#head].length;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.count--;
  }

  clear(): void {
    this.count = 0;
    this.bytes = 0;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = Array.from({ length: old.length * 2 }, (_, i) =>
      i < old.length ? old[(this.#head + i) & (old.length - 1)] : emptySlot(),
    );
    this.#head = 0;
  }
}

function emptySlot(): Slot {
  return { bytes: new Uint8Array(0), length: 0 };
}
