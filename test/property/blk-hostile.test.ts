// Whatever bytes a driver makes of its requests, a disk answers each once, changes nothing that was not
// asked for, and goes on serving.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLK_S, BLK_T, STATUS } from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';

const SECTOR = 512;
const GUARD = 127;

/** Numbers that are more likely than others to be mistaken for something. */
const odd = (most: number) =>
  fc.oneof(
    fc.constantFrom(0, 1, 2, 127, 128, 2 ** 31, 2 ** 32 - 1),
    fc.integer({ min: 0, max: most }),
  );

const headerArbitrary = fc
  .tuple(
    fc.oneof(fc.constantFrom<number>(...Object.values(BLK_T)), odd(20)),
    odd(10),
    odd(200),
    fc.constantFrom(0, 0, 0, 1, 2 ** 31),
  )
  // Nothing but a write of the last sector may change it, and that is not among these: they have up to
  // two sectors of data.
  .filter(([type, , low]) => type !== BLK_T.OUT || low < GUARD - 1 || low > GUARD)
  .map(([type, reserved, low, high]) => le([type, 4], [reserved, 4], [low, 4], [high, 4]));

const rangeArbitrary = fc
  .tuple(fc.integer({ min: 0, max: 100 }), odd(20), odd(3))
  .filter(([sector, count]) => sector + count !== GUARD + 1)
  .map(([sector, count, flags]) => le([sector, 8], [count, 4], [flags, 4]));

const requestArbitrary = fc.record({
  header: headerArbitrary,
  /** How much of the header is there. */
  headerLength: fc.oneof(
    { weight: 5, arbitrary: fc.constant(16) },
    fc.integer({ min: 0, max: 16 }),
  ),
  data: fc.oneof(
    fc.array(rangeArbitrary, { maxLength: 18 }).map((ranges) => ranges.flat()),
    fc.constantFrom(0, 1, 511, 512, 1024).map((length) => new Array<number>(length).fill(0x5a)),
  ),
  /** Where the readable bytes are cut into segments. */
  cuts: fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 4 }),
  writable: fc.array(fc.constantFrom(0, 1, 16, 20, 511, 512, 513, 1024), { maxLength: 4 }),
});

type Drawn = typeof requestArbitrary extends fc.Arbitrary<infer T> ? T : never;

/** Cuts bytes at these places. */
function cut(bytes: readonly number[], cuts: readonly number[]): number[][] {
  const places = [...new Set([...cuts, bytes.length])].sort((a, b) => a - b);
  const pieces: number[][] = [];
  let from = 0;
  for (const place of places) {
    if (place > from && from < bytes.length) pieces.push(bytes.slice(from, place));
    from = Math.max(from, place);
  }
  return pieces;
}

/** Sends requests, lets them be served, and looks that each is answered, once. */
function answersEach(dut: DeviceBench, requests: readonly Drawn[]): void {
  const heads = requests.flatMap(({ header, headerLength, data, cuts, writable }) => {
    const readable = cut([...header.slice(0, headerLength), ...data], cuts);
    // A chain has one segment at least.
    return readable.length + writable.length === 0 ? [] : [dut.send(0, readable, writable)];
  });
  dut.device.available(0, 0);
  const returned = dut.run().map(({ head }) => head);
  expect(returned.sort()).toEqual(heads.sort());
  expect(dut.violations.every((code) => code === 'BAD_REQUEST')).toBe(true);
}

/** Reads a sector; the status comes last. */
function read(dut: DeviceBench, sector: number): Uint8Array {
  return dut.request(0, [le([BLK_T.IN, 4], [0, 4], [sector, 8])], [SECTOR, 1])[0].bytes;
}

function write(dut: DeviceBench, sector: number, value: number): void {
  const header = le([BLK_T.OUT, 4], [0, 4], [sector, 8]);
  dut.request(0, [header, new Array<number>(SECTOR).fill(value)], [1]);
}

describe('a disk with a hostile driver', () => {
  it('answers every chain once and goes on, seed 1, 300 runs', () => {
    const options = { capacity: '64KiB', discard: true, writeZeroes: true, writeCache: '8KiB' };
    fc.assert(
      fc.property(fc.array(requestArbitrary, { minLength: 1, maxLength: 8 }), (requests) => {
        const dut = new DeviceBench('blk', { options });
        expect(dut.start() & STATUS.DRIVER_OK).not.toBe(0);
        write(dut, GUARD, 0xa5);
        answersEach(dut, requests);
        const bytes = read(dut, GUARD);
        expect(bytes.at(-1)).toBe(BLK_S.OK);
        expect(bytes.subarray(0, SECTOR).every((byte) => byte === 0xa5)).toBe(true);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('does so with zones, and changes no conventional one by requests for others', () => {
    const zones = { size: '8KiB', capacity: '6KiB', conventional: 1, maxOpen: 1, maxActive: 2 };
    const conventional = 16;
    const elsewhere = ({ header }: Drawn) => header[0] !== BLK_T.OUT || header[8] >= conventional;
    fc.assert(
      fc.property(fc.array(requestArbitrary, { minLength: 1, maxLength: 8 }), (drawn) => {
        const dut = new DeviceBench('blk', { options: { capacity: '64KiB', zones } });
        expect(dut.start() & STATUS.DRIVER_OK).not.toBe(0);
        write(dut, 5, 0xa5);
        answersEach(dut, drawn.filter(elsewhere));
        const bytes = read(dut, 5);
        expect(bytes.at(-1)).toBe(BLK_S.OK);
        expect(bytes.subarray(0, SECTOR).every((byte) => byte === 0xa5)).toBe(true);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
