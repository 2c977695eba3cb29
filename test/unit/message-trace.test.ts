// Traces of messages: what is recorded, in which order, and how it is written down.
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLoaded } from '../../platform/cli/run-scenario.ts';
import { tables } from '../../platform/cli/tables.ts';
import {
  MessageRecorder,
  PIECE_MESSAGES,
  senderOf,
} from '../../platform/hosts/message-recorder.ts';
import type { Kernel } from '../../platform/kernel/index.ts';
import {
  MessageTrace,
  type TracedMessage,
  traceLines,
} from '../../platform/observe/trace/index.ts';
import { memoryDisk, topologyOf } from '../support/scenarios.ts';
import { busbar } from './cli-recorder.ts';

const READS = [{ type: 'fio', device: 'disk0', rw: 'randread', operations: 30, depth: 4 }];
/** A guest that has too little RAM for its rings and buffers. */
const TOO_SMALL = `
name: small
nodes: { linux: { kind: vm, memory: 1MiB }, storage: { kind: partition } }
buses: { ffa0: { type: ffa, driver: linux, device: storage } }
devices: { disk0: { type: blk, bus: ffa0, number: 0, capacity: 1MiB } }
workloads: [{ type: fio, device: disk0, rw: randread, operations: 9, depth: 64, blockSize: 64KiB }]
`;
/** EVENT_USED of queue 0 of device 0. */
const EVENT_USED = Uint8Array.of(0, 0x42, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0);

async function traced(parts: Parameters<typeof topologyOf>[0]) {
  const result = await runLoaded(topologyOf(parts), { workers: 0, trace: true });
  return { ...result, list: [...result.messages()] };
}

