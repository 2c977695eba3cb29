// Administration commands byte by byte (virtio 1.4 §2.12), the virtqueue that carries them (§2.13), and a
// driver that takes one into use.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RngDriver } from '../../guests/rng/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { Device } from '../../platform/contracts/index.ts';
import {
  ADMIN_QUALIFIER,
  ADMIN_STATUS,
  type AdminCommand,
  AdminCommands,
  decodeAdminList,
  decodeAdminResponse,
  encodeAdminList,
  encodeAdminRequest,
  F,
} from '../../platform/virtio/index.ts';
import { revision } from '../../platform/virtio/messages/index.ts';
import { MsgDeviceTransport, MsgDriverTransport } from '../../platform/virtio/transport/index.ts';
import { fromHex, toHex, writeU16 } from '../../platform/wire/index.ts';
import { DeviceBench } from '../support/device-bench.ts';
import { FakeBus } from '../support/fake-bus.ts';
import { testNodes } from '../support/test-nodes.ts';

/** A command of our own with an opcode in the second word of the list. */
const DOUBLE: AdminCommand = {
  opcode: 0x47,
  dataSize: 2,
  execute: (data) =>
    data[0] > 100 ? ADMIN_QUALIFIER.INVALID_FIELD : Uint8Array.of(2 * data[0], 2 * data[1]),
};

const { OK, EINVAL } = ADMIN_STATUS;
const MS = 1_000_000_000;

/** Executes a command; returns status, qualifier and result. */
function asker(commands = new AdminCommands([DOUBLE])) {
  return (opcode: number, data: readonly number[] = [], change?: (bytes: Uint8Array) => void) => {
    const command = encodeAdminRequest(opcode, Uint8Array.from(data));
    change?.(command);
    const { status, statusQualifier, commandSpecificResult } = decodeAdminResponse(
      commands.execute(command),
    );
    return [status, statusQualifier, toHex(commandSpecificResult)];
  };
}

describe('the bytes of a command', () => {
  it('ADM-14 MUST: are opcode, group, reserved bytes, member, and data in words of 64 bits', () => {
    expect(toHex(encodeAdminRequest(0x0147, Uint8Array.of(1, 2, 3)))).toBe(
      `4701 0000 ${'00'.repeat(12)} ${'00'.repeat(8)} 0102030000000000`.replaceAll(' ', ''),
    );
  });

  it('ADM-2, ADM-12 MUST: are status, qualifier, reserved bytes and result in the answer', () => {
    const commands = new AdminCommands([DOUBLE]);
    const query = fromHex('00'.repeat(24))!;
    // Opcodes 0 and 1, and 0x47 as bit 7 of the second word.
    expect(toHex(commands.execute(query))).toBe(
      '0000000000000000' + '0300000000000000' + '8000000000000000',
    );
    const bad = fromHex('4800' + '00'.repeat(22))!;
    expect(toHex(commands.execute(bad))).toBe('1600020000000000');
  });

  it('missing ones of an answer are zero', () => {
    expect(decodeAdminResponse(Uint8Array.of(22, 0, 3))).toMatchObject({
      status: EINVAL,
      statusQualifier: ADMIN_QUALIFIER.INVALID_FIELD,
    });
    expect(decodeAdminResponse(new Uint8Array(0)).status).toBe(OK);
  });

  it('of a list have as many words as the largest opcode needs', () => {
    expect(encodeAdminList([]).length).toBe(8);
    expect(encodeAdminList([63]).length).toBe(8);
    expect(encodeAdminList([64]).length).toBe(16);
    // The example of §2.12.1: opcodes 0, 1 and 64.
    expect(toHex(encodeAdminList([0, 1, 64]))).toBe('03000000000000000100000000000000');
    expect([...decodeAdminList(encodeAdminList([1, 63, 64, 200]))]).toEqual([1, 63, 64, 200]);
  });
});

