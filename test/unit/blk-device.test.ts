// virtio-blk: the disk as a hand-written driver sees it, good requests and hostile ones.
import { describe, expect, it } from 'vitest';
import { ScenarioError } from '../../platform/scenario/index.ts';
import {
  BLK_CONFIG,
  BLK_CONFIG_SIZE,
  BLK_F,
  BLK_S,
  BLK_T,
  blkConfig,
  F,
  STATUS,
} from '../../platform/virtio/index.ts';
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

  it('SPR-2 MUST NOT: takes header and data in any framing', () => {
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

const range = (sector: number, count: number, flags = 0) => le([sector, 8], [count, 4], [flags, 4]);

/** Sends ranges of a discard or write-zeroes request and returns the status. */
function ranges(dut: DeviceBench, type: number, list: readonly number[][]): number {
  return dut.request(0, [header(type), list.flat()], [1])[0].bytes[0];
}

describe('GET_LIFETIME', () => {
  it('tells how worn the disk is, where it was negotiated', () => {
    const dut = bench({ lifetime: { preEol: 3, typeA: 11, typeB: 4 } });
    const [{ bytes, written }] = dut.request(0, [header(BLK_T.GET_LIFETIME)], [6, 1]);
    expect([...bytes]).toEqual([3, 0, 11, 0, 4, 0, BLK_S.OK]);
    expect(written).toBe(7);
    const [{ bytes: refused }] = bench().request(0, [header(BLK_T.GET_LIFETIME)], [6, 1]);
    expect(refused.at(-1)).toBe(BLK_S.UNSUPP);
  });
});

describe('discard and write zeroes', () => {
  const full = () => {
    const dut = bench({ discard: true, writeZeroes: true, secureErase: true });
    for (let sector = 0; sector < 8; sector++) write(dut, sector, sectorsOf(sector + 1));
    return dut;
  };

  it.each([
    ['DISCARD', BLK_T.DISCARD, 0],
    ['WRITE_ZEROES', BLK_T.WRITE_ZEROES, 0],
    ['WRITE_ZEROES with unmap', BLK_T.WRITE_ZEROES, 1],
    ['SECURE_ERASE', BLK_T.SECURE_ERASE, 0],
  ])('%s covers its ranges and nothing else', (_, type, flags) => {
    const dut = full();
    expect(ranges(dut, type, [range(1, 2, flags), range(5, 1, flags)])).toBe(BLK_S.OK);
    const first = Array.from({ length: 8 }, (_, sector) => read(dut, sector)[0]);
    expect(first).toEqual([1, 0, 0, 4, 5, 0, 7, 8]);
  });

  it.each([
    ['unmap in a discard', BLK_T.DISCARD, [range(0, 1, 1)], BLK_S.UNSUPP],
    ['unmap in a secure erase', BLK_T.SECURE_ERASE, [range(0, 1, 1)], BLK_S.UNSUPP],
    ['an unknown flag', BLK_T.WRITE_ZEROES, [range(0, 1, 2)], BLK_S.UNSUPP],
    ['an unknown flag in the second range', BLK_T.DISCARD, [range(0, 1), range(1, 1, 8)], 2],
    ['a range beyond the end', BLK_T.DISCARD, [range(127, 2)], BLK_S.IOERR],
    ['a sector near 2^64', BLK_T.DISCARD, [range(2 ** 63, 1)], BLK_S.IOERR],
    ['more ranges than may be', BLK_T.DISCARD, new Array(17).fill(range(0, 1)), BLK_S.IOERR],
    ['half a range', BLK_T.DISCARD, [range(0, 1).slice(8)], BLK_S.IOERR],
    ['no range', BLK_T.WRITE_ZEROES, [[]], BLK_S.IOERR],
  ] as const)('%s changes nothing', (_, type, list, status) => {
    const dut = full();
    expect(ranges(dut, type, list as number[][])).toBe(status);
    expect(read(dut, 0)[0]).toBe(1);
  });

  it('are unsupported unless they were negotiated', () => {
    const dut = bench();
    expect(ranges(dut, BLK_T.DISCARD, [range(0, 1)])).toBe(BLK_S.UNSUPP);
    expect(ranges(dut, BLK_T.WRITE_ZEROES, [range(0, 1)])).toBe(BLK_S.UNSUPP);
    expect(ranges(dut, BLK_T.SECURE_ERASE, [range(0, 1)])).toBe(BLK_S.UNSUPP);
  });
});

describe('a read-only disk', () => {
  it('refuses whatever would change it, and can be read', () => {
    const dut = bench({ readOnly: true, discard: true, writeZeroes: true });
    expect(dut.device.features & BLK_F.RO).not.toBe(0n);
    expect(write(dut, 0, sectorsOf(1))).toBe(BLK_S.IOERR);
    expect(ranges(dut, BLK_T.DISCARD, [range(0, 1)])).toBe(BLK_S.IOERR);
    expect(ranges(dut, BLK_T.WRITE_ZEROES, [range(0, 1)])).toBe(BLK_S.IOERR);
    expect(read(dut, 0)).toEqual([...sectorsOf(0), BLK_S.OK]);
  });

  it('refuses so even a driver that has not accepted RO', () => {
    const dut = bench({ readOnly: true }, { features: BLK_F.FLUSH });
    expect(write(dut, 0, sectorsOf(1))).toBe(BLK_S.IOERR);
  });
});

describe('configuration space', () => {
  const configOf = (options: Record<string, unknown>) => {
    const { device } = new DeviceBench('blk', { options: { capacity: '64KiB', ...options } });
    // Beyond its end a space reads as zeroes.
    const bytes = new Uint8Array(BLK_CONFIG_SIZE);
    device.readConfig(0, bytes, 0, device.info.configSize);
    return { value: blkConfig.decode(bytes, 0, bytes.length), features: device.features };
  };

  it('says of a plain disk its size, its blocks and its segments', () => {
    const { value, features } = configOf({});
    expect(value).toMatchObject({ capacity: 128n, blkSize: 512, segMax: 16, sizeMax: 0 });
    expect(value).toMatchObject({ writeback: 0, numQueues: 0, maxDiscardSectors: 0 });
    const own = BLK_F.SEG_MAX | BLK_F.BLK_SIZE | BLK_F.FLUSH;
    expect(features).toBe(own | F.VERSION_1 | F.ACCESS_PLATFORM);
  });

  it('says what each further feature needs', () => {
    const { value, features } = configOf({
      blockSize: '1KiB',
      topology: { physicalBlock: '4KiB', minimumIo: '4KiB', optimalIo: '32KiB' },
      segmentSize: '8KiB',
      queues: 64,
      discard: true,
      writeZeroes: true,
      writeCache: '4MiB',
    });
    expect(value).toMatchObject({ blkSize: 1024, physicalBlockExp: 2, alignmentOffset: 0 });
    expect(value).toMatchObject({ minIoSize: 4, optIoSize: 32, sizeMax: 8192, numQueues: 64 });
    expect(value).toMatchObject({ writeback: 1, maxDiscardSeg: 16, discardSectorAlignment: 2 });
    expect(value).toMatchObject({ maxWriteZeroesSeg: 16, writeZeroesMayUnmap: 1 });
    const { SIZE_MAX, TOPOLOGY, CONFIG_WCE, MQ, DISCARD, WRITE_ZEROES } = BLK_F;
    const expected = SIZE_MAX | TOPOLOGY | CONFIG_WCE | MQ | DISCARD | WRITE_ZEROES;
    expect(features & expected).toBe(expected);
  });

  it('has nothing to write but the cache mode, and that only where it is negotiated', () => {
    const one = Uint8Array.of(1);
    const plain = bench();
    expect(plain.device.writeConfig(BLK_CONFIG.writeback, one)).toBe(false);
    const cached = bench({ writeCache: '64KiB' });
    expect(cached.device.writeConfig(BLK_CONFIG.writeback, one)).toBe(true);
    expect(cached.device.writeConfig(BLK_CONFIG.writeback, Uint8Array.of(2))).toBe(false);
    expect(cached.device.writeConfig(BLK_CONFIG.capacity, one)).toBe(false);
    expect(cached.device.writeConfig(BLK_CONFIG.writeback, Uint8Array.of(1, 0))).toBe(false);
  });

  it('begins with a write-through cache for a driver that cannot flush', () => {
    const { CONFIG_WCE, FLUSH } = BLK_F;
    const modeOf = (features: bigint) => {
      const { device } = bench({ writeCache: '64KiB' }, { features });
      const mode = new Uint8Array(1);
      device.readConfig(BLK_CONFIG.writeback, mode, 0, 1);
      return mode[0];
    };
    expect(modeOf(CONFIG_WCE | FLUSH)).toBe(1);
    expect(modeOf(CONFIG_WCE)).toBe(0);
  });

  it.each([
    ['a block size that is no power of two', { blockSize: '1536B' }],
    [
      'blocks larger than those of the medium',
      {
        blockSize: '4KiB',
        topology: { physicalBlock: '2KiB' },
      },
    ],
    ['a capacity that is no whole blocks', { blockSize: '4KiB', capacity: '6KiB' }],
  ])('%s is refused by the loader', (_, options) => {
    expect(() => new DeviceBench('blk', { options })).toThrow(ScenarioError);
  });
});

describe('several queues', () => {
  it('serve one disk', () => {
    const dut = bench({ queues: 5 });
    expect(dut.rings).toHaveLength(5);
    expect(write(dut, 9, sectorsOf(0x77), 4)).toBe(BLK_S.OK);
    expect(read(dut, 9, 2)).toEqual([...sectorsOf(0x77), BLK_S.OK]);
    expect(dut.signals).toEqual([4, 2]);
  });

  it('are reset one by one: the others go on', () => {
    const dut = bench({ queues: 2, ringReset: true });
    for (const queue of [0, 1]) dut.send(queue, [header(BLK_T.IN)], [SECTOR, 1]);
    for (const queue of [0, 1]) dut.device.available(queue, 0);
    // Both requests have been fetched and are being served, which takes 2 us.
    dut.kernel.runUntil(2_000_000);
    dut.device.resetQueue(0);
    expect(dut.device.queueSetup(0)).toBeNull();
    expect(dut.run().map(({ queue }) => queue)).toEqual([1]);
  });
});

describe('IN_ORDER', () => {
  /** Writes 32 KiB, which takes longer than the read behind it; returns the order of return. */
  const order = (options: Record<string, unknown>, features?: bigint) => {
    const dut = bench(options, features === undefined ? {} : { features });
    const heads = [
      dut.send(0, [header(BLK_T.OUT), sectorsOf(1, 64)], [1]),
      dut.send(0, [header(BLK_T.IN, 100)], [SECTOR, 1]),
      dut.send(0, [header(BLK_T.GET_ID)], [20, 1]),
    ];
    dut.device.available(0, 0);
    return dut.run().map(({ head, bytes }) => [heads.indexOf(head), bytes.at(-1)]);
  };

  it('RFB-6 MUST: keeps the order of arrival, which is lost without it', () => {
    expect(order({})).toEqual([
      [2, BLK_S.OK],
      [1, BLK_S.OK],
      [0, BLK_S.OK],
    ]);
    expect(order({ inOrder: true }, F.IN_ORDER)).toEqual([
      [0, BLK_S.OK],
      [1, BLK_S.OK],
      [2, BLK_S.OK],
    ]);
  });

  it('is not kept for a driver that has not asked for it', () => {
    expect(order({ inOrder: true }, 0n).map(([index]) => index)).toEqual([2, 1, 0]);
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
    ['17 segments of data', [header(BLK_T.IN)], new Array<number>(17).fill(SECTOR).concat(1)],
  ] as const)('%s is a violation, and the chain comes back', (_, readable, writable) => {
    const dut = bench();
    expect(dut.request(0, readable, writable)).toHaveLength(1);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
    expect(read(dut, 0).at(-1)).toBe(BLK_S.OK);
  });

  it('a segment longer than SIZE_MAX is a violation; header and status do not count', () => {
    const dut = bench({ segmentSize: '1KiB' });
    const [{ bytes }] = dut.request(0, [header(BLK_T.IN)], [3 * SECTOR, 1]);
    expect(bytes.at(-1)).toBe(BLK_S.IOERR);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
    const together = [...header(BLK_T.OUT), ...sectorsOf(1, 2)];
    expect([...dut.request(0, [together], [1])[0].bytes]).toEqual([BLK_S.OK]);
    const [{ bytes: back }] = dut.request(0, [header(BLK_T.IN)], [2 * SECTOR + 1]);
    expect(back.at(-1)).toBe(BLK_S.OK);
  });

  it('a notification of a queue that is not there is a violation', () => {
    const dut = bench();
    dut.device.available(1, 0);
    dut.device.available(65535, 0);
    expect(dut.violations).toEqual(['BAD_REQUEST', 'BAD_REQUEST']);
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
