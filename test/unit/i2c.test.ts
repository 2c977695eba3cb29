// virtio-i2c: the adapter as a hand-written driver sees it, good requests and hostile ones, and the
// driver over FF-A when the device does not answer.
import { describe, expect, it } from 'vitest';
import type { I2cDriver } from '../../guests/i2c/index.ts';
import { I2cResult } from '../../guests/i2c/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { ModelTables } from '../../platform/contracts/index.ts';
import { PS_PER_MS, PS_PER_US } from '../../platform/kernel/index.ts';
import { F, I2C_F, I2C_FLAGS, I2C_MSG, STATUS } from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';
import { Rig } from '../support/rig.ts';

const { FAIL_NEXT, M_RD } = I2C_FLAGS;
const CLOCK = 0x68;
const header = (addr: number, flags: number) => le([addr, 2], [0, 2], [flags, 4]);

function bench(options: Record<string, unknown> = {}): DeviceBench {
  const made = new DeviceBench('i2c', {
    options: { clockStart: '2024-02-29 23:59:58', ...options },
  });
  expect(made.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
  return made;
}

/** Sends the messages of one group and returns what came back, status last. */
function transfer(dut: DeviceBench, messages: readonly [flags: number, data: number[] | number][]) {
  for (const [flags, data] of messages) {
    const read = (flags & M_RD) !== 0;
    const readable = [header(CLOCK << 1, flags)];
    if (!read && (data as number[]).length > 0) readable.push(data as number[]);
    dut.send(0, readable, read && data !== 0 ? [data as number, 1] : [1]);
  }
  dut.device.available(0, 0);
  return dut.run(100 * PS_PER_MS).map(({ bytes }) => [...bytes]);
}

describe('the device', () => {
  it('reads the clock with a write and a read in one group, both of one moment', () => {
    const dut = bench();
    const [pointer, time] = transfer(dut, [
      [FAIL_NEXT, [0]],
      [M_RD, 7],
    ]);
    expect(pointer).toEqual([I2C_MSG.OK]);
    // 23:59:58, a Thursday, 29 February 2024.
    expect(time).toEqual([0x58, 0x59, 0x23, 5, 0x29, 0x02, 0x24, I2C_MSG.OK]);
    expect(dut.violations).toEqual([]);
  });

  it('takes the time of the wire: nine clocks a byte, one a condition', () => {
    const dut = bench();
    transfer(dut, [[0, [8, 1, 2, 3]]]);
    const wire = dut.node.costs.idOf('i2c.standardClock');
    // Address and four bytes, start and stop, at 10 us each.
    expect(dut.node.costs.charges.ps[wire]).toBe((9 * 5 + 2) * 10 * PS_PER_US);
    const fast = bench({ mode: 'fast' });
    transfer(fast, [[0, [8, 1, 2, 3]]]);
    const fastWire = fast.node.costs.idOf('i2c.fastClock');
    expect(fast.node.costs.charges.ps[fastWire]).toBe((9 * 5 + 2) * 2.5 * PS_PER_US);
  });

  it('keeps what is written to the RAM of the chip, and wraps its address', () => {
    const dut = bench();
    transfer(dut, [[0, [62, 0xaa, 0xbb]]]);
    const [, bytes] = transfer(dut, [
      [FAIL_NEXT, [62]],
      [M_RD, 3],
    ]);
    expect(bytes).toEqual([0xaa, 0xbb, 0x58, I2C_MSG.OK]);
  });

  it('answers zero-length requests both ways', () => {
    const dut = bench();
    expect(transfer(dut, [[0, []]])).toEqual([[I2C_MSG.OK]]);
    expect(transfer(dut, [[M_RD, 0]])).toEqual([[I2C_MSG.OK]]);
    expect(dut.violations).toEqual([]);
  });

  it('fails a request to an address where nobody is, and the rest of its group', () => {
    const dut = bench();
    dut.send(0, [header(0x20 << 1, FAIL_NEXT), [0]], [1]);
    dut.send(0, [header(CLOCK << 1, FAIL_NEXT), [8, 77]], [1]);
    dut.send(0, [header(CLOCK << 1, M_RD)], [2, 1]);
    dut.send(0, [header(CLOCK << 1, FAIL_NEXT), [8]], [1]);
    dut.send(0, [header(CLOCK << 1, M_RD)], [1, 1]);
    dut.device.available(0, 0);
    const answers = dut.run(100 * PS_PER_MS).map(({ bytes }) => [...bytes]);
    // Nothing is written into the buffer of a failed read, and 77 never reached the chip.
    expect(answers).toEqual([
      [I2C_MSG.ERR],
      [I2C_MSG.ERR],
      [0xee, 0xee, I2C_MSG.ERR],
      [I2C_MSG.OK],
      [0, I2C_MSG.OK],
    ]);
    expect(dut.violations).toEqual([]);
  });

  it('fails a 10-bit address, where no chip is', () => {
    const dut = bench();
    const [{ bytes }] = dut.request(0, [header(0x12f0, 0)], [1]);
    expect([...bytes]).toEqual([I2C_MSG.ERR]);
  });

  it('refuses a driver that does not take ZERO_LENGTH_REQUEST', () => {
    const dut = new DeviceBench('i2c', { features: 0n });
    expect(dut.start() & STATUS.FEATURES_OK).toBe(0);
    expect(dut.device.features & I2C_F.ZERO_LENGTH_REQUEST).not.toBe(0n);
    expect(dut.device.features & F.VERSION_1).not.toBe(0n);
  });

  it('forgets what was on the wire at a reset', () => {
    const dut = bench();
    dut.send(0, [header(CLOCK << 1, FAIL_NEXT), [8, 1]], [1]);
    dut.device.available(0, 0);
    dut.run(50 * PS_PER_US);
    dut.device.setStatus(0);
    expect(dut.run()).toEqual([]);
    expect(dut.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
    expect(transfer(dut, [[0, [8, 2]]])).toEqual([[I2C_MSG.OK]]);
  });
});

describe('hostile requests', () => {
  it.each([
    ['no header', [[1, 2, 3]], [1]],
    ['nothing readable at all', [], [1]],
    ['a reserved flag', [header(CLOCK << 1, 0x10)], [1]],
    ['a read with data to write', [header(CLOCK << 1, M_RD), [1]], [1]],
    ['a write with room to read', [header(CLOCK << 1, 0)], [4, 1]],
  ] as const)('%s is an error and a violation', (_, readable, writable) => {
    const dut = bench();
    const [{ bytes }] = dut.request(0, readable, writable);
    expect(bytes.at(-1)).toBe(I2C_MSG.ERR);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
    expect(transfer(dut, [[0, [8]]])).toEqual([[I2C_MSG.OK]]);
  });

  it('a chain without a status byte is returned unwritten', () => {
    const dut = bench();
    const [{ written }] = dut.request(0, [header(CLOCK << 1, 0)], []);
    expect(written).toBe(0);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });

  it('a header the device may not read is a fault, and the request an error', () => {
    let armed = false;
    const refuse = ({ write, length }: { write: boolean; length: number }) =>
      armed && !write && length === 8 ? 'not shared' : null;
    const dut = new DeviceBench('i2c', { refuse });
    dut.start();
    armed = true;
    const [{ bytes }] = dut.request(0, [header(CLOCK << 1, 0)], [1]);
    expect([...bytes]).toEqual([I2C_MSG.ERR]);
    expect(dut.violations).toEqual(['DMA_FAULT']);
  });

  it('a status the device may not write makes it ask for a reset', () => {
    const refuse = ({ write, length }: { write: boolean; length: number }) =>
      write && length === 1 ? 'read-only' : null;
    const dut = new DeviceBench('i2c', { refuse });
    dut.start();
    expect(dut.request(0, [header(CLOCK << 1, 0)], [1])).toEqual([]);
    expect(dut.device.status & STATUS.DEVICE_NEEDS_RESET).not.toBe(0);
    expect(dut.configEvents).toBe(1);
  });
});

describe('the driver', () => {
  const devices = { i2c0: { type: 'i2c', bus: 'ffa0', number: 0 } };

  it('gives up a device without ZERO_LENGTH_REQUEST before it negotiates', () => {
    const row = tables.devices.i2c;
    const bare: ModelTables = {
      ...tables,
      devices: {
        ...tables.devices,
        i2c: {
          ...row,
          create: (environment) => {
            const device = row.create(environment);
            Object.defineProperty(device, 'features', { value: F.VERSION_1 | F.ACCESS_PLATFORM });
            return device;
          },
        },
      },
    };
    const rig = new Rig(
      { devices, workloads: [{ type: 'hwclock', device: 'i2c0' }] },
      { tables: bare },
    );
    rig.run();
    // The run ends with the workload, while the device is still being told FAILED.
    expect(rig.outcome.workloads[0].driverState).toBe('refusing');
    expect(rig.result().failure).toMatch(/feature/);
    expect(rig.typesOf(0)).not.toContain('req.SET_DRIVER_FEATURES');
  });

  /** Runs transfers one after another on one slot and collects how each ended. */
  function results(transfers: number, faults: readonly Record<string, unknown>[] = []) {
    const seen: I2cResult[] = [];
    let driver: I2cDriver | null = null;
    const spy: ModelTables = {
      ...tables,
      drivers: {
        ...tables.drivers,
        i2c: {
          ...tables.drivers.i2c,
          create: (environment) => (driver = tables.drivers.i2c.create(environment) as I2cDriver),
        },
      },
    };
    const rig = new Rig({ devices, faults, until: { atMost: '10s' } }, { tables: spy });
    const i2c = driver as unknown as I2cDriver;
    const go = () => i2c.transfer(0, [{ address: CLOCK, read: true, offset: 0, length: 7 }], false);
    i2c.reserve(
      {
        i2cReady: go,
        i2cDown: () => {},
        i2cCompleted: (_, result) => {
          seen.push(result);
          if (seen.length < transfers) go();
        },
      },
      1,
      8,
    );
    rig.run();
    return { seen, codes: rig.violationCodes };
  }

  it('finds an answer whose signal was lost, when its time limit passes', () => {
    const { seen, codes } = results(2, [{ at: '0s', on: 'ffa0', drop: 'EVENT_USED', count: 1 }]);
    expect(seen).toEqual([I2cResult.ok, I2cResult.ok]);
    expect(codes).toEqual([]);
  });

  it('gives up a request that never reached the device, and does not touch its memory again', () => {
    const faults = [{ at: '0s', on: 'ffa0', drop: 'EVENT_AVAIL', count: 1 }];
    const { seen, codes } = results(3, faults);
    // The first took too long; until the device returns it, its slot is of no use.
    expect(seen[0]).toBe(I2cResult.timedOut);
    expect(seen[1]).toBe(I2cResult.timedOut);
    expect(codes).toEqual(['TIMEOUT']);
  });
});
