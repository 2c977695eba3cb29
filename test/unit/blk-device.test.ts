// virtio-blk: the disk as a hand-written driver sees it, good requests and hostile ones.
import { describe, expect, it } from 'vitest';
import { BLK_S, BLK_T, STATUS } from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';

const SECTOR = 512;
const header = (type: number, sector = 0) => le([type, 4], [0, 4], [sector, 8]);
const sectorsOf = (value: number, count = 1) => new Array<number>(SECTOR * count).fill(value);

function bench(options: Record<string, unknown> = {}, more: object = {}): DeviceBench {
  const made = new DeviceBench('blk', { options: { capacity: '64KiB', ...options }, ...more });
  expect(made.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
  return made;
}

/** Writes and returns the status. */
function write(dut: DeviceBench, sector: number, data: readonly number[], queue = 0): number {
  return dut.request(queue, [header(BLK_T.OUT, sector), data], [1])[0].bytes[0];
}

/** Reads one sector; the status comes last. */
function read(dut: DeviceBench, sector: number, queue = 0): number[] {
  return [...dut.request(queue, [header(BLK_T.IN, sector)], [SECTOR, 1])[0].bytes];
}

describe('the disk', () => {
  it('begins as zeroes and returns what was written', () => {
    const dut = bench();
    expect(read(dut, 5)).toEqual([...sectorsOf(0), BLK_S.OK]);
    expect(write(dut, 5, sectorsOf(0xa5))).toBe(BLK_S.OK);
    expect(read(dut, 5)).toEqual([...sectorsOf(0xa5), BLK_S.OK]);
    expect(read(dut, 6)).toEqual([...sectorsOf(0), BLK_S.OK]);
  });

  it('says how many bytes it has written: data and status, or the status alone', () => {
    const dut = bench();
    expect(dut.request(0, [header(BLK_T.IN)], [SECTOR, 1])[0].written).toBe(SECTOR + 1);
    expect(dut.request(0, [header(BLK_T.FLUSH)], [1])[0].written).toBe(1);
  });

  it('takes header and data in any framing', () => {
    const dut = bench();
    const bytes = [...header(BLK_T.OUT, 3), ...sectorsOf(7)];
    const pieces = [bytes.slice(0, 5), bytes.slice(5, 100), bytes.slice(100)];
    expect([...dut.request(0, pieces, [1])[0].bytes]).toEqual([BLK_S.OK]);
    // One writable segment for data and status together.
    const [{ bytes: back }] = dut.request(0, [header(BLK_T.IN, 3)], [SECTOR + 1]);
    expect([...back]).toEqual([...sectorsOf(7), BLK_S.OK]);
  });

  it('names itself, padded with zeroes', () => {
    const [{ bytes }] = bench({ serial: 'disk-7' }).request(0, [header(BLK_T.GET_ID)], [20, 1]);
    const text = [...'disk-7'].map((letter) => letter.charCodeAt(0));
    expect([...bytes]).toEqual([...text, ...new Array(14).fill(0), BLK_S.OK]);
  });
});

describe('a hostile driver', () => {
  it.each([
    ['a read beyond the end', [header(BLK_T.IN, 127)], [2 * SECTOR, 1], BLK_S.IOERR],
    ['a sector near 2^64', [le([0, 4], [0, 4], [2 ** 63, 8])], [SECTOR, 1], BLK_S.IOERR],
    ['half a sector', [header(BLK_T.IN)], [256, 1], BLK_S.IOERR],
    ['a write of half a sector', [header(BLK_T.OUT), [1, 2, 3]], [1], BLK_S.IOERR],
    ['an unknown type', [header(999)], [1], BLK_S.UNSUPP],
  ] as const)('%s is an error', (_, readable, writable, status) => {
    const dut = bench();
    const [{ bytes }] = dut.request(0, readable, writable);
    expect(bytes.at(-1)).toBe(status);
    expect(read(dut, 0).at(-1)).toBe(BLK_S.OK);
  });

  it.each([
    ['a header cut short', [[0, 0, 0]], [1]],
    ['no readable segment at all', [], [SECTOR, 1]],
    ['no room for a status', [header(BLK_T.OUT), sectorsOf(1)], []],
  ] as const)('%s is a violation, and the chain comes back', (_, readable, writable) => {
    const dut = bench();
    expect(dut.request(0, readable, writable)).toHaveLength(1);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
    expect(read(dut, 0).at(-1)).toBe(BLK_S.OK);
  });

  it('a header that may not be read is a fault, and the request an error', () => {
    let armed = false;
    const refuse = ({ write, length }: { write: boolean; length: number }) =>
      armed && !write && length === 16 ? 'not shared' : null;
    const dut = bench({}, { refuse });
    // Descriptors are 16 bytes as well, but are read by the line.
    armed = true;
    const [{ bytes }] = dut.request(0, [header(BLK_T.FLUSH)], [1]);
    expect([...bytes]).toEqual([BLK_S.IOERR]);
    expect(dut.violations).toEqual(['DMA_FAULT']);
  });

  it('a status that may not be written makes it ask for a reset', () => {
    const refuse = ({ write, length }: { write: boolean; length: number }) =>
      write && length === 1 ? 'read-only' : null;
    const dut = bench({}, { refuse });
    expect(dut.request(0, [header(BLK_T.FLUSH)], [1])).toEqual([]);
    expect(dut.device.status & STATUS.DEVICE_NEEDS_RESET).not.toBe(0);
    expect(dut.configEvents).toBe(1);
  });
});
