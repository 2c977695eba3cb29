// The bytes behind a block device: an image file, read as it is touched and never changed unless the
// run ends with `writeBack`, or plain memory. Both are private to whoever opened them.
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { copyBytes } from '../node/index.ts';

const CHUNK_SIZE = 65536;

export class Backing {
  readonly size: number;
  readonly #file: number | null;
  readonly #path: string | null;
  readonly #chunks: (Buffer | undefined)[] = [];
  readonly #dirty = new Set<number>();

  private constructor(size: number, file: number | null, path: string | null) {
    this.size = size;
    this.#file = file;
    this.#path = path;
  }

  /** Opens an image file; a missing one was refused when the scenario was loaded. */
  static ofFile(path: string): Backing {
    const file = openSync(path, 'r');
    return new Backing(fstatSync(file).size, file, path);
  }

  /** Zeroed memory of this many bytes. */
  static ofMemory(size: number): Backing {
    return new Backing(size, null, null);
  }

  read(offset: number, target: Uint8Array, targetOffset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = (offset + done) % CHUNK_SIZE;
      const step = Math.min(length - done, CHUNK_SIZE - at);
      copyBytes(this.#chunk(offset + done), at, target, targetOffset + done, step);
      done += step;
    }
  }

  write(offset: number, source: Uint8Array, sourceOffset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = (offset + done) % CHUNK_SIZE;
      const step = Math.min(length - done, CHUNK_SIZE - at);
      copyBytes(source, sourceOffset + done, this.#chunk(offset + done), at, step);
      this.#dirty.add(Math.floor((offset + done) / CHUNK_SIZE));
      done += step;
    }
  }

  /** True when the bytes at `offset` equal those of `other`. */
  equals(offset: number, other: Uint8Array, otherOffset: number, length: number): boolean {
    for (let done = 0; done < length; ) {
      const at = (offset + done) % CHUNK_SIZE;
      const step = Math.min(length - done, CHUNK_SIZE - at);
      const chunk = this.#chunk(offset + done);
      const from = otherOffset + done;
      if (chunk.compare(other, from, from + step, at, at + step) !== 0) return false;
      done += step;
    }
    return true;
  }

  /** Writes changed bytes to the image file. Memory has nowhere to write to. */
  writeBack(): void {
    if (this.#path === null) return;
    const file = openSync(this.#path, 'r+');
    for (const index of this.#dirty) {
      const start = index * CHUNK_SIZE;
      writeSync(file, this.#chunks[index]!, 0, Math.min(CHUNK_SIZE, this.size - start), start);
    }
    closeSync(file);
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
  }

  #chunk(offset: number): Buffer {
    const index = Math.floor(offset / CHUNK_SIZE);
    const known = this.#chunks[index];
    if (known !== undefined) return known;
    const chunk = Buffer.alloc(CHUNK_SIZE);
    if (this.#file !== null) readSync(this.#file, chunk, 0, CHUNK_SIZE, index * CHUNK_SIZE);
    this.#chunks[index] = chunk;
    return chunk;
  }
}
