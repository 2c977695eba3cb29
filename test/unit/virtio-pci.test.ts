// virtio over PCI: structures byte by byte, every operation of the driver's transport against a model that
// does nothing by itself, interrupts and notifications, and the whole bus.
import { describe, expect, it } from 'vitest';
import { HostPages } from '../../buses/common/index.ts';
import { DeviceFunction } from '../../buses/virtio-pci/device-function.ts';
import { VirtioPciDriver } from '../../buses/virtio-pci/driver-transport.ts';
import { type VirtioPciOptions, virtioPciOptions } from '../../buses/virtio-pci/options.ts';
import {
  commonConfig,
  NOTIFY_START,
  structureCapability,
} from '../../buses/virtio-pci/structures.ts';
import { FaultInjector } from '../../platform/faults/index.ts';
import { AccessRunner, type Script } from '../../platform/pcie/index.ts';
import { F, STATUS } from '../../platform/virtio/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import { FakeModel } from '../support/fake-model.ts';
import { hearTransport } from '../support/heard-transport.ts';
import { busCounters, disk, fio, linkRig, linkTopology } from '../support/link-scenarios.ts';
import { measured } from '../support/measured.ts';
import { PcieBench } from '../support/pcie-bench.ts';

const FUNCTION = 3;
const MILLISECOND = 1_000_000_000;

describe('the structures', () => {
  it('have their fields where virtio has them', () => {
    expect(commonConfig.places.map(({ name, at }) => [name, at])).toEqual([
      ['deviceFeatureSelect', 0x00],
      ['deviceFeature', 0x04],
      ['driverFeatureSelect', 0x08],
      ['driverFeature', 0x0c],
      ['configMsixVector', 0x10],
      ['numQueues', 0x12],
      ['deviceStatus', 0x14],
      ['configGeneration', 0x15],
      ['queueSelect', 0x16],
      ['queueSize', 0x18],
      ['queueMsixVector', 0x1a],
      ['queueEnable', 0x1c],
      ['queueNotifyOff', 0x1e],
      ['queueDesc', 0x20],
      ['queueDriver', 0x28],
      ['queueDevice', 0x30],
      ['queueNotifConfigData', 0x38],
      ['queueReset', 0x3a],
      ['adminQueueIndex', 0x3c],
      ['adminQueueNum', 0x3e],
    ]);
    // After the two bytes of id and next pointer.
    expect(structureCapability.places.map(({ name, at }) => [name, at + 2])).toEqual([
      ['length', 2],
      ['type', 3],
      ['bar', 4],
      ['id', 5],
      ['padding', 6],
      ['offset', 8],
      ['size', 12],
    ]);
  });
});

/** A driver's transport and a device function, each on its end of a PCI Express path. */
function setUp(own: Partial<VirtioPciOptions> = {}, model = new FakeModel()) {
  const bench = new PcieBench();
  const { host: node, endpoint, port, path, kernel, translation } = bench;
  const options = virtioPciOptions.parse(own);
  const objections: string[] = [];
  const device = new DeviceFunction({
    node: bench.card,
    path,
    options,
    endpoint,
    functionId: FUNCTION,
    model,
    notified: (queue, next) => model.available(queue, next),
    objected: (text) => objections.push(text),
  });
  const plan = { index: 0, name: 'dev', type: 'blk', bus: 0, number: FUNCTION, options: {} };
  const faults = new FaultInjector(kernel, []);
  const pages = new HostPages({ node, translation, iommu: true, perRequest: false, faults });
  const { interrupts } = options;
  const driver = new VirtioPciDriver({
    node,
    plan,
    options,
    interrupts,
    path,
    port,
    pages,
  });
  const heard = hearTransport(driver, kernel);
  return { bench, kernel, port, device, model, objections, ...heard };
}

const SETUP = {
  index: 1,
  size: 8,
  descriptorArea: 0x1_2345_6000,
  driverArea: 0x1_2345_7000,
  deviceArea: 0x9abc_d000,
};

