// Zoned disks (virtio 1.4 §5.2.6) as a hand-written driver sees them: zones, their states and limits, every status,
// and the fio workload that writes them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ScenarioError } from '../../platform/scenario/index.ts';
import {
  BLK_CONFIG,
  BLK_F,
  BLK_S,
  BLK_T,
  BLK_ZS,
  BLK_ZT,
  STATUS,
} from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';
import { Rig } from '../support/rig.ts';

const SECTOR = 512;
/** Zones of 16 sectors, of which 12 can be written; the first is conventional, the last one short. */
const ZONE = 16;
const CAPACITY = 12;
const ZONES = { size: '8KiB', capacity: '6KiB', conventional: 1, append: '4KiB' };
const ZONE_COUNT = 7;
const SEED = 1;

const header = (type: number, sector = 0) => le([type, 4], [0, 4], [sector, 8]);
const data = (value: number, count = 1) => new Array<number>(SECTOR * count).fill(value);

function bench(zones: Record<string, unknown> = {}, more: object = {}): DeviceBench {
  const options = { capacity: '52KiB', blockSize: '1KiB', zones: { ...ZONES, ...zones } };
  const made = new DeviceBench('blk', { options, ...more });
  expect(made.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
  return made;
}

const status = (dut: DeviceBench, type: number, sector = 0) =>
  dut.request(0, [header(type, sector)], [1])[0].bytes[0];
const write = (dut: DeviceBench, sector: number, count = 2, value = 1) =>
  dut.request(0, [header(BLK_T.OUT, sector), data(value, count)], [1])[0].bytes[0];
const read = (dut: DeviceBench, sector: number, count = 1) => {
  const [{ bytes }] = dut.request(0, [header(BLK_T.IN, sector)], [SECTOR * count, 1]);
  return { status: bytes.at(-1), first: bytes[0], last: bytes.at(-2) };
};

/** Appends; the sector where the data went, or a negative status. */
function append(dut: DeviceBench, sector: number, count = 2): number {
  const [{ bytes, written }] = dut.request(
    0,
    [header(BLK_T.ZONE_APPEND, sector), data(9, count)],
    [9],
  );
  if (bytes[8] !== BLK_S.OK) return -bytes[8];
  expect(written).toBe(9);
  return Number(new DataView(bytes.buffer).getBigUint64(0, true));
}

/** The zones that a report from a sector on describes. */
function report(dut: DeviceBench, sector = 0, room = 64 * (1 + ZONE_COUNT)) {
  const [{ bytes }] = dut.request(0, [header(BLK_T.ZONE_REPORT, sector)], [room, 1]);
  expect(bytes.at(-1)).toBe(BLK_S.OK);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: Number(view.getBigUint64(0, true)) }, (_, i) => {
    const at = 64 * (i + 1);
    const [capacity, start, pointer] = [0, 8, 16].map((field) =>
      Number(view.getBigUint64(at + field, true)),
    );
    return { capacity, start, pointer, type: bytes[at + 24], state: bytes[at + 25] };
  });
}

const stateOf = (dut: DeviceBench, zone: number) => report(dut, zone * ZONE)[0].state;
const { OPEN, CLOSE, FINISH, RESET } = {
  OPEN: BLK_T.ZONE_OPEN,
  CLOSE: BLK_T.ZONE_CLOSE,
  FINISH: BLK_T.ZONE_FINISH,
  RESET: BLK_T.ZONE_RESET,
};
const { ZONE_INVALID_CMD, ZONE_UNALIGNED_WP, ZONE_OPEN_RESOURCE, ZONE_ACTIVE_RESOURCE } = BLK_S;

