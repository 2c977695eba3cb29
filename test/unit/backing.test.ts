// The bytes behind a disk: read on demand, private to whoever opened them, written back when asked.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Backing } from '../../platform/memory/index.ts';
import { toHex } from '../../platform/wire/index.ts';

/** Three whole chunks of 64 KiB and a rest of half a sector. */
const SIZE = 3 * 65536 + 256;

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'backing-'));
  path = join(folder, 'disk.img');
  writeFileSync(path, image());
});

afterEach(() => rmSync(folder, { recursive: true }));

function image(): Uint8Array {
  return Uint8Array.from({ length: SIZE }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
}

function read(backing: Backing, offset: number, length: number): string {
  const target = new Uint8Array(length);
  backing.read(offset, target, 0, length);
  return toHex(target);
}

describe('a backing that is zeroed or changes its size', () => {
  it('zeroes what it is told, whole chunks and parts of them', () => {
    const backing = Backing.ofFile(path);
    backing.zero(65000, 2 * 65536);
    const expected = image();
    expected.fill(0, 65000, 65000 + 2 * 65536);
    expect(read(backing, 0, SIZE)).toBe(toHex(expected));
    backing.write(131072, Uint8Array.of(9), 0, 1);
    expect(read(backing, 131072, 2)).toBe('0900');
    backing.writeBack();
    expected[131072] = 9;
    expect(Buffer.compare(readFileSync(path), expected)).toBe(0);
    backing.close();
  });

  it('has zeroes where it was cut off and grew again', () => {
    const backing = Backing.ofFile(path);
    backing.resize(100_000);
    expect(backing.size).toBe(100_000);
    backing.resize(SIZE + 65536);
    const expected = new Uint8Array(SIZE + 65536);
    expected.set(image().subarray(0, 100_000));
    expect(read(backing, 0, SIZE + 65536)).toBe(toHex(expected));
    backing.close();
  });

  it('writes back no more than it has', () => {
    const backing = Backing.ofFile(path);
    backing.write(150_000, Uint8Array.of(1), 0, 1);
    backing.write(10, Uint8Array.of(2), 0, 1);
    backing.resize(65536);
    backing.writeBack();
    const written = readFileSync(path);
    expect([written.length, written[10], written[150_000]]).toEqual([SIZE, 2, image()[150_000]]);
    backing.close();
  });
});

describe('a backing', () => {
  it('of a file has its size and its bytes, over chunk borders too', () => {
    const backing = Backing.ofFile(path);
    expect(backing.size).toBe(SIZE);
    expect(read(backing, 65530, 70000)).toBe(toHex(image(), 65530, 135530));
    expect(read(backing, SIZE - 10, 10)).toBe(toHex(image(), SIZE - 10));
    backing.close();
  });

  it('of memory begins as zeroes and keeps what is written', () => {
    const backing = Backing.ofMemory(200_000);
    expect(read(backing, 100, 8)).toBe('0000000000000000');
    const data = image().slice(0, 70_000);
    backing.write(60_000, data, 0, data.length);
    expect(read(backing, 60_000, data.length)).toBe(toHex(data));
    expect(read(backing, 59_999, 1)).toBe('00');
    backing.writeBack();
    backing.close();
  });

  it('leaves the image as it was unless it is asked to write back', () => {
    const backing = Backing.ofFile(path);
    backing.write(65534, Uint8Array.of(1, 2, 3, 4), 0, 4);
    expect(read(backing, 65534, 4)).toBe('01020304');
    backing.close();
    expect(Buffer.compare(readFileSync(path), image())).toBe(0);
  });

  it('writes back what was changed, without changing the size', () => {
    const backing = Backing.ofFile(path);
    backing.write(65534, Uint8Array.of(1, 2, 3, 4), 0, 4);
    backing.write(SIZE - 1, Uint8Array.of(9), 0, 1);
    backing.writeBack();
    backing.close();
    const expected = image();
    expected.set([1, 2, 3, 4], 65534);
    expected[SIZE - 1] = 9;
    expect(Buffer.compare(readFileSync(path), expected)).toBe(0);
  });

  it('is not seen by another one of the same file', () => {
    const one = Backing.ofFile(path);
    const other = Backing.ofFile(path);
    one.write(0, Uint8Array.of(0xee), 0, 1);
    expect(read(other, 0, 1)).toBe(toHex(image(), 0, 1));
    one.close();
    other.close();
  });

  it('compares by words, and finds the one byte that differs', () => {
    const backing = Backing.ofFile(path);
    const words = new Int32Array(1024);
    const bytes = new Uint8Array(words.buffer);
    bytes.set(image().slice(64 * 1024 - 2048, 64 * 1024 + 2048));
    expect(backing.equals(64 * 1024 - 2048, words, 4096)).toBe(true);
    bytes[4095] ^= 1;
    expect(backing.equals(64 * 1024 - 2048, words, 4096)).toBe(false);
    expect(backing.equals(64 * 1024 - 2048, words, 4092)).toBe(true);
    backing.close();
  });
});
