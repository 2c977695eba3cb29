// Rules of virtio 1.4 for rings: what a driver leaves in memory and what a device makes of it, in both formats.
import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../platform/errors.ts';
import { Memory, RAM_BASE } from '../../platform/node/index.ts';
import {
  AVAIL,
  BLK_T,
  DESC,
  DESC_F_INDIRECT,
  DESC_F_NEXT,
  DESC_F_WRITE,
  DESC_SIZE,
  type DriverRing,
  type DriverRingOptions,
  F,
  PACKED_DESC,
  PACKED_F_AVAIL,
  PACKED_F_USED,
  PackedDriverRing,
  packedRingAreas,
  SplitDriverRing,
  splitRingAreas,
  USED,
  USED_F_NO_NOTIFY,
} from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';
import { HandRing } from '../support/hand-ring.ts';

const SIZE = 8;
const TABLES = 0x8_0000;
const PLAIN: DriverRingOptions = { eventIndex: false, indirect: null };
const INDIRECT = {
  address: RAM_BASE + TABLES,
  busAddress: RAM_BASE + TABLES,
  segmentsMax: SIZE,
};

function driver<R extends DriverRing>(
  Ring: new (memory: Memory, start: number, size: number, options: DriverRingOptions) => R,
  options: Partial<DriverRingOptions> = {},
) {
  const memory = new Memory(1024 * 1024);
  // What was there before is not to be trusted.
  memory.fill(RAM_BASE, 4096, 0xff);
  const ring = new Ring(memory, RAM_BASE, SIZE, { ...PLAIN, ...options });
  const { descriptor, driver: avail, device: used } = ring.areas;
  const add = (readable: number, writable: number) => {
    for (let i = 0; i < readable; i++) ring.addSegment(0x1000 + i, 16, false);
    for (let i = 0; i < writable; i++) ring.addSegment(0x2000 + i, 16, true);
    return ring.commit();
  };
  const flagsAt = (index: number, table: number = descriptor) =>
    memory.readU16(table + DESC_SIZE * index + DESC.flags);
  const nextAt = (index: number, table: number = descriptor) =>
    memory.readU16(table + DESC_SIZE * index + DESC.next);
  return { memory, ring, descriptor, avail, used, add, flagsAt, nextAt };
}

const split = (options: Partial<DriverRingOptions> = {}) => driver(SplitDriverRing, options);
const packed = (options: Partial<DriverRingOptions> = {}) => driver(PackedDriverRing, options);

describe('a driver’s ring', () => {
  it('SPR-1, PKR-1 MUST: has aligned parts, wherever it begins', () => {
    for (const start of [0, 1, 7, 15, 4097]) {
      for (const size of [1, 2, 64, 32768]) {
        const { descriptor, driver: avail, device: used } = splitRingAreas(start, size);
        expect([descriptor % 16, avail % 2, used % 4]).toEqual([0, 0, 0]);
        const areas = packedRingAreas(start, size);
        expect([areas.descriptor % 16, areas.driver % 4, areas.device % 4]).toEqual([0, 0, 0]);
      }
    }
  });

  it.each([
    ['split', split],
    ['packed', packed],
  ])('SPR-3, PKR-9 MUST: takes writable segments after readable ones only: %s', (_, make) => {
    const { ring } = make();
    ring.addSegment(0x1000, 16, true);
    expect(() => ring.addSegment(0x2000, 16, false)).toThrow(AssertionError);
  });

  it.each([
    ['split', split],
    ['packed', packed],
  ])(
    'SPR-9, PKR-8 MUST NOT: makes no chain longer than the queue, in a table or not: %s',
    (_, make) => {
      for (const indirect of [null, { ...INDIRECT, segmentsMax: 2 * SIZE }]) {
        const { ring, add } = make({ indirect });
        expect([ring.hasRoom(SIZE), ring.hasRoom(SIZE + 1)]).toEqual([true, false]);
        expect(() => add(SIZE, 1)).toThrow(AssertionError);
      }
    },
  );
});

