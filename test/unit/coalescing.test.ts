// What several accesses of one DMA transaction cost together: lines of memory that move once, and read
// requests of PCI Express that are joined.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineTally, Segments } from '../../platform/memory/index.ts';
import { ReadMerging } from '../../platform/pcie/read-merging.ts';
import { PcieBench } from '../support/pcie-bench.ts';

const RUNS = { seed: 1, numRuns: 300 };

type Access = readonly [address: number, length: number];
const access = fc.tuple(fc.nat(700), fc.integer({ min: 1, max: 200 }));
const accesses = fc.array(access, { minLength: 1, maxLength: 20 });
const block = fc.constantFrom(1, 16, 64, 256, 4096);

function movedOf(line: number, list: readonly Access[]): number {
  const tally = new LineTally(line);
  // A tally is used again.
  tally.add(5, 100);
  tally.clear();
  for (const [address, length] of list) tally.add(address, length);
  return tally.bytes;
}

function segmentsOf(list: readonly Access[]): Segments {
  const segments = new Segments();
  for (const [address, length] of list) segments.add(address, length);
  return segments;
}

describe('lines of memory', () => {
  it.each([
    ['an index of four bytes', 64, [[0, 4]], 64],
    ['an access over the end of a line', 64, [[60, 8]], 128],
    [
      'index, event index and entries in one line',
      64,
      [
        [0, 4],
        [36, 2],
        [4, 8],
      ],
      64,
    ],
    [
      'descriptors that overlap',
      1,
      [
        [0, 64],
        [48, 16],
      ],
      64,
    ],
    [
      'a gap that is filled later',
      64,
      [
        [0, 64],
        [128, 64],
        [64, 64],
        [0, 192],
      ],
      192,
    ],
  ] as const)('%s', (_, line, list, moved) => {
    expect(movedOf(line, list)).toBe(moved);
  });

  it(`move once each, whatever the order (seed ${RUNS.seed})`, () => {
    fc.assert(
      fc.property(accesses, block, (list, line) => {
        const lines = new Set<number>();
        for (const [address, length] of list) {
          for (let at = address; at < address + length; at++) lines.add(Math.floor(at / line));
        }
        expect(movedOf(line, list)).toBe(lines.size * line);
      }),
      RUNS,
    );
  });
});

describe('reads that are joined', () => {
  const joined = (list: readonly Access[], burst: number) => {
    const merged = new Segments();
    const isMerged = new ReadMerging().merge(segmentsOf(list), burst, merged);
    const read = Array.from({ length: merged.count }, (_, i) => [
      merged.addresses[i],
      merged.lengths[i],
    ]);
    return isMerged ? read : null;
  };

  it.each([
    [
      'touch',
      1,
      [
        [0, 16],
        [16, 16],
      ],
      [[0, 32]],
    ],
    [
      'lie in one burst',
      64,
      [
        [0, 16],
        [32, 16],
      ],
      [[0, 48]],
    ],
    [
      'lie in one burst, the later one first',
      64,
      [
        [32, 16],
        [0, 16],
      ],
      [[0, 48]],
    ],
    [
      'lie in two bursts',
      64,
      [
        [0, 16],
        [64, 16],
      ],
      null,
    ],
    [
      'do not touch',
      1,
      [
        [0, 16],
        [17, 16],
      ],
      null,
    ],
    [
      'overlap',
      1,
      [
        [0, 64],
        [48, 16],
        [200, 8],
      ],
      [
        [0, 64],
        [200, 8],
      ],
    ],
    [
      'come in the order of the first of each',
      16,
      [
        [512, 4],
        [0, 8],
        [8, 8],
        [516, 4],
      ],
      [
        [512, 8],
        [0, 16],
      ],
    ],
  ] as const)('%s', (_, burst, list, expected) => {
    expect(joined(list, burst)).toEqual(expected);
  });

  it(`bring every byte that was asked for, once each, in its order (seed ${RUNS.seed})`, () => {
    const memory = Uint8Array.from({ length: 1024 }, (_, i) => (i * 7) ^ (i >> 3));
    const merging = new ReadMerging();
    fc.assert(
      fc.property(accesses, block, (list, burst) => {
        const merged = new Segments();
        if (!merging.merge(segmentsOf(list), burst, merged)) return;
        const runs = Array.from({ length: merged.count }, (_, i) => ({
          start: merged.addresses[i],
          end: merged.addresses[i] + merged.lengths[i],
        }));
        const read = runs.flatMap(({ start, end }) => [...memory.subarray(start, end)]);
        expect(merged.bytes).toBe(read.length);
        const asked = list.flatMap(([at, length]) => [...memory.subarray(at, at + length)]);
        expect([...merging.spread(Uint8Array.from(read)).subarray(0, merging.length)]).toEqual(
          asked,
        );
        // No two runs could have been one.
        runs.sort((a, b) => a.start - b.start);
        for (let i = 1; i < runs.length; i++) {
          expect(runs[i].start).toBeGreaterThan(runs[i - 1].end);
          const last = Math.floor((runs[i - 1].end - 1) / burst);
          expect(Math.floor(runs[i].start / burst)).toBeGreaterThan(last);
        }
      }),
      RUNS,
    );
  });
});

