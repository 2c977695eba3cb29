// Rules of virtio 1.4 §3.4: a driver suspends its device and resumes it.
import { describe, expect, it } from 'vitest';
import {
  AVAIL,
  BLK_CONFIG,
  BLK_F,
  BLK_T,
  CONSOLE_CONFIG,
  F,
  STATUS,
} from '../../platform/virtio/index.ts';
import { DEVICE_CASES } from '../contract/cases.ts';
import { DeviceBench } from '../support/device-bench.ts';
import { driverBench } from '../support/driver-bench.ts';
import { BUS_OFFSET } from '../support/fake-bus.ts';
import { memoryDisk } from '../support/scenarios.ts';

const MICROSECOND = 1_000_000;
const MILLISECOND = 1000 * MICROSECOND;
const { ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK, SUSPEND, DEVICE_NEEDS_RESET } = STATUS;
const LIVE = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
/** What a driver writes to suspend a device, and to resume it: of what it read no bit is cleared. */
const ASKED = LIVE | SUSPEND;
const SUSPENDED = ASKED & ~DRIVER_OK;
/** Offers SUSPEND; the instant is one that no bench comes to. */
const OFFERED = { suspends: [{ at: '1000s', for: '1ms' }] };

describe('a driver', () => {
  /** Behind a model that shows the status that a test gives it once SUSPEND or DRIVER_OK was written. */
  function suspending(offered = true) {
    const disk = memoryDisk(0, { writeCache: '1MiB', suspends: [{ at: '1ms', for: '2ms' }] });
    const bench = driverBench({ scenario: { devices: { disk0: disk } } });
    const { model, kernel, bus, node } = bench;
    model.features |= BLK_F.FLUSH | BLK_F.CONFIG_WCE;
    model.info = { ...model.info, configSize: 60 };
    if (offered) model.features |= F.SUSPEND;
    model.writeConfig = () => true;
    const setStatus = model.setStatus.bind(model);
    model.setStatus = (status) => {
      const before = model.status;
      setStatus(status);
      if ((status & SUSPEND) !== 0) model.status = before;
      return model.status;
    };
    bus.driver.start();
    const runTo = (time: number) => kernel.runUntil(time);
    const availIndex = () =>
      node.memory.readU16(model.queueSetup(0)!.driverArea - BUS_OFFSET + AVAIL.index);
    /** Statuses that the driver wrote. */
    const wrote = () =>
      bench
        .sent()
        .flatMap((line) => /^SET_DEVICE_STATUS (\d+)/.exec(line)?.[1] ?? [])
        .map(Number);
    return { ...bench, runTo, availIndex, wrote };
  }

  it('DSU-2 MUST: looks until the device is suspended', () => {
    const { model, sent, wrote, runTo } = suspending();
    runTo(MILLISECOND - 1);
    expect(wrote().at(-1)).toBe(LIVE);
    runTo(1.45 * MILLISECOND);
    expect(wrote().at(-1)).toBe(ASKED);
    // Every 100 us.
    expect(sent().filter((line) => line === 'GET_DEVICE_STATUS')).toHaveLength(5);
    model.status = SUSPENDED;
    // Not before it has seen that do the two milliseconds begin.
    runTo(3.45 * MILLISECOND);
    expect(wrote().filter((status) => status === ASKED)).toHaveLength(1);
    runTo(3.55 * MILLISECOND);
    expect(wrote().filter((status) => status === ASKED)).toHaveLength(2);
  });

  it('DSU-3, DSU-4, DSU-5 MUST NOT: makes nothing available, notifies nobody, writes no configuration', () => {
    const { model, driver, sent, runTo, availIndex } = suspending();
    runTo(1.1 * MILLISECOND);
    const before = availIndex();
    const told = () => sent().filter((line) => /EVENT_AVAIL|SET_CONFIG/.test(line));
    driver.submit(0, BLK_T.IN, 0, 512);
    driver.setWriteBack(false);
    runTo(1.5 * MILLISECOND);
    model.status = SUSPENDED;
    driver.submit(1, BLK_T.IN, 0, 512);
    runTo(3 * MILLISECOND);
    expect([availIndex(), told()]).toEqual([before, []]);
    model.status = SUSPENDED;
    runTo(3.9 * MILLISECOND);
    model.status = LIVE;
    runTo(5 * MILLISECOND);
    expect([availIndex(), told()]).toEqual([before + 2, ['EVENT_AVAIL 0', 'SET_CONFIG']]);
  });

  it('DSU-6 MUST: waits until the device shows that it goes on', () => {
    const { model, driver, sent, wrote, runTo, availIndex } = suspending();
    runTo(1.1 * MILLISECOND);
    model.status = SUSPENDED;
    driver.submit(0, BLK_T.IN, 0, 512);
    runTo(4 * MILLISECOND);
    expect(wrote().filter((status) => status === ASKED)).toHaveLength(2);
    expect([availIndex(), sent().includes('EVENT_AVAIL 0'), driver.suspended]).toEqual([
      0,
      false,
      true,
    ]);
    model.status = LIVE;
    runTo(4.2 * MILLISECOND);
    expect([availIndex(), sent().includes('EVENT_AVAIL 0'), driver.suspended]).toEqual([
      1,
      true,
      false,
    ]);
  });

  it('DSU-1 SHOULD NOT: suspends a device that does not offer it', () => {
    const { wrote, runTo } = suspending(false);
    runTo(10 * MILLISECOND);
    expect(wrote().at(-1)).toBe(LIVE);
  });

  it('DSU-1 SHOULD NOT: suspends a device that is not live yet', () => {
    const { bus, wrote, runTo } = suspending();
    for (const client of bus.drivers.values()) client.offline('not yet');
    runTo(2 * MILLISECOND);
    for (const client of bus.drivers.values()) client.online();
    runTo(10 * MILLISECOND);
    expect([wrote().at(-1), wrote().includes(ASKED)]).toEqual([LIVE, false]);
  });

  it('does not repeat a write whose answer is lost: it would undo itself', () => {
    const { model, bus, wrote, runTo } = suspending();
    let lost = 0;
    bus.script = ({ bytes, direction }) => {
      const { type, body } = bus.messages(direction).at(-1)!;
      const isAnswer =
        type === 'res.SET_DEVICE_STATUS' && (body as { status: number }).status !== 0;
      if (!isAnswer || !wrote().includes(ASKED) || lost > 0) return [{ bytes, delay: 0 }];
      lost++;
      return [];
    };
    runTo(1.1 * MILLISECOND);
    model.status = SUSPENDED;
    runTo(2.5 * MILLISECOND);
    expect([lost, wrote().filter((status) => status === ASKED)]).toEqual([1, [ASKED]]);
    runTo(3.5 * MILLISECOND);
    expect(wrote().filter((status) => status === ASKED)).toHaveLength(2);
  });

  it.each([
    ['that fails instead', LIVE | DEVICE_NEEDS_RESET, 2],
    ['that never ends what it is at', LIVE, 1200],
  ])('resets a device %s', (_, status, end) => {
    const { model, wrote, driver, runTo } = suspending();
    runTo(1.1 * MILLISECOND);
    model.status = status;
    runTo(end * MILLISECOND);
    expect(wrote().slice(wrote().indexOf(ASKED) + 1)).toEqual([0, 1, 3, 11, LIVE]);
    expect([driver.live, driver.suspended, driver.recoveries]).toEqual([true, false, 1]);
  });
});

