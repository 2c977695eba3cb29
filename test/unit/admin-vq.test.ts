// The transport by administration virtqueue: registers and commands byte by byte, every operation of a driver
// against a device, resets, devices that do not answer, and the whole bus.
import { describe, expect, it } from 'vitest';
import { commands } from '../../buses/admin-vq/commands.ts';
import type { AdminVqDriver } from '../../buses/admin-vq/driver-transport.ts';
import { registers, STATE } from '../../buses/admin-vq/registers.ts';
import type { FaultPlan } from '../../platform/contracts/index.ts';
import { encodeAdminRequest, F, STATUS } from '../../platform/virtio/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import { type AdminVqBench, adminVqBench, negotiate, READY } from '../support/admin-vq-bench.ts';
import { busCounters, disk, fio, linkRig } from '../support/link-scenarios.ts';
import { measured } from '../support/measured.ts';

const MS = 1_000_000_000;

const SETUP = {
  index: 1,
  size: 8,
  descriptorArea: 0x1_2345_6000,
  driverArea: 0x1_2345_7000,
  deviceArea: 0x9abc_d000,
};

/** The header of a command: opcode, and zeroes for group, reserved bytes and member. */
const header = (opcode: number) => `${toHex(Uint8Array.of(opcode, 0))}${'00'.repeat(22)}`;
const OK = '00'.repeat(8);

describe('the bytes of commands', () => {
  const bytesOf = (operation: (driver: AdminVqDriver) => void, bench = adminVqBench()) => {
    bench.exchanged.length = 0;
    bench.ask(operation);
    return bench.exchanged.map(({ command, answer }) => [command, answer]);
  };

  it('ask what the device is', () => {
    expect(bytesOf((driver) => driver.getInfo())).toEqual([
      [
        header(0x40),
        // Disk, vendor 'BUSB', one word of features, 24 bytes of configuration, two queues.
        `${OK}02000000 42555342 01000000 18000000 02000000 00000000`.replaceAll(' ', ''),
      ],
    ]);
  });

  it('read and write features, ADMIN_VQ not being offered', () => {
    const bench = adminVqBench();
    // Bits 0, 5, 32 (VERSION_1), 33 (ACCESS_PLATFORM) and 40 (RING_RESET).
    expect(bytesOf((driver) => driver.getFeatures(), bench)).toEqual([
      [`${header(0x41)}0000000001000000`, `${OK}2100000003010000`],
    ]);
    expect(bytesOf((driver) => driver.setFeatures(0x3_0000_0020n), bench)).toEqual([
      [`${header(0x42)}00000000010000002000000003000000`, OK],
    ]);
    expect(bench.model.driverFeatures).toBe(0x3_0000_0020n);
  });

  it('read and write the status', () => {
    const bench = adminVqBench();
    expect(bytesOf((driver) => driver.setStatus(1), bench)).toEqual([
      [`${header(0x44)}0100000000000000`, `${OK}0100000000000000`],
    ]);
    expect(bytesOf((driver) => driver.getStatus(), bench)).toEqual([
      [header(0x43), `${OK}0100000000000000`],
    ]);
  });

  it('read and write configuration', () => {
    const bench = adminVqBench();
    bench.model.configGeneration = 7;
    expect(bytesOf((driver) => driver.getConfig(3, 5), bench)).toEqual([
      [`${header(0x45)}0300000005000000`, `${OK}07000000050000000304050607000000`],
    ]);
    expect(bytesOf((driver) => driver.setConfig(2, Uint8Array.of(0xa, 0xb)), bench)).toEqual([
      [`${header(0x46)}02000000020000000a0b000000000000`, OK],
    ]);
    expect(bench.model.log).toEqual(['config 2 0a0b']);
  });

  it('make, look at and reset a queue', () => {
    const bench = adminVqBench();
    negotiate(bench);
    expect(bytesOf((driver) => driver.getQueue(1), bench)).toEqual([
      [`${header(0x48)}0100000000000000`, `${OK}0800000000000000`],
    ]);
    expect(bytesOf((driver) => driver.setQueue(SETUP), bench)).toEqual([
      [
        `${header(0x49)}01000000 08000000 03000000 00000000 0060452301000000 0070452301000000 00d0bc9a00000000`.replaceAll(
          ' ',
          '',
        ),
        // Its doorbell is the second word of its page.
        `${OK}0410000000000000`,
      ],
    ]);
    expect(bytesOf((driver) => driver.getQueue(1), bench)[0][1]).toBe(`${OK}0800000008000000`);
    expect(bytesOf((driver) => driver.resetQueue(1), bench)).toEqual([
      [`${header(0x4a)}0100000000000000`, OK],
    ]);
    expect(bench.model.queueSetup(1)).toBeNull();
  });

  it('choose a vector for changes before the first queue', () => {
    const bench = adminVqBench();
    negotiate(bench);
    const sent = bytesOf((driver) => driver.setQueue({ ...SETUP, index: 0 }), bench);
    expect(sent.map(([command]) => command.slice(0, 4))).toEqual(['4700', '4900']);
    expect(sent[0]).toEqual([`${header(0x47)}0100000000000000`, OK]);
  });

  it('agree on what will be used, on the way there', () => {
    const bench = adminVqBench();
    bench.exchanged.length = 0;
    expect(bench.ask((driver) => driver.setStatus(0))).toEqual({ type: 'reply.status', status: 0 });
    // Opcodes 0 and 1; 0x40 … 0x4a as bits of the second word.
    const list = '0300000000000000ff07000000000000';
    expect(bench.exchanged).toEqual([
      { command: header(0), answer: OK + list },
      { command: header(1) + list, answer: OK },
    ]);
  });
});