describe('a host-managed disk', () => {
  it('ZBD-1 MUST: does not go on with a driver that knows nothing of zones', () => {
    const options = { capacity: '52KiB', blockSize: '1KiB', zones: ZONES };
    const dut = new DeviceBench('blk', { options, features: BLK_F.FLUSH });
    expect(dut.start() & STATUS.FEATURES_OK).toBe(0);
    expect(dut.device.features & BLK_F.DISCARD).toBe(0n);
  });

  it('ZBD-2 MUST: says how large zones are, and what their limits are', () => {
    const { device } = bench({ maxOpen: 3, maxActive: 5 });
    const bytes = new Uint8Array(device.info.configSize);
    device.readConfig(0, bytes, 0, bytes.length);
    const view = new DataView(bytes.buffer);
    const field = (at: number) => view.getUint32(at, true);
    expect(field(BLK_CONFIG.zoneSectors)).toBe(ZONE);
    expect([field(BLK_CONFIG.maxOpenZones), field(BLK_CONFIG.maxActiveZones)]).toEqual([3, 5]);
    expect([field(BLK_CONFIG.maxAppendSectors), field(BLK_CONFIG.writeGranularity)]).toEqual([
      8, 1024,
    ]);
    expect([...bytes.subarray(BLK_CONFIG.zoneModel)]).toEqual([1, 0, 0, 0]);
  });

  it('ZBD-3 MUST: without the feature, knows no requests for zones', () => {
    const dut = new DeviceBench('blk', { options: { capacity: '52KiB' } });
    dut.start();
    for (const type of [15, 16, 18, 20, 22, 24, 26]) expect(status(dut, type)).toBe(BLK_S.UNSUPP);
  });

  it('reports its zones, as many as there is room for, from the one that a sector is in', () => {
    const dut = bench();
    const zones = report(dut);
    expect(zones.map(({ start }) => start)).toEqual([0, 16, 32, 48, 64, 80, 96]);
    expect(zones[0]).toMatchObject({ type: BLK_ZT.CONV, state: BLK_ZS.NOT_WP });
    const empty = { type: BLK_ZT.SWR, state: BLK_ZS.EMPTY, capacity: CAPACITY };
    expect(zones[1]).toMatchObject({ ...empty, pointer: 16 });
    // The last zone has 8 sectors in all.
    expect(zones[6]).toMatchObject({ capacity: 8 });
    expect(report(dut, 50, 64 * 3).map(({ start }) => start)).toEqual([48, 64]);
    expect(report(dut, 0, 100)).toEqual([]);
    expect(dut.request(0, [header(BLK_T.ZONE_REPORT)], [63, 1])[0].bytes.at(-1)).toBe(
      ZONE_INVALID_CMD,
    );
  });
});