describe('a run', () => {
  it('records each message that its buses count, and nothing else changes', async () => {
    const { report, list } = await traced({ workloads: READS });
    const { messages, bytes } = report.buses['ffa0'];
    expect(list).toHaveLength(messages);
    expect(list.reduce((sum, { size }) => sum + size, 0)).toBe(bytes);
    const silent = await runLoaded(topologyOf({ workloads: READS }), { workers: 0 });
    expect(silent.report.digest).toBe(report.digest);
    expect(() => silent.messages()).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('tells who has sent what, about which device', async () => {
    const { list } = await traced({ workloads: READS });
    const first = (message: string) => list.find((each) => each.message === message);
    expect(first('req.VERSION')).toMatchObject({ from: 'driver', number: null, device: null });
    const event = first('req.EVENT_AVAIL');
    expect(event).toMatchObject({ bus: 'ffa0', from: 'driver', number: 0, device: 'disk0' });
    expect(event).toMatchObject({ size: 16, token: 0, dropped: false, body: { index: 0 } });
    expect(first('req.EVENT_USED')).toMatchObject({ from: 'device', number: 0, device: 'disk0' });
  });

  it('shows a message that a fault rule has dropped, and a delayed one when it is sent', async () => {
    const faults = [{ on: 'ffa0', drop: 'GET_DEVICE_INFO' }];
    const { list } = await traced({ workloads: READS, faults });
    const asked = list.filter(({ message }) => message === 'req.GET_DEVICE_INFO');
    expect(asked.map(({ dropped }) => dropped)).toEqual([true]);
    const late = [{ on: 'ffa0', delay: 'GET_DEVICE_INFO', by: '3ms' }];
    const delayed = await traced({ workloads: READS, faults: late });
    const sent = delayed.list.find(({ message }) => message === 'req.GET_DEVICE_INFO')!;
    expect(sent.ps - asked[0].ps).toBe(3e9);
  });
});

describe('a trace of a part', () => {
  const devices = { disk0: memoryDisk(0), 'disk1-0': memoryDisk(1), 'disk1-1': memoryDisk(2) };
  const workloads = ['disk0', 'disk1-0', 'disk1-1'].map((device) => ({ ...READS[0], device }));

  it.each([
    [['disk0'], ['disk0']],
    [['disk1'], ['disk1-0', 'disk1-1']],
    [
      ['disk1-1', 'disk0'],
      ['disk0', 'disk1-1'],
    ],
    [['ffa0'], [null, 'disk0', 'disk1-0', 'disk1-1']],
  ])('%j has messages of %j', async (only, expected) => {
    const topology = topologyOf({ devices, workloads });
    const { messages } = await runLoaded(topology, { workers: 0, trace: only });
    const found = new Set([...messages()].map(({ device }) => device));
    expect([...found].sort()).toEqual([...expected].sort());
  });

  it('refuses what is neither a bus nor a device', async () => {
    const run = runLoaded(topologyOf({ devices }), { workers: 0, trace: ['disk'] });
    await expect(run).rejects.toMatchObject({ code: 'UNKNOWN_NAME' });
  });
});

describe('records of several groups', () => {
  const topology = topologyOf({ workloads: READS });

  /** A recorder whose messages carry these times. */
  function record(
    from: 'driver' | 'device',
    times: readonly number[],
    { bytes = EVENT_USED, file = null }: { bytes?: Uint8Array; file?: number | null } = {},
  ) {
    const clock = { now: 0 };
    const recorder = new MessageRecorder(clock as Kernel, 'all', file);
    const observer = recorder.observer(0, from)!;
    for (const time of times) {
      clock.now = time;
      observer(bytes, bytes.length, false);
    }
    return recorder.record();
  }

  const orderOf = (records: ReturnType<typeof record>[]) =>
    [...new MessageTrace({ topology, buses: tables.buses, records })].map(
      ({ ps, from }) => `${ps} ${from}`,
    );

  it('are put in the order of time and node, whatever the groups', () => {
    const driver = record('driver', [1, 5, 5, 9]);
    const device = record('device', [5, 7]);
    const expected = ['1 driver', '5 driver', '5 driver', '5 device', '7 device', '9 driver'];
    expect(orderOf([driver, device])).toEqual(expected);
    expect(orderOf([device, driver])).toEqual(expected);
  });

  it('grow with what is recorded', () => {
    const long = new Uint8Array(100_000).fill(7);
    const { count, bytes, end } = record('device', [1, 2, 3], { bytes: long }).last;
    expect([count, bytes.length, [...end]]).toEqual([3, 300_000, [100_000, 200_000, 300_000]]);
    expect(record('driver', Array(5000).fill(1)).last.sender).toHaveLength(5000);
  });

  describe('in files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'records-'));
    const files = ['driver', 'device'].map((name) => openSync(join(folder, name), 'w+'));
    afterAll(() => {
      for (const file of files) closeSync(file);
      rmSync(folder, { recursive: true });
    });

    it('are the same, however many there are, and only the last piece is in memory', () => {
      const times = (step: number) => Array.from({ length: 20_000 }, (_, i) => i * step);
      const all = (stores: readonly (number | null)[]) => [
        record('driver', times(2), { file: stores[0] }),
        record('device', times(3), { file: stores[1] }),
      ];
      const filed = all(files);
      for (const { last, filed: pieces } of filed) {
        expect([last.count, pieces]).toEqual([20_000 % PIECE_MESSAGES, 2]);
      }
      expect(orderOf(filed)).toEqual(orderOf(all([null, null])));
      // Once more from the beginning.
      expect(orderOf(filed)).toHaveLength(40_000);
    });

    it('that cannot be written end the run', () => {
      const file = openSync(join(folder, 'driver'), 'r');
      const tooMany = () => record('driver', Array(PIECE_MESSAGES + 1).fill(1), { file });
      expect(tooMany).toThrow(expect.objectContaining({ name: 'RunError', code: 'TRACE' }));
      closeSync(file);
    });
  });

  it.each([
    ['cut short', Uint8Array.of(0, 0x42, 0)],
    ['of an id that nobody has', Uint8Array.of(2, 0x3f, 0, 0, 0, 0, 8, 0)],
  ])('may hold bytes %s', (_, bytes) => {
    const records = [record('device', [1], { bytes })];
    const [message] = new MessageTrace({ topology, buses: tables.buses, records });
    expect(message).toMatchObject({ message: null, number: null, size: bytes.length });
    expect(message.text).toMatch(/^no message: /);
  });

  it('know both ends of every bus', () => {
    const recorder = new MessageRecorder({ now: 0 } as Kernel, 'all');
    recorder.observer(4095, 'device')!(EVENT_USED, EVENT_USED.length, true);
    const { sender } = recorder.record().last;
    expect(senderOf(sender[0])).toEqual({ bus: 4095, from: 'device', dropped: true });
  });
});

describe('a file', () => {
  const message: TracedMessage = {
    ...{ ps: 9_007_199_254_740_991, bus: 'b', from: 'device', message: 'req.X', number: 1 },
    ...{ device: null, token: 0, size: 2, text: 'req X dev=1 tok=0', dropped: true },
    body: { wide: 2n ** 40n, data: Uint8Array.of(1, 255) },
    bytes: Uint8Array.of(0xab, 0xcd),
  };
  const topology = topologyOf();

  it('of text keeps every picosecond of the longest time', () => {
    const [, , line] = traceLines('text', topology, [message]);
    expect(line).toBe(
      '9007199254740.991  b     <-       2  req X dev=1 tok=0 [dropped by a fault rule]\n',
    );
  });

  it('of JSON Lines writes bytes and wide numbers in hexadecimal', () => {
    const [line] = traceLines('jsonl', topology, [message]);
    expect(JSON.parse(line)).toMatchObject({
      ps: 9_007_199_254_740_991,
      body: { wide: '0x10000000000', data: '01ff' },
      bytes: 'abcd',
    });
  });
});

describe('busbar run --trace', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trace-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (...words: string[]) => busbar(['run', 'ffa/dialects', '--quiet', ...words]);

  it.each([
    ['a.txt', /^# Messages of dialects/],
    ['a.jsonl', /^\{"ps":/],
    ['jsonl:b.txt', /^\{"ps":/],
    ['text:b.jsonl', /^# Messages of dialects/],
  ])('%s', async (name, beginning) => {
    const [, format = '', file] = /^(\w+:)?(.*)$/.exec(name)!;
    const path = join(folder, file);
    expect((await run('--trace', `${format}${path}`)).code).toBe(0);
    expect(readFileSync(path, 'utf8')).toMatch(beginning);
  });

  it('takes the place of an older file when it is whole, and leaves nothing beside it', async () => {
    const path = join(folder, 'whole', 'a.txt');
    mkdirSync(join(folder, 'whole'));
    writeFileSync(path, 'older');
    expect((await run('--trace', path)).code).toBe(0);
    expect(readFileSync(path, 'utf8')).toMatch(/^# Messages of dialects/);
    expect(readdirSync(join(folder, 'whole'))).toEqual(['a.txt']);
  });

  it('leaves an older file as it was when the run cannot go on', async () => {
    const path = join(folder, 'failed', 'a.txt');
    mkdirSync(join(folder, 'failed'));
    writeFileSync(path, 'older');
    const scenario = join(folder, 'small.yaml');
    writeFileSync(scenario, TOO_SMALL);
    const { code, error } = await busbar(['run', scenario, '--trace', path, '--workers', '0']);
    expect([code, readFileSync(path, 'utf8')]).toEqual([1, 'older']);
    expect(error).toMatch(/memory/i);
    expect(readdirSync(join(folder, 'failed'))).toEqual(['a.txt']);
  });

  it('goes where a link leads', async () => {
    const [path, link] = [join(folder, 'behind.txt'), join(folder, 'link.txt')];
    symlinkSync(path, link);
    expect((await run('--trace', link)).code).toBe(0);
    expect(readFileSync(path, 'utf8')).toMatch(/^# Messages of dialects/);
  });

  it('refuses what it cannot write, before the run', async () => {
    const { code, out, error } = await run('--trace', join(folder, 'none', 'a.txt'));
    expect([code, out]).toEqual([2, '']);
    expect(error).toMatch(/^error: cannot write/);
    expect((await run('--trace', 'text:')).code).toBe(2);
  });

  it('takes names to keep to, which must be known', async () => {
    const path = join(folder, 'only.jsonl');
    expect((await run('--trace', path, '--trace-only', 'ffa0')).code).toBe(0);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(5);
    const { code, error } = await run('--trace', path, '--trace-only', 'ffa9');
    expect([code, error]).toEqual([
      2,
      "error: dialects has no bus or device 'ffa9' to trace; did you mean 'ffa0'?\n",
    ]);
    expect((await run('--trace-only', 'ffa0')).code).toBe(2);
  });

  it('takes one scenario', async () => {
    const { code, error } = await run('ffa/fifo', '--trace', join(folder, 'two.txt'));
    expect(code).toBe(2);
    expect(error).toBe('error: --trace takes one scenario, not 2\n');
  });
});
