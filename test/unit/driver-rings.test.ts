// The driver's side of both ring formats, byte by byte as virtio 1.4 lays them out.
import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../platform/errors.ts';
import { Memory, RAM_BASE } from '../../platform/node/index.ts';
import {
  needsEvent,
  PackedDriverRing,
  packedRingAreas,
  REAP_BROKEN,
  REAP_NONE,
  SplitDriverRing,
  splitRingAreas,
} from '../../platform/virtio/index.ts';
import { toHex } from '../../platform/wire/index.ts';

const NO_OPTIONS = { eventIndex: false, indirect: null };

function hex(memory: Memory, address: number, length: number): string {
  const bytes = new Uint8Array(length);
  memory.copyOut(address, bytes, 0, length);
  return toHex(bytes);
}

function split(size = 4, options = {}) {
  const memory = new Memory(1024 * 1024);
  const ring = new SplitDriverRing(memory, RAM_BASE, size, { ...NO_OPTIONS, ...options });
  const { descriptor, driver, device } = ring.areas;
  return { memory, ring, descriptor, driver, device };
}

function packed(size = 4, options = {}) {
  const memory = new Memory(1024 * 1024);
  const ring = new PackedDriverRing(memory, RAM_BASE, size, { ...NO_OPTIONS, ...options });
  return { memory, ring, ...ring.areas };
}

describe('the areas of a ring', () => {
  it('follow each other, aligned, whatever the size and the start', () => {
    for (let size = 1; size <= 32768; size *= 2) {
      for (const start of [0, 1, 15, 4097]) {
        const areas = splitRingAreas(start, size);
        expect([areas.descriptor % 16, areas.driver % 2, areas.device % 4]).toEqual([0, 0, 0]);
        expect(areas.driver - areas.descriptor).toBeGreaterThanOrEqual(16 * size);
        expect(areas.device - areas.driver).toBeGreaterThanOrEqual(6 + 2 * size);
        expect(start + areas.length - areas.device).toBe(6 + 8 * size);
        const other = packedRingAreas(start, size);
        expect([other.descriptor % 16, other.driver % 4, other.device % 4]).toEqual([0, 0, 0]);
        expect(other.driver - other.descriptor).toBe(16 * size);
      }
    }
  });

  it.each([0, 3, 65536])('are refused for a split ring of %i', (size) => {
    expect(() => split(size)).toThrow(AssertionError);
  });
});

