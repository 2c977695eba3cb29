// The driver's rings under IN_ORDER (virtio 1.4 §2.7.9, §2.8.8): descriptors in the order of the table,
// and devices that return several chains by one element.
import { describe, expect, it } from 'vitest';
import { Memory, RAM_BASE } from '../../platform/node/index.ts';
import {
  AVAIL,
  DESC,
  DESC_F_NEXT,
  DESC_SIZE,
  type DriverRing,
  PACKED_DESC,
  PACKED_F_AVAIL,
  PACKED_F_USED,
  PackedDriverRing,
  REAP_BROKEN,
  REAP_NONE,
  SplitDriverRing,
  USED,
  USED_ELEMENT_SIZE,
} from '../../platform/virtio/index.ts';

const START = RAM_BASE + 4096;
const OPTIONS = { eventIndex: false, indirect: null, inOrder: true };

function make(size: number) {
  const memory = new Memory(65536);
  const split = new SplitDriverRing(memory, START, size, OPTIONS);
  const packed = new PackedDriverRing(memory, START + 16384, size, OPTIONS);
  return { memory, split, packed };
}

/** Adds a chain of one readable and `writable` bytes of a writable segment. */
function add(ring: DriverRing, writable: number): number {
  ring.addSegment(0x1000, 16, false);
  ring.addSegment(0x2000, writable, true);
  return ring.commit();
}

/** Returns chains up to and with `name` by one element, as the device would. */
function useSplit(
  memory: Memory,
  ring: SplitDriverRing,
  batch: number,
  name: number,
  length: number,
) {
  const { device } = ring.areas;
  const index = memory.readU16(device + USED.index);
  const at = device + USED.ring + USED_ELEMENT_SIZE * (index % ring.size);
  memory.writeU32(at, name);
  memory.writeU32(at + 4, length);
  memory.writeU16(device + USED.index, index + batch);
}

/** Takes everything that there is: names and lengths. */
function reapAll(ring: DriverRing): number[][] {
  const taken: number[][] = [];
  for (let name = ring.reap(); name >= 0; name = ring.reap()) taken.push([name, ring.usedLength]);
  return taken;
}

describe('a split ring in order', () => {
  it('uses descriptors in the order of the table, round and round', () => {
    const { memory, split } = make(8);
    const heads: number[] = [];
    for (let lap = 0; lap < 6; lap++) {
      heads.push(add(split, 4), add(split, 4));
      useSplit(memory, split, 1, heads.at(-2)!, 4);
      useSplit(memory, split, 1, heads.at(-1)!, 4);
      expect(reapAll(split)).toHaveLength(2);
    }
    expect(heads).toEqual([0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6]);
    for (let x = 0; x < 8; x++) {
      const at = split.areas.descriptor + DESC_SIZE * x;
      const linked = (memory.readU16(at + DESC.flags) & DESC_F_NEXT) !== 0;
      if (linked) expect(memory.readU16(at + DESC.next)).toBe((x + 1) % 8);
    }
    expect(memory.readU16(split.areas.driver + AVAIL.index)).toBe(12);
  });

  it('wraps a chain around the end of the table by a link to 0', () => {
    const { memory, split } = make(8);
    split.addSegment(0x1000, 1, false);
    const first = split.commit();
    for (let i = 0; i < 3; i++) add(split, 4);
    useSplit(memory, split, 1, first, 0);
    expect(reapAll(split)).toEqual([[0, 0]]);
    expect(add(split, 4)).toBe(7);
    expect(memory.readU16(split.areas.descriptor + DESC_SIZE * 7 + DESC.next)).toBe(0);
  });

  it('takes a batch that is returned by its last chain alone', () => {
    const { memory, split } = make(16);
    const heads = [10, 20, 30, 40].map((writable) => add(split, writable));
    useSplit(memory, split, 3, heads[2], 7);
    // Of those skipped, all that could be written may have been.
    expect(reapAll(split)).toEqual([
      [heads[0], 10],
      [heads[1], 20],
      [heads[2], 7],
    ]);
    expect(split.reap()).toBe(REAP_NONE);
    useSplit(memory, split, 1, heads[3], 40);
    expect(reapAll(split)).toEqual([[heads[3], 40]]);
    expect(split.freeCount).toBe(16);
  });

  it('finds out an element that names nothing under way', () => {
    const { memory, split } = make(8);
    add(split, 4);
    useSplit(memory, split, 1, 5, 4);
    expect(split.reap()).toBe(REAP_BROKEN);
  });
});

describe('a packed ring in order', () => {
  /** Marks the descriptor at `place` used, with the device's wrap counter. */
  const use = (
    memory: Memory,
    ring: PackedDriverRing,
    place: number,
    id: number,
    length: number,
  ) => {
    const at = ring.areas.descriptor + DESC_SIZE * place;
    memory.writeU16(at + PACKED_DESC.id, id);
    memory.writeU32(at + PACKED_DESC.length, length);
    memory.writeU16(at + PACKED_DESC.flags, PACKED_F_AVAIL | PACKED_F_USED);
  };

  it('takes a batch that is returned by its last chain alone, at the place of its first', () => {
    const { memory, packed } = make(16);
    const ids = [10, 20, 30, 40].map((writable) => add(packed, writable));
    use(memory, packed, 0, ids[2], 7);
    expect(packed.hasUsed).toBe(true);
    expect(packed.reap()).toBe(ids[0]);
    expect([packed.usedLength, packed.hasUsed]).toEqual([10, true]);
    expect(reapAll(packed)).toEqual([
      [ids[1], 20],
      [ids[2], 7],
    ]);
    expect(packed.hasUsed).toBe(false);
    // The next used descriptor comes behind the places of all three.
    use(memory, packed, 6, ids[3], 40);
    expect(reapAll(packed)).toEqual([[ids[3], 40]]);
    expect(packed.freeCount).toBe(16);
  });

  it('finds out a descriptor that names nothing under way', () => {
    const { memory, packed } = make(8);
    const id = add(packed, 4);
    use(memory, packed, 0, id ^ 1, 4);
    expect(packed.reap()).toBe(REAP_BROKEN);
  });
});
