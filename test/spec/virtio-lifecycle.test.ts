// Rules of virtio 1.4 for the life of a device: status, features, configuration, resets, initialisation. What
// all drivers and devices must do is asked of every one there is.
import { describe, expect, it } from 'vitest';
import {
  BLK_F,
  BLK_T,
  DESC_SIZE,
  F,
  NET_F,
  NET_F_REQUIRES,
  STATUS,
} from '../../platform/virtio/index.ts';
import { contractTopology, DEVICE_CASES, listeningTables } from '../contract/cases.ts';
import { DeviceBench } from '../support/device-bench.ts';
import { driverBench } from '../support/driver-bench.ts';
import { BUS_OFFSET } from '../support/fake-bus.ts';
import { Rig } from '../support/rig.ts';

const MILLISECOND = 1_000_000_000;
const types = Object.keys(DEVICE_CASES);
const { ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK, FAILED, DEVICE_NEEDS_RESET } = STATUS;
const UP = [
  0,
  ACKNOWLEDGE,
  ACKNOWLEDGE | DRIVER,
  ACKNOWLEDGE | DRIVER | FEATURES_OK,
  ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK,
];
const LIVE = UP[4];

function rigOf(device: string, options: Readonly<Record<string, unknown>> = {}) {
  const listening = listeningTables();
  const bus = 'ffa with notifications';
  const topology = contractTopology({ bus, device, deviceOptions: options });
  return { rig: new Rig(topology, { tables: listening.tables }), listening };
}

/** Runs in small steps, while the condition holds. */
function runWhile(rig: Rig, condition: () => boolean): void {
  for (let until = rig.kernel.now; condition() && until < 1000 * MILLISECOND; ) {
    until += 1_000_000;
    rig.runUntil(until);
  }
}

/** Statuses that a driver wrote. */
function statuses(operations: readonly string[]): number[] {
  return operations
    .filter((line) => line.startsWith('setStatus'))
    .map((line) => JSON.parse(line.slice('setStatus '.length))[0]);
}

/** The first place of an operation, or of a reply, that begins like this. */
const placeOf = (operations: readonly string[], start: string) =>
  operations.findIndex((line) => line.startsWith(start));