describe('a driver’s split ring', () => {
  it('SPR-5 MUST NOT: links no descriptor of a chain twice', () => {
    const { memory, ring, used, add, flagsAt, nextAt } = split();
    for (let round = 0; round < 3; round++) {
      const head = add(3, 4);
      const seen = new Set([head]);
      for (let index = head; (flagsAt(index) & DESC_F_NEXT) !== 0; ) {
        index = nextAt(index);
        expect(seen.has(index)).toBe(false);
        seen.add(index);
      }
      expect([seen.size, ring.freeCount]).toEqual([7, 1]);
      memory.writeU32(used + USED.ring + 8 * round, head);
      memory.writeU16(used + USED.index, round + 1);
      expect(ring.reap()).toBe(head);
    }
  });

  it('SPR-6 MUST: with IN_ORDER uses the table from start to end, and from the start again', () => {
    const { memory, ring, used, add, nextAt } = split({ inOrder: true });
    expect([add(2, 1), add(2, 1)]).toEqual([0, 3]);
    memory.writeU32(used + USED.ring, 0);
    memory.writeU16(used + USED.index, 1);
    ring.reap();
    expect(add(3, 1)).toBe(6);
    expect([nextAt(6), nextAt(7), nextAt(0)]).toEqual([7, 0, 1]);
  });

  it('SPR-7 MUST NOT: sets INDIRECT unless it was negotiated', () => {
    const { add, flagsAt } = split();
    add(3, 3);
    for (let i = 0; i < SIZE; i++) expect(flagsAt(i) & DESC_F_INDIRECT).toBe(0);
  });

  it('SPR-8 MUST NOT: sets INDIRECT in a table, or with NEXT', () => {
    const { add, flagsAt } = split({ indirect: INDIRECT });
    const head = add(2, 2);
    expect(flagsAt(head) & (DESC_F_INDIRECT | DESC_F_NEXT)).toBe(DESC_F_INDIRECT);
    const table = INDIRECT.address + DESC_SIZE * INDIRECT.segmentsMax * head;
    for (let i = 0; i < 4; i++) expect(flagsAt(i, table) & DESC_F_INDIRECT).toBe(0);
  });

  it('SPR-10 MUST: with IN_ORDER links a table in its order', () => {
    const { add, nextAt, flagsAt } = split({ indirect: INDIRECT, inOrder: true });
    const table = INDIRECT.address + DESC_SIZE * INDIRECT.segmentsMax * add(2, 2);
    expect([0, 1, 2].map((i) => nextAt(i, table))).toEqual([1, 2, 3]);
    expect(flagsAt(3, table) & DESC_F_NEXT).toBe(0);
  });

  it('SPR-13 MUST NOT: takes nothing back: the available index only grows, modulo 65536', () => {
    const { memory, ring, avail, used, add } = split();
    for (let i = 0; i < 65_540; i++) {
      const head = add(0, 1);
      expect(memory.readU16(avail + AVAIL.index)).toBe((i + 1) & 0xffff);
      memory.writeU32(used + USED.ring + 8 * (i % SIZE), head);
      memory.writeU16(used + USED.index, (i + 1) & 0xffff);
      ring.reap();
      expect(memory.readU16(avail + AVAIL.index)).toBe((i + 1) & 0xffff);
    }
  });

  it('SPR-25 MUST: is written before the available index says so', () => {
    const memory = new Memory(1024 * 1024);
    const ring = new SplitDriverRing(memory, RAM_BASE, SIZE, PLAIN);
    const order: number[] = [];
    const note = (at: number, write: () => void) => {
      order.push(at);
      write();
    };
    const { writeU16, writeU32, writeU64 } = memory;
    memory.writeU16 = (at, value) => note(at, () => writeU16.call(memory, at, value));
    memory.writeU32 = (at, value) => note(at, () => writeU32.call(memory, at, value));
    memory.writeU64 = (at, value) => note(at, () => writeU64.call(memory, at, value));
    ring.addSegment(0x1000, 16, false);
    ring.addSegment(0x2000, 16, true);
    ring.commit();
    expect(order.at(-1)).toBe(ring.areas.driver + AVAIL.index);
    expect(order.at(-2)).toBe(ring.areas.driver + AVAIL.ring);
    expect(order.filter((at) => at === ring.areas.driver + AVAIL.index)).toHaveLength(1);
  });

  it('SPR-14 MUST: has flags of 0 or 1, with EVENT_IDX of 0', () => {
    for (const eventIndex of [false, true]) {
      const { memory, ring, avail } = split({ eventIndex });
      const flags = () => memory.readU16(avail + AVAIL.flags);
      const seen = [flags()];
      ring.disableInterrupts();
      seen.push(flags());
      ring.enableInterrupts();
      seen.push(flags());
      expect(seen).toEqual(eventIndex ? [0, 0, 0] : [0, 1, 0]);
    }
  });

  it('SPR-20 MUST: begins with flags of 0 in the used ring', () => {
    const { memory, used } = split();
    expect(memory.readU16(used + USED.flags)).toBe(0);
  });

  it('SPR-21 MUST: without EVENT_IDX notifies when the flags are 0, whatever avail_event says', () => {
    const { memory, ring, used, add } = split();
    memory.writeU16(used + USED.ring + 8 * SIZE, 99);
    add(0, 1);
    expect(ring.takeNotify()).toBe(true);
    memory.writeU16(used + USED.flags, USED_F_NO_NOTIFY);
    memory.writeU16(used + USED.ring + 8 * SIZE, 1);
    add(0, 1);
    expect(ring.takeNotify()).toBe(false);
  });

  it('SPR-22 MUST: with EVENT_IDX notifies of the index that the device names, whatever the flags', () => {
    const { memory, ring, used, add } = split({ eventIndex: true });
    memory.writeU16(used + USED.flags, USED_F_NO_NOTIFY);
    memory.writeU16(used + USED.ring + 8 * SIZE, 2);
    const notified = [0, 1, 2, 3].map(() => {
      add(0, 1);
      return ring.takeNotify();
    });
    expect(notified).toEqual([false, false, true, false]);
  });

  it('SPR-27 SHOULD NOT: notifies of what the device does not want to hear of', () => {
    const plain = split();
    plain.memory.writeU16(plain.used + USED.flags, USED_F_NO_NOTIFY);
    const indexed = split({ eventIndex: true });
    indexed.memory.writeU16(indexed.used + USED.ring + 8 * SIZE, 0x4000);
    for (const { ring, add } of [plain, indexed]) {
      for (let i = 0; i < SIZE; i++) {
        add(0, 1);
        expect(ring.takeNotify()).toBe(false);
      }
    }
  });

  it('SPR-30, PKR-17 MUST: looks whether to notify after it has made a buffer available', () => {
    const makers = {
      split: () => split({ eventIndex: true }),
      packed: () => packed({ eventIndex: true }),
    };
    for (const make of Object.values(makers)) {
      const { memory, ring, used, add } = make();
      const order: string[] = [];
      const write = memory.writeU16.bind(memory);
      const read = memory.readU16.bind(memory);
      memory.writeU16 = (address, value) => {
        order.push('write');
        write(address, value);
      };
      memory.readU16 = (address) => {
        if (address >= used) order.push('read');
        return read(address);
      };
      add(1, 1);
      ring.takeNotify();
      expect(order.lastIndexOf('write')).toBeLessThan(order.indexOf('read'));
    }
  });
});