describe('operations', () => {
  it('find out what the device is', () => {
    const { ask, heard } = setUp();
    expect(heard).toEqual(['online']);
    expect(ask((driver) => driver.getInfo())).toEqual({
      type: 'reply.info',
      info: {
        deviceId: 2,
        vendorId: 0x1af4,
        featureBlocks: 2,
        configSize: 24,
        queuesMax: 2,
        adminStart: 0,
        adminCount: 0,
      },
    });
  });

  it('ADM-15, ADM-16 MUST: find administration virtqueues behind the others, once their feature is taken', () => {
    const { ask, model } = setUp();
    model.info = { ...model.info, queuesMax: 5, adminStart: 2, adminCount: 3 };
    const numbers = () => {
      const reply = ask((driver) => driver.getInfo());
      if (reply.type !== 'reply.info') throw new Error(reply.type);
      const { queuesMax, adminStart, adminCount } = reply.info;
      return [queuesMax, adminStart, adminCount];
    };
    expect(numbers()).toEqual([2, 0, 0]);
    ask((driver) => driver.setFeatures(F.VERSION_1 | F.ADMIN_VQ));
    expect(numbers()).toEqual([5, 2, 3]);
  });

  it('read and write features block by block', () => {
    const { ask, model } = setUp();
    expect(ask((driver) => driver.getFeatures())).toEqual({
      type: 'reply.features',
      features: model.features,
    });
    expect(ask((driver) => driver.setFeatures(0x1_0000_0020n)).type).toBe('reply.featuresSet');
    expect(model.driverFeatures).toBe(0x1_0000_0020n);
  });

  it('write the status and tell what it has become', () => {
    const { ask, model } = setUp();
    model.acceptsFeatures = false;
    const asked = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK;
    expect(ask((driver) => driver.setStatus(asked))).toEqual({ type: 'reply.status', status: 3 });
    expect(ask((driver) => driver.getStatus())).toEqual({ type: 'reply.status', status: 3 });
  });

  it('wait for a reset that takes its time', () => {
    const { kernel, driver, model, replies, run } = setUp();
    model.resetStatus = 15;
    driver.setStatus(0);
    kernel.runUntil(kernel.now + MILLISECOND);
    expect(replies).toEqual([]);
    model.status = 0;
    run();
    expect(replies).toEqual([{ type: 'reply.status', status: 0 }]);
  });

  it('read configuration in the widest accesses, all of one generation', () => {
    const { ask, model, port } = setUp();
    const before = port.loads;
    const reply = ask((driver) => driver.getConfig(3, 12));
    expect(reply).toEqual({ type: 'reply.config', data: model.config.slice(3, 15) });
    // 1 + 4 + 4 + 2 + 1 bytes between two looks at the generation.
    expect(port.loads - before).toBe(7);
  });

  it('read configuration again when it changes in between', () => {
    const { ask, model, bench } = setUp();
    let reads = 0;
    const readConfig = model.readConfig.bind(model);
    model.readConfig = (offset, target, targetOffset, length) => {
      if (reads++ === 1) {
        model.config.fill(0x77);
        model.configGeneration++;
      }
      readConfig(offset, target, targetOffset, length);
    };
    const reply = ask((driver) => driver.getConfig(0, 12));
    expect(reply).toEqual({ type: 'reply.config', data: new Uint8Array(12).fill(0x77) });
    expect(bench.host.violations.count).toBe(0);
  });

  it('give up configuration that never stands still', () => {
    const { ask, model } = setUp();
    const readConfig = model.readConfig.bind(model);
    model.readConfig = (...values) => {
      model.configGeneration++;
      readConfig(...values);
    };
    expect(ask((driver) => driver.getConfig(0, 4)).type).toBe('reply.failed');
  });

  it('write configuration', () => {
    const { ask, model } = setUp();
    const reply = ask((driver) => driver.setConfig(2, Uint8Array.of(0xa, 0xb, 0xc, 0xd, 0xe, 0xf)));
    expect(reply).toEqual({ type: 'reply.configSet', applied: true });
    expect(model.log).toEqual(['config 2 0a0b', 'config 4 0c0d0e0f']);
  });

  it('set a queue up, with all 64 bits of its addresses', () => {
    const { ask, model, device } = setUp();
    expect(ask((driver) => driver.getQueue(1))).toMatchObject({ sizeMax: 8, size: 0 });
    expect(ask((driver) => driver.setQueue(SETUP))).toEqual({ type: 'reply.queueSet', index: 1 });
    expect(model.setups[1]).toEqual(SETUP);
    expect(ask((driver) => driver.getQueue(1))).toMatchObject({ sizeMax: 8, size: 8 });
    expect(ask((driver) => driver.getQueue(5))).toMatchObject({ sizeMax: 0, size: 0 });
    expect(device.own.config.plan.identity.deviceId).toBe(0x1042);
  });

  it('reset a queue, which can then be set up anew', () => {
    const { ask, model } = setUp();
    ask((driver) => driver.setQueue(SETUP));
    expect(ask((driver) => driver.resetQueue(1))).toEqual({ type: 'reply.queueReset', index: 1 });
    expect(model.setups[1]).toBeNull();
    expect(ask((driver) => driver.getQueue(1))).toMatchObject({ sizeMax: 8, size: 0 });
    ask((driver) => driver.setQueue({ ...SETUP, size: 4 }));
    expect(model.setups[1]).toMatchObject({ size: 4 });
  });

  it('take memory, which the device reaches under another address', () => {
    const { ask, driver } = setUp();
    const reply = ask((transport) => transport.allocate(5000));
    expect(reply.type).toBe('reply.memory');
    const { address } = reply as { readonly address: number };
    expect(address % 4096).toBe(0);
    expect(driver.busAddress(address + 4097) - driver.busAddress(address)).toBe(4097);
    expect(driver.busAddress(address)).not.toBe(address);
  });

  it('follow one another when they are asked at once', () => {
    const { driver, replies, run } = setUp();
    driver.getInfo();
    driver.getStatus();
    driver.getQueue(0);
    run();
    expect(replies.map(({ type }) => type)).toEqual(['reply.info', 'reply.status', 'reply.queue']);
  });
});

