// The rules of bringing a device up, and of leaving it alone until it is: a real driver against a model
// that may misbehave, and a real device against a driver that does.
import { describe, expect, it } from 'vitest';
import { VirtioDevice } from '../../devices/common/index.ts';
import { VirtioDriver } from '../../guests/common/index.ts';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import { BLK_T, F, SplitDriverRing, splitRingAreas } from '../../platform/virtio/index.ts';
import {
  brokenRules,
  peekId,
  peekIsResponse,
  revision,
  writeEventAvail,
} from '../../platform/virtio/messages/index.ts';
import { MsgDeviceTransport, MsgDriverTransport } from '../../platform/virtio/transport/index.ts';
import { DEVICE, diskBench, driverBench } from '../support/driver-bench.ts';
import { BUS_OFFSET, FakeBus } from '../support/fake-bus.ts';
import { Rig } from '../support/rig.ts';
import { testNodes } from '../support/test-nodes.ts';

/** ids of messages. */
const SET_STATUS = 0x08;
const GET_VQUEUE = 0x09;

const UP = [
  'GET_DEVICE_INFO',
  'SET_DEVICE_STATUS 0',
  'SET_DEVICE_STATUS 1',
  'SET_DEVICE_STATUS 3',
  'GET_DEVICE_FEATURES',
  'SET_DRIVER_FEATURES',
  'SET_DEVICE_STATUS 11',
  'GET_CONFIG',
  'GET_VQUEUE 0',
  'SET_VQUEUE 0',
  'GET_VQUEUE 0',
  'SET_DEVICE_STATUS 15',
];