describe('writing', () => {
  it('goes where the pointer is, until the zone is full', () => {
    const dut = bench();
    expect([write(dut, 16, 2, 5), write(dut, 18, 4, 6), write(dut, 22, 6, 7)]).toEqual([0, 0, 0]);
    expect(report(dut, 16)[0]).toMatchObject({ state: BLK_ZS.FULL });
    expect(read(dut, 16)).toEqual({ status: BLK_S.OK, first: 5, last: 5 });
    expect(read(dut, 27)).toEqual({ status: BLK_S.OK, first: 7, last: 7 });
    expect(write(dut, 28)).toBe(ZONE_INVALID_CMD);
    // A conventional zone is written anywhere.
    expect([write(dut, 7, 1, 3), write(dut, 2, 1, 4)]).toEqual([0, 0]);
  });

  it('ZBD-4 MUST: elsewhere, or not to the end of a block, is not aligned', () => {
    const dut = bench();
    expect(write(dut, 18)).toBe(ZONE_UNALIGNED_WP);
    expect(write(dut, 16, 1)).toBe(ZONE_UNALIGNED_WP);
    expect(write(dut, 16, 2)).toBe(BLK_S.OK);
    expect(write(dut, 16, 2)).toBe(ZONE_UNALIGNED_WP);
    expect(report(dut, 16)[0]).toMatchObject({ pointer: 18, state: BLK_ZS.IOPEN });
  });

  it('ZBD-5 MUST: beyond what is left, or into another zone, is invalid', () => {
    const dut = bench();
    expect(write(dut, 16, 14)).toBe(ZONE_INVALID_CMD);
    expect(write(dut, 16, 18)).toBe(ZONE_INVALID_CMD);
    expect(write(dut, 14, 4)).toBe(ZONE_INVALID_CMD);
    expect(read(dut, 30, 4).status).toBe(ZONE_INVALID_CMD);
    expect(read(dut, 0, 16).status).toBe(BLK_S.OK);
    expect(stateOf(dut, 1)).toBe(BLK_ZS.EMPTY);
  });

  it('ZBD-6 MUST: an append says where it has put its data', () => {
    const dut = bench();
    expect([append(dut, 32), append(dut, 32, 4), append(dut, 32)]).toEqual([32, 34, 38]);
    expect(report(dut, 32)[0]).toMatchObject({ pointer: 40, state: BLK_ZS.IOPEN });
    expect(read(dut, 39).last).toBe(9);
  });

  it('ZBD-7 MUST: an append elsewhere than at a zone, or too large, is invalid', () => {
    const dut = bench();
    const invalid = -ZONE_INVALID_CMD;
    expect([append(dut, 33), append(dut, 0), append(dut, 32, 10)]).toEqual([
      invalid,
      invalid,
      invalid,
    ]);
    expect(append(bench({ append: '0B' }), 32)).toBe(-BLK_S.UNSUPP);
    expect([append(dut, 32, 8), append(dut, 32, 6), append(dut, 32, 1)]).toEqual([
      32,
      invalid,
      -ZONE_UNALIGNED_WP,
    ]);
  });

  it('puts several appends that are under way one behind the other', () => {
    const dut = bench();
    for (let i = 0; i < 6; i++) {
      dut.send(0, [header(BLK_T.ZONE_APPEND, 16), data(i + 1, 2)], [8, 1]);
    }
    dut.device.available(0, 0);
    const places = dut.run().map(({ bytes }) => {
      expect(bytes[8]).toBe(BLK_S.OK);
      return bytes[0];
    });
    expect(places.toSorted((a, b) => a - b)).toEqual([16, 18, 20, 22, 24, 26]);
    expect(Array.from({ length: 6 }, (_, i) => read(dut, 16 + 2 * i).first)).toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
  });

  it('ZBD-8 MUST: what is behind the pointer counts as not written', () => {
    const dut = bench();
    write(dut, 16, 12, 8);
    expect(status(dut, RESET, 16)).toBe(BLK_S.OK);
    expect(read(dut, 16, 12)).toEqual({ status: BLK_S.OK, first: 0, last: 0 });
    expect(write(dut, 16, 2, 5)).toBe(BLK_S.OK);
    expect(read(dut, 16, 12)).toEqual({ status: BLK_S.OK, first: 5, last: 0 });
  });
});

