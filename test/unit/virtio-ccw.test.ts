// The virtio-ccw baseline: its bytes in guest memory, the control unit and the subchannel as a device model
// serves them, and what a guest pays for its instructions.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  adapterBlock,
  addressBlock,
  CHAIN_COMMAND,
  decodeCommand,
  decodeIrb,
  encodeCommand,
  encodeIrb,
  featureBlock,
  IRB_SIZE,
  queueConfigBlock,
  queueInfoBlock,
  readAdapterArea,
  readQueueInfo,
  revisionBlock,
  SUPPRESS_LENGTH,
} from '../../buses/virtio-ccw/blocks.ts';
import { CcwDeviceTransport } from '../../buses/virtio-ccw/ccw-device.ts';
import { type CommandName, Condition, commands } from '../../buses/virtio-ccw/commands.ts';
import { CHANNEL_REPORT, INSTRUCTION_DONE } from '../../buses/virtio-ccw/packets.ts';
import { Subchannel } from '../../buses/virtio-ccw/subchannel.ts';
import { ccwTimingIds } from '../../buses/virtio-ccw/timing.ts';
import { tables } from '../../platform/cli/tables.ts';
import { parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import { F, STATUS } from '../../platform/virtio/index.ts';
import { readU32, toHex } from '../../platform/wire/index.ts';
import { FakeDma } from '../support/fake-dma.ts';
import { makeDevice } from '../support/made-device.ts';
import { Rig } from '../support/rig.ts';
import { testNodes } from '../support/test-nodes.ts';

const SCENARIO = `
name: ccw
profile: arm-neoverse-n1
timing: { ccw.exit: 1us, ccw.instruction: 0ns, ccw.emulate: 0ns }
nodes:
  guest: { kind: vm, cpus: 1, memory: 16MiB }
  host: { kind: host, cpus: 1, memory: 16MiB }
buses:
  ccw0: { type: virtio-ccw, driver: guest, device: host }
devices:
  disk0: { type: blk, bus: ccw0, number: 3, capacity: 1MiB }
workloads:
  - { type: fio, device: disk0, rw: randrw, depth: 4, operations: 200 }
until: { workloads: done, atMost: 1s }
`;

function rigOf(text: string): Rig {
  return new Rig(parseScenario({ text, file: 'ccw.yaml', folder: import.meta.dirname }, tables));
}

/** The control unit of a disk with 2 queues and a write cache, on a subchannel, without a bus. */
function unit() {
  const { kernel, linux, storage } = testNodes();
  const options = { capacity: '1MiB', queues: 2, writeCache: '64KiB', ringReset: true };
  const model = makeDevice(storage, 'blk', options);
  const { memory } = linux;
  const refuse = ({ address, length }: { address: number; length: number }) =>
    memory.contains(address, length) ? null : 'not RAM';
  const dma = new FakeDma({ kernel, node: 1, memory, refuse });
  const bits: [number, number, number][] = [];
  let interrupts = 0;
  const subchannel = new Subchannel({
    node: storage,
    name: 'disk0',
    timing: ccwTimingIds(storage.costs),
    dma,
    interrupt: () => interrupts++,
  });
  const transport = new CcwDeviceTransport({
    model,
    dma,
    setBits: (...set) => bits.push(set),
    alert: () => subchannel.alert(),
  });
  subchannel.connect(transport);
  const execute = (name: CommandName, data: Uint8Array = new Uint8Array(256)) =>
    transport.execute(name, data, data.length);
  const interruptCount = () => interrupts;
  return { kernel, memory, model, subchannel, transport, execute, bits, interruptCount };
}

/** The same with the revision set. */
function unitOfRevision(revision = 2) {
  const made = unit();
  made.execute('SET_VIRTIO_REV', revisionBlock(revision));
  return made;
}

interface Word {
  readonly name: CommandName | number;
  readonly data?: Uint8Array;
  readonly flags?: number;
  readonly count?: number;
  readonly address?: number;
}

/** A subchannel, enabled, and programs for it: words at `program`, data of each 512 bytes apart. */
function channel() {
  const made = unit();
  const { kernel, memory, subchannel } = made;
  const program = memory.allocate(8192, 4096);
  const dataOf = (i: number) => program + 1024 + i * 512;
  subchannel.modify(true);
  const write = (words: readonly Word[]) => {
    const bytes = new Uint8Array(words.length * 8);
    words.forEach(({ name, data = new Uint8Array(0), flags = 0, count, address }, i) => {
      const code = typeof name === 'number' ? name : commands[name].code;
      const at = address ?? dataOf(i);
      encodeCommand(bytes, i * 8, { code, flags, count: count ?? data.length, address: at });
      memory.copyIn(dataOf(i), data, 0, data.length);
    });
    memory.copyIn(program, bytes, 0, bytes.length);
  };
  const test = () => {
    const irb = new Uint8Array(IRB_SIZE);
    expect(subchannel.test(program + 4096)).toBe(Condition.DONE);
    kernel.runUntil(kernel.now + 1_000_000_000);
    memory.copyOut(program + 4096, irb, 0, IRB_SIZE);
    return decodeIrb(irb);
  };
  const run = (words: readonly Word[], at = program) => {
    write(words);
    expect(subchannel.start(at)).toBe(Condition.DONE);
    kernel.runUntil(kernel.now + 1_000_000_000);
    return test();
  };
  const read = (i: number, length: number) => {
    const bytes = new Uint8Array(length);
    memory.copyOut(dataOf(i), bytes, 0, length);
    return bytes;
  };
  return { ...made, program, run, read, test, write };
}

const REVISION_2 = { name: 'SET_VIRTIO_REV', data: revisionBlock(2) } as const;

describe('the bytes in guest memory', () => {
  it('are those of the specification, big-endian but for features', () => {
    const word = new Uint8Array(8);
    encodeCommand(word, 0, { code: 0x13, flags: 0x60, count: 32, address: 0x4000_1238 });
    expect(toHex(word)).toBe('1360002040001238');
    expect(toHex(revisionBlock(2))).toBe('00020000');
    expect(toHex(featureBlock(0x8000_0001, 1))).toBe('0100008001');
    expect(toHex(queueConfigBlock(1, 256))).toBe('00010100');
    expect(toHex(addressBlock(0x1_4000_0010))).toBe('0000000140000010');
    const areas = {
      descriptorArea: 0x1_4000_0000,
      driverArea: 0x4000_1000,
      deviceArea: 0x4000_2000,
    };
    expect(toHex(queueInfoBlock({ index: 2, size: 128, ...areas }))).toBe(
      '0000000140000000' + '00000000' + '0002' + '0080' + '0000000040001000' + '0000000040002000',
    );
    const area = { summary: 0x4000_0000, indicators: 0x4000_1000, firstBit: 9 };
    expect(toHex(adapterBlock(area))).toBe(
      '0000000040000000' + '0000000040001000' + '0000000000000009' + '01',
    );
  });

  it('come back as they went', () => {
    const byte = fc.integer({ min: 0, max: 0xff });
    const half = fc.integer({ min: 0, max: 0xffff });
    const word = fc.integer({ min: 0, max: 0xffff_ffff });
    const address = fc.maxSafeNat();
    const ccw = fc.record({ code: byte, flags: byte, count: half, address: word });
    const setup = fc.record({
      ...{ index: half, size: half },
      ...{ descriptorArea: address, driverArea: address, deviceArea: address },
    });
    const area = fc.record({ summary: address, indicators: address, firstBit: address });
    const status = fc.record({
      ...{ ended: fc.boolean(), deviceStatus: byte, subchannelStatus: byte },
      ...{ residue: half, sense: byte },
    });
    const law = fc.property(ccw, setup, area, status, word, (c, s, a, irb, at) => {
      const bytes = new Uint8Array(IRB_SIZE);
      encodeCommand(bytes, 8, c);
      expect(decodeCommand(bytes, 8)).toEqual(c);
      expect(readQueueInfo(queueInfoBlock(s))).toEqual(s);
      expect(readAdapterArea(adapterBlock(a))).toEqual(a);
      encodeIrb(bytes, at, irb);
      expect(decodeIrb(bytes)).toEqual({ ...irb, commandAddress: at });
    });
    fc.assert(law, { seed: 1, numRuns: 200 });
  });

  it('name each command by one code', () => {
    const codes = Object.values(commands).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    // Reads are told from writes and control commands by the lowest bits of the code.
    const reads = Object.values(commands).filter(({ access }) => access === 'read');
    expect(reads.every(({ code }) => code % 4 === 2 || code % 4 === 0)).toBe(true);
  });
});

describe('the control unit', () => {
  it('rejects commands of virtio before a revision, and a second revision', () => {
    const { execute, transport } = unit();
    expect(execute('READ_STATUS')).toBeNull();
    for (const revision of [0, 3]) {
      expect(execute('SET_VIRTIO_REV', revisionBlock(revision))).toBeNull();
    }
    expect(execute('SET_VIRTIO_REV', Uint8Array.of(0, 2, 0, 1))).toBeNull();
    expect(execute('SET_VIRTIO_REV', revisionBlock(2))).not.toBeNull();
    expect(execute('SET_VIRTIO_REV', revisionBlock(1))).toBeNull();
    expect(execute('READ_STATUS')).toEqual(Uint8Array.of(0));
    transport.forgetRevision();
    expect(execute('READ_STATUS')).toBeNull();
  });

  it('knows READ_STATUS from revision 2 on', () => {
    const { execute } = unitOfRevision(1);
    expect([execute('READ_STATUS'), execute('VDEV_RESET')?.length]).toEqual([null, 0]);
  });

  it('tells what the device is', () => {
    expect(toHex(unit().execute('SENSE_ID')!)).toBe('ff383202000000');
  });

  it('rejects a status that does not stick, and leaves the old one', () => {
    const { execute, model } = unitOfRevision();
    const early = STATUS.ACKNOWLEDGE | STATUS.DRIVER;
    expect(execute('WRITE_STATUS', Uint8Array.of(early))).not.toBeNull();
    // VERSION_1 was not accepted.
    expect(execute('WRITE_STATUS', Uint8Array.of(early | STATUS.FEATURES_OK))).toBeNull();
    expect(model.status).toBe(early);
  });

  it('offers all features but those that are reserved here', () => {
    const { execute, model } = unitOfRevision();
    const [low, high] = [0, 1].map((i) => readU32(execute('READ_FEAT', featureBlock(0, i))!, 0));
    expect(model.features & F.RING_RESET).not.toBe(0n);
    expect(BigInt(low) | (BigInt(high) << 32n)).toBe(model.features & ~F.RING_RESET);
    execute('WRITE_STATUS', Uint8Array.of(STATUS.ACKNOWLEDGE | STATUS.DRIVER));
    const greedy = Number((F.VERSION_1 | F.ACCESS_PLATFORM | F.RING_RESET) >> 32n);
    execute('WRITE_FEAT', featureBlock(greedy, 1));
    expect(execute('WRITE_STATUS', Uint8Array.of(0b1011))).toBeNull();
  });

  it('tells queues, and takes them', () => {
    const { execute, model } = unitOfRevision();
    const sizeMax = model.queueSizeMax(1);
    expect(execute('READ_VQ_CONF', queueConfigBlock(1, 0))).toEqual(queueConfigBlock(1, sizeMax));
    expect(execute('READ_VQ_CONF', queueConfigBlock(9, 0))).toEqual(queueConfigBlock(9, 0));
    const areas = { descriptorArea: 0x4000_0000, driverArea: 0x4000_1000, deviceArea: 0x4000_2000 };
    const setup = { index: 1, size: 8, ...areas };
    execute('SET_VQ', queueInfoBlock(setup));
    expect(model.queueSetup(1)).toEqual(setup);
    execute('VDEV_RESET');
    expect([model.queueSetup(1), model.status]).toEqual([null, 0]);
  });

  it('has one kind of indicators at a time, and none after a reset', () => {
    const { execute, transport, bits } = unitOfRevision();
    const area = { summary: 0x4000_0000, indicators: 0x4000_1000, firstBit: 7 };
    expect(execute('SET_IND_ADAPTER', adapterBlock(area))).not.toBeNull();
    expect(execute('SET_IND', addressBlock(0x4000_2000))).toBeNull();
    transport.notifyUsed(0);
    transport.notifyUsed(1);
    // Bits are counted from the left: 7 is the lowest of the first byte, 8 the highest of the next.
    expect(bits).toEqual([
      [0x4000_1000, 0x01, 0x4000_0000],
      [0x4000_1001, 0x80, 0x4000_0000],
    ]);
    execute('VDEV_RESET');
    transport.notifyUsed(0);
    expect(bits.length).toBe(2);
    expect(execute('SET_IND', addressBlock(0x4000_2000))).not.toBeNull();
    expect(execute('SET_IND_ADAPTER', adapterBlock(area))).toBeNull();
    transport.notifyUsed(9);
    // Bit 9 of a big-endian number of 8 bytes.
    expect(bits[2]).toEqual([0x4000_2006, 0x02, 0]);
    transport.notifyConfig();
    expect(bits.length).toBe(3);
    execute('SET_CONF_IND', addressBlock(0x4000_3000));
    transport.notifyConfig();
    expect(bits[3]).toEqual([0x4000_3007, 0x01, 0]);
  });

  it('takes of a written configuration what differs and may be written', () => {
    const { execute, model } = unitOfRevision();
    execute('WRITE_STATUS', Uint8Array.of(STATUS.ACKNOWLEDGE | STATUS.DRIVER));
    for (const i of [0, 1]) {
      const offered = execute('READ_FEAT', featureBlock(0, i))!;
      execute('WRITE_FEAT', featureBlock(readU32(offered, 0), i));
    }
    expect(execute('WRITE_STATUS', Uint8Array.of(0b1011))).not.toBeNull();
    const config = execute('READ_CONF', new Uint8Array(256))!;
    expect(config.length).toBe(model.info.configSize);
    const written = config.slice();
    written[0] ^= 0xff;
    // The write cache's mode (virtio 1.4 §5.2.4: offset 32) is all that a driver may write of a disk.
    written[32] ^= 1;
    execute('WRITE_CONF', written);
    written[0] = config[0];
    expect(execute('READ_CONF', new Uint8Array(256))).toEqual(written);
    expect(written[32]).not.toBe(config[32]);
  });
});

describe('the subchannel', () => {
  it('runs chained commands, and says where it stopped', () => {
    const { run, read, program, subchannel } = channel();
    const status = run([
      { ...REVISION_2, flags: CHAIN_COMMAND },
      { name: 'SENSE_ID', count: 7, flags: CHAIN_COMMAND },
      { name: 'READ_STATUS', count: 1 },
    ]);
    expect(status).toMatchObject({
      ended: true,
      deviceStatus: 0x0c,
      subchannelStatus: 0,
      sense: 0,
    });
    expect([status.commandAddress, subchannel.commands]).toEqual([program + 24, 3]);
    expect(toHex(read(1, 7))).toBe('ff383202000000');
  });

  it('stops at a command that is rejected, and tells the reason again when sensed', () => {
    const { run, read, program } = channel();
    const rejected = run([
      { name: 'READ_STATUS', count: 1, flags: CHAIN_COMMAND },
      { name: 'SENSE_ID', count: 7 },
    ]);
    expect(rejected).toMatchObject({ deviceStatus: 0x0e, sense: 0x80 });
    expect(rejected.commandAddress).toBe(program + 8);
    expect(run([{ name: 0x02, count: 1 }]).sense).toBe(0x80);
    expect(run([{ name: 'SENSE', count: 1 }]).sense).toBe(0);
    expect(read(0, 1)).toEqual(Uint8Array.of(0x80));
  });

  it('checks lengths unless told not to', () => {
    const { run } = channel();
    expect(run([{ name: 'SENSE_ID', count: 9 }])).toMatchObject({ subchannelStatus: 0x40 });
    const longer = run([{ name: 'SENSE_ID', count: 9, flags: SUPPRESS_LENGTH }]);
    expect([longer.subchannelStatus, longer.residue]).toEqual([0, 2]);
    const short = run([{ name: 'SENSE_ID', count: 6, flags: SUPPRESS_LENGTH }]);
    expect(short.subchannelStatus).toBe(0x40);
  });

  it('follows a transfer in channel, but not for ever', () => {
    const { run, program, subchannel } = channel();
    const jump = run([{ name: 0x08, address: program + 16 }, { name: 'NOP' }, { name: 'NOP' }]);
    expect([jump.subchannelStatus, jump.commandAddress]).toEqual([0, program + 24]);
    expect(subchannel.commands).toBe(1);
    expect(run([{ name: 0x08, address: program }]).subchannelStatus).toBe(0x20);
  });

  it('checks where programs and data are', () => {
    const { run, program } = channel();
    const flags = SUPPRESS_LENGTH;
    expect(run([], program + 4).subchannelStatus).toBe(0x20);
    expect(run([], 0x1000).subchannelStatus).toBe(0x10);
    expect(run([{ name: 'SENSE_ID', count: 7, address: 0, flags }]).subchannelStatus).toBe(0x10);
    expect(run([{ ...REVISION_2, address: 0x1000 }]).subchannelStatus).toBe(0x10);
    expect(run([REVISION_2]).subchannelStatus).toBe(0);
  });

  it('answers instructions by condition codes', () => {
    const { subchannel, program, write, kernel, interruptCount } = channel();
    expect(subchannel.test(program)).toBe(Condition.STATUS_PENDING);
    write([{ name: 'NOP' }]);
    expect(subchannel.start(program)).toBe(Condition.DONE);
    expect([subchannel.start(program), subchannel.modify(false)]).toEqual([
      Condition.BUSY,
      Condition.BUSY,
    ]);
    kernel.runUntil(kernel.now + 1_000_000_000);
    expect([subchannel.start(program), subchannel.modify(false)]).toEqual([
      Condition.STATUS_PENDING,
      Condition.STATUS_PENDING,
    ]);
    expect(interruptCount()).toBe(1);
    subchannel.test(program);
    expect([subchannel.modify(false), subchannel.enabled]).toEqual([Condition.DONE, false]);
    expect(subchannel.start(program)).toBe(Condition.NOT_OPERATIONAL);
  });

  it('interrupts once for what the device has to say, and not beside the end of a program', () => {
    const { subchannel, test, run, program, kernel, interruptCount } = channel();
    subchannel.alert();
    subchannel.alert();
    expect([interruptCount(), test().ended]).toEqual([1, false]);
    expect(subchannel.start(program)).toBe(Condition.DONE);
    subchannel.alert();
    kernel.runUntil(kernel.now + 1_000_000_000);
    expect([interruptCount(), test().ended]).toEqual([2, true]);
    expect(run([{ name: 'NOP' }]).ended).toBe(true);
  });
});

describe('a device that comes and goes', () => {
  const MILLISECOND = 1_000_000_000;
  const moving = SCENARIO.replace(
    'workloads:',
    `  rng0: { type: rng, bus: ccw0, number: 4, addAt: 3ms }
  rng1: { type: rng, bus: ccw0, number: 5, removeAt: 5ms }
  rng2: { type: rng, bus: ccw0, number: 6, addAt: 3ms, removeAt: 5ms }
workloads:`,
  )
    .replace('operations: 200 }', 'operations: 100000 }')
    .replace(
      'until: { workloads: done, atMost: 1s }',
      `  - { type: entropy, device: rng0, operations: 100000, thinkTime: 20us }
  - { type: entropy, device: rng1, operations: 100000, thinkTime: 20us }
  - { type: entropy, device: rng2, operations: 100000, thinkTime: 20us }
until: { atMost: 8ms }`,
    );

  it.each(['adapter', 'classic'])('is told of by channel reports, interrupts: %s', (kind) => {
    const rig = rigOf(moving.replace('device: host', `device: host, interrupts: ${kind}`));
    const states = () => rig.outcome.workloads.map(({ driverState }) => driverState);
    rig.runUntil(3 * MILLISECOND);
    expect(states()).toEqual(['live', 'offline', 'live', 'offline']);
    rig.runUntil(5 * MILLISECOND);
    expect(states()).toEqual(['live', 'live', 'live', 'live']);
    rig.run();
    expect(states()).toEqual(['live', 'live', 'offline', 'offline']);
    for (const index of [2, 3]) {
      expect(rig.outcome.workloads[index].downReason).toBe('the device was removed');
      expect(rig.result(index).verified).toBeGreaterThan(10);
    }
    expect(rig.violations).toEqual([]);
  });

  it('makes one machine check for reports that come together, each with a word of its own', () => {
    const rig = rigOf(moving);
    const kinds: number[] = [];
    const words: number[] = [];
    rig.filter = ({ packet }) => {
      if (packet.kind === CHANNEL_REPORT) kinds.push(packet.kind);
      // Source 3, a subchannel; recovery code 4: look at it anew.
      if (packet.kind === INSTRUCTION_DONE && packet.c >= 2 ** 24) words.push(packet.c);
      return true;
    };
    rig.run();
    expect(kinds).toHaveLength(2);
    expect(words).toEqual([0x0304_0004, 0x0304_0006, 0x0304_0005, 0x0304_0006]);
  });

  it('while it comes up is lost to its driver, whatever it was doing', () => {
    for (const removeAt of ['1us', '12us', '31us', '47us', '68us', '90us', '130us']) {
      const rig = rigOf(
        SCENARIO.replace('capacity: 1MiB', `capacity: 1MiB, removeAt: ${removeAt}`),
      );
      expect(rig.run()).toBe('done');
      expect([removeAt, rig.result().failure === null]).toEqual([removeAt, false]);
      expect(rig.violations).toEqual([]);
    }
  });
});

describe('a guest', () => {
  const statisticsOf = (text: string) => {
    const rig = rigOf(text);
    expect(rig.run()).toBe('done');
    expect([rig.result().errors, rig.result().requests, rig.violations]).toEqual([0, 200, []]);
    return { ...rig.outcome.buses[0].statistics, lent: rig.outcome.nodes[0].cpuLentPs };
  };
  const withOption = (option: string) =>
    SCENARIO.replace('device: host', `device: host, ${option}`);

  it('verifies its data, and its core is held for exits only, two ways of each', () => {
    const { exits, programs, lent } = statisticsOf(SCENARIO) as Record<string, number>;
    // STSCH, MSCH; SSCH and TSCH of each program; no exits for requests.
    expect(exits).toBe(2 + 2 * programs);
    expect(lent).toBe(exits * 2_000_000);
  });

  it('exits for no request with adapter interrupts, but for each with classic ones', () => {
    const adapter = statisticsOf(SCENARIO) as Record<string, number>;
    const classic = statisticsOf(withOption('interrupts: classic')) as Record<string, number>;
    expect(adapter.adapterInterrupts).toBeGreaterThan(20);
    expect(classic.adapterInterrupts).toBe(0);
    const unsolicited = classic.interrupts - classic.programs;
    expect(unsolicited).toBeGreaterThan(20);
    expect(classic.exits).toBe(2 + 2 * classic.programs + unsolicited);
  });

  it('exits for notifications as well without ioeventfd', () => {
    const kernel = statisticsOf(SCENARIO) as Record<string, number>;
    const trapped = statisticsOf(withOption('ioeventfd: false')) as Record<string, number>;
    expect([kernel.kernelExits > 20, trapped.kernelExits]).toEqual([true, 0]);
    expect(trapped.exits).toBeGreaterThan(kernel.exits + 20);
  });

  it('shares adapter interrupts between devices', () => {
    const second = '  rng0: { type: rng, bus: ccw0, number: 4 }\nworkloads:\n';
    const more = '  - { type: entropy, device: rng0, operations: 30 }\nuntil:';
    const rig = rigOf(SCENARIO.replace('workloads:\n', second).replace('until:', more));
    expect(rig.run()).toBe('done');
    expect([rig.result(1).requests, rig.result(1).errors, rig.violations]).toEqual([30, 0, []]);
  });

  it('refuses indicators outside its memory, and goes on', () => {
    const rig = rigOf(SCENARIO);
    rig.filter = ({ packet }) => {
      // SET_BITS: the first one goes where there is no memory.
      if (packet.kind === 6 && rig.violations.length === 0) packet.a = 0x1000;
      return true;
    };
    rig.run();
    expect(rig.violationCodes).toEqual(['DMA_FAULT']);
  });

  it('must be a virtual machine', () => {
    const card = SCENARIO.replace('kind: vm', 'kind: card');
    expect(() => rigOf(card)).toThrow(ScenarioError);
  });
});