describe('a read of PCI Express of three segments', () => {
  // Generation 4: a request is 8 bytes of framing and 12 of header, a completion the same and its data.
  //                     requests                 completions
  //   apart             3 × 20                   3 × 20 + 16 + 16 + 8
  //   joined in 16 B    2 × 20 (two touch)       2 × 20 + 32 + 8
  //   joined in 64 B    1 × 20                   1 × 20 + 56 (0 … 55)
  it.each([
    [0, 3, 60, 100],
    [16, 2, 40, 80],
    [64, 1, 20, 76],
  ])('in bursts of %i bytes is %i requests', (readBurst, requests, up, down) => {
    const bench = new PcieBench({ readBurst, iommu: false }).start();
    const { endpoint, port, host, client, own } = bench;
    const memory = host.memory.allocate(4096, 4096);
    for (let i = 0; i < 64; i++) host.memory.writeU8(memory + i, i);
    const before = [endpoint.way.data.tlps, endpoint.way.data.bytes, port.way.data.bytes];
    const dma = endpoint.dmaOf(own);
    dma.readSegment(memory + 16, 16);
    dma.readSegment(memory, 16);
    dma.readSegment(memory + 48, 8);
    dma.read(client, 0);
    bench.run();
    const after = [endpoint.way.data.tlps, endpoint.way.data.bytes, port.way.data.bytes];
    expect(after.map((value, i) => value - before[i])).toEqual([requests, up, down]);
    expect(endpoint.dma.tagsMax).toBe(requests);
    const order = [16, 0, 32].flatMap((start) => Array.from({ length: 16 }, (_, i) => start + i));
    expect([...client.done[0].bytes]).toEqual([
      ...order.slice(0, 32),
      48,
      49,
      50,
      51,
      52,
      53,
      54,
      55,
    ]);
  });

  it('cuts what was joined where a request must end', () => {
    const bench = new PcieBench({ readBurst: 64, iommu: false }).start();
    const { endpoint, host, client, own } = bench;
    const memory = host.memory.allocate(8192, 4096);
    const dma = endpoint.dmaOf(own);
    // 16 bytes on both sides of a boundary of 4 KiB, and 1 KiB in two halves: two requests of 512 B.
    dma.readSegment(memory + 4080, 16);
    dma.readSegment(memory + 4096, 16);
    dma.readSegment(memory, 512);
    dma.readSegment(memory + 512, 512);
    dma.read(client, 0);
    bench.run();
    expect(endpoint.dma.tagsMax).toBe(4);
    expect(client.done[0].bytes.length).toBe(1056);
  });
});