describe.each(types)('the driver of %s', (type) => {
  const { rig, listening } = rigOf(type, { needsReset: ['150us'] });
  runWhile(rig, () => placeOf(listening.operations, `setStatus [${LIVE}]`) < 0);
  const beforeLive = listening.notifications();
  rig.run();
  const { operations } = listening;
  const first = operations.slice(0, placeOf(operations, `setStatus [${LIVE}]`) + 1);

  it('DIN-1, DST-1 MUST: takes the steps of the initialisation in their order', () => {
    expect(statuses(first)).toEqual(UP);
    const order = [
      'setStatus [0]',
      'setStatus [1]',
      'setStatus [3]',
      'getFeatures',
      'setFeatures',
      'setStatus [11]',
      'setQueue',
      'setStatus [15]',
    ];
    const places = order.map((line) => placeOf(first, line));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places[0]).toBeGreaterThanOrEqual(0);
  });

  it('DST-2 MUST NOT: clears no bit of the status but by a reset', () => {
    const written = statuses(operations);
    for (const [i, status] of written.entries()) {
      if (status !== 0 && i > 0) expect(status & written[i - 1]).toBe(written[i - 1]);
    }
  });

  it('DIN-2 MUST NOT: writes no configuration before FEATURES_OK', () => {
    const write = placeOf(operations, 'setConfig');
    if (write >= 0) expect(write).toBeGreaterThan(placeOf(operations, 'setStatus [11]'));
  });

  it('DIN-3 MUST NOT: accepts no features after FEATURES_OK', () => {
    const resets = operations.flatMap((line, i) => (line === 'setStatus [0]' ? [i] : []));
    for (const [i, reset] of resets.entries()) {
      const life = operations.slice(reset, resets[i + 1]);
      const agreed = placeOf(life, 'setStatus [11]');
      expect(life.slice(agreed).filter((line) => line.startsWith('setFeatures'))).toEqual([]);
    }
  });

  it('DIN-5 MUST NOT: notifies of nothing before DRIVER_OK', () => {
    expect(beforeLive).toBe(0);
    expect(listening.notifications()).toBeGreaterThan(0);
  });

  it('DIN-6 MUST: looks whether FEATURES_OK has stuck before it goes on', () => {
    const wrote = placeOf(operations, 'setStatus [11]');
    expect(operations[wrote + 1]).toBe('{"type":"reply.status","status":11}');
  });

  it('DRT-3 SHOULD: goes on after a reset when the status reads 0', () => {
    const wrote = placeOf(operations, 'setStatus [0]');
    expect(operations.slice(wrote, wrote + 3)).toEqual([
      'setStatus [0]',
      '{"type":"reply.status","status":0}',
      'setStatus [1]',
    ]);
  });

  it('RFB-1 MUST: accepts VERSION_1', () => expect(taken() & F.VERSION_1).toBe(F.VERSION_1));

  it('RFB-3, RFB-4, RFB-5 SHOULD: accepts ACCESS_PLATFORM, RING_PACKED and ORDER_PLATFORM', () => {
    const { rig: other, listening: heard } = rigOf(type, { ring: 'packed', orderPlatform: true });
    expect(other.run()).toBe('done');
    const wanted = F.ACCESS_PLATFORM | F.RING_PACKED | F.ORDER_PLATFORM;
    expect(taken(heard.operations) & wanted).toBe(wanted);
    expect([other.outcome.workloads[0].result.errors, other.violations]).toEqual([0, []]);
  });

  it('RFB-9 SHOULD: accepts NOTIF_CONFIG_DATA where its transport can do it', () => {
    const made = listeningTables();
    const busOptions = { notifConfigData: true };
    const topology = contractTopology({ bus: 'virtio-pci', device: type, busOptions });
    const other = new Rig(topology, { tables: made.tables });
    expect(other.run()).toBe('done');
    expect(taken(made.operations) & F.NOTIF_CONFIG_DATA).toBe(F.NOTIF_CONFIG_DATA);
    expect([other.outcome.workloads[0].result.errors, other.violations]).toEqual([0, []]);
  });

  it('DST-4 SHOULD NOT: relies on nothing that a device with DEVICE_NEEDS_RESET had to do', () => {
    // It was reset once more, and its workload is through with what it verified.
    expect(statuses(operations).filter((status) => status === 0)).toHaveLength(2);
    const [{ done, result }] = rig.outcome.workloads;
    expect([done, result.failure, rig.violations]).toEqual([true, null, []]);
  });

  function taken(log: readonly string[] = operations): bigint {
    const line = log[placeOf(log, 'setFeatures')];
    return BigInt(`0x${JSON.parse(line.slice('setFeatures '.length))[0]}`);
  }
});