describe('the registers', () => {
  const at = ({ device }: AdminVqBench, name: keyof typeof registers) => {
    const { config } = device.own;
    return config.barAddress(config.plan.bars[0]) + registers[name].at;
  };

  it('tell what they are', () => {
    const bench = adminVqBench();
    const read = (name: keyof typeof registers) =>
      toHex(bench.bench.load(at(bench, name), 4).bytes);
    expect(Buffer.from(bench.bench.load(at(bench, 'Magic'), 4).bytes).toString()).toBe('avq1');
    expect([read('QueueSizeMax'), read('State'), read('QueueVector')]).toEqual([
      '40000000',
      '01000000',
      '00000000',
    ]);
  });

  it('object to what they do not know', () => {
    const bench = adminVqBench();
    const store = (address: number, value: number) =>
      bench.bench.onCore(() => bench.port.store(address, Uint8Array.of(value, 0, 0, 0), 0, 4));
    store(at(bench, 'Magic'), 1);
    store(at(bench, 'State'), STATE.READY);
    store(at(bench, 'Magic') + 0x1004, 1);
    bench.run();
    bench.bench.load(at(bench, 'QueueSize'), 4);
    bench.bench.load(at(bench, 'State'), 2);
    expect(bench.objections).toEqual([
      'a write at 0',
      'State written with 1, the queue having 4 entries',
      'the doorbell of queue 1, which was not created',
      'a read at 12',
      '2 bytes read at 8',
    ]);
  });

  it('take away by a reset what was set up', () => {
    const bench = adminVqBench();
    negotiate(bench);
    bench.ask((driver) => driver.setQueue({ ...SETUP, index: 0 }));
    const { heard, model, run, driver, objections } = bench;
    heard.length = 0;
    expect(bench.ask((transport) => transport.setStatus(0)).type).toBe('reply.status');
    expect([model.queueSetup(0), model.driverFeatures, model.status]).toEqual([null, 0n, 0]);
    model.notifyUsed(0);
    model.change(9);
    driver.notify(0, 0);
    run();
    expect([heard, objections, model.log]).toEqual([[], [], []]);
  });
});

