// The virtio-blk driver over FF-A: queues and cores, what it does not send, and how it goes on with a
// disk that fails.
import { describe, expect, it } from 'vitest';
import { BLK_LOST } from '../../guests/blk/index.ts';
import { RECOVERIES_MAX } from '../../guests/common/index.ts';
import { PS_PER_MS } from '../../platform/kernel/index.ts';
import { BLK_F, BLK_S, BLK_T, STATUS } from '../../platform/virtio/index.ts';
import { BLOCK, DiskRig } from '../support/disk-rig.ts';
import { driverBench } from '../support/driver-bench.ts';

/** Writes one block by each slot when the disk is there. */
function writeAll(user: DiskRig, slots: number): void {
  user.whenReady = () => {
    for (let slot = 0; slot < slots; slot++) user.write(slot, slot, slot + 1);
  };
}

/** Messages of a type that the driver has sent to the disk. */
const sent = (user: DiskRig, type: string) =>
  user.rig.messages.filter(({ message }) => message.type === `req.${type}`);

const statusWrites = (user: DiskRig) =>
  sent(user, 'SET_DEVICE_STATUS').map(({ message }) => (message.body as { status: number }).status);

const OK32 = new Array<number>(32).fill(BLK_S.OK);

describe('several queues', () => {
  it('are all set up, and each takes its share of the slots', () => {
    const user = new DiskRig({ queues: 4 });
    writeAll(user, 32);
    user.rig.runUntil(5 * PS_PER_MS);
    expect(user.statuses).toEqual(OK32);
    const queues = (type: string, field: string) =>
      new Set(
        user.rig.messages
          .filter(({ message }) => message.type === type)
          .map(({ message }) => (message.body as Record<string, number>)[field]),
      );
    expect([...queues('req.SET_VQUEUE', 'index')].sort()).toEqual([0, 1, 2, 3]);
    expect([...queues('req.EVENT_AVAIL', 'index')].sort()).toEqual([0, 1, 2, 3]);
    expect([...queues('req.EVENT_USED', 'index')].sort()).toEqual([0, 1, 2, 3]);
  });

  it('belong to cores: submissions and completions of queue i run on core i mod cpus', () => {
    const user = new DiskRig({ queues: 6 }, { linux: { cpus: 4 } });
    const { cpu } = user.driver.node;
    const cores = new Map<number, Set<number>>();
    const submit = cpu.submit.bind(cpu);
    cpu.submit = (priority, cost, client, kind, a = 0, b = 0, core = -1) => {
      // Step 0 of the driver takes completions of queue `a`; 8 submits slot `a`.
      if (client === user.driver) {
        const queue = kind === 0 ? a : a % 6;
        cores.set(queue, (cores.get(queue) ?? new Set()).add(core));
      }
      submit(priority, cost, client, kind, a, b, core);
    };
    writeAll(user, 12);
    user.rig.runUntil(5 * PS_PER_MS);
    expect(user.statuses).toEqual(OK32.slice(0, 12));
    const found = [...cores].sort(([a], [b]) => a - b).map(([, set]) => [...set]);
    expect(found).toEqual([[0], [1], [2], [3], [0], [1]]);
  });

  it('may be 1024', () => {
    const user = new DiskRig(
      { queues: 1024, queueSize: 4 },
      { slots: 1024, linux: { cpus: 4, memory: '64MiB' } },
    );
    writeAll(user, 64);
    user.rig.runUntil(20 * PS_PER_MS);
    expect(user.statuses).toEqual([...OK32, ...OK32]);
    const set = sent(user, 'SET_VQUEUE').map(
      ({ message }) => (message.body as { index: number }).index,
    );
    expect(set).toEqual(Array.from({ length: 1024 }, (_, index) => index));
  });

  it('are no more than the device has, whatever its configuration says', () => {
    const { bus, client, driver, model, sent: requests, run } = driverBench();
    model.features |= BLK_F.MQ;
    model.info = { ...model.info, configSize: 60, queuesMax: 2 };
    Object.defineProperty(model, 'config', { value: new Uint8Array(60) });
    model.config[0] = 64;
    model.config.set([0xff, 0xff], 34);
    model.queueSizes = [8, 8];
    bus.driver.start();
    run();
    expect(requests().filter((line) => line.startsWith('SET_VQUEUE'))).toHaveLength(2);
    expect([driver.live, client.log]).toEqual([true, [`ready ${64 * 512}`]]);
  });

  it('of which the device says there are none is one queue', () => {
    const { bus, driver, model, sent: requests, run } = driverBench();
    model.features |= BLK_F.MQ;
    model.info = { ...model.info, configSize: 60 };
    Object.defineProperty(model, 'config', { value: new Uint8Array(60) });
    bus.driver.start();
    run();
    expect(requests().filter((line) => line.startsWith('SET_VQUEUE'))).toHaveLength(1);
    expect(driver.live).toBe(true);
  });
});