describe('a driver’s packed ring', () => {
  it('PKR-6 MUST NOT: changes no descriptor before the device has used it', () => {
    const { memory, ring, descriptor, add } = packed();
    const bytes = () => {
      const copy = new Uint8Array(DESC_SIZE * SIZE);
      memory.copyOut(descriptor, copy, 0, copy.length);
      return [...copy];
    };
    for (let i = 0; i < SIZE; i++) add(0, 1);
    const before = bytes();
    expect([ring.hasRoom(1), ring.reap()]).toEqual([false, -1]);
    ring.disableInterrupts();
    ring.enableInterrupts();
    ring.takeNotify();
    expect(bytes()).toEqual(before);
  });

  it('PKR-14 MUST NOT: changes no descriptor once it is available', () => {
    const { memory, ring, descriptor, add } = packed();
    const bytes = (count: number) => {
      const copy = new Uint8Array(DESC_SIZE * count);
      memory.copyOut(descriptor, copy, 0, copy.length);
      return [...copy];
    };
    add(2, 1);
    const first = bytes(3);
    add(1, 1);
    // Nor is it changed by what is held back meanwhile, and let go.
    ring.hold();
    add(1, 1);
    ring.release();
    expect(bytes(3)).toEqual(first);
  });

  it('PKR-15 MUST: begins no list that the ring has no room for', () => {
    const { memory, ring, descriptor, add } = packed();
    add(1, 2);
    const before = new Uint8Array(DESC_SIZE * SIZE);
    memory.copyOut(descriptor, before, 0, before.length);
    expect([ring.hasRoom(SIZE - 3), ring.hasRoom(SIZE - 2)]).toEqual([true, false]);
    expect(() => add(1, SIZE - 3)).toThrow(AssertionError);
    const after = new Uint8Array(DESC_SIZE * SIZE);
    memory.copyOut(descriptor, after, 0, after.length);
    expect(after).toEqual(before);
  });

  it('PKR-16 MUST: writes a descriptor before its flags', () => {
    const { memory, descriptor, add } = packed();
    const written: number[] = [];
    const at = (address: number) => void written.push(address - descriptor);
    const { writeU16, writeU32, writeU64 } = memory;
    memory.writeU16 = (address, value) => [at(address), writeU16.call(memory, address, value)][1];
    memory.writeU32 = (address, value) => [at(address), writeU32.call(memory, address, value)][1];
    memory.writeU64 = (address, value) => [at(address), writeU64.call(memory, address, value)][1];
    add(2, 2);
    for (let i = 0; i < 4; i++) {
      const fields = Object.values(PACKED_DESC).map((field) =>
        written.lastIndexOf(DESC_SIZE * i + field),
      );
      expect(fields.every((place) => place >= 0)).toBe(true);
      expect(fields.indexOf(Math.max(...fields))).toBe(Object.keys(PACKED_DESC).indexOf('flags'));
    }
  });

  it('PKR-7 MUST: names place and wrap counter of the next descriptor', () => {
    const { memory, ring, descriptor, add } = packed();
    expect(ring.nextOffset).toBe(2 ** 31);
    const id = add(2, 3);
    expect(ring.nextOffset).toBe(2 ** 31 + 5);
    // The device uses it, so that the next chain goes over the end.
    memory.writeU16(descriptor + PACKED_DESC.id, id);
    memory.writeU16(descriptor + PACKED_DESC.flags, PACKED_F_AVAIL | PACKED_F_USED);
    expect(ring.reap()).toBe(id);
    add(2, 3);
    expect(ring.nextOffset).toBe(2);
  });

  it('PKR-10 MUST NOT: makes the first descriptor of a list available before the others', () => {
    const memory = new Memory(1024 * 1024);
    const ring = new PackedDriverRing(memory, RAM_BASE, SIZE, PLAIN);
    const { descriptor } = ring.areas;
    const order: number[] = [];
    const write = memory.writeU16.bind(memory);
    memory.writeU16 = (address, value) => {
      const offset = address - descriptor;
      if (offset % DESC_SIZE === PACKED_DESC.flags)
        order.push((offset - PACKED_DESC.flags) / DESC_SIZE);
      write(address, value);
    };
    for (let i = 0; i < 4; i++) ring.addSegment(0x1000, 16, true);
    ring.commit();
    expect(order).toEqual([1, 2, 3, 0]);
  });

  it('PKR-12 MUST NOT: sets INDIRECT but for a table alone, in which there is no flag but WRITE', () => {
    const plain = packed();
    plain.add(2, 2);
    const flagsOf = (at: number) => plain.memory.readU16(at + PACKED_DESC.flags);
    for (let i = 0; i < 4; i++) {
      expect(flagsOf(plain.descriptor + DESC_SIZE * i) & DESC_F_INDIRECT).toBe(0);
    }
    const { memory, descriptor, add } = packed({ indirect: INDIRECT });
    const id = add(2, 2);
    const flags = memory.readU16(descriptor + PACKED_DESC.flags);
    expect(flags & (DESC_F_INDIRECT | DESC_F_NEXT)).toBe(DESC_F_INDIRECT);
    const table = INDIRECT.address + DESC_SIZE * INDIRECT.segmentsMax * id;
    const inTable = [0, 1, 2, 3].map((i) =>
      memory.readU16(table + DESC_SIZE * i + PACKED_DESC.flags),
    );
    expect(inTable).toEqual([0, 0, DESC_F_WRITE, DESC_F_WRITE]);
  });
});