describe.each(REVISIONS)('a driver in %s', (name) => {
  const bench = (more: Parameters<typeof driverBench>[0] = {}) =>
    driverBench({ revision: name, ...more });

  it('INI-1, INI-2, INI-3, INI-4, INI-5 MUST: brings its device up in this order', () => {
    const { bus, client, driver, sent, run } = bench();
    bus.driver.start();
    run();
    expect(sent()).toEqual(UP);
    expect([driver.live, driver.state]).toEqual([true, 'live']);
    expect(client.log).toEqual([`ready ${64 * 512}`]);
  });

  it('NUM-5 MUST: asks a number that was found what it is, before anything else', () => {
    const { bus, sent, run } = bench();
    expect(sent()).toEqual([]);
    bus.driver.start();
    run();
    expect(sent()[0]).toBe('GET_DEVICE_INFO');
  });

  it('RST-1, ERR-6 MUST: starts with a reset, and again when the carrier came back', () => {
    const { bus, driver, sent, run } = bench();
    bus.driver.start();
    run();
    bus.frames.length = 0;
    for (const client of bus.drivers.values()) client.offline('test');
    run();
    expect([driver.live, sent()]).toEqual([false, []]);
    for (const client of bus.drivers.values()) client.online();
    run();
    expect(sent()).toEqual(UP);
    expect([driver.live, driver.downReason]).toEqual([true, null]);
  });

  it('PAR-3, VQ-8, VQ-13 MUST: sends nothing that the revision does not have', () => {
    const { bus, sent, run } = bench();
    bus.driver.start();
    run();
    const broken = bus.frames.flatMap(({ bytes }) =>
      brokenRules(revision(name), bytes, bytes.length, { busMax: bus.maxMessageSize }),
    );
    expect(broken).toEqual([]);
    // RESET_VQUEUE is for RING_RESET, which was not offered.
    expect(sent()).not.toContain('RESET_VQUEUE 0');
  });

  it('FEA-3, FEA-8 MUST: takes of the offered features only those it wants', () => {
    const { bus, model, run } = bench();
    model.info = { ...model.info, featureBlocks: 4 };
    model.features = (1n << 128n) - 1n;
    bus.driver.start();
    run();
    const taken = model.driverFeatures;
    expect(taken & (F.VERSION_1 | F.ACCESS_PLATFORM)).toBe(F.VERSION_1 | F.ACCESS_PLATFORM);
    expect(taken & F.NOTIF_CONFIG_DATA).toBe(0n);
    // Bits that nobody has defined, and those of other devices.
    expect((taken & ~F.SUSPEND) >> 42n).toBe(0n);
    // SIZE_MAX and SEG_MAX of the lowest five.
    expect(taken & 0x1fn).toBe(6n);
  });

  it('FEA-4 MUST: looks whether FEATURES_OK has stuck, and stops when not', () => {
    const { bus, model, client, driver, sent, run } = bench();
    model.acceptsFeatures = false;
    bus.driver.start();
    run();
    // FAILED, besides ACKNOWLEDGE and DRIVER.
    expect(sent()).toEqual([...UP.slice(0, 7), 'SET_DEVICE_STATUS 131']);
    expect(driver.state).toBe('failed');
    expect(client.log).toEqual(['down: the device refused the features']);
  });

  it('CFG-8 MUST: reads no configuration that is not there', () => {
    const { bus, model, driver, sent, run } = bench();
    model.info = { ...model.info, configSize: 20 };
    bus.driver.start();
    run();
    expect(driver.state).toBe('failed');
    expect(sent()).toEqual(['GET_DEVICE_INFO']);
  });

  it('VQ-1 MUST NOT: uses no queue whose maximum size is 0', () => {
    const { bus, model, driver, sent, run } = bench();
    model.queueSizes = [0];
    bus.driver.start();
    run();
    expect(driver.state).toBe('failed');
    expect(sent().filter((line) => line.startsWith('SET_VQUEUE'))).toEqual([]);
  });

  it.each([
    [4, 4],
    [256, 256],
    [32768, 32768],
    // More than any ring has.
    [65535, 32768],
    // Nothing that a split ring can have; the driver takes the largest below it.
    [100, 64],
  ])('VQ-4, VQ-5 MUST: of a queue of up to %i it takes %i, at aligned addresses', (max, size) => {
    const { bus, model, driver, run } = bench();
    model.queueSizes = [max];
    bus.driver.start();
    run();
    expect(driver.live).toBe(true);
    const { descriptorArea, driverArea, deviceArea, ...rest } = model.setups[0]!;
    expect(rest).toMatchObject({ index: 0, size });
    const areas = splitRingAreas(descriptorArea, size);
    expect([areas.descriptor, areas.driver, areas.device]).toEqual([
      descriptorArea,
      driverArea,
      deviceArea,
    ]);
    expect([descriptorArea % 16, driverArea % 2, deviceArea % 4]).toEqual([0, 0, 0]);
  });

  it('VQ-12 MUST: a SET_VQUEUE that was not obeyed is noticed, and nothing goes live', () => {
    const { bus, driver, sent, run } = bench();
    let looks = 0;
    bus.script = ({ bytes, direction }) => {
      const copy = bytes.slice();
      // The second look still shows size 0.
      if (direction === 'toDriver' && peekId(bytes) === GET_VQUEUE && ++looks === 2) copy[16] = 0;
      if (looks === 2) copy[17] = 0;
      return [{ bytes: copy, delay: 0 }];
    };
    bus.driver.start();
    run();
    expect(driver.state).toBe('failed');
    expect(sent()).toEqual(UP.slice(0, 11));
  });

  it('INI-6, INI-7 MUST NOT: submits nothing until the device shows DRIVER_OK', () => {
    const { bus, model, driver, client, sent, run, kernel } = bench();
    client.whenReady = () => driver.submit(0, BLK_T.IN, 0, 4096);
    // The response to DRIVER_OK takes its time.
    const late = 500_000;
    bus.script = ({ bytes, direction }) => {
      const slow =
        direction === 'toDriver' && peekIsResponse(bytes) && peekId(bytes) === SET_STATUS;
      return [{ bytes, delay: slow && model.status === 15 ? late : 0 }];
    };
    bus.driver.start();
    kernel.runUntil(late);
    expect(sent()).toEqual(UP);
    expect([model.status, driver.live]).toEqual([15, false]);
    run();
    expect(sent()).toEqual([...UP, 'EVENT_AVAIL 0']);
    const status = bus.frames.findLast(({ bytes }) => peekId(bytes) === SET_STATUS)!;
    expect(bus.frames.at(-1)!.at).toBeGreaterThan(status.at + late);
  });

  it('ERR-7 MUST: resets a device whose request failed for good', () => {
    const { bus, client, driver, sent, run } = bench({ requestTimeout: 100_000 });
    bus.script = ({ bytes }) => (peekId(bytes) === GET_VQUEUE ? [] : [{ bytes, delay: 0 }]);
    bus.driver.start();
    run();
    expect(sent()).toEqual([
      ...UP.slice(0, 9),
      'GET_VQUEUE 0',
      'GET_VQUEUE 0',
      'SET_DEVICE_STATUS 0',
    ]);
    expect(driver.state).toBe('failed');
    expect(client.log).toEqual(['down: no response in time']);
  });

  it('RST-4 MUST: waits for a reset that takes its time before it goes on', () => {
    const { bus, model, sent, run } = bench();
    model.resetStatus = 1;
    let looks = 0;
    bus.script = ({ bytes, direction }) => {
      if (direction === 'toDevice' && peekId(bytes) === 0x07 && ++looks === 2) model.status = 0;
      return [{ bytes, delay: 0 }];
    };
    bus.driver.start();
    run();
    expect(sent()).toEqual([
      ...UP.slice(0, 2),
      'GET_DEVICE_STATUS',
      'GET_DEVICE_STATUS',
      ...UP.slice(2),
    ]);
  });

  it('leaves a device of another kind alone', () => {
    const { bus, model, client, sent, run } = bench();
    model.info = { ...model.info, deviceId: 4 };
    bus.driver.start();
    run();
    expect(sent()).toEqual(['GET_DEVICE_INFO']);
    expect(client.log).toEqual(['down: the device did not do what was asked']);
  });
});