describe('requests that are not sent', () => {
  /** Submits one request and returns its status and how often the device was told. */
  const statusOf = (disk: object, type: number, offset = 0, length = BLOCK) => {
    const user = new DiskRig(disk);
    user.whenReady = () => user.driver.submit(0, type, offset, length);
    user.rig.runUntil(5 * PS_PER_MS);
    return [user.completions[0]?.status, sent(user, 'EVENT_AVAIL').length];
  };

  it.each([
    ['a write to a read-only disk', { readOnly: true }, BLK_T.OUT, BLK_S.IOERR],
    [
      'a discard of a read-only disk',
      { readOnly: true, discard: true },
      BLK_T.DISCARD,
      BLK_S.IOERR,
    ],
    ['a discard that was not offered', {}, BLK_T.DISCARD, BLK_S.UNSUPP],
    ['write zeroes that were not offered', {}, BLK_T.WRITE_ZEROES, BLK_S.UNSUPP],
  ])('%s', (_, disk, type, status) => {
    expect(statusOf(disk, type)).toEqual([status, 0]);
  });

  it('a read beyond the end', () => {
    expect(statusOf({}, BLK_T.IN, 1024 * 1024 - 512)).toEqual([BLK_S.IOERR, 0]);
    expect(statusOf({}, BLK_T.IN, 1024 * 1024 - BLOCK)).toEqual([BLK_S.OK, 1]);
  });

  it('a request of more segments than the disk takes', () => {
    const disk = { segmentSize: '512B', segments: 4 };
    expect(statusOf(disk, BLK_T.IN)).toEqual([BLK_S.IOERR, 0]);
    expect(statusOf({ ...disk, segments: 8 }, BLK_T.IN)).toEqual([BLK_S.OK, 1]);
  });
});

describe('discard and write zeroes', () => {
  it.each([BLK_T.DISCARD, BLK_T.WRITE_ZEROES])('type %i reaches its blocks', (type) => {
    const user = new DiskRig({ discard: true, writeZeroes: true });
    writeAll(user, 4);
    user.whenCompleted = () => {
      const { length } = user.completions;
      if (length === 4) user.driver.submit(0, type, BLOCK, 2 * BLOCK);
      if (length === 5) for (let slot = 0; slot < 4; slot++) user.read(slot, slot);
    };
    user.rig.runUntil(5 * PS_PER_MS);
    expect(user.completions.map(({ status }) => status)).toEqual(OK32.slice(0, 9));
    expect([0, 1, 2, 3].map((slot) => user.valueOf(slot))).toEqual([1, 0, 0, 4]);
  });
});

describe('several ranges', () => {
  const TYPES = [BLK_T.DISCARD, BLK_T.WRITE_ZEROES, BLK_T.SECURE_ERASE];
  const disk = { discard: true, writeZeroes: true, secureErase: true };
  const rangesOf = (...blocks: number[]) =>
    blocks.map((block) => ({ offset: BLOCK * block, length: BLOCK }));

  it.each(TYPES)('of one request of type %i reach their blocks and no others', (type) => {
    for (const blocks of [
      [1, 3],
      [0, 2, 3],
    ]) {
      const user = new DiskRig(disk);
      writeAll(user, 4);
      user.whenCompleted = () => {
        const { length } = user.completions;
        if (length === 4) user.driver.submitRanges(0, type, rangesOf(...blocks));
        if (length === 5) for (let slot = 0; slot < 4; slot++) user.read(slot, slot);
      };
      user.rig.runUntil(5 * PS_PER_MS);
      expect(user.completions.map(({ status }) => status)).toEqual(OK32.slice(0, 9));
      const expected = [1, 2, 3, 4].map((value, block) => (blocks.includes(block) ? 0 : value));
      expect([0, 1, 2, 3].map((slot) => user.valueOf(slot))).toEqual(expected);
    }
  });

  it('are no more than the disk takes, and none beyond its end', () => {
    const user = new DiskRig(disk);
    const statuses = [rangesOf(...new Array(17).fill(0)), rangesOf(0, 256)].map((ranges) => {
      user.completions.length = 0;
      user.whenReady = () => user.driver.submitRanges(0, BLK_T.DISCARD, ranges);
      if (user.driver.live) user.whenReady();
      user.rig.runUntil(user.rig.kernel.now + 5 * PS_PER_MS);
      return user.completions[0].status;
    });
    expect(statuses).toEqual([BLK_S.IOERR, BLK_S.IOERR]);
    expect(user.rig.violations).toEqual([]);
  });
});