describe('a device on a split ring', () => {
  it('SPR-11 MUST: ignores the WRITE flag of a descriptor that refers to a table', () => {
    const hand = new HandRing(F.INDIRECT_DESC);
    const table = hand.table([{ length: 4 }, { length: 8, writable: true }]);
    hand.descriptor(0, {
      address: table,
      length: 2 * DESC_SIZE,
      flags: DESC_F_INDIRECT | DESC_F_WRITE,
    });
    hand.makeAvailable(0);
    expect(hand.taken()).toEqual([{ head: 0, readable: [4], writable: [8] }]);
  });

  it('SPR-12 MUST: takes descriptors before the one that refers to a table', () => {
    const hand = new HandRing(F.INDIRECT_DESC);
    const table = hand.table([{ length: 6 }, { length: 8, writable: true }]);
    hand.descriptor(0, { length: 4, flags: DESC_F_NEXT, next: 3 });
    hand.descriptor(3, { address: table, length: 2 * DESC_SIZE, flags: DESC_F_INDIRECT });
    hand.makeAvailable(0);
    expect(hand.taken()).toEqual([{ head: 0, readable: [4, 6], writable: [8] }]);
    expect(hand.codes).toEqual([]);
  });

  it('SPR-4, PKR-4 MUST NOT: writes neither what it is to read nor a descriptor', () => {
    const hand = new HandRing();
    hand.descriptor(0, { length: 4, flags: DESC_F_NEXT, next: 1 });
    hand.descriptor(1, { length: 8, flags: DESC_F_WRITE });
    hand.makeAvailable(0);
    hand.complete(0, 8);
    const { device } = hand.areas;
    const usedRing = (at: number) => at >= device && at < device + USED.ring + 8 * hand.size + 2;
    const writes = hand.dma.accesses.filter(({ write }) => write);
    expect(writes.length).toBeGreaterThan(0);
    expect(writes.filter(({ address }) => !usedRing(address))).toEqual([]);
  });

  it('SPR-26 SHOULD NOT: notifies of what the driver does not want to hear of', () => {
    const plain = new HandRing();
    plain.memory.writeU16(plain.areas.driver + AVAIL.flags, 1);
    const indexed = new HandRing(F.EVENT_IDX);
    indexed.memory.writeU16(indexed.areas.driver + AVAIL.ring + 2 * indexed.size, 0x4000);
    for (const hand of [plain, indexed]) {
      expect(Array.from({ length: 10 }, () => hand.roundTrip())).toEqual(new Array(10).fill(0));
    }
  });

  /** A sector is read from an empty disk; unwritten bytes of a buffer are 0xee. */
  function readSector() {
    const dut = new DeviceBench('blk', { options: { capacity: '1MiB' } });
    dut.start();
    const [returned] = dut.request(0, [le([BLK_T.IN, 4], [0, 4], [0, 8])], [512, 1]);
    return { ...returned, accesses: dut.dma.accesses };
  }

  it('SPR-28 SHOULD NOT: reads nothing of what it is to write', () => {
    const { accesses } = readSector();
    const { address } = accesses.find(({ write, length }) => write && length === 512)!;
    const touches = (at: number, length: number) => at < address + 512 && address < at + length;
    const reads = accesses.filter(({ write }) => !write);
    expect(reads.filter(({ address: at, length }) => touches(at, length))).toEqual([]);
    expect(reads.length).toBeGreaterThan(0);
  });

  it('SPR-29 MUST: has written as many bytes as it says', () => {
    const { written, bytes } = readSector();
    expect([written, [...bytes].filter((byte) => byte !== 0)]).toEqual([513, []]);
  });

  it('SPR-16 MUST: without EVENT_IDX notifies when the flags are 0, whatever used_event says', () => {
    const hand = new HandRing();
    hand.memory.writeU16(hand.areas.driver + AVAIL.ring + 2 * hand.size, 7);
    const signalled = [0, 1, 0].map((flags) => {
      hand.memory.writeU16(hand.areas.driver + AVAIL.flags, flags);
      return hand.roundTrip();
    });
    expect(signalled).toEqual([1, 0, 1]);
  });

  it('SPR-17 MUST: with EVENT_IDX notifies of the index that the driver names, whatever the flags', () => {
    const hand = new HandRing(F.EVENT_IDX);
    hand.memory.writeU16(hand.areas.driver + AVAIL.flags, 1);
    hand.memory.writeU16(hand.areas.driver + AVAIL.ring + 2 * hand.size, 2);
    expect([0, 1, 2, 3].map(() => hand.roundTrip())).toEqual([0, 0, 1, 0]);
  });

  it('SPR-18 MUST: writes the element, and data before it, before the used index', () => {
    const hand = new HandRing();
    hand.descriptor(0, { length: 8, flags: DESC_F_WRITE });
    hand.makeAvailable(0);
    hand.dma.accesses.length = 0;
    const data = new Uint8Array(8).fill(0xab);
    hand.dma.writeSegment(hand.buffer(0), data, 0, 8);
    hand.complete(0, 8);
    const { device } = hand.areas;
    const order = hand.dma.accesses.filter(({ write }) => write).map(({ address }) => address);
    expect(order).toEqual([hand.buffer(0), device + USED.ring, device + USED.index]);
    expect(hand.memory.readU32(device + USED.ring + 4)).toBe(8);
  });

  it('SPR-23 MUST: leaves flags of 0 in the used ring', () => {
    for (const features of [0n, F.EVENT_IDX]) {
      const hand = new HandRing(features);
      hand.memory.writeU16(hand.areas.driver + AVAIL.ring + 2 * hand.size, 0);
      for (let i = 0; i < 3; i++) hand.roundTrip();
      expect(hand.memory.readU16(hand.areas.device + USED.flags)).toBe(0);
    }
  });

  it('SPR-24 MUST: bears notifications without a cause', () => {
    const hand = new HandRing();
    for (let i = 0; i < 5; i++) hand.look();
    expect([hand.taken(), hand.codes, hand.broken]).toEqual([[], [], 0]);
    expect(hand.roundTrip()).toBe(1);
    hand.look();
    expect([hand.codes, hand.broken]).toEqual([[], 0]);
  });
});