describe('zones', () => {
  /** Requests on zone 1, and the state and status that each comes to. */
  const steps = (dut: DeviceBench, list: readonly (number | 'write' | 'fill')[]) =>
    list.map((step) => {
      const pointer = () => report(dut, ZONE)[0].pointer;
      if (step === 'write') expect(write(dut, pointer())).toBe(BLK_S.OK);
      else if (step === 'fill') expect(write(dut, pointer(), ZONE + CAPACITY - pointer())).toBe(0);
      else if (status(dut, step, ZONE) !== BLK_S.OK) return 'refused';
      return stateOf(dut, 1);
    });
  const { EMPTY, IOPEN, EOPEN, CLOSED, FULL } = BLK_ZS;

  it.each([
    ['an empty zone', ['write', RESET, OPEN, CLOSE, RESET], [IOPEN, EMPTY, EOPEN, EMPTY, EMPTY]],
    ['an open one', ['write', OPEN, OPEN, 'write', CLOSE], [IOPEN, EOPEN, EOPEN, EOPEN, CLOSED]],
    [
      'a closed one',
      ['write', CLOSE, CLOSE, 'write', RESET],
      [IOPEN, CLOSED, CLOSED, IOPEN, EMPTY],
    ],
    ['one closed and opened', ['write', CLOSE, OPEN, 'fill'], [IOPEN, CLOSED, EOPEN, FULL]],
    ['a full one', ['fill', FINISH, OPEN, CLOSE, RESET], [FULL, FULL, 'refused', 'refused', EMPTY]],
    ['a finished one', ['write', FINISH, RESET, CLOSE], [IOPEN, FULL, EMPTY, 'refused']],
    [
      'an empty or closed one',
      [FINISH, RESET, 'write', CLOSE, FINISH],
      [FULL, EMPTY, IOPEN, CLOSED, FULL],
    ],
  ] as const)('ZBD-9 MUST: take the steps that they can take: %s', (_, list, states) => {
    expect(steps(bench(), list)).toEqual(states);
  });

  it('ZBD-10 MUST: conventional ones, and places within a zone, are not for requests on zones', () => {
    const dut = bench();
    for (const type of [OPEN, CLOSE, FINISH, RESET]) {
      expect(status(dut, type, 0)).toBe(ZONE_INVALID_CMD);
      expect(status(dut, type, 17)).toBe(ZONE_INVALID_CMD);
      expect(status(dut, type, 1 << 20)).toBe(ZONE_INVALID_CMD);
    }
  });

  it('ZBD-11 MUST: RESET_ALL empties all of them', () => {
    const dut = bench();
    write(dut, 0, 2, 3);
    write(dut, 16, 12);
    write(dut, 32);
    status(dut, OPEN, 48);
    expect(status(dut, BLK_T.ZONE_RESET_ALL)).toBe(BLK_S.OK);
    expect(
      report(dut)
        .slice(1)
        .every(({ state }) => state === EMPTY),
    ).toBe(true);
    expect(read(dut, 0).first).toBe(3);
  });

  it('ZBD-12 MUST: no more are active than there may be', () => {
    const dut = bench({ maxOpen: 1, maxActive: 2 });
    expect([write(dut, 16), status(dut, CLOSE, 16), write(dut, 32)]).toEqual([0, 0, 0]);
    expect(status(dut, OPEN, 48)).toBe(ZONE_ACTIVE_RESOURCE);
    // Both limits would be passed.
    expect([write(dut, 48), append(dut, 48)]).toEqual([
      ZONE_ACTIVE_RESOURCE,
      -ZONE_ACTIVE_RESOURCE,
    ]);
    expect(stateOf(dut, 3)).toBe(EMPTY);
    expect([status(dut, FINISH, 16), write(dut, 48)]).toEqual([0, 0]);
  });

  it('ZBD-13 MUST: no more are open than there may be; those opened by writes are closed for others', () => {
    const dut = bench({ maxOpen: 2 });
    expect([write(dut, 16), write(dut, 32), write(dut, 48)]).toEqual([0, 0, 0]);
    expect([1, 2, 3].map((zone) => stateOf(dut, zone))).toEqual([CLOSED, IOPEN, IOPEN]);
    expect([status(dut, OPEN, 32), status(dut, OPEN, 64)]).toEqual([0, 0]);
    expect([1, 2, 3, 4].map((zone) => stateOf(dut, zone))).toEqual([CLOSED, EOPEN, CLOSED, EOPEN]);
    expect([write(dut, 50), status(dut, OPEN, 80)]).toEqual([
      ZONE_OPEN_RESOURCE,
      ZONE_OPEN_RESOURCE,
    ]);
  });

  it('never have more resources than their limits, nor pointers outside, whatever comes', () => {
    const request = fc.record({
      zone: fc.integer({ min: 0, max: ZONE_COUNT }),
      type: fc.constantFrom(OPEN, CLOSE, FINISH, RESET, BLK_T.OUT, BLK_T.ZONE_APPEND),
      offset: fc.constantFrom(0, 0, 0, 1, 2, 4),
      count: fc.constantFrom(1, 2, 4, 8),
      atPointer: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 60 }), (requests) => {
        const dut = bench({ maxOpen: 2, maxActive: 3 });
        for (const { zone, type, offset, count, atPointer } of requests) {
          const sector = zone * ZONE + offset;
          const [described] = zone < ZONE_COUNT ? report(dut, zone * ZONE, 128) : [];
          if (type === BLK_T.OUT)
            write(dut, atPointer && described ? described.pointer : sector, count);
          else if (type === BLK_T.ZONE_APPEND) append(dut, sector, count);
          else status(dut, type, sector);
          const zones = report(dut);
          const open = zones.filter(({ state }) => state === IOPEN || state === EOPEN).length;
          const active = zones.filter(({ state }) => state === CLOSED).length + open;
          expect(open).toBeLessThanOrEqual(2);
          expect(active).toBeLessThanOrEqual(3);
          for (const { type: kind, start, pointer, capacity, state } of zones) {
            if (kind === BLK_ZT.CONV || state === FULL) continue;
            expect(pointer >= start && pointer < start + capacity).toBe(true);
            if (state === EMPTY) expect(pointer).toBe(start);
          }
        }
        expect(dut.violations).toEqual([]);
      }),
      { seed: SEED, numRuns: 60 },
    );
  });
});