describe('a device with administration commands', () => {
  it('ADM-4 MUST: takes no others before LIST_USE has said so', () => {
    const ask = asker();
    expect(ask(0x47, [3, 4])).toEqual([EINVAL, ADMIN_QUALIFIER.INVALID_OPCODE, '']);
    expect(ask(1, [...encodeAdminList([0, 1, 0x47])])).toEqual([OK, 0, '']);
    expect(ask(0x47, [3, 4])).toEqual([OK, 0, '0608000000000000']);
  });

  it('ADM-4 MUST: refuses what is not in the list used, even the lists themselves', () => {
    const ask = asker();
    expect(ask(1, [...encodeAdminList([0x47])])[0]).toBe(OK);
    expect(ask(0)).toEqual([EINVAL, ADMIN_QUALIFIER.INVALID_OPCODE, '']);
    expect(ask(1)).toEqual([EINVAL, ADMIN_QUALIFIER.INVALID_OPCODE, '']);
    expect(ask(0x47, [1])[0]).toBe(OK);
  });

  it('ADM-3 MUST NOT: takes a list with commands that it has not; keeps the one before', () => {
    const ask = asker();
    ask(1, [...encodeAdminList([0, 1, 0x47])]);
    expect(ask(1, [...encodeAdminList([0, 1, 0x46])])).toEqual([
      EINVAL,
      ADMIN_QUALIFIER.INVALID_FIELD,
      '',
    ]);
    expect(ask(0x47, [1])[0]).toBe(OK);
  });

  it('ADM-1 MUST: looks at the group first, then at the opcode, then at the member', () => {
    const ask = asker();
    ask(1, [...encodeAdminList([0, 1, 0x47])]);
    const group = (bytes: Uint8Array) => bytes.set([1, 0], 2);
    const member = (bytes: Uint8Array) => bytes.set([1], 16);
    const both = (bytes: Uint8Array) => {
      group(bytes);
      member(bytes);
    };
    expect(ask(0x48, [], both)[1]).toBe(ADMIN_QUALIFIER.INVALID_GROUP);
    expect(ask(0x48, [], member)[1]).toBe(ADMIN_QUALIFIER.INVALID_OPCODE);
    expect(ask(0x47, [], member)[1]).toBe(ADMIN_QUALIFIER.INVALID_MEMBER);
    // The lists have no member: what stands there is ignored.
    expect(ask(0, [], member)[0]).toBe(OK);
  });

  it('ADM-11 MUST: reads missing data as zeroes and ignores what is too much', () => {
    const commands = new AdminCommands([DOUBLE]);
    const ask = asker(commands);
    ask(1, [...encodeAdminList([0, 1, 0x47])]);
    expect(ask(0x47)).toEqual([OK, 0, '0000000000000000']);
    expect(ask(0x47, new Array<number>(40).fill(5))).toEqual([OK, 0, '0a0a000000000000']);
    expect(decodeAdminResponse(commands.execute(Uint8Array.of(0x47))).status).toBe(OK);
    expect(decodeAdminResponse(commands.execute(new Uint8Array(0))).status).toBe(OK);
  });

  it('ADM-3 MUST NOT: changes anything by a command that fails', () => {
    const ask = asker();
    ask(1, [...encodeAdminList([0, 1, 0x47])]);
    expect(ask(0x47, [101])).toEqual([EINVAL, ADMIN_QUALIFIER.INVALID_FIELD, '']);
  });

  it('ADM-4 MUST: knows after a reset only the lists', () => {
    const commands = new AdminCommands([DOUBLE]);
    const ask = asker(commands);
    ask(1, [...encodeAdminList([0, 1, 0x47])]);
    commands.reset();
    expect(ask(0x47, [1])[1]).toBe(ADMIN_QUALIFIER.INVALID_OPCODE);
    expect([ask(0)[0], commands.executed]).toEqual([OK, 3]);
  });
});