describe('a driver', () => {
  it('DFB-1, DFB-3 MUST NOT: accepts what is not offered, reserved, or unknown of its device', () => {
    const { bus, model, run } = driverBench();
    model.features = F.VERSION_1 | F.ACCESS_PLATFORM | BLK_F.SEG_MAX | (1n << 50n) | (1n << 40n);
    bus.driver.start();
    run();
    const known = F.VERSION_1 | F.ACCESS_PLATFORM | BLK_F.SEG_MAX | F.RING_RESET;
    expect(model.driverFeatures).toBe(known);
  });

  it('DFB-5 MUST NOT: gives up a device that offers something unknown', () => {
    const { bus, model, driver, run } = driverBench();
    model.info = { ...model.info, featureBlocks: 4 };
    model.features = ((1n << 128n) - 1n) & ~F.RING_PACKED;
    bus.driver.start();
    run();
    expect([driver.live, driver.downReason]).toEqual([true, null]);
  });

  it('DFB-4, DIN-4 MUST: tells a device FAILED whose features will not do, and nothing more', () => {
    const { bus, model, driver, sent, run } = driverBench();
    model.acceptsFeatures = false;
    bus.driver.start();
    run();
    expect(sent().at(-1)).toBe(`SET_DEVICE_STATUS ${ACKNOWLEDGE | DRIVER | FAILED}`);
    const told = sent().length;
    driver.submit(0, 0, 0, 512);
    run();
    expect(sent()).toHaveLength(told);
  });

  it('DST-3 MUST: resets a device that it has called FAILED before it tries again', () => {
    const { bus, model, driver, sent, run } = driverBench();
    model.acceptsFeatures = false;
    bus.driver.start();
    run();
    model.acceptsFeatures = true;
    for (const client of bus.drivers.values()) client.offline('test');
    for (const client of bus.drivers.values()) client.online();
    run();
    const failed = sent().lastIndexOf(`SET_DEVICE_STATUS ${ACKNOWLEDGE | DRIVER | FAILED}`);
    const later = sent()
      .slice(failed + 1)
      .filter((line) => line.startsWith('SET_DEVICE_STATUS'));
    expect(later[0]).toBe('SET_DEVICE_STATUS 0');
    expect(driver.live).toBe(true);
  });

  it.each([
    ['segmentation without checksums', NET_F.CSUM, NET_F.HOST_TSO4],
    ['VLAN filters without a control queue', NET_F.CTRL_VQ, NET_F.CTRL_VLAN],
    ['queue pairs without a control queue', NET_F.CTRL_VQ, NET_F.MQ],
  ])('DFB-2 MUST NOT: accepts %s', (_, missing, dependent) => {
    const listening = listeningTables();
    const bus = 'ffa with notifications';
    const topology = contractTopology({ bus, device: 'net', deviceOptions: { queues: 2 } });
    const rig = new Rig(topology, { tables: listening.tables });
    // A device that offers less than it should.
    const [model] = listening.models;
    Object.defineProperty(model, 'features', { value: model.features & ~missing });
    expect(model.features & dependent).toBe(dependent);
    rig.run();
    expect(model.driverFeatures & (dependent | missing)).toBe(0n);
    expect(rig.outcome.workloads[0]).toMatchObject({ done: true, driverState: 'live' });
  });

  it('DCS-1 MUST NOT: mixes the bytes of two generations', () => {
    const { bus, model, driver, run } = driverBench({ maxMessageSize: 52 });
    let reads = 0;
    const read = model.readConfig.bind(model);
    model.readConfig = (offset, target, at, length) => {
      // The capacity changes while its driver reads the rest.
      if (++reads === 2) {
        model.config[0] = 32;
        model.configGeneration++;
      }
      read(offset, target, at, length);
    };
    model.features |= BLK_F.WRITE_ZEROES;
    model.info = { ...model.info, configSize: 60 };
    bus.driver.start();
    run();
    expect(reads).toBeGreaterThan(2);
    expect(driver.disk.capacity).toBe(32 * 512);
  });

  it('DCS-2 MUST: reads no field of a feature that is not offered', () => {
    const { bus, model, run } = driverBench();
    let end = 0;
    const read = model.readConfig.bind(model);
    model.readConfig = (offset, target, at, length) => {
      end = Math.max(end, offset + length);
      read(offset, target, at, length);
    };
    bus.driver.start();
    run();
    // Capacity to block size; the cache mode comes after.
    expect(end).toBe(24);
  });

  it('DCS-3 MUST NOT: refuses a configuration space that is larger than it needs', () => {
    const { bus, model, driver, run } = driverBench();
    model.info = { ...model.info, configSize: 4096 };
    bus.driver.start();
    run();
    expect(driver.live).toBe(true);
  });

  it('SPR-15 MUST: bears notifications without a cause', () => {
    const { rig, listening } = rigOf('blk');
    for (let until = 0; until < MILLISECOND; until += 10_000_000) {
      rig.runUntil(until);
      for (const listener of listening.listeners) {
        listener.used(0);
        listener.used(7);
      }
    }
    const [{ done, result }] = rig.outcome.workloads;
    expect([done, result.errors, rig.violations]).toEqual([true, 0, []]);
  });

  it('SPR-19 MUST NOT: relies on bytes beyond the used length', () => {
    // The source gives 16 bytes of the 100 that are asked for: no other is looked at.
    const { rig } = rigOf('rng', { chunk: '16B' });
    expect(rig.run()).toBe('done');
    const { errors, verified, bytes } = rig.outcome.workloads[0].result;
    expect([errors, verified, bytes]).toEqual([0, 50, 50 * 16]);
  });

  it('DCL-1 MUST NOT: takes no buffer back before the device is reset or has returned it', () => {
    const { node, bus, driver, model, sent, kernel, run } = driverBench();
    bus.driver.start();
    run();
    driver.submit(0, BLK_T.IN, 0, 512);
    run();
    // The descriptor area of 4 descriptors; nothing ever comes back from this device.
    const area = () => {
      const bytes = new Uint8Array(4 * DESC_SIZE);
      const { descriptorArea } = model.queueSetup(0)!;
      node.memory.copyOut(descriptorArea - BUS_OFFSET, bytes, 0, bytes.length);
      return [...bytes];
    };
    const exposed = area();
    const asked = sent().length;
    // Its time-out is 30 s.
    kernel.runUntil(29_000 * MILLISECOND);
    expect([sent().length, area()]).toEqual([asked, exposed]);
    kernel.runUntil(31_000 * MILLISECOND);
    expect(sent()[asked]).toBe('SET_DEVICE_STATUS 0');
  });

  it('QRS-3, QRS-5, VQ-15 MUST: verifies that a queue was reset, and sets it up as at first', () => {
    const { rig, listening } = rigOf('rng', { ringReset: true, resetQueues: [{ at: '200us' }] });
    expect(rig.run()).toBe('done');
    const { operations } = listening;
    const reset = placeOf(operations, 'resetQueue');
    expect(operations.slice(reset, reset + 8)).toEqual([
      'resetQueue [0]',
      '{"type":"reply.queueReset","index":0}',
      'getQueue [0]',
      '{"type":"reply.queue","index":0,"sizeMax":64,"size":0}',
      operations.find((line) => line.startsWith('setQueue')),
      '{"type":"reply.queueSet","index":0}',
      'getQueue [0]',
      '{"type":"reply.queue","index":0,"sizeMax":64,"size":64}',
    ]);
  });
});