describe('notifications', () => {
  it('are one store, and the device hears queue and offset', () => {
    const { ask, driver, model, port, run } = setUp();
    const before = port.stores;
    driver.notify(1, 0);
    run();
    ask((transport) => transport.setFeatures(F.NOTIFICATION_DATA));
    const between = port.stores;
    // Offset 5, wrap counter set; and the beginning of the ring.
    driver.notify(0, 2 ** 31 + 5);
    driver.notify(0, 0);
    run();
    const heard = ['available 1 0', `available 0 ${2 ** 31 + 5}`, 'available 0 0'];
    expect(model.log.filter((line) => line.startsWith('available'))).toEqual(heard);
    expect([before, port.stores - between]).toEqual([before, 2]);
  });

  it.each([0n, F.NOTIFICATION_DATA])('have the name that the device gives a queue (%s)', (more) => {
    const bytes: string[] = [];
    const { ask, driver, device, model, objections, run } = setUp({ notifConfigData: true });
    const writeBar = device.writeBar.bind(device);
    device.writeBar = (bar, offset, source, length) => {
      if (offset >= NOTIFY_START) bytes.push(toHex(source.subarray(0, length)));
      writeBar(bar, offset, source, length);
    };
    const offered = ask((transport) => transport.getFeatures());
    expect(offered).toEqual({
      type: 'reply.features',
      features: model.features | F.NOTIF_CONFIG_DATA,
    });
    ask((transport) => transport.setFeatures(F.VERSION_1 | F.NOTIF_CONFIG_DATA | more));
    // It is the function's own: the model has not offered it.
    expect(model.driverFeatures).toBe(F.VERSION_1 | more);
    ask((transport) => transport.setQueue(SETUP));
    driver.notify(1, more === 0n ? 0 : 5);
    run();
    expect(bytes).toEqual([more === 0n ? '1080' : '10800500']);
    expect(model.log.at(-1)).toBe(`available 1 ${more === 0n ? 0 : 5}`);
    // An index is no name.
    device.writeBar(4, NOTIFY_START, Uint8Array.of(1, 0), 2);
    expect([model.log.at(-1), objections.length]).toEqual([
      `available 1 ${more === 0n ? 0 : 5}`,
      1,
    ]);
  });

  it('have its index when the driver does not want names', () => {
    const { ask, driver, model, run } = setUp({ notifConfigData: true });
    ask((transport) => transport.setFeatures(F.VERSION_1));
    ask((transport) => transport.setQueue(SETUP));
    driver.notify(1, 0);
    run();
    expect(model.log.at(-1)).toBe('available 1 0');
  });

  it('of used buffers come by the vector of their queue', () => {
    const { ask, model, heard, run } = setUp();
    ask((driver) => driver.setQueue({ ...SETUP, index: 0 }));
    ask((driver) => driver.setQueue(SETUP));
    heard.length = 0;
    model.transport!.notifyUsed(1);
    model.transport!.notifyUsed(0);
    run();
    expect(heard.sort()).toEqual(['used 0', 'used 1']);
  });

  it('of changes come by a vector of their own, and the status is read', () => {
    const { ask, model, heard, run } = setUp();
    ask((driver) => driver.setQueue({ ...SETUP, index: 0 }));
    model.status = 0x40;
    model.transport!.notifyConfig();
    run();
    expect(heard).toEqual(['online', 'config 64']);
  });

  it('do not come before there is a vector, nor after a reset', () => {
    const { ask, model, heard, run } = setUp();
    model.transport!.notifyUsed(0);
    model.transport!.notifyConfig();
    ask((driver) => driver.setQueue({ ...SETUP, index: 0 }));
    ask((driver) => driver.setStatus(0));
    model.transport!.notifyUsed(0);
    model.transport!.notifyConfig();
    run();
    expect(heard).toEqual(['online']);
  });

  it('with INTx are for every queue, and reading the ISR status lowers the line', () => {
    const { ask, model, heard, run, device } = setUp({ interrupts: 'intx' });
    ask((driver) => driver.setQueue({ ...SETUP, index: 0 }));
    ask((driver) => driver.setQueue(SETUP));
    model.status = 15;
    model.transport!.notifyUsed(1);
    model.transport!.notifyConfig();
    run();
    expect(heard).toEqual(['online', 'used 0', 'used 1', 'config 15']);
    expect(device.own.config.get16(6) & 8).toBe(0);
    model.transport!.notifyUsed(0);
    run();
    expect(heard.slice(4)).toEqual(['used 0', 'used 1']);
  });
});