describe('operations', () => {
  it('find out what the device is', () => {
    const { ask, heard } = adminVqBench();
    expect(heard).toEqual(['online']);
    expect(ask((driver) => driver.getInfo())).toMatchObject({
      info: { deviceId: 2, featureBlocks: 2, configSize: 24, queuesMax: 2, adminCount: 0 },
    });
  });

  it('wait for a reset that takes its time', () => {
    const { kernel, driver, model, replies, run } = adminVqBench();
    model.slowReset = true;
    driver.setStatus(0);
    kernel.runUntil(kernel.now + MS);
    expect(replies).toEqual([]);
    model.status = 0;
    run();
    expect(replies).toEqual([{ type: 'reply.status', status: 0 }]);
  });

  it('tell of features that do not stick, and of a write that is not applied', () => {
    const { ask, model } = adminVqBench();
    for (const status of [1, 3]) ask((driver) => driver.setStatus(status));
    ask((driver) => driver.setFeatures(1n << 50n));
    expect(ask((driver) => driver.setStatus(READY))).toEqual({ type: 'reply.status', status: 3 });
    model.acceptsConfig = false;
    expect(ask((driver) => driver.setConfig(0, Uint8Array.of(1)))).toEqual({
      type: 'reply.configSet',
      applied: false,
    });
  });

  it.each([
    ['configuration beyond its end', (d) => d.getConfig(20, 5), 'CONFIG_GET'],
    ['a queue that there is not', (d) => d.setQueue({ ...SETUP, index: 2 }), 'QUEUE_CREATE'],
    ['a queue that is too large', (d) => d.setQueue({ ...SETUP, size: 16 }), 'QUEUE_CREATE'],
    ['a reset of no queue', (d) => d.resetQueue(1), 'QUEUE_DESTROY'],
  ] as const satisfies readonly (readonly [string, (d: AdminVqDriver) => void, string])[])(
    'fail for %s',
    (_, operation, name) => {
      const bench = adminVqBench();
      negotiate(bench);
      expect(bench.ask(operation)).toEqual({
        type: 'reply.failed',
        reason: `the device answers ${name} by EINVAL, INVALID_FIELD`,
      });
    },
  );

  it('fail for what the state does not allow', () => {
    const bench = adminVqBench();
    negotiate(bench, F.VERSION_1 | F.ACCESS_PLATFORM);
    const reasonOf = (operation: (driver: AdminVqDriver) => void) => {
      const reply = bench.ask(operation);
      return reply.type === 'reply.failed' ? reply.reason : reply.type;
    };
    expect(reasonOf((driver) => driver.setFeatures(0n))).toContain('INVALID_COMMAND');
    expect(reasonOf((driver) => driver.setQueue(SETUP))).toBe('reply.queueSet');
    expect(reasonOf((driver) => driver.setQueue(SETUP))).toContain('INVALID_FIELD');
    expect(reasonOf((driver) => driver.resetQueue(1))).toContain('INVALID_COMMAND');
    expect(reasonOf((driver) => driver.getConfig(0, 5000))).toContain('too many');
  });

  it('make a queue anew that was reset', () => {
    const bench = adminVqBench();
    negotiate(bench);
    bench.ask((driver) => driver.setQueue(SETUP));
    expect(bench.ask((driver) => driver.resetQueue(1))).toEqual({
      type: 'reply.queueReset',
      index: 1,
    });
    expect(bench.ask((driver) => driver.getQueue(1))).toMatchObject({ sizeMax: 8, size: 0 });
    bench.ask((driver) => driver.setQueue({ ...SETUP, size: 4 }));
    expect(bench.model.queueSetup(1)).toMatchObject({ ...SETUP, size: 4 });
  });

  it('follow one another when they are asked at once', () => {
    const { driver, replies, run } = adminVqBench();
    driver.getInfo();
    driver.getStatus();
    driver.getQueue(0);
    run();
    expect(replies.map(({ type }) => type)).toEqual(['reply.info', 'reply.status', 'reply.queue']);
  });

  it('take memory, which the device reaches under another address', () => {
    const { ask, driver } = adminVqBench();
    const reply = ask((transport) => transport.allocate(5000));
    const { address } = reply as { readonly address: number };
    expect(driver.busAddress(address + 4097) - driver.busAddress(address)).toBe(4097);
    expect(driver.busAddress(address)).not.toBe(address);
  });
});