describe.each(types)('the device %s', (type) => {
  const options = { ...DEVICE_CASES[type].device };
  const attached = type === 'net';
  const bench = () => new DeviceBench(type, { options });

  it.skipIf(attached)(
    'DST-5 MUST NOT: touches no queue and notifies nobody before DRIVER_OK',
    () => {
      const dut = bench();
      const ready = UP[3];
      for (const status of UP.slice(1, 3)) dut.device.setStatus(status);
      dut.device.setDriverFeatures(F.VERSION_1 | F.ACCESS_PLATFORM | required());
      expect(dut.device.setStatus(ready)).toBe(ready);
      dut.device.available(0, 0);
      dut.kernel.runUntil(MILLISECOND);
      expect([dut.dma.accesses, dut.signals, dut.configEvents]).toEqual([[], [], 0]);
    },
  );

  it('DFB-6 MUST NOT: offers no feature without those that it needs', () => {
    const { features } = create();
    if (type !== 'net') return expect(features & F.VERSION_1).toBe(F.VERSION_1);
    for (const { feature, needs } of NET_F_REQUIRES) {
      if ((features & feature) !== 0n) expect(features & needs).not.toBe(0n);
    }
  });

  it.skipIf(attached)('DFB-7 SHOULD: accepts any valid subset of what it offers', () => {
    const { features } = create();
    const must = F.VERSION_1 | F.ACCESS_PLATFORM | required();
    for (let bit = 0n; bit < 64n; bit++) {
      const feature = 1n << bit;
      if ((features & feature) === 0n || (must & feature) !== 0n) continue;
      expect(accepts(must | feature)).toBe(true);
      expect(accepts(features & ~feature)).toBe(true);
    }
  });

  it.skipIf(attached)('DFB-8 MUST: accepts nothing else', () => {
    const { features } = create();
    for (let bit = 0n; bit < 64n; bit++) {
      const feature = 1n << bit;
      if ((features & feature) === 0n) expect(accepts(features | feature)).toBe(false);
    }
    expect(accepts(features & ~F.VERSION_1)).toBe(false);
  });

  it('DFB-9, RFB-8 MUST NOT: offers what it does not have', () => {
    const { features } = create();
    const none = F.SR_IOV | F.NOTIF_CONFIG_DATA | (1n << 24n) | (1n << 27n);
    expect(features & none).toBe(0n);
    expect((features >> 42n) & ((1n << 8n) - 1n)).toBe(0n);
  });

  it('RFB-2 MUST: offers VERSION_1', () => expect(create().features & F.VERSION_1).not.toBe(0n));

  it('RFB-7 SHOULD: offers ACCESS_PLATFORM, as it reaches memory through its bus', () =>
    expect(create().features & F.ACCESS_PLATFORM).not.toBe(0n));

  it.skipIf(attached)('DFB-10 SHOULD NOT: refuses after a reset what it has accepted', () => {
    const dut = bench();
    for (let i = 0; i < 3; i++) {
      expect(dut.start()).toBe(LIVE);
      expect(dut.device.setStatus(0)).toBe(0);
    }
  });

  it.skipIf(attached)('DRT-1 MUST: shows 0 after a reset, whatever was before', () => {
    for (const steps of [1, 2, 3, 4]) {
      const dut = bench();
      if (steps === 4) dut.start();
      for (const status of UP.slice(1, steps)) dut.device.setStatus(status);
      expect(dut.device.setStatus(0)).toBe(0);
    }
  });

  it('DRT-2 MUST NOT: notifies nobody and touches no queue after a reset', () => {
    const { rig, listening } = rigOf(type);
    runWhile(rig, () => listening.notifications() < 4);
    const [model] = listening.models;
    model.setStatus(0);
    let told = 0;
    const [listener] = listening.listeners;
    // What it sent before is still on its way.
    rig.runUntil(rig.kernel.now + MILLISECOND / 10);
    const { used, configChanged } = listener;
    listener.used = (queue) => {
      told++;
      used.call(listener, queue);
    };
    listener.configChanged = (status) => {
      told++;
      configChanged.call(listener, status);
    };
    for (let queue = 0; queue < 3; queue++) model.available(queue, 0);
    rig.runUntil(rig.kernel.now + MILLISECOND);
    expect([told, model.status]).toEqual([0, 0]);
  });

  it('DCS-4 MUST: lets its configuration be read before FEATURES_OK', () => {
    const device = create();
    const bytes = new Uint8Array(device.info.configSize).fill(0xee);
    device.readConfig(0, bytes, 0, bytes.length);
    const again = new Uint8Array(bytes.length);
    device.readConfig(0, again, 0, again.length);
    expect(again).toEqual(bytes);
    if (bytes.length > 0) expect([...bytes].every((byte) => byte === 0xee)).toBe(false);
  });

  /** What the driver is told when the device fails. */
  function failure() {
    const { rig, listening } = rigOf(type, { needsReset: ['1ms'] });
    const [driver] = listening.listeners;
    const [model] = listening.models;
    const told: number[] = [];
    const { configChanged } = driver;
    driver.configChanged = (status) => {
      told.push(status);
      configChanged.call(driver, status);
    };
    rig.runUntil(MILLISECOND + 1);
    const shown = model.status;
    rig.runUntil(2 * MILLISECOND);
    return { shown, told };
  }

  it('DST-6 SHOULD: shows an error that takes a reset', () => {
    expect(failure().shown).toBe(LIVE | DEVICE_NEEDS_RESET);
  });

  it('DST-7 MUST: notifies its driver of that', () => {
    expect(failure().told).toContain(LIVE | DEVICE_NEEDS_RESET);
  });

  function required(): bigint {
    return type === 'i2c' || type === 'pmem' ? 1n : 0n;
  }

  function create() {
    if (!attached) return bench().device;
    const { listening } = rigOf(type);
    return listening.models[0];
  }

  function accepts(features: bigint): boolean {
    const { device } = bench();
    for (const status of UP.slice(1, 3)) device.setStatus(status);
    device.setDriverFeatures(features);
    return (device.setStatus(UP[3]) & FEATURES_OK) !== 0;
  }
});