describe('an administration virtqueue', () => {
  const QUERY = [...encodeAdminRequest(0)];
  const USE = [...encodeAdminRequest(1, encodeAdminList([0, 1]))];
  const bench = (refuse?: (access: { address: number }) => string | null) =>
    new DeviceBench('rng', { options: { adminQueues: 2 }, ...(refuse ? { refuse } : {}) });

  it('comes behind the other queues, and is there once the feature is taken', () => {
    const dut = bench();
    expect(dut.device.features & F.ADMIN_VQ).not.toBe(0n);
    expect(dut.device.info).toMatchObject({ queuesMax: 3, adminStart: 1, adminCount: 2 });
    expect(dut.device.queueSizeMax(1)).toBe(0);
    dut.start();
    expect([0, 1, 2, 3].map((queue) => dut.device.queueSizeMax(queue))).toEqual([64, 16, 16, 0]);
    const without = new DeviceBench('rng');
    expect(without.device.info).toMatchObject({ queuesMax: 1, adminStart: 0, adminCount: 0 });
    expect(without.device.features & F.ADMIN_VQ).toBe(0n);
  });

  it('ADM-11, ADM-13 MUST: answers in order, with as many bytes as it wrote', () => {
    const dut = bench();
    dut.start();
    dut.send(1, [QUERY], [64]);
    const answers = dut.request(1, [USE], [8]);
    expect(answers.map(({ written }) => written)).toEqual([16, 8]);
    expect(toHex(answers[0].bytes, 0, 16)).toBe('00000000000000000300000000000000');
    expect(answers[0].bytes[16]).toBe(0xee);
    expect(toHex(answers[1].bytes)).toBe('0000000000000000');
    expect(dut.signals.filter((queue) => queue === 1).length).toBeGreaterThan(0);
    // All administration virtqueues speak of one group.
    expect(dut.request(2, [QUERY], [16])[0].written).toBe(16);
    expect(dut.violations).toEqual([]);
  });

  it('ADM-11 MUST: discards what the driver has no room for, and takes commands in pieces', () => {
    const dut = bench();
    dut.start();
    const [short] = dut.request(1, [QUERY], [4]);
    expect([short.written, toHex(short.bytes)]).toEqual([4, '00000000']);
    const [pieces] = dut.request(1, [QUERY.slice(0, 5), QUERY.slice(5)], [3, 13]);
    expect(toHex(pieces.bytes)).toBe('00000000000000000300000000000000');
    expect(dut.violations).toEqual([]);
  });

  it('ADM-5 SHOULD: serves requests of the device beside it, and both anew after a reset', () => {
    const dut = bench();
    dut.start();
    expect(dut.request(1, [[...encodeAdminRequest(1)]], [8])[0].bytes[0]).toBe(OK);
    expect(dut.request(1, [QUERY], [16])[0].bytes[0]).toBe(EINVAL);
    expect(dut.request(0, [], [32])[0].written).toBe(32);
    dut.device.setStatus(0);
    dut.start();
    expect(dut.request(1, [QUERY], [16])[0].bytes[0]).toBe(OK);
    expect(dut.request(0, [], [32])[0].written).toBe(32);
  });

  it('forgets on the reset of the queue what it had not answered', () => {
    const dut = bench();
    dut.start();
    dut.send(1, [QUERY], [16]);
    dut.device.available(1, 0);
    dut.run(300_000);
    dut.restart(1);
    expect(dut.run()).toEqual([]);
    expect(dut.request(1, [QUERY], [16])[0].bytes[0]).toBe(OK);
    expect(dut.violations).toEqual([]);
  });

  it('asks for a reset of the device when a command can not be read', () => {
    let refuses = false;
    const dut = bench(() => (refuses ? 'not for you' : null));
    dut.start();
    dut.send(1, [QUERY], [16]);
    refuses = true;
    dut.device.available(1, 0);
    dut.run();
    expect(dut.violations).toContain('DMA_FAULT');
    expect(dut.device.status & 64).toBe(64);
  });
});

