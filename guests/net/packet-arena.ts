// Memory for packets on their way out: taken from a range round and round, given back in any order. Room
// becomes free again once all packets before it are back.
//
//   │ free │ tail ▸ packets on their way … ◂ head │ free │

const LINE = 64;

export class PacketArena {
  /** Bytes of packets that are not back, rounded up to lines. */
  used = 0;
  readonly #start: number;
  readonly #size: number;
  // Records of packets, oldest first, as a ring.
  #addresses = new Float64Array(64);
  #lengths = new Float64Array(64);
  #returned = new Uint8Array(64);
  #first = 0;
  #count = 0;
  #head = 0;
  #tail = 0;

  /** `start` is the address of `size` bytes of own RAM. */
  constructor(start: number, size: number) {
    this.#start = start;
    this.#size = size;
  }

  /** Takes room for a packet; returns its address, or -1 when there is none now. */
  take(length: number): number {
    const room = Math.ceil(length / LINE) * LINE;
    const at = this.#place(room);
    if (at < 0) return -1;
    if (this.#count === this.#addresses.length) this.#grow();
    const record = (this.#first + this.#count++) & (this.#addresses.length - 1);
    this.#addresses[record] = at;
    this.#lengths[record] = room;
    this.#returned[record] = 0;
    this.#head = at + room;
    this.used += room;
    return this.#start + at;
  }

  /** Gives a packet back by its address. */
  give(address: number): void {
    const at = address - this.#start;
    const mask = this.#addresses.length - 1;
    for (let i = 0; i < this.#count; i++) {
      const record = (this.#first + i) & mask;
      if (this.#addresses[record] !== at || this.#returned[record] === 1) continue;
      this.#returned[record] = 1;
      this.used -= this.#lengths[record];
      break;
    }
    while (this.#count > 0 && this.#returned[this.#first] === 1) {
      this.#tail = this.#addresses[this.#first] + this.#lengths[this.#first];
      this.#first = (this.#first + 1) & mask;
      this.#count--;
    }
    if (this.#count > 0) return;
    this.#head = 0;
    this.#tail = 0;
  }

  /** Offset for `room` bytes in one piece, or -1. An empty arena has head and tail at 0. */
  #place(room: number): number {
    if (this.#count === 0) return room <= this.#size ? 0 : -1;
    if (this.#head > this.#tail) {
      if (this.#head + room <= this.#size) return this.#head;
      return room <= this.#tail ? 0 : -1;
    }
    return this.#head + room <= this.#tail ? this.#head : -1;
  }

  #grow(): void {
    const old = { addresses: this.#addresses, lengths: this.#lengths, returned: this.#returned };
    const capacity = old.addresses.length * 2;
    this.#addresses = new Float64Array(capacity);
    this.#lengths = new Float64Array(capacity);
    this.#returned = new Uint8Array(capacity);
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#first + i) & (old.addresses.length - 1);
      this.#addresses[i] = old.addresses[from];
      this.#lengths[i] = old.lengths[from];
      this.#returned[i] = old.returned[from];
    }
    this.#first = 0;
  }
}