describe('the capability to access BARs through configuration space', () => {
  /** Reads or writes a field of the capability of type 5. */
  function pciCfg(test: ReturnType<typeof setUp>) {
    const { config } = test.device.own;
    const at = config.plan.capabilities
      .map((capability) => config.placeOf(capability))
      .find((place) => config.read(place, 1) === 9 && config.read(place + 3, 1) === 5)!;
    const access = (type: 'readConfig' | 'writeConfig', offset: number, value = 0) => {
      let result = 0;
      const script = function* (): Script<number> {
        return yield { type, offset: at + offset, size: 4, value };
      };
      new AccessRunner(test.bench.host, test.port).run(FUNCTION, script(), (read: number) => {
        result = read;
      });
      test.run();
      return result;
    };
    const select = (bar: number, offset: number, length: number) => {
      access('writeConfig', 4, bar);
      access('writeConfig', 8, offset);
      access('writeConfig', 12, length);
    };
    return { access, select };
  }

  it('reads and writes structures, as wide as it is told', () => {
    const test = setUp();
    const { access, select } = pciCfg(test);
    // device_status, one byte.
    select(4, 0x14, 1);
    access('writeConfig', 16, STATUS.ACKNOWLEDGE);
    expect(test.model.status).toBe(STATUS.ACKNOWLEDGE);
    expect(access('readConfig', 16)).toBe(STATUS.ACKNOWLEDGE);
    // num_queues, two bytes.
    select(4, 0x12, 2);
    expect(access('readConfig', 16)).toBe(test.model.info.queuesMax);
  });

  it('does nothing where there is no BAR, beyond it, or with another length', () => {
    const test = setUp();
    const { access, select } = pciCfg(test);
    select(4, 0x14, 1);
    access('writeConfig', 16, STATUS.ACKNOWLEDGE);
    for (const [bar, offset, length] of [
      [0, 0x14, 1],
      [4, 0x4000, 1],
      [4, 0x14, 3],
      [4, 0x15, 2],
    ]) {
      select(bar, offset, length);
      access('writeConfig', 16, 0);
      expect(test.model.status).toBe(STATUS.ACKNOWLEDGE);
    }
  });
});