describe('a disk that loses power', () => {
  const POWER = { powerLoss: [{ at: '1ms', for: '2ms' }] };

  it.each([
    ['split', {}],
    ['packed', { ring: 'packed', indirect: true, eventIdx: true }],
    ['in order', { inOrder: true }],
    ['with four queues', { queues: 4 }],
  ])('is reset, and what was under way is done after all: %s', (_, more) => {
    const user = new DiskRig({ ...POWER, ...more });
    // Always 32 writes under way, by hand; each slot writes its block again and again.
    const times = new Array<number>(32).fill(0);
    writeAll(user, 32);
    user.whenCompleted = (slot) => {
      times[slot]++;
      if (user.rig.kernel.now < 4 * PS_PER_MS) user.write(slot, slot, (slot + times[slot]) % 251);
    };
    user.rig.runUntil(8 * PS_PER_MS);
    expect(user.driver.recoveries).toBe(1);
    expect(user.log).toEqual(['ready 1048576', 'recovered']);
    expect(user.completions.every(({ status }) => status === BLK_S.OK)).toBe(true);
    const written = [...times];
    for (let slot = 0; slot < 32; slot++) user.read(slot, slot);
    user.rig.runUntil(12 * PS_PER_MS);
    const values = written.map((count, slot) =>
      count === 1 ? slot + 1 : (slot + count - 1) % 251,
    );
    expect(values.map((_, slot) => user.valueOf(slot))).toEqual(values);
  });

  it('keeps every write that a flush has covered, and fails the flush that cannot', () => {
    const user = new DiskRig({ ...POWER, writeCache: '1MiB' });
    const steps = [() => user.write(0, 0, 1), () => user.flush(1), () => user.write(0, 1, 2)];
    user.whenReady = () => steps[0]();
    user.whenCompleted = () => steps[user.completions.length]?.();
    user.whenRecovered = () => user.flush(2);
    user.rig.runUntil(8 * PS_PER_MS);
    // The flush after the failure has nothing to make durable of what was lost.
    expect(user.completions.map(({ status }) => status)).toEqual([0, 0, 0, BLK_S.IOERR]);
    user.flush(2);
    user.read(3, 0);
    user.rig.runUntil(10 * PS_PER_MS);
    expect(user.completions.slice(4).map(({ status }) => status)).toEqual([0, 0]);
    expect(user.valueOf(3)).toBe(1);
  });

  it('fails no flush when everything was flushed, or nothing is volatile', () => {
    for (const writeBack of [true, false]) {
      const user = new DiskRig({ ...POWER, writeCache: '1MiB' });
      user.whenReady = () => {
        user.driver.setWriteBack(writeBack);
        user.write(0, 0, 1);
      };
      user.whenCompleted = () => {
        if (user.completions.length === 1 && writeBack) user.flush(1);
      };
      user.whenRecovered = () => user.flush(2);
      user.rig.runUntil(8 * PS_PER_MS);
      expect(new Set(user.statuses)).toEqual(new Set([BLK_S.OK]));
      expect(user.driver.disk.writesBack).toBe(writeBack === true);
    }
  });

  it('while it comes up is reset and comes up again, at whatever moment', () => {
    // From 13 us on the driver talks to the device; at 57 us it is live.
    for (let at = 12; at < 60; at += 2) {
      const user = new DiskRig({ powerLoss: [{ at: `${at}us`, for: '5us' }] });
      writeAll(user, 4);
      user.rig.runUntil(5 * PS_PER_MS);
      expect([at, user.statuses]).toEqual([at, [0, 0, 0, 0]]);
      expect(user.log[0]).toBe('ready 1048576');
    }
  });

  it('while the driver reads its configuration is reset when that has ended', () => {
    const user = new DiskRig({ ...POWER, resize: [{ at: '999us', capacity: '2MiB' }] });
    writeAll(user, 4);
    user.rig.runUntil(8 * PS_PER_MS);
    expect(user.driver.recoveries).toBe(1);
    expect(user.log).toContain('resized 2097152');
    expect(user.driver.live).toBe(true);
  });
});