describe('notifications', () => {
  it('are one store each, to the doorbell that the device named', () => {
    const bench = adminVqBench();
    negotiate(bench);
    bench.ask((driver) => driver.setQueue(SETUP));
    const before = bench.port.stores;
    bench.driver.notify(1, 0);
    bench.driver.notify(1, 2 ** 31 + 5);
    bench.driver.notify(0, 0);
    bench.run();
    expect(bench.model.log).toEqual(['available 1', 'available 1']);
    expect(bench.port.stores - before).toBe(2);
  });

  it('of used buffers come by the vector of their queue', () => {
    const bench = adminVqBench();
    negotiate(bench);
    bench.ask((driver) => driver.setQueue({ ...SETUP, index: 0 }));
    bench.ask((driver) => driver.setQueue(SETUP));
    bench.heard.length = 0;
    bench.device.notifyUsed(1);
    bench.device.notifyUsed(0);
    bench.run();
    expect(bench.heard.sort()).toEqual(['used 0', 'used 1']);
  });

  it('of changes come by a vector of their own, and a command reads the status', () => {
    const bench = adminVqBench();
    negotiate(bench);
    bench.ask((driver) => driver.setQueue({ ...SETUP, index: 0 }));
    bench.exchanged.length = 0;
    bench.model.change(5);
    bench.run();
    expect(bench.heard).toEqual(['online', 'config 11']);
    expect(bench.exchanged.map(({ command }) => command)).toEqual([header(0x43)]);
  });

  it('of a device that needs a reset come as well: commands are served on', () => {
    const bench = adminVqBench();
    negotiate(bench);
    bench.ask((driver) => driver.setQueue({ ...SETUP, index: 0 }));
    bench.model.fail();
    bench.run();
    expect(bench.heard).toEqual(['online', `config ${READY | STATUS.DEVICE_NEEDS_RESET}`]);
    expect(bench.ask((driver) => driver.setStatus(0))).toEqual({ type: 'reply.status', status: 0 });
  });
});

describe('a device', () => {
  it('does no command before LIST_USE, nor after a reset', () => {
    const { device } = adminVqBench();
    const getStatus = encodeAdminRequest(commands.STATUS_GET.opcode);
    expect(toHex(device.execute(getStatus))).toBe(OK + OK);
    device.reset();
    // EINVAL, INVALID_OPCODE.
    expect(toHex(device.execute(getStatus))).toBe('1600020000000000');
  });

  it('has its status reset by the register only', () => {
    const { ask, device, model } = adminVqBench();
    ask((driver) => driver.setStatus(1));
    const zero = new Uint8Array(commands.STATUS_SET.data.fixedSize);
    const answer = device.execute(encodeAdminRequest(commands.STATUS_SET.opcode, zero));
    // EINVAL, INVALID_FIELD.
    expect([toHex(answer), model.status]).toEqual(['1600030000000000', 1]);
  });

  it('that lacks a command is of no use', () => {
    const { heard } = adminVqBench({
      answer(command, bytes) {
        if (command.startsWith('0000')) bytes[16] = 0x7f;
        return bytes;
      },
    });
    expect(heard).toEqual(['offline: the device does not have the commands']);
  });

  it('that refuses the list is of no use either', () => {
    const { heard } = adminVqBench({
      answer(command, bytes) {
        if (command.startsWith('0100')) bytes[0] = 22;
        return bytes;
      },
    });
    expect(heard).toEqual(['offline: the device does not have the commands']);
  });

  it('that can not reach its administration virtqueue says so in State, and is given up', () => {
    const omit: FaultPlan = {
      bus: 0,
      at: 0,
      action: 'omit',
      message: 'IOMMU_MAP',
      count: 1,
      amount: 0,
    };
    const { heard, bench, driver, replies, run, model } = adminVqBench({ faults: [omit] });
    expect(heard).toEqual(['offline: the device does not answer']);
    expect(bench.host.violations.described.map(({ code }) => code)).toEqual(['DMA_FAULT']);
    expect(model.status).toBe(0);
    driver.getInfo();
    driver.setStatus(0);
    run();
    expect(replies).toEqual([
      { type: 'reply.failed', reason: 'the device takes no commands' },
      { type: 'reply.failed', reason: 'the device does not answer' },
    ]);
  });

  it('that stops answering fails the operation, and a reset may help', () => {
    let mute = true;
    const bench = adminVqBench();
    const { model, ask } = bench;
    const available = model.available.bind(model);
    model.available = (queue) => {
      if (!mute) available(queue);
    };
    expect(ask((driver) => driver.getStatus())).toEqual({
      type: 'reply.failed',
      reason: 'the device does not answer',
    });
    mute = false;
    expect(ask((driver) => driver.setStatus(0))).toEqual({ type: 'reply.status', status: 0 });
    expect(ask((driver) => driver.getStatus())).toEqual({ type: 'reply.status', status: 0 });
  });

  it('is lost with its card, and found again', () => {
    const { bench, heard, ask, run, driver, replies } = adminVqBench();
    bench.endpoint.remove();
    run();
    driver.linkChanged(false);
    driver.getStatus();
    driver.setStatus(0);
    expect(replies).toEqual([
      { type: 'reply.failed', reason: 'the device takes no commands' },
      { type: 'reply.failed', reason: 'there is no function' },
    ]);
    bench.endpoint.insert();
    run();
    driver.linkChanged(true);
    run();
    expect(heard).toEqual(['online', 'offline: the card was pulled out', 'online']);
    expect(ask((transport) => transport.getInfo()).type).toBe('reply.info');
  });
});