describe('what drivers may not do', () => {
  it('is objected to: disabling a queue, writing what can only be read', () => {
    const { bench, objections, driver, ask, port } = setUp();
    ask((transport) => transport.setQueue(SETUP));
    expect(driver.notifications).toBe(0);
    // Common configuration is at the start of the function's wide BAR.
    const common = 0x40_0000_0000;
    bench.onCore(() => port.store(common + 0x1c, Uint8Array.of(0, 0), 0, 2));
    bench.onCore(() => port.store(common + 0x12, Uint8Array.of(9, 0), 0, 2));
    bench.run();
    expect(objections).toEqual([
      'queue_enable was written with another value',
      'a write at 18 of the common configuration',
    ]);
  });
});

describe('a card with many functions', () => {
  it('has each found, enabled and driven', () => {
    const rig = linkRig({
      type: 'virtio-pci',
      driver: { memory: '64MiB' },
      devices: { rng: { type: 'rng', bus: 'bus0', number: 0, count: 60 } },
      workloads: [{ type: 'entropy', device: 'rng', operations: 2 }],
    });
    expect(rig.run()).toBe('done');
    expect(rig.violations).toEqual([]);
    for (let i = 0; i < 60; i++) expect(rig.result(i).verified).toBe(2);
    const { configAccesses } = busCounters(rig, 'driver');
    // Each by itself, after one scan: what is there is not told by anyone.
    expect((configAccesses - 13) % 60).toBe(0);
    expect(configAccesses / 60).toBeGreaterThan(30);
  });
});

describe('devices that come and go', () => {
  const TYPES = ['virtio-pci', 'admin-vq'];

  it.each([
    ['virtio-pci', {}],
    ['virtio-pci', { interrupts: 'intx' }],
    ['virtio-pci', { emulated: true }],
    ['admin-vq', {}],
    ['admin-vq', { emulated: true }],
  ])('sit in slots: %s %o', (type, bus) => {
    const rig = linkRig({
      type,
      bus,
      devices: {
        rng0: { type: 'rng', bus: 'bus0', number: 2, addAt: '3ms' },
        rng1: { type: 'rng', bus: 'bus0', number: 3, removeAt: '105ms' },
        rng2: { type: 'rng', bus: 'bus0', number: 4 },
      },
      workloads: [0, 1, 2].map((i) => ({
        type: 'entropy',
        device: `rng${i}`,
        operations: 100_000,
        thinkTime: '50us',
      })),
      until: { atMost: '110ms' },
    });
    const states = () => rig.outcome.workloads.map(({ driverState }) => driverState);
    rig.runUntil(103 * MILLISECOND);
    expect(states()).toEqual(['offline', 'live', 'live']);
    // 100 ms after the device was put in, as PCI Express asks.
    rig.runUntil(104 * MILLISECOND);
    expect(states()).toEqual(['live', 'live', 'live']);

    rig.run();
    expect(states()).toEqual(['live', 'offline', 'live']);
    expect(rig.outcome.workloads[1].downReason).toBe('the device was removed');
    const [added, removed] = [rig.result(0), rig.result(1)];
    expect([added.errors, rig.result(2).errors]).toEqual([0, 0]);
    expect(added.verified).toBeGreaterThan(50);
    // The one that was under way.
    expect(removed.errors).toBeLessThanOrEqual(1);
    expect(rig.violations).toEqual([]);
  });

  it.each(TYPES)('%s: before anybody has looked are there, or not, when somebody does', (type) => {
    const rig = linkRig({
      type,
      devices: { rng0: { type: 'rng', bus: 'bus0', number: 0, addAt: '1ns' } },
      workloads: [{ type: 'entropy', device: 'rng0', operations: 5 }],
      until: { workloads: 'done', atMost: '1ms' },
    });
    expect(rig.run()).toBe('done');
    expect(rig.result(0).verified).toBe(5);
  });

  it.each(TYPES)('%s: in full swing lose requests under way, and others go on', (type) => {
    const rig = linkRig({
      type,
      devices: { disk0: disk(0, { removeAt: '2ms' }), disk1: disk(1) },
      workloads: [
        fio({ operations: 100_000, depth: 8 }),
        fio({ device: 'disk1', operations: 1000, depth: 8 }),
      ],
    });
    expect(rig.run()).toBe('done');
    expect(rig.result(0).failure).toBe('the device was removed');
    expect(rig.result(0).errors).toBe(8);
    expect(rig.result(1)).toMatchObject({ requests: 1000, errors: 0, failure: null });
    expect(rig.violations).toEqual([]);
  });
});

