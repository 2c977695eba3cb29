// In-band data: its messages byte by byte, what devices may reach, what comes of lost messages, and what
// keeps the queues of a bus from being flooded.
import { describe, expect, it } from 'vitest';
import { InBandDriverSide } from '../../buses/common/in-band/driver-side.ts';
import { InBandFormat } from '../../buses/common/in-band/format.ts';
import { inBandMessages } from '../../buses/common/in-band/messages.ts';
import { runScenario } from '../../platform/index.ts';
import { reportText } from '../../platform/observe/report/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { PLAIN } from '../../platform/text/index.ts';
import { codec, HEADER_SIZE } from '../../platform/virtio/messages/index.ts';
import { fromHex, toHex } from '../../platform/wire/index.ts';
import { inBandBench, pattern } from '../support/in-band-bench.ts';
import { TIMEOUT } from '../support/link-ends.ts';
import { busCounters, disk, fio, linkRig, linkTopology } from '../support/link-scenarios.ts';
import { testNodes } from '../support/test-nodes.ts';

const messages = codec('v1', inBandMessages);
const text = (hex: string) => {
  const bytes = fromHex(hex)!;
  return messages.text(messages.decode(bytes, bytes.length));
};

describe('the messages', () => {
  it('have these bytes', () => {
    const lines = [
      // An implementation-defined request of the device, and its response.
      'req MEM_READ dev=5 tok=1 address=0x40800000 sequence=2 length=4',
      'res MEM_READ dev=5 tok=1 sequence=2 length=4 status=OK data=01020304',
      'req MEM_WRITE dev=5 tok=2 address=0x40800000 sequence=1 length=2 data=abcd',
      'res MEM_WRITE dev=5 tok=2 sequence=1 status=DENIED',
      'req EVENT_MEM_WRITE dev=5 tok=2 address=0x40800000 sequence=0 length=2 data=abcd',
    ];
    expect(
      [
        '00 a0 0500 0100 1400 0000804000000000 0200 0400',
        '01 a0 0500 0100 1400 0200 0400 00000000 01020304',
        '00 a1 0500 0200 1600 0000804000000000 0100 0200 abcd',
        '01 a1 0500 0200 1000 0100 0000 01000000',
        '00 e1 0500 0200 1600 0000804000000000 0000 0200 abcd',
      ].map(text),
    ).toEqual(lines);
  });

  it('bring 48 bytes of a read and 44 of a write in 64', () => {
    expect(new InBandFormat(HEADER_SIZE, 64)).toMatchObject({ readMax: 48, writtenMax: 44 });
  });
});

describe('an access', () => {
  it('is made of chunks that fit into a message, whatever its segments', () => {
    const { ports, addresses, run, outcomes, read, write, bytesAt, deviceEnd, driverEnd } =
      inBandBench();
    const [at] = addresses;
    const data = pattern(100);
    expect(write(ports[0], 1, [at, data], [at + 200, data.subarray(0, 2)])).toBe(true);
    read(ports[0], 2, [at, 100], [at + 200, 2], [at + 99, 0]);
    run();
    expect(bytesAt(at, 100)).toBe(toHex(data));
    expect(outcomes).toEqual([{ tag: 2, bytes: toHex(data) + toHex(data, 0, 2) }]);
    // Elements of 64 bytes: 44 + 44 + 12 and 2 bytes are written, 48 + 48 + 4, 2 and 0 are read. The window
    // of four elements is two chunks, so that each chunk of a write is answered.
    expect(deviceEnd.statistics()).toMatchObject({
      ...{ MEM_READ: 5, MEM_WRITE: 4, memoryReads: 1, memoryWrites: 1, memoryRefused: 0 },
      ringFull: 0,
    });
    expect(driverEnd.statistics()).toMatchObject({ MEM_READ: 5, MEM_WRITE: 4 });
  });

  it('asks for an answer twice in each window', () => {
    const { ports, addresses, run, write, deviceEnd, bytesAt } = inBandBench({
      bus: { elements: 6 },
    });
    const data = pattern(44 * 9);
    write(ports[0], 1, [addresses[0], data]);
    run();
    // Two places are kept of six, and the window is four chunks.
    expect(deviceEnd.statistics()).toMatchObject({ EVENT_MEM_WRITE: 4, MEM_WRITE: 5 });
    expect(bytesAt(addresses[0], data.length)).toBe(toHex(data));
  });

  it('is over before what is sent after it', () => {
    const { ports, addresses, run, write, bytesAt, deviceEnd, drivers, kernel } = inBandBench();
    const data = pattern(2000);
    const seen: string[] = [];
    drivers[0].message = () => seen.push(bytesAt(addresses[0], data.length));
    write(ports[0], 1, [addresses[0], data]);
    const used = fromHex('00 42 0100 0000 0c00 00000000')!;
    deviceEnd.send(used, used.length);
    const sentAt = kernel.now;
    run();
    expect(seen).toEqual([toHex(data)]);
    expect(kernel.now).toBeGreaterThan(sentAt);
  });
});

