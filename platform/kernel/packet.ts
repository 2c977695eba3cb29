// What crosses from one node to another: a few numbers and some bytes. Packets are pooled; the
// receiver sees one only for the length of its `receive` call.

/** One timed message between two nodes. The meaning of `kind` and `a … d` is the bus's own. */
export class Packet {
  kind = 0;
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  /** How many of `bytes` belong to the packet. */
  length = 0;
  bytes: Uint8Array;
  readonly sizeClass: number;

  constructor(sizeClass: number) {
    this.sizeClass = sizeClass;
    this.bytes = new Uint8Array(2 ** sizeClass);
  }

  /** Sets kind and numbers; returns the packet. */
  label(kind: number, a = 0, b = 0, c = 0, d = 0): this {
    this.kind = kind;
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
    return this;
  }
}

const SMALLEST_CLASS = 7;
const CLASS_COUNT = 32;

/** Free lists of packets by power-of-two capacity, so that a long run allocates no packets. */
export class PacketPool {
  readonly #free: Packet[][] = Array.from({ length: CLASS_COUNT }, () => []);

  /** Takes a packet that can hold `length` bytes. Its numbers and bytes are whatever they were. */
  acquire(length: number): Packet {
    const sizeClass = length <= 2 ** SMALLEST_CLASS ? SMALLEST_CLASS : 32 - Math.clz32(length - 1);
    const packet = this.#free[sizeClass].pop() ?? new Packet(sizeClass);
    packet.length = length;
    return packet;
  }

  release(packet: Packet): void {
    this.#free[packet.sizeClass].push(packet);
  }
}
