// A one-way stream of packets between two threads through shared memory. It is a ring of 64-byte
// lines; a packet is one line of numbers and as many lines as its bytes need. What finds no room waits
// in a private spill of the writer and follows later, in order, in as many pieces as it takes.
//
//   line 0: at f64 │ key f64 │ node i32, port i32 │ kind i32, length i32 │ a │ b │ c │ d  (f64 each)
//   line 1…: bytes
//
//   shared: read position i32 … 64 bytes … write position i32 … 64 bytes … lines
import { assert } from '../errors.ts';
import type { Instant, Kernel, Packet } from '../kernel/index.ts';
import { copyBytes } from '../node/index.ts';

const LINE_SHIFT = 6;
const LINE_SIZE = 1 << LINE_SHIFT;
const FLOATS_SHIFT = LINE_SHIFT - 3;
const WORDS_SHIFT = LINE_SHIFT - 2;
const CONTROL_SIZE = 128;
/** Positions count lines for ever and wrap around; these are their places among the 32-bit words. */
const READ_POSITION = 0;
const WRITE_POSITION = 16;

const RING_SIZE_MIN = 2 * LINE_SIZE;
const SPILL_LINES_START = 64;

/**
 * Makes the shared memory of one ring. `size` in bytes is rounded up to a power of two; positions are
 * counted from `start`.
 */
export function createRing(size: number, start = 0): SharedArrayBuffer {
  let lines = RING_SIZE_MIN / LINE_SIZE;
  while (lines * LINE_SIZE < size) lines *= 2;
  const memory = new SharedArrayBuffer(CONTROL_SIZE + lines * LINE_SIZE);
  const positions = new Int32Array(memory);
  positions[READ_POSITION] = positions[WRITE_POSITION] = start;
  return memory;
}

function linesOf(length: number): number {
  return 1 + ((length + LINE_SIZE - 1) >>> LINE_SHIFT);
}

/** Lines of memory, addressed by positions that wrap around at its end. */
class Lines {
  readonly count: number;
  readonly mask: number;
  readonly floats: Float64Array;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;

  constructor(memory: ArrayBufferLike, offset: number) {
    this.floats = new Float64Array(memory, offset);
    this.words = new Int32Array(memory, offset);
    this.bytes = new Uint8Array(memory, offset);
    this.count = this.bytes.length >>> LINE_SHIFT;
    this.mask = this.count - 1;
  }

  writePacket(
    position: number,
    at: Instant,
    key: number,
    toNode: number,
    toPort: number,
    packet: Packet,
  ): void {
    const line = position & this.mask;
    const float = line << FLOATS_SHIFT;
    const word = line << WORDS_SHIFT;
    const { floats, words } = this;
    floats[float] = at;
    floats[float | 1] = key;
    words[word | 4] = toNode;
    words[word | 5] = toPort;
    words[word | 6] = packet.kind;
    words[word | 7] = packet.length;
    floats[float | 4] = packet.a;
    floats[float | 5] = packet.b;
    floats[float | 6] = packet.c;
    floats[float | 7] = packet.d;
    this.writeBytes(position + 1, packet.bytes, packet.length);
  }

  writeBytes(position: number, source: Uint8Array, length: number): void {
    const at = (position & this.mask) << LINE_SHIFT;
    const first = Math.min(length, this.bytes.length - at);
    copyBytes(source, 0, this.bytes, at, first);
    if (first < length) copyBytes(source, first, this.bytes, 0, length - first);
  }

  readBytes(position: number, target: Uint8Array, offset: number, length: number): void {
    const at = (position & this.mask) << LINE_SHIFT;
    const first = Math.min(length, this.bytes.length - at);
    copyBytes(this.bytes, at, target, offset, first);
    if (first < length) copyBytes(this.bytes, 0, target, offset + first, length - first);
  }

  /** Copies whole lines from other memory to this one. */
  copyFrom(source: Lines, from: number, to: number, count: number): void {
    for (let done = 0; done < count; ) {
      const start = (from + done) & source.mask;
      const target = (to + done) & this.mask;
      const step = Math.min(count - done, source.count - start, this.count - target);
      const bytes = source.bytes.subarray(start << LINE_SHIFT, (start + step) << LINE_SHIFT);
      this.bytes.set(bytes, target << LINE_SHIFT);
      done += step;
    }
  }
}