const types = Object.keys(DEVICE_CASES).filter((type) => type !== 'net');

describe.each(types)('the device %s', (type) => {
  const bench = (more: object = {}) => new DeviceBench(type, { options: { ...OFFERED, ...more } });

  it('DSU-7 MUST: ignores SUSPEND before it is live, and without the feature', () => {
    const { device } = bench();
    for (const status of [0, ACKNOWLEDGE, ACKNOWLEDGE | DRIVER]) {
      device.setStatus(status);
      expect(device.setStatus(status | SUSPEND)).toBe(status);
    }
    const options = { features: type === 'i2c' || type === 'pmem' ? 1n : 0n, options: OFFERED };
    const without = new DeviceBench(type, options);
    expect(without.start()).toBe(LIVE);
    expect(without.device.setStatus(ASKED)).toBe(LIVE);
    without.run();
    expect(without.device.status).toBe(LIVE);
  });

  it('DSU-11, DSU-12 MUST: is suspended when it was asked to be, and goes on', () => {
    const dut = bench();
    expect(dut.start()).toBe(LIVE);
    for (let round = 0; round < 3; round++) {
      expect(dut.device.setStatus(ASKED)).toBe(LIVE);
      // Said again it means nothing else.
      expect(dut.device.setStatus(ASKED)).toBe(LIVE);
      dut.run();
      expect(dut.device.status).toBe(SUSPENDED);
      expect(dut.device.setStatus(ASKED)).toBe(LIVE);
      dut.run();
    }
    expect([dut.violations, dut.device.statistics!()['suspensions']]).toEqual([[], 3]);
  });

  it('DSU-11, DSU-12 MUST: says DEVICE_NEEDS_RESET when it fails, at the latest when it is resumed', () => {
    const dut = bench({ needsReset: ['5ms'] });
    dut.start();
    dut.device.setStatus(ASKED);
    dut.run();
    const before = dut.configEvents;
    dut.run(10 * MILLISECOND);
    expect(dut.device.setStatus(ASKED)).toBe(SUSPENDED | DEVICE_NEEDS_RESET);
    // A notification of that would be one of a suspended device.
    expect(dut.configEvents).toBe(before);
    expect(dut.device.setStatus(0)).toBe(0);
    expect(dut.start()).toBe(LIVE);
  });
});

