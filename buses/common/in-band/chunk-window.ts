// How many chunks may be under way without an answer: no more than the queues of the bus have room for, as
// a full queue stops everything that comes after.
export class ChunkWindow {
  readonly #size: number;
  readonly #room: () => void;
  #used = 0;

  /** `room` is told when there is room again. */
  constructor(size: number, room: () => void) {
    this.#size = size;
    this.#room = room;
  }

  get hasRoom(): boolean {
    return this.#used < this.#size;
  }

  /** True for a chunk of a write that asks for an answer before the window is full. */
  wantsAnswer(sequence: number): boolean {
    return (sequence + 1) % Math.ceil(this.#size / 2) === 0;
  }

  take(): void {
    this.#used++;
  }

  giveBack(count: number): void {
    this.#used -= count;
    if (this.hasRoom) this.#room();
  }
}