describe('fio on a zoned disk', () => {
  const disk = { type: 'blk', bus: 'ffa0', number: 0, capacity: '1MiB', blockSize: '4KiB' };
  const zones = { size: '128KiB', capacity: '96KiB', conventional: 1, maxOpen: 3, maxActive: 3 };
  const parts = (workload: object, device: object = {}) => ({
    devices: { disk0: { ...disk, zones, ...device } },
    workloads: [{ type: 'fio', device: 'disk0', rw: 'rw', operations: 500, ...workload }],
    until: { workloads: 'done', atMost: '60s' },
  });

  it.each([
    ['write', { depth: 1 }, {}],
    ['write', { depth: 12, readPercent: 20 }, { queues: 2 }],
    ['append', { depth: 12, readPercent: 20 }, {}],
    ['append', { depth: 16, rw: 'write' }, { ring: 'packed', indirect: true }],
    ['append', { depth: 4, blockSize: '512B' }, { blockSize: '512B', segmentSize: '512B' }],
  ])('by %s with %j reads what it has written, on %j', (zoned, workload, device) => {
    const rig = new Rig(parts({ zoned, ...workload }, device));
    expect(rig.run()).toBe('done');
    const { requests, errors, verified, failure, extra } = rig.result();
    expect([requests, errors, failure, rig.violations]).toEqual([500, 0, null, []]);
    if (!('rw' in workload)) expect(verified).toBeGreaterThan(50);
    expect(extra!.zonesFilled).toBeGreaterThan(0);
  });

  it.each(['write', 'append'])(
    'by %s goes on after resets of the disk and of its queue',
    (zoned) => {
      const resetQueues = [{ at: '900us', queue: 0 }];
      const failing = { needsReset: ['400us', '1500us'], ringReset: true, resetQueues };
      const rig = new Rig(parts({ zoned, depth: 8, readPercent: 40, operations: 1500 }, failing));
      expect(rig.run()).toBe('done');
      const { requests, errors, verified, failure, extra } = rig.result();
      expect([requests, failure, rig.violations]).toEqual([1500, null, []]);
      expect(extra!.recoveries).toBe(2);
      // What was being written, or reset, is told as lost: nobody knows what has become of it.
      expect(errors).toBeGreaterThan(0);
      expect(errors).toBeLessThanOrEqual(3 * 8);
      expect(verified).toBeGreaterThan(100);
    },
  );

  it.each([
    [{ zoned: 'write' }, { zones: undefined }, /has no zones/],
    [{}, {}, /only be written in sequence/],
    [{ zoned: 'write', rw: 'read' }, {}, /must be written first/],
    [{ zoned: 'write', flushEvery: 5 }, {}, /closed loop/],
    [{ zoned: 'append', blockSize: '128KiB' }, {}, /no such appends/],
    [{ zoned: 'write', blockSize: '12KiB' }, {}, /not made of such blocks/],
    [{ zoned: 'write' }, { discard: true }, /no such thing/],
    [{ zoned: 'write' }, { zones: { ...zones, conventional: 8 } }, /no zone is left/],
  ])('%j on %j is refused', (workload, device, message) => {
    const load = () => new Rig(parts(workload, device));
    expect(load).toThrow(ScenarioError);
    expect(load).toThrow(message);
  });
});