describe('a split ring', () => {
  it('links the descriptors of a chain and puts its head into the available ring (§2.7.5, §2.7.6)', () => {
    const { memory, ring, descriptor, driver } = split();
    ring.addSegment(0x1_2345_6789_abcd, 16, false);
    ring.addSegment(0x1000, 512, true);
    ring.addSegment(0x2000, 1, true);
    expect(ring.commit()).toBe(0);
    expect(hex(memory, descriptor, 48)).toBe(
      'cdab89674523010010000000' +
        '0100' +
        '0100' +
        '001000000000000000020000' +
        '0300' +
        '0200' +
        '002000000000000001000000' +
        '0200' +
        '0000',
    );
    expect(hex(memory, driver, 6)).toBe('0000' + '0100' + '0000');
    expect([ring.freeCount, ring.nextOffset]).toEqual([1, 1]);
  });

  it('takes a used element back, and its descriptors (§2.7.8)', () => {
    const { memory, ring, device } = split();
    ring.addSegment(0x1000, 4, true);
    ring.addSegment(0x2000, 4, true);
    const head = ring.commit();
    expect([ring.hasUsed, ring.reap()]).toEqual([false, REAP_NONE]);
    memory.writeU32(device + 4, head);
    memory.writeU32(device + 8, 7);
    memory.writeU16(device + 2, 1);
    expect([ring.hasUsed, ring.reap(), ring.usedLength]).toEqual([true, head, 7]);
    expect([ring.freeCount, ring.reap()]).toEqual([4, REAP_NONE]);
  });

  it.each([
    ['that is not in the queue', 4],
    ['that is free', 1],
    ['far away', 0xffff_ffff],
  ])('does not take an element back %s', (_, head) => {
    const { memory, ring, device } = split();
    ring.addSegment(0x1000, 4, true);
    ring.commit();
    memory.writeU32(device + 4, head);
    memory.writeU16(device + 2, 1);
    expect([ring.reap(), ring.freeCount]).toEqual([REAP_BROKEN, 3]);
  });

  it('tells of chains once, and not when the device wants no notification (§2.7.10)', () => {
    const { memory, ring, device } = split();
    const add = () => {
      ring.addSegment(0x1000, 4, true);
      ring.commit();
    };
    expect(ring.takeNotify()).toBe(false);
    add();
    expect([ring.takeNotify(), ring.takeNotify()]).toEqual([true, false]);
    memory.writeU16(device, 1);
    add();
    expect(ring.takeNotify()).toBe(false);
    memory.writeU16(device, 0);
    expect(ring.takeNotify()).toBe(false);
  });

  it('says by a flag that it wants no interrupt (§2.7.7), and looks again afterwards', () => {
    const { memory, ring, driver, device } = split();
    ring.addSegment(0x1000, 4, true);
    ring.commit();
    ring.disableInterrupts();
    expect(memory.readU16(driver)).toBe(1);
    memory.writeU16(device + 2, 1);
    expect(ring.enableInterrupts()).toBe(true);
    expect(memory.readU16(driver)).toBe(0);
    ring.reap();
    expect(ring.enableInterrupts()).toBe(false);
  });

  it('names by EVENT_IDX the element it wants to hear of, and heeds the device’s (§2.7.7, §2.7.10)', () => {
    const { memory, ring, driver, device } = split(4, { eventIndex: true });
    const usedEvent = driver + 4 + 2 * 4;
    const availEvent = device + 4 + 8 * 4;
    ring.addSegment(0x1000, 4, true);
    ring.commit();
    // The device wants to hear of the second chain, not the first.
    memory.writeU16(availEvent, 1);
    expect(ring.takeNotify()).toBe(false);
    ring.addSegment(0x1000, 4, true);
    ring.commit();
    expect(ring.takeNotify()).toBe(true);
    memory.writeU32(device + 4, 0);
    memory.writeU16(device + 2, 1);
    ring.reap();
    ring.enableInterrupts();
    expect(memory.readU16(usedEvent)).toBe(1);
  });

  it('puts a chain into a table of its own with INDIRECT_DESC (§2.7.5.3)', () => {
    const indirect = { address: RAM_BASE + 4096, busAddress: 0x9000, segmentsMax: 2 };
    const { memory, ring, descriptor } = split(4, { indirect });
    ring.addSegment(0x1000, 16, false);
    ring.addSegment(0x2000, 1, true);
    expect(ring.commit()).toBe(0);
    // One descriptor: the table of two at its bus address.
    expect(hex(memory, descriptor, 16)).toBe('0090000000000000' + '20000000' + '0400' + '0000');
    expect(hex(memory, RAM_BASE + 4096, 32)).toBe(
      '0010000000000000' +
        '10000000' +
        '0100' +
        '0100' +
        '0020000000000000' +
        '01000000' +
        '0200' +
        '0000',
    );
    expect(ring.freeCount).toBe(3);
  });
});

describe('a packed ring', () => {
  const AVAIL = 0x80;
  const USED = 0x8000;

  it('marks descriptors by its wrap counter, the buffer id in the last (§2.8.6)', () => {
    const { memory, ring, descriptor } = packed();
    ring.addSegment(0x1000, 16, false);
    ring.addSegment(0x2000, 1, true);
    const id = ring.commit();
    expect(memory.readU16(descriptor + 14)).toBe(AVAIL | 1);
    expect(memory.readU16(descriptor + 30)).toBe(AVAIL | 2);
    expect(memory.readU16(descriptor + 28)).toBe(id);
    expect([ring.freeCount, ring.nextOffset]).toEqual([2, 2 + 2 ** 31]);
  });

  it('takes a used descriptor back, over the end of the ring (§2.8.1)', () => {
    const { memory, ring, descriptor } = packed(3);
    for (let round = 0; round < 5; round++) {
      ring.addSegment(0x1000, 16, false);
      ring.addSegment(0x2000, 1, true);
      const id = ring.commit();
      // The device writes one used descriptor where the chain began.
      const place = (2 * round) % 3;
      const wrap = Math.floor((2 * round) / 3) % 2 === 0;
      const at = descriptor + 16 * place;
      expect(ring.hasUsed).toBe(false);
      memory.writeU32(at + 8, 9);
      memory.writeU16(at + 12, id);
      memory.writeU16(at + 14, wrap ? AVAIL | USED : 0);
      expect([ring.reap(), ring.usedLength, ring.freeCount]).toEqual([id, 9, 3]);
    }
  });

  it('may have any size', () => {
    expect(packed(5).ring.freeCount).toBe(5);
    expect(() => packed(0)).toThrow(AssertionError);
  });
});

describe('an event index', () => {
  it.each([
    [5, 5, 6, true],
    [5, 6, 7, false],
    [5, 0, 6, true],
    [5, 0, 5, false],
    [0xffff, 0xfffe, 1, true],
    [2, 0xfffe, 1, false],
  ])('of %i asks for a signal between %i and %i: %s', (event, from, to, wanted) => {
    expect(needsEvent(event, from, to)).toBe(wanted);
  });
});
