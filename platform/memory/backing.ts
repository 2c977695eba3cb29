// The bytes behind a block device: an image file, read as it is touched and never changed unless the
// run ends with `writeBack`, or plain memory. Both are private to whoever opened them.
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { assert } from '../errors.ts';
import { copyBytes } from '../node/index.ts';

const CHUNK_SIZE = 65536;

/** A piece of the backing, as bytes and as the words of the same memory. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

/** Compares words four at a time, which is what keeps verification cheap. */
function sameWords(
  mine: Int32Array,
  at: number,
  other: Int32Array,
  start: number,
  count: number,
): boolean {
  const whole = count & ~3;
  let i = 0;
  for (; i < whole; i += 4) {
    const a = at + i;
    const b = start + i;
    const difference =
      (mine[a] ^ other[b]) |
      (mine[a + 1] ^ other[b + 1]) |
      (mine[a + 2] ^ other[b + 2]) |
      (mine[a + 3] ^ other[b + 3]);
    if (difference !== 0) return false;
  }
  for (; i < count; i++) if (mine[at + i] !== other[start + i]) return false;
  return true;
}

function newChunk(): Chunk {
  const bytes = new Uint8Array(CHUNK_SIZE);
  return { bytes, words: new Int32Array(bytes.buffer) };
}

/** What untouched memory reads as. Never written. */
const ZEROES = newChunk();

export class Backing {
  size: number;
  readonly #file: number | null;
  readonly #path: string | null;
  readonly #chunks: (Chunk | undefined)[] = [];
  readonly #dirty = new Set<number>();
  /** Bytes of the image that still count: what a smaller disk has cut off is zeroes afterwards. */
  #imageEnd: number;

  private constructor(size: number, file: number | null, path: string | null) {
    this.size = size;
    this.#file = file;
    this.#path = path;
    this.#imageEnd = size;
  }

  /** Opens an image file; a missing one was refused when the scenario was loaded. */
  static ofFile(path: string): Backing {
    const file = openSync(path, 'r');
    return new Backing(fstatSync(file).size, file, path);
  }

  /** True when `writeBack` to this image file would be allowed. The file is not touched. */
  static canWriteBack(path: string): boolean {
    try {
      accessSync(path, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  }

  /** Zeroed memory of this many bytes. */
  static ofMemory(size: number): Backing {
    return new Backing(size, null, null);
  }

  read(offset: number, target: Uint8Array, targetOffset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = (offset + done) % CHUNK_SIZE;
      const step = Math.min(length - done, CHUNK_SIZE - at);
      copyBytes(this.#chunk(offset + done).bytes, at, target, targetOffset + done, step);
      done += step;
    }
  }

  write(offset: number, source: Uint8Array, sourceOffset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = (offset + done) % CHUNK_SIZE;
      const step = Math.min(length - done, CHUNK_SIZE - at);
      copyBytes(source, sourceOffset + done, this.#ownChunk(offset + done).bytes, at, step);
      done += step;
    }
  }

  /**
   * True when the bytes from `offset` equal the first `length` bytes of `other`. Offset and length are
   * multiples of 4, which is how blocks are compared a word at a time.
   */
  equals(offset: number, other: Int32Array, length: number): boolean {
    assert(offset % 4 === 0 && length % 4 === 0, 'blocks are compared by words');
    for (let done = 0; done < length; ) {
      const at = (offset + done) % CHUNK_SIZE;
      const step = Math.min(length - done, CHUNK_SIZE - at);
      const { words } = this.#chunk(offset + done);
      const mine = at / 4;
      const theirs = done / 4;
      if (!sameWords(words, mine, other, theirs, step / 4)) return false;
      done += step;
    }
    return true;
  }

  /** Makes a range zeroes. Whole chunks cost next to nothing. */
  zero(offset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = (offset + done) % CHUNK_SIZE;
      const step = Math.min(length - done, CHUNK_SIZE - at);
      const index = Math.floor((offset + done) / CHUNK_SIZE);
      if (step < CHUNK_SIZE) {
        this.#ownChunk(offset + done).bytes.fill(0, at, at + step);
      } else {
        this.#chunks[index] = ZEROES;
        if (this.#file !== null) this.#dirty.add(index);
      }
      done += step;
    }
  }

  /** Changes the size. What is added is zeroes, even where there were other bytes once. */
  resize(size: number): void {
    if (size < this.size) this.zero(size, this.size - size);
    this.#imageEnd = Math.min(this.#imageEnd, size);
    this.size = size;
  }

  /** Writes changed bytes to the image file. Memory has nowhere to write to. */
  writeBack(): void {
    if (this.#path === null) return;
    const file = openSync(this.#path, 'r+');
    for (const index of this.#dirty) {
      const start = index * CHUNK_SIZE;
      const length = Math.min(CHUNK_SIZE, this.size - start);
      if (length > 0) writeSync(file, this.#chunks[index]!.bytes, 0, length, start);
    }
    closeSync(file);
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
  }

  /** The chunk for reading. Plain memory that was never written needs no memory of ours. */
  #chunk(offset: number): Chunk {
    const index = Math.floor(offset / CHUNK_SIZE);
    const known = this.#chunks[index];
    if (known !== undefined) return known;
    if (this.#file === null) return ZEROES;
    const chunk = newChunk();
    const start = index * CHUNK_SIZE;
    const length = Math.min(CHUNK_SIZE, this.#imageEnd - start);
    if (length > 0) readSync(this.#file, chunk.bytes, 0, length, start);
    this.#chunks[index] = chunk;
    return chunk;
  }

  /** The chunk for writing. */
  #ownChunk(offset: number): Chunk {
    const index = Math.floor(offset / CHUNK_SIZE);
    if (this.#file !== null) this.#dirty.add(index);
    const chunk = this.#chunk(offset);
    if (chunk !== ZEROES) return chunk;
    const own = newChunk();
    this.#chunks[index] = own;
    return own;
  }
}