export class PacketWriter {
  /** Packets and their bytes written so far. */
  packets = 0;
  bytes = 0;
  /** Packets that did not fit at once. */
  spilled = 0;
  /** Least arrival time of the packets that the reader may not have seen yet. */
  earliest: Instant = Infinity;
  readonly #control: Int32Array;
  readonly #ring: Lines;
  #written = 0;
  /** The reader's position when it was last looked at. */
  #read = 0;
  #spill = new Lines(new ArrayBuffer(SPILL_LINES_START << LINE_SHIFT), 0);
  #spillStart = 0;
  #spillLines = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#control = new Int32Array(memory, 0, CONTROL_SIZE / 4);
    this.#ring = new Lines(memory, CONTROL_SIZE);
    this.#written = this.#read = Atomics.load(this.#control, WRITE_POSITION);
  }

  /** Begins a round: the reader has by now taken everything that `flush` published. */
  beginRound(): void {
    // With a spill the old bound stays: too early is safe, and the next round corrects it.
    if (this.#spillLines === 0) this.earliest = Infinity;
  }

  push(at: Instant, key: number, toNode: number, toPort: number, packet: Packet): void {
    const lines = linesOf(packet.length);
    this.packets++;
    this.bytes += packet.length;
    if (at < this.earliest) this.earliest = at;
    if (this.#spillLines === 0 && this.#room() >= lines) {
      this.#ring.writePacket(this.#written, at, key, toNode, toPort, packet);
      this.#written = (this.#written + lines) | 0;
      return;
    }
    this.spilled++;
    while (this.#spill.count - this.#spillLines < lines) this.#growSpill();
    const position = this.#spillStart + this.#spillLines;
    this.#spill.writePacket(position, at, key, toNode, toPort, packet);
    this.#spillLines += lines;
  }

  /** Publishes what was written, and as much of the spill as fits. Returns false if some is left. */
  flush(): boolean {
    if (this.#spillLines > 0) {
      const count = Math.min(this.#spillLines, this.#room());
      this.#ring.copyFrom(this.#spill, this.#spillStart, this.#written, count);
      this.#written = (this.#written + count) | 0;
      this.#spillStart = (this.#spillStart + count) & this.#spill.mask;
      this.#spillLines -= count;
    }
    Atomics.store(this.#control, WRITE_POSITION, this.#written);
    return this.#spillLines === 0;
  }

  /** Free lines of the ring. */
  #room(): number {
    const { count } = this.#ring;
    let used = (this.#written - this.#read) | 0;
    if (used * 2 > count) {
      this.#read = Atomics.load(this.#control, READ_POSITION);
      used = (this.#written - this.#read) | 0;
    }
    return count - used;
  }

  #growSpill(): void {
    const old = this.#spill;
    const larger = new Lines(new ArrayBuffer((old.count * 2) << LINE_SHIFT), 0);
    larger.copyFrom(old, this.#spillStart, 0, this.#spillLines);
    this.#spill = larger;
    this.#spillStart = 0;
  }
}

export class PacketReader {
  readonly #kernel: Kernel;
  readonly #control: Int32Array;
  readonly #ring: Lines;
  #read = 0;
  /** A packet of which only the first bytes have come, and how many. */
  #partial: Packet | null = null;
  #filled = 0;
  #at: Instant = 0;
  #key = 0;
  #toNode = 0;
  #toPort = 0;

  constructor(memory: SharedArrayBuffer, kernel: Kernel) {
    this.#kernel = kernel;
    this.#control = new Int32Array(memory, 0, CONTROL_SIZE / 4);
    this.#ring = new Lines(memory, CONTROL_SIZE);
    this.#read = Atomics.load(this.#control, READ_POSITION);
  }

  /** Hands everything that was published to the kernel. */
  drain(): void {
    const end = Atomics.load(this.#control, WRITE_POSITION);
    if (this.#read === end) return;
    while (this.#read !== end) {
      const packet = this.#partial ?? this.#begin();
      const available = ((end - this.#read) | 0) << LINE_SHIFT;
      const length = Math.min(packet.length - this.#filled, available);
      this.#ring.readBytes(this.#read, packet.bytes, this.#filled, length);
      this.#filled += length;
      this.#read = (this.#read + ((length + LINE_SIZE - 1) >>> LINE_SHIFT)) | 0;
      if (this.#filled < packet.length) break;
      this.#partial = null;
      this.#kernel.accept(this.#at, this.#key, this.#toNode, this.#toPort, packet);
    }
    assert(this.#read === end, 'a packet ring was read past its end');
    Atomics.store(this.#control, READ_POSITION, end);
  }

  /** Reads a packet's line of numbers. */
  #begin(): Packet {
    const line = this.#read & this.#ring.mask;
    const float = line << FLOATS_SHIFT;
    const word = line << WORDS_SHIFT;
    const { floats, words } = this.#ring;
    const packet = this.#kernel.packets.acquire(words[word | 7]);
    this.#at = floats[float];
    this.#key = floats[float | 1];
    this.#toNode = words[word | 4];
    this.#toPort = words[word | 5];
    packet.kind = words[word | 6];
    packet.a = floats[float | 4];
    packet.b = floats[float | 5];
    packet.c = floats[float | 6];
    packet.d = floats[float | 7];
    this.#read = (this.#read + 1) | 0;
    this.#partial = packet;
    this.#filled = 0;
    return packet;
  }
}