describe.each(REVISIONS)('driver and device in %s', (name) => {
  it('NTF-1, NTF-6, NTF-7 MUST: each tells the other of buffers, who then looks', () => {
    const { bus, client, driver, run } = diskBench({ revision: name });
    client.whenReady = () => driver.submit(1, BLK_T.IN, 512, 4096);
    bus.driver.start();
    run();
    const events = bus.frames.filter(({ bytes }) => (bytes[1] & 0x40) !== 0);
    expect(events.map(({ direction, bytes }) => `${direction} ${bytes[1].toString(16)}`)).toEqual([
      'toDevice 41',
      'toDriver 42',
    ]);
    expect(client.log.at(-1)).toBe('completed 1 0');
  });

  it('MAN-3 MUST: all three events are messages of the bus', () => {
    const { bus, client, driver, run } = diskBench({
      revision: name,
      // The data buffer of the first slot cannot be reached, nor its status byte.
      refuse: ({ write }) => (write ? 'no writes' : null),
    });
    client.whenReady = () => driver.submit(0, BLK_T.IN, 0, 4096);
    bus.driver.start();
    run();
    const ids = bus.frames.map(({ bytes }) => bytes[1]).filter((id) => (id & 0x40) !== 0);
    // Once, and again after each of three resets.
    expect(ids).toEqual([0x41, 0x40, 0x41, 0x40, 0x41, 0x40, 0x41, 0x40]);
    expect(client.log.slice(1)).toEqual(['down: the device needs a reset', 'completed 0 -1']);
  });

  it('RST-5, RST-6 SHOULD: what cannot go on says so in its status, and is reset', () => {
    const { bus, driver, node, sent, run } = diskBench({ revision: name, refuse: () => 'no' });
    bus.driver.start();
    run();
    const event = new Uint8Array(16);
    writeEventAvail(event, DEVICE, 0, 0, 0);
    bus.inject('toDevice', event);
    bus.frames.length = 0;
    run();
    const told = bus.messages('toDriver')[0];
    expect(told).toMatchObject({ type: 'req.EVENT_CONFIG', body: { status: 79, length: 0 } });
    expect(sent().slice(-UP.length + 1)).toEqual(UP.slice(1));
    expect([driver.live, driver.recoveries]).toEqual([true, 1]);
    expect(node.violations.described.map(({ code }) => code)).toEqual(['DMA_FAULT']);
  });

  it('INI-8 MUST: the device leaves its queue alone before DRIVER_OK, and serves it after', () => {
    const { node, bus, device, run } = diskBench({ revision: name });
    const ask = (type: string, body: object) =>
      bus.inject('toDevice', bus.encode({ type, dev: DEVICE, token: 1, body }));
    const start = node.memory.allocate(8192, 4096);
    const ring = new SplitDriverRing(node.memory, start, 4);
    const { descriptor, driver, device: deviceArea } = ring.areas;
    for (const status of [1, 3]) ask('req.SET_DEVICE_STATUS', { status });
    const features = [0, Number((F.VERSION_1 | F.ACCESS_PLATFORM) >> 32n)];
    ask('req.SET_DRIVER_FEATURES', { blockIndex: 0, blockCount: 2, features });
    ask('req.SET_DEVICE_STATUS', { status: 11 });
    ask('req.SET_VQUEUE', {
      index: 0,
      size: 4,
      flags: name === 'v2' ? 1 : 0,
      descriptorArea: BigInt(descriptor + BUS_OFFSET),
      driverArea: BigInt(driver + BUS_OFFSET),
      deviceArea: BigInt(deviceArea + BUS_OFFSET),
    });
    // A get-id request, made available and told of too early.
    const buffer = node.memory.allocate(64);
    node.memory.writeU32(buffer, BLK_T.GET_ID);
    ring.addSegment(buffer + BUS_OFFSET, 16, false);
    ring.addSegment(buffer + BUS_OFFSET + 16, 21, true);
    ring.commit();
    const event = new Uint8Array(16);
    writeEventAvail(event, DEVICE, 0, 0, 0);
    bus.inject('toDevice', event);
    run();
    expect([device.status, bus.dma.accesses.length]).toEqual([11, 0]);
    ask('req.SET_DEVICE_STATUS', { status: 15 });
    run();
    expect(ring.reap()).toBe(0);
    expect(ring.usedLength).toBe(21);
    expect(String.fromCharCode(node.memory.readU8(buffer + 16))).toBe('b');
  });

  it('VQ-7, VQ-14 MUST: a queue that is set up, or set up anew, after DRIVER_OK is served', () => {
    const { node, bus, device, run } = diskBench({ revision: name });
    const ask = (type: string, body: object) => {
      bus.inject('toDevice', bus.encode({ type, dev: DEVICE, token: 1, body }));
      run();
    };
    const features = F.VERSION_1 | F.ACCESS_PLATFORM;
    for (const status of [1, 3]) ask('req.SET_DEVICE_STATUS', { status });
    const blocks = [0, Number(features >> 32n)];
    ask('req.SET_DRIVER_FEATURES', { blockIndex: 0, blockCount: 2, features: blocks });
    for (const status of [11, 15]) ask('req.SET_DEVICE_STATUS', { status });
    // v2 has RESET_VQUEUE only with RING_RESET; here the model is told directly.
    for (let round = 0; round < 2; round++) {
      const ring = new SplitDriverRing(node.memory, node.memory.allocate(4096, 4096), 4);
      const setup = {
        index: 0,
        size: 4,
        descriptorArea: ring.areas.descriptor + BUS_OFFSET,
        driverArea: ring.areas.driver + BUS_OFFSET,
        deviceArea: ring.areas.device + BUS_OFFSET,
      };
      device.setQueue(setup);
      const buffer = node.memory.allocate(64);
      node.memory.writeU32(buffer, BLK_T.FLUSH);
      ring.addSegment(buffer + BUS_OFFSET, 16, false);
      ring.addSegment(buffer + BUS_OFFSET + 16, 1, true);
      ring.commit();
      const event = new Uint8Array(16);
      writeEventAvail(event, DEVICE, 0, 0, 0);
      bus.inject('toDevice', event);
      run();
      expect([ring.reap(), ring.usedLength]).toEqual([0, 1]);
      device.resetQueue(0);
      expect(device.queueSetup(0)).toBeNull();
    }
    expect(node.violations.count).toBe(0);
  });

  it('FEA-5, RST-7 MUST: FEATURES_OK does not stick for what was not offered or left out', () => {
    const { bus, device, run } = diskBench({ revision: name });
    const required = F.VERSION_1 | F.ACCESS_PLATFORM;
    const attempts = [
      0n,
      F.VERSION_1,
      F.ACCESS_PLATFORM,
      required | F.SR_IOV,
      required | (1n << 5n),
    ];
    const ask = (type: string, body: object) => {
      bus.inject('toDevice', bus.encode({ type, dev: DEVICE, token: 1, body }));
      run();
    };
    for (const features of attempts) {
      for (const status of [0, 1, 3]) ask('req.SET_DEVICE_STATUS', { status });
      const blocks = [Number(features & 0xffff_ffffn), Number(features >> 32n)];
      ask('req.SET_DRIVER_FEATURES', { blockIndex: 0, blockCount: 2, features: blocks });
      ask('req.SET_DEVICE_STATUS', { status: 11 });
      expect(bus.messages('toDriver').at(-1)!.body).toEqual({ status: 3 });
      expect(device.status).toBe(3);
    }
    ask('req.SET_DRIVER_FEATURES', {
      blockIndex: 0,
      blockCount: 2,
      features: [0, Number(required >> 32n)],
    });
    ask('req.SET_DEVICE_STATUS', { status: 11 });
    expect(device.status).toBe(11);
  });

  it('FEA-8 MUST NOT: no device here offers NOTIF_CONFIG_DATA', () => {
    const { device } = diskBench({ revision: name });
    expect(device.features & F.NOTIF_CONFIG_DATA).toBe(0n);
  });

  it('RST-2 MUST: status 0 drops the requests under way, and a new start finds none', () => {
    const { kernel, bus, client, device, driver, node, run } = diskBench({ revision: name });
    client.whenReady = () => {
      driver.submit(0, BLK_T.IN, 0, 4096);
      driver.submit(1, BLK_T.IN, 4096, 4096);
    };
    bus.driver.start();
    // Until the device is reading its first descriptors.
    while (bus.dma.accesses.length < 3) kernel.runUntil(kernel.nextTime() + 1);
    bus.inject(
      'toDevice',
      bus.encode({
        type: 'req.SET_DEVICE_STATUS',
        dev: DEVICE,
        token: 99,
        body: { status: 0 },
      }),
    );
    run();
    expect(device.status).toBe(0);
    expect(client.log.length).toBe(1);
    expect(bus.dma.accesses.some(({ write }) => write)).toBe(false);
    expect(node.violations.count).toBe(0);
  });
});