describe('what may be reached', () => {
  it('is the memory that the driver of that very device has taken', () => {
    const { ports, addresses, run, outcomes, read, write, driverNode, bytesAt } = inBandBench();
    const [first, second] = addresses;
    driverNode.memory.copyIn(second, pattern(16), 0, 16);
    const before = bytesAt(second, 16);
    read(ports[0], 1, [second, 16]);
    read(ports[0], 2, [first + 8190, 4]);
    read(ports[0], 3, [first + 8188, 4], [2 ** 52, 4]);
    write(ports[0], 4, [first, pattern(4)], [second, pattern(16, 9)], [first + 4, pattern(4)]);
    run();
    const reason = 'its driver has not taken this memory for it';
    expect(outcomes).toEqual([
      { tag: 1, fault: { address: second, length: 16, write: false, reason } },
      { tag: 2, fault: { address: first + 8190, length: 4, write: false, reason } },
      { tag: 3, fault: { address: 2 ** 52, length: 4, write: false, reason } },
      { tag: 4, fault: { address: second, length: 16, write: true, reason } },
    ]);
    expect(bytesAt(second, 16)).toBe(before);
    // Nothing of a write comes after what was refused.
    expect(bytesAt(first, 8)).toBe(`${toHex(pattern(4))}00000000`);
    const { described } = driverNode.violations;
    expect(described.map(({ code }) => code)).toEqual(Array(4).fill('DMA_FAULT'));
    expect(described[0].text).toBe(
      `bus0: MEM_READ of 16 bytes at 0x${second.toString(16)} by device 1 refused: ${reason}`,
    );
    // And it goes on.
    read(ports[1], 5, [second, 2]);
    run();
    expect(outcomes.at(-1)).toEqual({ tag: 5, bytes: before.slice(0, 4) });
  });

  it('is given back with its device', () => {
    const { ports, addresses, run, outcomes, read, driverEnd, drivers } = inBandBench();
    driverEnd.frame(fromHex('02 40 0000 0000 0c00 0100 0200')!, 12);
    expect(drivers[0].log.at(-1)).toBe('offline: the device was removed');
    read(ports[0], 1, [addresses[0], 4]);
    run();
    expect(outcomes).toMatchObject([{ tag: 1, fault: { write: false } }]);
  });
});

