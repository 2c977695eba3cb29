// Each command of the command line, run inside the test: what it prints and its exit code.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FailedRun, reportFailure } from '../../platform/cli/failure.ts';
import { runScenario } from '../../platform/cli/run-scenario.ts';
import { AssertionError, RunError } from '../../platform/errors.ts';
import { ENTRY_KEYS, INNER_KEYS, REPORT_KEYS } from '../../platform/scenario/expectations.ts';
import { PLAIN } from '../../platform/text/index.ts';
import { busbar } from './cli-recorder.ts';

const SMALL = `
name: small
nodes:
  linux: { kind: vm }
  secure: { kind: partition }
buses:
  ffa0: { type: ffa, driver: linux, device: secure }
devices:
  disk0: { type: blk, bus: ffa0, number: 0, capacity: 1MiB }
workloads:
  - { type: fio, device: disk0, rw: randread, operations: 20 }
until: { workloads: done, atMost: 1s }
expect:
  - disk0.errors == 0
`;

let folder: string;
let small: string;
let failing: string;
let wrong: string;

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'busbar-cli-'));
  small = write('small.yaml', SMALL);
  failing = write('failing.yaml', SMALL.replace('errors == 0', 'requests > 20'));
  wrong = write('wrong.yaml', SMALL.replace('operations', 'operatons').replace('1MiB', '1ms'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('from code', () => {
  test.each([
    ['a negative seed', { seed: -1 }],
    ['a seed with a fraction', { seed: 1.5 }],
    ['an engine that is not there', { engine: 'fast' as 'compiled' }],
    ['half a worker', { workers: 0.5 }],
  ])('%s is refused', async (_, options) => {
    await expect(runScenario(small, options)).rejects.toMatchObject({ code: 'BAD_VALUE' });
  });
});

test('an expectation may name exactly what the report tells', async () => {
  const { report } = await runScenario('scenarios/net/wire.yaml');
  const keysOf = (value: object) => Object.keys(value).sort();
  expect(keysOf(report)).toEqual([...REPORT_KEYS].sort());
  for (const [section, keys] of Object.entries(ENTRY_KEYS)) {
    const [entry] = Object.values(report[section as keyof typeof ENTRY_KEYS]);
    expect(keysOf(entry)).toEqual([...keys].sort());
  }
  const [device] = Object.values(report.devices);
  const [bus] = Object.values(report.buses);
  expect(keysOf(device.latency)).toEqual([...INNER_KEYS['latency']].sort());
  expect(keysOf(bus.perRequest!)).toEqual([...INNER_KEYS['perRequest']].sort());
});

describe('run', () => {
  test('prints a report and succeeds when all expectations hold', async () => {
    const { code, out, error } = await busbar(['run', small]);
    expect(code).toBe(0);
    expect(error).toBe('');
    expect(out).toMatch(/✓ +disk0\.errors == 0/);
    expect(out).toMatch(/digest [0-9a-f]{16}\n$/);
  });

  test('fails with 1 when an expectation does not hold', async () => {
    const { code, out } = await busbar(['run', failing]);
    expect(code).toBe(1);
    expect(out).toMatch(/✗ +disk0\.requests > 20 +is 20/);
  });

  test('prints JSON with the fields that tools rely on', async () => {
    const { code, out } = await busbar(['run', small, '--json']);
    expect(code).toBe(0);
    const report = JSON.parse(out);
    expect(report).toMatchObject({
      scenario: 'small',
      seed: 1,
      profile: 'arm-neoverse-n1',
      engine: 'compiled',
      ending: 'done',
      violations: 0,
      violationList: [],
      devices: { disk0: { requests: 20, errors: 0, bytes: 81_920, verified: 20 } },
      nodes: { linux: { violations: 0 }, secure: { interrupts: 0 } },
      expectations: [
        { text: 'workloads done', passed: true },
        { passed: true, actual: 0 },
      ],
    });
    expect(report.digest).toMatch(/^[0-9a-f]{16}$/);
    for (const key of ['simulatedPs', 'events', 'wallSeconds', 'eventsPerSecond', 'speedRatio']) {
      expect(report[key]).toBeGreaterThan(0);
    }
    const { latency } = report.devices.disk0;
    expect(Object.keys(latency)).toEqual(['min', 'p50', 'p90', 'p99', 'p999', 'max', 'mean']);
    expect(report.buses.ffa0.messages).toBe(
      report.buses.ffa0.driver.messages + report.buses.ffa0.device.messages,
    );
    expect(report.nodes.linux.cpuBusy).toBeGreaterThan(0);
    expect(report.nodes.linux.cpuBusy).toBeLessThanOrEqual(1);
    const { measured, specified, guess } = report.evidence.shares;
    expect(measured + specified + guess).toBeCloseTo(1, 12);
  });

  test('the same seed gives the same digest on both engines, another seed another', async () => {
    const digest = async (...flags: string[]) =>
      JSON.parse((await busbar(['run', small, '--json', ...flags])).out).digest;
    const first = await digest();
    expect(await digest('--engine', 'xstate')).toBe(first);
    expect(await digest('--seed', '1')).toBe(first);
    expect(await digest('--seed', '2')).not.toBe(first);
  });

  test('several files give an array, and the worst result', async () => {
    const { code, out } = await busbar(['run', small, failing, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toHaveLength(2);
  });

  test('nothing runs when one of the files is wrong', async () => {
    const { code, out, error } = await busbar(['run', small, wrong]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(error).toContain("did you mean 'operations'?");
  });

  test('quiet leaves the last line only', async () => {
    const { out } = await busbar(['run', small, '--quiet']);
    expect(out.trimEnd().split('\n')).toHaveLength(1);
  });

  test('anatomy prints one request before the report, or within the JSON', async () => {
    const { code, out } = await busbar(['run', small, '--anatomy', 'disk0:3']);
    expect(code).toBe(0);
    expect(out).toMatch(/^Anatomy of request 3 of 20 on disk0\n/);
    expect(out).toContain('Expectations');
    const json = JSON.parse((await busbar(['run', small, '--anatomy', 'disk0', '--json'])).out);
    expect(json.anatomy).toMatchObject({ device: 'disk0', median: true, unaccountedPs: 0 });
  });

  test.each([
    ['--anatomy', 'disk7'],
    ['--anatomy', 'disk0:0'],
    ['--anatomy', 'disk0:21'],
    ['--seed', '-1'],
    ['--seed', '1.5'],
    ['--workers', 'two'],
    ['--workers', '1000'],
    ['--engine', 'steam'],
  ])('refuses %s %s with 2', async (...flags) => {
    const { code, out, error } = await busbar(['run', small, ...flags]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(error).toMatch(/^error: /);
    expect(error).not.toMatch(/^ +at /m);
  });
});

describe('run of a scenario that does not come to its end', () => {
  /** Drops every message of this name. */
  const lossy = (name: string, atMost: string) =>
    write(
      `${name}-${atMost}.yaml`,
      SMALL.replace('1s }', `${atMost} }\nfaults: [{ on: ffa0, drop: ${name}, count: always }]`),
    );

  test.each([
    // The driver would give up after 30 s.
    ['EVENT_AVAIL', '20ms', 'limit', 'fio.disk0 is not done: it waits for requests under way'],
    ['GET_CONFIG', '20ms', 'limit', 'it waits for the driver of disk0'],
    // Three times the request timeout of 5 s.
    ['GET_CONFIG', '20s', 'done', 'fio.disk0 gave up: no response in time'],
  ])('without %s and at most %s it is %s', async (message, atMost, ending, text) => {
    const file = lossy(message, atMost);
    const { code, out } = await busbar(['run', file]);
    expect(code).toBe(1);
    expect(out).toContain(text);
    expect(out).toMatch(/^1 fault rule acted \d+ times?\.$/m);
    expect(out).toMatch(/✗ +workloads done +is 0 of 1/);
    const report = JSON.parse((await busbar(['run', file, '--json'])).out);
    expect(report.ending).toBe(ending);
    expect(report.expectations[0].passed).toBe(false);
  });
});

describe('check', () => {
  test('prints the resolved topology', async () => {
    const { code, out } = await busbar(['check', small]);
    expect(code).toBe(0);
    expect(out).toContain('capacity=1MiB');
  });

  test('names every problem of every file, and still prints what is right', async () => {
    const { code, out, error } = await busbar(['check', wrong, small, join(folder, 'none.yaml')]);
    expect(code).toBe(2);
    expect(out).toContain('small');
    expect(error).toMatch(/wrong\.yaml:9:\d+: /);
    expect(error).toMatch(/wrong\.yaml:11:\d+: /);
    expect(error).toContain('none.yaml: there is no such file');
  });

  test('knows the shipped scenarios by name', async () => {
    expect((await busbar(['check', 'ffa/secure-storage'])).code).toBe(0);
  });
});

describe('list', () => {
  test('shows all kinds', async () => {
    const { code, out } = await busbar(['list']);
    expect(code).toBe(0);
    for (const word of ['blk', 'ffa', 'fio', 'arm-neoverse-n1', 'ffa/secure-storage']) {
      expect(out).toContain(`  ${word}  `);
    }
  });

  test('shows one kind', async () => {
    const { out } = await busbar(['list', 'workloads']);
    expect(out).toContain('  fio');
    expect(out).not.toContain('arm-neoverse-n1');
  });

  test.each([
    [['devices', 'blk'], /capacity +a size +64MiB +Size of a disk/],
    [['buses', 'ffa'], /mediator +spmc, hypervisor +spmc +Who/],
    [['workloads', 'fio'], /blockSize +a size +4KiB +Bytes/],
    [['devices', 'blk'], /number +0 … 4294967295 or \{i\} +required/],
    [['devices', 'rng'], /rng\.rate +rate/],
    [['profiles', 'arm-neoverse-n1'], /memory\.lineLatency +47ns +measured +nviennot/],
    [['scenarios', 'ffa/first-request'], /Devices \(1\)/],
  ])('shows %j in detail', async (words, expected) => {
    const { code, out } = await busbar(['list', ...words]);
    expect(code).toBe(0);
    expect(out).toMatch(expected);
  });

  test.each([
    [['devces'], "did you mean 'devices'?"],
    [['devices', 'blkk'], "did you mean 'blk'?"],
    [['nfa/fifo'], "did you mean 'ffa/fifo'?"],
    [['nothing', 'blk'], 'devices, buses, workloads, profiles, scenarios'],
  ])('refuses %j with 2, and says what there is', async (words, hint) => {
    const { code, error } = await busbar(['list', ...words]);
    expect(code).toBe(2);
    expect(error).toContain(hint);
  });

  test.each([
    [
      ['device', 'blk'],
      ['devices', 'blk'],
    ],
    [['blk'], ['devices', 'blk']],
    [['bus'], ['buses']],
    [['fio'], ['workloads', 'fio']],
  ])('%j is short for %j', async (short, long) => {
    expect(await busbar(['list', ...short])).toEqual(await busbar(['list', ...long]));
  });
});

test('run says that it leaves a sweep out', async () => {
  const sweep = 'sweep:\n  devices.disk0.queueSize: [64, 256]\n';
  const { code, error } = await busbar(['run', write('sweep.yaml', SMALL + sweep), '--quiet']);
  expect(code).toBe(0);
  expect(error).toBe('note: small has a sweep, which run leaves out\n');
});

describe('names of shipped scenarios', () => {
  test('may leave out the theme', async () => {
    const short = await busbar(['check', 'first-request']);
    expect(short.code).toBe(0);
    expect(short).toEqual(await busbar(['check', 'ffa/first-request']));
  });

  test.each([
    ['ffa/first-requst', "did you mean 'ffa/first-request'?"],
    ['first-requst', "did you mean 'ffa/first-request'?"],
    ['scenarios/ffa/fifo.yml', "did you mean 'ffa/fifo'?"],
    ['ffa', 'ffa/first-request, ffa/indirect-vms'],
  ])('%s is answered with what there is', async (name, hint) => {
    const { code, error } = await busbar(['run', name]);
    expect(code).toBe(2);
    expect(error.replace(/\s+/g, ' ')).toContain(hint);
  });
});

describe('decode', () => {
  // EVENT_AVAIL for device 7, queue 0.
  const MESSAGE = '0041070000001000 0000000000000000';
  const LINE = 'req EVENT_AVAIL dev=7 tok=0 index=0 nextOffset=0\n';

  test('takes a message each, or its bytes as words', async () => {
    expect(await busbar(['decode', MESSAGE])).toEqual({ code: 0, out: LINE, error: '' });
    const bytes = MESSAGE.replace(' ', '').match(/../g)!;
    expect((await busbar(['decode', ...bytes])).out).toBe(LINE);
    expect((await busbar(['decode', MESSAGE, MESSAGE])).out).toBe(LINE + LINE);
  });

  test('takes a message a line, and goes on after a wrong one', async () => {
    const { code, out, error } = await busbar(['decode'], [MESSAGE, '', 'xyz', '0041', MESSAGE]);
    expect(code).toBe(2);
    expect(out).toBe(LINE + LINE);
    expect(error).toMatch(/^error: line 3: 'xyz' .*\nerror: line 4: 2 bytes .*\n$/);
  });

  test('knows the revisions and no others', async () => {
    expect((await busbar(['decode', '--revision', 'v2', MESSAGE])).code).toBe(0);
    expect((await busbar(['decode', '--revision', 'v9', MESSAGE])).code).toBe(2);
  });

  // RESET of the FF-A bus.
  const RESET = '0283000001000800';

  test('knows the messages of a bus, and names the buses that would know one', async () => {
    const line = 'req RESET dev=0 tok=1\n';
    expect((await busbar(['decode', '--bus', 'ffa', RESET])).out).toBe(line);
    expect((await busbar(['decode', '--bus', 'ffa:optee', RESET])).out).toBe(line);
    const { code, error } = await busbar(['decode', '--bus', 'loopback', RESET]);
    expect(code).toBe(2);
    expect(error).toContain('  with --bus ffa: req RESET dev=0 tok=1\n');
  });

  test.each(['virtio-mmio', 'nobus'])(
    'a bus %s without messages of its own is refused',
    async (bus) => {
      const { code, error } = await busbar(['decode', '--bus', bus, RESET]);
      expect(code).toBe(2);
      expect(error).toContain('ffa, ffa:optee, ivshmem, loopback');
    },
  );

  test('reads device numbers of 32 bits when asked to', async () => {
    const wide = '0042 0700 0000 0e00 0100 03000000';
    const out = 'req EVENT_USED dev=65543 tok=0 index=3\n';
    expect(await busbar(['decode', '--device-bits', '32', wide])).toEqual({
      code: 0,
      out,
      error: '',
    });
  });
});

describe('schema', () => {
  test('is printed or written', async () => {
    const { out } = await busbar(['schema']);
    expect(JSON.parse(out)).toMatchObject({ title: 'busbar scenario' });
    const file = join(folder, 'schema.json');
    expect((await busbar(['schema', '--write', file])).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(out);
  });

  test('a file that cannot be written is bad input', async () => {
    const { code, error } = await busbar(['schema', '--write', join(folder, 'none', 'x.json')]);
    expect(code).toBe(2);
    expect(error).toMatch(/^error: cannot write/);
  });
});

describe('the program', () => {
  test.each([[['--help']], [['run', '--help']], [['--version']]])('%j succeeds', async (words) => {
    const { code, out } = await busbar(words);
    expect(code).toBe(0);
    expect(out).not.toBe('');
  });

  test('help has examples that are right', async () => {
    const { out } = await busbar(['--help']);
    const example = /^ +busbar (decode .*)$/m.exec(out)![1];
    expect((await busbar(example.split(' '))).code).toBe(0);
  });

  test.each([[['rnu']], [[]], [['run']], [['run', 'x', '--jsno']]])(
    '%j is bad input',
    async (words) => {
      const { code, error } = await busbar(words);
      expect(code).toBe(2);
      expect(error).not.toBe('');
    },
  );

  test('a misspelt command gets a hint', async () => {
    expect((await busbar(['chekc', 'x'])).error).toContain('Did you mean check?');
  });
});

describe('failures', () => {
  const failure = (cause: unknown) => {
    let error = '';
    const run = new FailedRun(cause, { scenario: 'a.yaml', seed: 42, simulatedPs: 3_000_000 });
    const code = reportFailure(run, {
      out: () => {},
      error: (text) => {
        error += text;
      },
      async *lines() {},
      paint: PLAIN,
      watched: false,
    });
    return { code, error };
  };

  test('a run that cannot go on names seed and time, without a stack', () => {
    const { code, error } = failure(new RunError('LIVELOCK', 'no time passes'));
    expect(code).toBe(1);
    expect(error).toMatch(/^error: no time passes\n.*a\.yaml with seed 42, after 3 us/);
    expect(error).not.toMatch(/^ +at /m);
  });

  test.each([new AssertionError('slot is taken'), new TypeError('x is not a function')])(
    '%s is a bug, with seed, time and stack',
    (cause) => {
      const { code, error } = failure(cause);
      expect(code).toBe(70);
      expect(error).toContain('This is a bug in busbar');
      expect(error).toContain('seed 42, after 3 us');
      expect(error).toMatch(/^ +at /m);
    },
  );
});