/** A device whose configuration changes when the test says so. */
class ChangingDevice extends VirtioDevice {
  change(byte: number, offset = 0, length = 1): void {
    this.config.fill(byte, offset, offset + length);
    this.configChanged(offset, length);
  }

  /** As if the device did what rfc3 advises against and v2 allows. */
  restartGenerations(): void {
    this.configGeneration = 0;
  }

  protected serve(): void {}
  protected forget(): void {}
}

/** A driver that reads what has changed. */
class CuriousDriver extends VirtioDriver {
  readonly read: number[] = [];
  readonly changes: (readonly [offset: number, length: number])[] = [];

  protected override configurationChanged(offset: number, length: number): void {
    this.changes.push([offset, length]);
    this.readConfig(offset, Math.max(1, length));
  }

  protected override configRead(_offset: number, data: Uint8Array): void {
    this.read.push(data[0]);
  }

  /** Writes a byte that the device does not let anybody write. */
  write(): void {
    this.writeConfig(0, Uint8Array.of(1));
  }

  reset(): void {
    this.restart();
  }

  protected bufferBytes(): number {
    return 64;
  }

  protected wentLive(): void {}
  protected wentDown(): void {}
  protected interrupted(): void {}
  protected completed(): void {}
  protected work(): void {}
  protected get plugged(): boolean {
    return false;
  }
}