describe('beside virtio-msg on the same card', () => {
  const figures = (type: string, bus: Readonly<Record<string, unknown>> = {}) => {
    const rig = linkRig({ type, bus: { ...bus }, workloads: [fio({ depth: 1, operations: 40 })] });
    rig.run();
    expect(rig.violations).toEqual([]);
    const driver = busCounters(rig, 'driver');
    return {
      latency: measured(rig.result().latency).p50,
      loads: driver['loads'],
      stores: driver['stores'],
    };
  };

  it('a request needs no load once the device runs, and is faster', () => {
    const registers = figures('virtio-pci');
    const messages = figures('pci');
    const inHostMemory = figures('pci', { fifoPlace: 'host' });
    expect(registers.loads).toBeLessThan(60);
    expect(messages.loads).toBeGreaterThan(40 * 8);
    expect(registers.latency).toBeLessThan(inHostMemory.latency);
    expect(inHostMemory.latency).toBeLessThan(messages.latency);
  });
});

describe('made believe by a device model', () => {
  const figures = (type: string, bus: Readonly<Record<string, unknown>> = {}) => {
    const rig = linkRig({ type, bus, workloads: [fio({ depth: 1, operations: 40 })] });
    rig.run();
    expect(rig.violations).toEqual([]);
    const { exits, loads, configAccesses } = busCounters(rig, 'driver');
    return { latency: measured(rig.result().latency).p50, exits, loads, configAccesses };
  };

  it('every access but a notification leaves the VM', () => {
    const rig = linkRig({ type: 'virtio-pci', bus: { emulated: true } });
    rig.run();
    const { exits, loads, stores, configAccesses, notifications } = busCounters(rig, 'driver');
    expect(notifications).toBeGreaterThan(10);
    expect(exits).toBe(loads + stores + configAccesses - notifications);
    expect(busCounters(rig, 'device')['notificationsTaken']).toBe(notifications);
  });

  it('a request costs what it does over virtio-mmio but for the interrupt status', () => {
    const pci = figures('virtio-pci', { emulated: true });
    const mmio = figures('virtio-mmio');
    // virtio-mmio reads and acknowledges its interrupt by two exits a request.
    expect(mmio.exits).toBeGreaterThan(2 * 40);
    expect(pci.latency).toBeLessThan(mmio.latency);
    const line = figures('virtio-pci', { emulated: true, interrupts: 'intx' });
    expect(line.latency).toBeGreaterThan(pci.latency);
  });

  it('needs a driver whose accesses can trap', () => {
    const bus = { emulated: true };
    expect(() => linkTopology({ type: 'virtio-pci', bus, driver: { kind: 'host' } })).toThrow(
      /accesses don't trap/,
    );
  });
});

describe('ways of doing things', () => {
  it.each([
    ['virtio-pci', {}],
    ['virtio-pci', { interrupts: 'intx' }],
    ['virtio-pci', { iommu: false }],
    ['virtio-pci', { functionReset: true }],
    ['virtio-pci', { emulated: true }],
    ['virtio-pci', { emulated: true, interrupts: 'intx' }],
    ['virtio-pci', { generation: 1, lanes: 1, switches: 2, maxPayload: '128B' }],
    ['admin-vq', {}],
    ['admin-vq', { iommu: false }],
    ['admin-vq', { functionReset: true }],
    ['admin-vq', { emulated: true }],
    ['admin-vq', { generation: 1, lanes: 1, switches: 2, maxPayload: '128B' }],
  ])('%s %o: two devices with verified data', (type, bus) => {
    const rig = linkRig({
      type,
      bus,
      devices: { disk0: disk(), rng0: { type: 'rng', bus: 'bus0', number: 77 } },
      workloads: [fio(), { type: 'entropy', device: 'rng0', operations: 20 }],
    });
    expect(rig.run()).toBe('done');
    expect(rig.violations).toEqual([]);
    expect([0, 1].map((index) => rig.result(index).errors)).toEqual([0, 0]);
    expect(rig.result(1).verified).toBe(20);
  });
});