describe('a device on a packed ring', () => {
  it('PKR-2, PKR-11 MUST: takes descriptors in the order of the ring, lists as they are chained', () => {
    const hand = new HandRing(F.RING_PACKED);
    hand.packedDescriptor(0, { id: 5, length: 1, flags: DESC_F_NEXT });
    hand.packedDescriptor(1, { id: 5, length: 2, flags: DESC_F_WRITE });
    hand.packedDescriptor(2, { id: 0, length: 3, flags: DESC_F_WRITE });
    hand.look();
    expect(hand.taken()).toEqual([
      { head: 5, readable: [1], writable: [2] },
      { head: 0, readable: [], writable: [3] },
    ]);
  });

  it('PKR-3 MUST: writes used descriptors in the order in which requests end', () => {
    const hand = new HandRing(F.RING_PACKED);
    for (const id of [3, 1, 2])
      hand.packedDescriptor(id === 3 ? 0 : id, { id, length: 4, flags: DESC_F_WRITE });
    hand.look();
    // The last first.
    for (const i of [2, 0, 1]) hand.complete(i, 4);
    const { descriptor } = hand.areas;
    const ids = [0, 1, 2].map((i) =>
      hand.memory.readU16(descriptor + DESC_SIZE * i + PACKED_DESC.id),
    );
    expect(ids).toEqual([2, 3, 1]);
  });

  it('PKR-13 MUST NOT: changes no descriptor once it is used', () => {
    const hand = new HandRing(F.RING_PACKED);
    for (let id = 0; id < 3; id++)
      hand.packedDescriptor(id, { id, length: 4, flags: DESC_F_WRITE });
    hand.look();
    for (const i of [1, 0, 2]) hand.complete(i, 4);
    const { descriptor } = hand.areas;
    const places = hand.dma.accesses
      .filter(({ write, address }) => write && address < descriptor + DESC_SIZE * hand.size)
      .map(({ address, length }) => [(address - descriptor) / DESC_SIZE, length]);
    // Each is written once, and whole.
    expect(places).toEqual([0, 1, 2].map((place) => [place, DESC_SIZE]));
  });

  it('PKR-5 MUST NOT: uses a descriptor whose AVAIL bit has not changed', () => {
    const hand = new HandRing(F.RING_PACKED);
    hand.packedDescriptor(0, { id: 0, length: 4, flags: DESC_F_WRITE });
    hand.packedDescriptor(1, { id: 1, length: 4, flags: DESC_F_WRITE, available: false });
    hand.packedDescriptor(2, { id: 2, length: 4, flags: DESC_F_WRITE });
    hand.look();
    expect(hand.taken().map(({ head }) => head)).toEqual([0]);
  });
});