describe.each(REVISIONS)('a configuration that changes in %s', (name) => {
  function setUp() {
    const { kernel, linux: node, topology } = testNodes();
    const bus = new FakeBus({ node, revision: name });
    const plan = { ...topology.devices[0], number: DEVICE };
    const common = { node, name: 'changing', deviceNumber: DEVICE };
    const traits = { deviceId: 2, features: 0n, config: new Uint8Array(200), queueSizes: [4] };
    const device = new ChangingDevice(node, plan as never, traits);
    new MsgDeviceTransport({ ...common, bus: bus.device, model: device });
    const transport = new MsgDriverTransport({ ...common, bus: bus.driver });
    const wanted = { deviceId: 2, queueCount: 1, queueSize: 4, features: 0n, configSize: 8 };
    const driver = new CuriousDriver({ node, plan, transport }, wanted);
    bus.driver.start();
    kernel.runUntil(1_000_000_000);
    bus.frames.length = 0;
    return { kernel, bus, device, driver };
  }

  it('CFG-1, CFG-12 MUST: has a new generation each time, and the driver is told', () => {
    const { kernel, bus, device } = setUp();
    device.change(1);
    device.change(2);
    kernel.runUntil(2_000_000_000);
    const events = bus.messages('toDriver').filter(({ type }) => type === 'req.EVENT_CONFIG');
    expect(events.map(({ body }) => (body as { generation: number }).generation)).toEqual([1, 2]);
  });

  it('CFG-3, CFG-13 SHOULD: is told by its place alone if it is too large for an event', () => {
    const { kernel, bus, device, driver } = setUp();
    // Of 104 bytes a header and the fields before the data take 24.
    for (const length of [80, 81]) device.change(9, 100, length);
    kernel.runUntil(2_000_000_000);
    const [small, large, ...configs] = bus.messages('toDriver');
    expect(small.body).toMatchObject({ offset: 100, length: 80, data: new Uint8Array(80).fill(9) });
    expect(large.body).toMatchObject({ generation: 2, offset: 100, length: 81 });
    expect((large.body as { data: Uint8Array }).data).toHaveLength(0);
    // Only what has changed is read.
    expect(configs.map(({ body }) => body)).toMatchObject([
      { generation: 2, offset: 100, length: 81 },
    ]);
    expect([driver.read, driver.changes]).toEqual([
      [9, 9],
      [
        [100, 80],
        [100, 81],
      ],
    ]);
  });

  it('CFG-14 SHOULD: is not asked for again when the event has brought it', () => {
    const { kernel, bus, device, driver } = setUp();
    device.change(5, 3, 2);
    kernel.runUntil(2_000_000_000);
    expect([driver.read, bus.messages('toDevice')]).toEqual([[5], []]);
    // What came is used once: nobody knows how long it stays true.
    driver.configChanged(device.status, 3, 2);
    kernel.runUntil(3_000_000_000);
    expect(bus.messages('toDevice').map(({ type }) => type)).toEqual(['req.GET_CONFIG']);
  });

  it('CFG-4 SHOULD NOT: begins anew with its generations when the device is reset', () => {
    const { kernel, device, driver } = setUp();
    device.change(1);
    device.change(2);
    driver.reset();
    kernel.runUntil(2_000_000_000);
    expect([driver.live, device.configGeneration]).toEqual([true, 2]);
  });

  it('CFG-4 MAY: begins anew with its generations, which does its driver no harm', () => {
    const { kernel, device, driver } = setUp();
    for (let value = 0; value < 5; value++) device.change(value);
    kernel.runUntil(2_000_000_000);
    driver.reset();
    device.restartGenerations();
    kernel.runUntil(3_000_000_000);
    device.change(7);
    driver.write();
    kernel.runUntil(4_000_000_000);
    expect([driver.live, driver.read.at(-1), device.configGeneration]).toEqual([true, 7, 1]);
  });

  it('CFG-2 MUST NOT: has no two events with data and one generation', () => {
    const { kernel, bus, device } = setUp();
    for (let value = 0; value < 5; value++) device.change(value);
    kernel.runUntil(2_000_000_000);
    const seen = bus
      .messages('toDriver')
      .filter(({ type }) => type === 'req.EVENT_CONFIG')
      .map(({ body }) => body as { generation: number; data: Uint8Array });
    expect(seen.filter(({ data }) => data.length > 0)).toHaveLength(5);
    expect(new Set(seen.map(({ generation }) => generation)).size).toBe(5);
  });

  it('CFG-14 SHOULD: is read before its values are used', () => {
    const { kernel, device, driver } = setUp();
    device.change(5);
    kernel.runUntil(2_000_000_000);
    device.change(6);
    kernel.runUntil(3_000_000_000);
    expect(driver.read).toEqual([5, 6]);
  });
});

describe('over FF-A', () => {
  it.each(REVISIONS)('INI-1, INI-2 MUST: two drivers of %s each go their way', (name) => {
    const rig = new Rig({
      bus: { revision: name },
      devices: {
        disk0: { type: 'blk', bus: 'ffa0', number: 4 },
        rng0: { type: 'rng', bus: 'ffa0', number: 2 },
      },
    });
    rig.runUntil(1_000_000_000);
    const requests = (device: number) =>
      rig
        .typesOf(device)
        .filter((type) => type.startsWith('req.'))
        .map((type) => type.slice(4));
    expect(requests(4)).toEqual(UP.map((line) => line.split(' ')[0]));
    // An entropy source has no configuration.
    expect(requests(2)).toEqual(
      UP.map((line) => line.split(' ')[0]).filter((line) => line !== 'GET_CONFIG'),
    );
    expect(rig.violations).toEqual([]);
  });
});