describe('a driver', () => {
  it('gives up after three recoveries that led nowhere', () => {
    const faults = [{ on: 'ffa0', omit: 'AREA_SHARE', count: 'always' }];
    const user = new DiskRig({}, { faults });
    writeAll(user, 2);
    user.rig.runUntil(20 * PS_PER_MS);
    expect(user.driver.recoveries).toBe(RECOVERIES_MAX);
    expect(user.statuses).toEqual([BLK_LOST, BLK_LOST]);
    expect(user.log).toEqual([
      'ready 1048576',
      'recovered',
      'recovered',
      'recovered',
      'down: the device needs a reset',
    ]);
    expect(statusWrites(user).filter((status) => status === 0)).toHaveLength(1 + RECOVERIES_MAX);
  });

  it('counts recoveries anew once something has come back', () => {
    const powerLoss = Array.from({ length: 6 }, (_, i) => ({ at: `${i + 1}ms`, for: '100us' }));
    const user = new DiskRig({ powerLoss });
    writeAll(user, 8);
    user.whenCompleted = (slot) => user.write(slot, slot, 1);
    user.rig.runUntil(10 * PS_PER_MS);
    expect(user.driver.recoveries).toBe(6);
    expect(user.driver.live).toBe(true);
  });

  it('fails a request at once when the disk is lost', () => {
    const user = new DiskRig({}, { faults: [{ on: 'ffa0', omit: 'AREA_SHARE', count: 'always' }] });
    writeAll(user, 1);
    user.rig.runUntil(20 * PS_PER_MS);
    user.write(0, 0, 1);
    user.rig.runUntil(21 * PS_PER_MS);
    expect(user.statuses).toEqual([BLK_LOST, BLK_LOST]);
  });

  it('tells a device FAILED whose features it cannot accept', () => {
    const { bus, model, driver, sent: requests, run } = driverBench();
    model.acceptsFeatures = false;
    bus.driver.start();
    run();
    expect(requests().at(-1)).toBe(`SET_DEVICE_STATUS ${STATUS.FAILED | 3}`);
    expect(driver.downReason).toBe('the device refused the features');
  });

  it('hears of a new capacity and tells its users', () => {
    const user = new DiskRig({ resize: [{ at: '1ms', capacity: '8KiB' }] });
    user.rig.runUntil(2 * PS_PER_MS);
    expect(user.log).toEqual(['ready 1048576', 'resized 8192']);
    user.read(0, 2);
    user.rig.runUntil(3 * PS_PER_MS);
    expect(user.statuses).toEqual([BLK_S.IOERR]);
  });
});

describe('time-outs', () => {
  const timing = { 'blk.requestTimeout': '10ms' };
  const lost = (message: string) => [{ at: '0s', on: 'ffa0', drop: message, count: 1 }];

  it('find work that was done but not told of', () => {
    const user = new DiskRig({}, { timing, faults: lost('EVENT_USED') });
    writeAll(user, 1);
    user.rig.runUntil(30 * PS_PER_MS);
    expect(user.statuses).toEqual([BLK_S.OK]);
    expect(user.completions[0].latency).toBeGreaterThan(9 * PS_PER_MS);
    expect([user.driver.recoveries, user.rig.violations]).toEqual([0, []]);
  });

  it('reset a device that does nothing, and submit again', () => {
    const user = new DiskRig({}, { timing, faults: lost('EVENT_AVAIL') });
    writeAll(user, 3);
    user.rig.runUntil(30 * PS_PER_MS);
    expect(user.statuses).toEqual(OK32.slice(0, 3));
    expect([user.driver.recoveries, user.rig.violationCodes]).toEqual([1, ['TIMEOUT']]);
  });

  it('notice a failure whose message was lost', () => {
    const faults = lost('EVENT_CONFIG');
    const user = new DiskRig({ powerLoss: [{ at: '1ms', for: '1ms' }] }, { timing, faults });
    writeAll(user, 8);
    user.whenCompleted = (slot) => {
      if (user.rig.kernel.now < 2 * PS_PER_MS) user.write(slot, slot, 9);
    };
    user.rig.runUntil(40 * PS_PER_MS);
    expect(user.driver.recoveries).toBe(1);
    expect(user.completions.every(({ status }) => status === BLK_S.OK)).toBe(true);
    expect(user.completions.filter(({ slot }) => slot === 7).at(-1)!.at).toBeGreaterThan(10e9);
  });

  it('are 30 s, as in Linux, unless a profile says otherwise', () => {
    const { costs } = new DiskRig({}).driver.node;
    expect(costs.value(costs.idOf('blk.requestTimeout'))).toBe(30e12);
  });
});