describe('a driver', () => {
  /** The entropy driver and device over virtio-msg, with whatever the test does to the device. */
  function pair(
    options: Readonly<Record<string, unknown>>,
    change: (device: Device) => void = () => {},
  ) {
    const devices = { dut: { type: 'rng', bus: 'ffa0', number: 0, ...options } };
    const { topology, kernel, linux: node } = testNodes({ devices });
    const bus = new FakeBus({ node });
    const [plan] = topology.devices;
    const common = { node, name: 'dut', deviceNumber: 0 };
    const model = tables.devices['rng'].create({
      node,
      plan,
      network: null,
      resolve: (path: string) => path,
    } as never);
    change(model);
    new MsgDeviceTransport({ ...common, bus: bus.device, model });
    const transport = new MsgDriverTransport({ ...common, bus: bus.driver });
    const driver = new RngDriver({ node, plan, transport });
    bus.driver.start();
    kernel.runUntil(kernel.now + 10 * MS);
    return { node, bus, driver, model, kernel };
  }

  it.each([{}, { ring: 'packed', indirect: true, eventIdx: true, notificationData: true }])(
    'ADM-6, ADM-15 MUST: finds it by GET_DEVICE_INFO and agrees on the commands: %o',
    (options) => {
      const { driver, bus, node } = pair({ adminQueues: 3, ...options });
      expect([driver.live, driver.adminCommands]).toEqual([true, [0, 1]]);
      const info = bus.messages('toDriver').find(({ type }) => type === 'res.GET_DEVICE_INFO')!;
      expect(info.body).toMatchObject({ maxVirtqueues: 4, adminStart: 1, adminCount: 3 });
      const queues = bus.messages('toDevice').filter(({ type }) => type === 'req.SET_VQUEUE');
      // One of the three is all that it needs.
      expect(queues.map(({ body }) => (body as { index: number }).index)).toEqual([0, 1]);
      expect(node.violations.count).toBe(0);
    },
  );

  it('ADM-6, ADM-7 MUST NOT: sends anything while a command is with the device', () => {
    const { bus } = pair({ adminQueues: 1 });
    const { codec } = revision('v1');
    const events = bus.frames
      .map(({ bytes }) => codec.decode(bytes, bytes.length))
      .filter(
        ({ type, body }) => type.startsWith('req.EVENT_') && 'index' in body && body.index === 1,
      )
      .map(({ type }) => type);
    const exchange = ['req.EVENT_AVAIL', 'req.EVENT_USED'];
    expect(events).toEqual([...exchange, ...exchange]);
  });

  describe('whose device answers as the test says', () => {
    afterEach(() => vi.restoreAllMocks());

    /** Lets `answer` change what the device answers to its n-th command, from 0. */
    function answering(answer: (n: number, bytes: Uint8Array) => void) {
      const execute = Reflect.get(AdminCommands.prototype, 'execute');
      let count = 0;
      vi.spyOn(AdminCommands.prototype, 'execute').mockImplementation(function (
        this: AdminCommands,
        command: Uint8Array,
      ) {
        const bytes = execute.call(this, command);
        answer(count++, bytes);
        return bytes;
      });
      const { driver, node } = pair({ adminQueues: 1 });
      return [count, driver.live, driver.adminCommands, node.violations.count];
    }
    const status = (bytes: Uint8Array, value: number) => writeU16(bytes, 0, value);

    it('ADM-10 SHOULD: sends again what the device is to be asked again, three times', () => {
      const { EAGAIN } = ADMIN_STATUS;
      expect(answering((n, bytes) => status(bytes, n < 3 ? EAGAIN : OK))).toEqual([
        5,
        true,
        [0, 1],
        0,
      ]);
      vi.restoreAllMocks();
      expect(answering((_, bytes) => status(bytes, EAGAIN))).toEqual([4, true, [], 0]);
    });

    it('ADM-9 MUST: takes a status that it does not know for EINVAL, and works on without commands', () => {
      expect(answering((n, bytes) => n === 1 && status(bytes, 9999))).toEqual([2, true, [], 0]);
    });

    it('ADM-8 MUST NOT: uses of the commands offered those that it does not know', () => {
      expect(answering((n, bytes) => n === 0 && bytes.fill(0xff, 8))).toEqual([2, true, [0, 1], 0]);
    });
  });

  it('does without one that is not offered', () => {
    const { driver, bus } = pair({});
    expect([driver.live, driver.adminCommands]).toEqual([true, []]);
    const queues = bus.messages('toDevice').filter(({ type }) => type === 'req.SET_VQUEUE');
    expect(queues.length).toBe(1);
  });

  it('goes through it all again after a reset', () => {
    const { driver, bus, kernel } = pair({ adminQueues: 1 });
    driver.offline('the bus was reset');
    expect(driver.adminCommands).toEqual([]);
    driver.online();
    kernel.runUntil(kernel.now + 10 * MS);
    expect(driver.adminCommands).toEqual([0, 1]);
    expect(bus.messages('toDevice').filter(({ type }) => type === 'req.SET_VQUEUE').length).toBe(4);
  });

  it('gives a device up that has not the queue it spoke of', () => {
    const { driver, node } = pair({ adminQueues: 1 }, (device) => {
      const sizeMax = device.queueSizeMax.bind(device);
      device.queueSizeMax = (index) => (index === 1 ? 0 : sizeMax(index));
    });
    expect([driver.live, driver.adminCommands]).toEqual([false, []]);
    expect(driver.downReason).toBe('the device did not do what was asked');
    expect(node.violations.count).toBe(0);
  });
});