describe('a device', () => {
  const busy = () => {
    const dut = new DeviceBench('rng', { options: OFFERED });
    dut.start();
    for (let i = 0; i < 40; i++) dut.send(0, [], [16]);
    dut.device.available(0, 0);
    // The first look is under way.
    dut.run(MICROSECOND / 10);
    return dut;
  };

  it('DSU-13 SHOULD: uses what it has taken, takes no more, and notifies, before it shows SUSPEND', () => {
    const dut = busy();
    dut.device.setStatus(ASKED);
    for (let i = 0; i < 10_000 && dut.device.status === LIVE; i++) dut.run(MICROSECOND / 10);
    // 32 chains are taken at a time; the signal for the last of them has gone.
    expect(dut.device.status).toBe(SUSPENDED);
    expect([dut.returned.length, dut.signals.length > 0]).toEqual([32, true]);
    dut.device.setStatus(ASKED);
    expect(dut.run()).toHaveLength(8);
  });

  it('DSU-9 MUST NOT: touches a queue or notifies of it while it is suspended', () => {
    const dut = busy();
    dut.device.setStatus(ASKED);
    dut.run();
    const { accesses } = dut.dma;
    const before = [accesses.length, dut.signals.length, dut.configEvents];
    dut.send(0, [], [16]);
    dut.device.available(0, 0);
    expect(dut.run(10 * MILLISECOND)).toEqual([]);
    expect([accesses.length, dut.signals.length, dut.configEvents]).toEqual(before);
    dut.device.setStatus(ASKED);
    expect(dut.run()).toHaveLength(9);
  });

  it('DSU-9, DSU-10 MUST: changes its configuration and tells of it when it goes on', () => {
    const options = { ...OFFERED, resize: [{ at: '5ms', cols: 100, rows: 50 }] };
    const dut = new DeviceBench('console', { options });
    dut.start();
    dut.device.setStatus(ASKED);
    dut.run();
    const columns = () => {
      const bytes = new Uint8Array(2);
      dut.device.readConfig(CONSOLE_CONFIG.cols, bytes, 0, 2);
      return bytes[0];
    };
    const before = [columns(), dut.device.configGeneration, dut.configEvents];
    dut.run(10 * MILLISECOND);
    expect([columns(), dut.device.configGeneration, dut.configEvents]).toEqual(before);
    dut.device.setStatus(ASKED);
    expect([columns(), dut.device.configGeneration, dut.configEvents]).toEqual([100, 1, 1]);
  });

  it('DSU-8 SHOULD: ignores writes to its configuration while it is suspended', () => {
    const options = { ...OFFERED, capacity: '1MiB', writeCache: '64KiB' };
    const dut = new DeviceBench('blk', { options });
    dut.start();
    const write = (mode: number) =>
      dut.device.writeConfig(BLK_CONFIG.writeback, Uint8Array.of(mode));
    dut.device.setStatus(ASKED);
    dut.run();
    expect(write(0)).toBe(false);
    dut.device.setStatus(ASKED);
    expect(write(0)).toBe(true);
  });
});