describe('beside other transports on the same card', () => {
  const bus = (type: string, options: Readonly<Record<string, unknown>> = {}) => {
    const workloads = [fio({ depth: 1, operations: 40 })];
    return linkRig({ type, bus: options, workloads });
  };

  /** One disk from nothing to live: the time it takes, and what its driver does for it. */
  function bringUp(type: string, options: Readonly<Record<string, unknown>> = {}) {
    const rig = bus(type, options);
    let time = 0;
    while (rig.outcome.workloads[0].driverState !== 'live') {
      time += 100_000;
      rig.runUntil(time);
    }
    return { time, ...busCounters(rig, 'driver') } as Record<string, number>;
  }

  it('a request costs what it does over virtio-pci', () => {
    const [admin, pci] = ['admin-vq', 'virtio-pci'].map((type) => {
      const rig = bus(type);
      expect([rig.run(), rig.violations]).toEqual(['done', []]);
      return measured(rig.result().latency).p50;
    });
    expect(admin).toBe(pci);
  });

  it('bringing up takes few loads but longer, as each command is an interrupt', () => {
    const admin = bringUp('admin-vq');
    const pci = bringUp('virtio-pci');
    // Lists twice, information, status, features, configuration, vector, and three for the queue.
    expect([admin.commands, admin.loads]).toEqual([16, 10]);
    expect(pci.loads).toBeGreaterThan(2 * admin.loads);
    expect(admin.time).toBeGreaterThan(2 * pci.time);
    expect(admin.time).toBeLessThan(bringUp('pci').time);
  });

  it('a VM leaves itself less often', () => {
    const admin = bringUp('admin-vq', { emulated: true });
    const pci = bringUp('virtio-pci', { emulated: true });
    expect(admin.exits).toBeLessThan(pci.exits);
  });
});

describe('the whole bus', () => {
  it('has each function of a card found, reset and driven', () => {
    const rig = linkRig({
      type: 'admin-vq',
      driver: { memory: '64MiB' },
      devices: { rng: { type: 'rng', bus: 'bus0', number: 0, count: 60 } },
      workloads: [{ type: 'entropy', device: 'rng', operations: 2 }],
    });
    expect(rig.run()).toBe('done');
    expect(rig.violations).toEqual([]);
    for (let i = 0; i < 60; i++) expect(rig.result(i).verified).toBe(2);
    expect(busCounters(rig, 'driver')['commands'] % 60).toBe(0);
  });

  it('resets queues in full swing', () => {
    const rig = linkRig({
      type: 'admin-vq',
      devices: { disk0: disk(0, { queues: 2, ringReset: true }) },
      workloads: [
        fio({ operations: 400 }),
        {
          type: 'script',
          device: 'disk0',
          steps: [
            { do: 'resetQueue', queue: 1 },
            { do: 'resetQueue', queue: 0 },
          ],
        },
      ],
    });
    expect(rig.run()).toBe('done');
    expect([rig.violations, rig.result(0).errors, rig.result(1).failure]).toEqual([[], 0, null]);
  });

  it('refuses and reports what a device was not given', () => {
    const rig = linkRig({
      type: 'admin-vq',
      faults: [{ at: '0ms', on: 'bus0', shrink: 'IOMMU_MAP', pages: 1, count: 2 }],
    });
    rig.run();
    expect(rig.violationCodes).toEqual(['DMA_FAULT']);
  });

  it.each(['admin-vq', 'virtio-pci'])(
    '%s: a card is pulled out in full swing and put back',
    (type) => {
      const rig = linkRig({
        type,
        bus: { removeAt: '5ms', insertAt: '6ms' },
        devices: { rng0: { type: 'rng', bus: 'bus0', number: 1 } },
        workloads: [{ type: 'entropy', device: 'rng0', operations: 100_000, thinkTime: '50us' }],
        until: { atMost: '120ms' },
      });
      rig.runUntil(5.5 * MS);
      expect(rig.outcome.workloads[0].driverState).toBe('offline');
      rig.runUntil(120 * MS);
      expect(rig.outcome.workloads[0].driverState).toBe('live');
      expect(rig.violations).toEqual([]);
    },
  );
});