describe('a lost message', () => {
  const lost = (drop: string) => [{ on: 'bus0', drop, count: 1 }];

  it('of a write is noticed, and nothing of what follows is written', () => {
    const { ports, addresses, run, outcomes, write, bytesAt } = inBandBench({
      bus: { elements: 6 },
      faults: lost('EVENT_MEM_WRITE'),
    });
    write(ports[0], 1, [addresses[0], pattern(44 * 3)]);
    run();
    expect(bytesAt(addresses[0], 44 * 3)).toBe('00'.repeat(44 * 3));
    expect(outcomes).toMatchObject([
      { tag: 1, fault: { reason: 'a part of it was lost on its way' } },
    ]);
  });

  it('of a read is noticed by the next answer', () => {
    // The rule is one for each end: the first request is lost, and the answer to the second.
    const { ports, addresses, run, outcomes, read } = inBandBench({
      bus: { elements: 6 },
      faults: lost('MEM_READ'),
    });
    read(ports[0], 1, [addresses[0], 144]);
    run();
    expect(outcomes).toMatchObject([
      { tag: 1, fault: { reason: 'an answer was lost on its way' } },
    ]);
  });

  it('that is the last one is noticed after a time', () => {
    const { ports, addresses, run, outcomes, read, write, deviceNode } = inBandBench({
      faults: lost('MEM_READ'),
    });
    read(ports[0], 1, [addresses[0], 4]);
    run(TIMEOUT / 2);
    expect(outcomes).toEqual([]);
    run(2 * TIMEOUT);
    expect(outcomes).toMatchObject([{ tag: 1, fault: { reason: 'it was not answered in time' } }]);
    read(ports[0], 2, [addresses[0], 4]);
    run(3 * TIMEOUT);
    expect(outcomes[1]).toMatchObject({ tag: 2, fault: { reason: 'it was not answered in time' } });
    const codes = deviceNode.violations.described.map(({ code }) => code);
    expect(codes).toEqual(['TIMEOUT', 'TIMEOUT']);
    // What they had taken of the window is free again.
    write(ports[0], 3, [addresses[0], pattern(500)]);
    read(ports[0], 4, [addresses[0], 500]);
    run();
    expect(outcomes.at(-1)).toEqual({ tag: 4, bytes: toHex(pattern(500)) });
  });

  it('lets the device ask for a reset, and its driver bring it back', () => {
    const rig = linkRig({
      type: 'ivshmem',
      bus: { data: 'inBand' },
      faults: [{ on: 'bus0', drop: 'EVENT_MEM_WRITE', count: 1, at: '5ms' }],
    });
    expect(rig.run()).toBe('done');
    const [workload] = rig.outcome.workloads;
    expect(workload.result).toMatchObject({ requests: 60, errors: 0 });
    expect(rig.violations.map(({ code }) => code)).toContain('DMA_FAULT');
  });
});

it('an access that makes no sense is a violation', () => {
  const { linux } = testNodes();
  const sent: string[] = [];
  const side = new InBandDriverSide({
    ...{ node: linux, name: 'bus0', maxMessageSize: 64, headerSize: HEADER_SIZE },
    send: (bytes, length) => sent.push(toHex(bytes, 0, length)),
    pass: () => sent.push('passed'),
  });
  const malformed = [
    // Too short, longer than a response may be, longer than its message, and of no known id.
    '00 a0 0500 0100 1000 0000804000000000',
    '00 a0 0500 0100 1400 0000804000000000 0000 3100',
    '00 a1 0500 0100 1600 0000804000000000 0000 0300 abcd',
    '00 b0 0500 0100 0800',
  ];
  for (const hex of malformed) side.take(fromHex(hex)!, fromHex(hex)!.length);
  side.take(fromHex('00 42 0100 0000 0c00 00000000')!, 12);
  linux.kernel.runUntil(1_000_000_000);
  expect(sent).toEqual(['passed']);
  const codes = linux.violations.described.map(({ code }) => code);
  expect(codes).toEqual(Array(4).fill('MALFORMED_MESSAGE'));
});

it('buses tell how many messages it takes', () => {
  const messagesOf = (data: string) => {
    const rig = linkRig({
      type: 'ivshmem',
      bus: { data },
      devices: { disk0: disk() },
      workloads: [fio({ rw: 'randread', depth: 1, operations: 10 })],
    });
    expect(rig.run()).toBe('done');
    return busCounters(rig, 'driver').messages + busCounters(rig, 'device').messages;
  };
  // 4 KiB are 94 chunks of 44 bytes.
  expect(messagesOf('inBand') - messagesOf('shared')).toBeGreaterThan(940);
});

it('reports name the buses that have it, as in no draft of virtio-msg', async () => {
  const bus = { type: 'mailbox', driver: 'linux', device: 'mcu' };
  const text = JSON.stringify({
    name: 'drafts',
    nodes: { linux: { kind: 'host' }, mcu: { kind: 'mcu' } },
    buses: { plain: bus, one: { ...bus, data: 'inBand' }, two: { ...bus, data: 'inBand' } },
    until: { atMost: '1ms' },
  });
  const { report, topology } = await runScenario({ text }, { workers: 0 });
  expect(report.buses.plain.beyondDrafts).toEqual([]);
  expect(report.buses.one.beyondDrafts).toEqual(['in-band data']);
  expect(reportText(topology, report, PLAIN)).toContain(
    '\nIn no draft of virtio-msg:\nin-band data: one, two\n',
  );
});

it('a character device of 2025 carries no requests of devices', () => {
  const load = () => linkTopology({ type: 'loopback', bus: { style: 'spin', data: 'inBand' } });
  expect(load).toThrow(ScenarioError);
  expect(load).toThrow(/the kernel takes no requests of a device/);
});
