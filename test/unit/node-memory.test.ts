// Memory of a node: bytes across chunk borders, bounds, and the allocator as a property.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionError, RunError } from '../../platform/errors.ts';
import { Memory, PAGE_SIZE, RAM_BASE } from '../../platform/node/index.ts';

/** Bytes are kept in chunks of 64 KiB; accesses across their borders are the interesting ones. */
const CHUNK = 65536;

function bytesFrom(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof RunError) return error.code;
    throw error;
  }
  return 'OK';
}

describe('bytes', () => {
  it('are zero until they are written', () => {
    const memory = new Memory(4 * CHUNK);
    const target = new Uint8Array(8).fill(0xa5);
    memory.copyOut(RAM_BASE + CHUNK - 4, target, 0, 8);
    expect([...target]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('are copied over several chunks and back', () => {
    const memory = new Memory(4 * CHUNK);
    const source = bytesFrom(3, 2 * CHUNK + 10);
    memory.copyIn(RAM_BASE + CHUNK - 5, source, 0, source.length);
    const target = new Uint8Array(source.length);
    memory.copyOut(RAM_BASE + CHUNK - 5, target, 0, target.length);
    expect(Buffer.compare(source, target)).toBe(0);
    expect(memory.readU8(RAM_BASE + CHUNK - 6)).toBe(0);
  });

  it('of numbers have the low byte first', () => {
    const memory = new Memory(CHUNK);
    memory.writeU32(RAM_BASE, 0xfedcba98);
    memory.writeU16(RAM_BASE + 4, 0x1234);
    memory.writeU64(RAM_BASE + 8, 0x1f_ffff_ffff_fffe);
    const target = new Uint8Array(16);
    memory.copyOut(RAM_BASE, target, 0, 16);
    expect(Buffer.from(target).toString('hex')).toBe('98badcfe34120000feffffffffff1f00');
    expect([memory.readU32(RAM_BASE), memory.readU16(RAM_BASE + 4)]).toEqual([0xfedcba98, 0x1234]);
  });

  it('are filled across a chunk border and no further', () => {
    const memory = new Memory(2 * CHUNK);
    memory.fill(RAM_BASE + CHUNK - 2, 4, 7);
    const target = new Uint8Array(6);
    memory.copyOut(RAM_BASE + CHUNK - 3, target, 0, 6);
    expect([...target]).toEqual([0, 7, 7, 7, 7, 0]);
  });

  it.each([
    ['below', RAM_BASE - 1, 1],
    ['beyond', RAM_BASE + PAGE_SIZE, 1],
    ['across the end', RAM_BASE + PAGE_SIZE - 1, 2],
    ['at no number', Number.NaN, 1],
  ])('%s the memory are refused with a code', (_, address, length) => {
    const memory = new Memory(PAGE_SIZE);
    expect(codeOf(() => memory.copyOut(address, new Uint8Array(2), 0, length))).toBe('MEMORY');
    expect(codeOf(() => memory.copyIn(address, new Uint8Array(2), 0, length))).toBe('MEMORY');
    expect(memory.contains(address, length)).toBe(false);
  });
});

describe('the allocator', () => {
  it('gives zeroed, aligned ranges, lowest address first', () => {
    const memory = new Memory(4 * PAGE_SIZE);
    const first = memory.allocate(10);
    memory.fill(first, 10, 0xff);
    expect(memory.allocate(PAGE_SIZE, PAGE_SIZE)).toBe(RAM_BASE + PAGE_SIZE);
    expect(memory.allocate(16)).toBe(RAM_BASE + 16);
    memory.free(first, 10);
    expect(memory.allocate(10)).toBe(first);
    expect(memory.readU32(first)).toBe(0);
  });

  it('says with a code that nothing is left', () => {
    const memory = new Memory(2 * PAGE_SIZE);
    memory.allocate(PAGE_SIZE + 1);
    expect(codeOf(() => memory.allocate(PAGE_SIZE))).toBe('MEMORY');
  });

  it('names who has too little, and a size that would have been enough', () => {
    const memory = new Memory(2 * PAGE_SIZE, "a.yaml:3:5: node 'vm'");
    memory.allocate(PAGE_SIZE);
    expect(() => memory.allocate(4 * PAGE_SIZE)).toThrow(
      "a.yaml:3:5: node 'vm' has too little memory: of its 8KiB, 4KiB are free, and 16KiB in one " +
        'piece are needed; try memory: 32KiB',
    );
  });

  it('takes a range given back twice for our own bug', () => {
    const memory = new Memory(2 * PAGE_SIZE);
    const address = memory.allocate(64);
    memory.free(address, 64);
    expect(() => memory.free(address, 64)).toThrow(AssertionError);
  });

  it('never hands out a byte twice and gets all of them back (seed 1)', () => {
    const step = fc.oneof(
      fc.record({
        length: fc.integer({ min: 1, max: 3000 }),
        shift: fc.integer({ max: 12, min: 0 }),
      }),
      fc.record({ free: fc.nat(1000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const size = 16 * PAGE_SIZE;
        const memory = new Memory(size);
        const live: { address: number; length: number }[] = [];
        for (const action of steps) {
          if ('free' in action) {
            const [range] = live.splice(action.free % Math.max(1, live.length), 1);
            if (range !== undefined) memory.free(range.address, range.length);
            continue;
          }
          const alignment = 2 ** action.shift;
          let address: number;
          try {
            address = memory.allocate(action.length, alignment);
          } catch (error) {
            if (error instanceof RunError) continue;
            throw error;
          }
          expect(address % alignment).toBe(0);
          expect(memory.contains(address, action.length)).toBe(true);
          const end = address + action.length;
          for (const other of live) {
            expect(end <= other.address || address >= other.address + other.length).toBe(true);
          }
          live.push({ address, length: action.length });
        }
        for (const { address, length } of live) memory.free(address, length);
        expect(memory.allocate(size, PAGE_SIZE)).toBe(RAM_BASE);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
