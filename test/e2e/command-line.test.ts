// The compiled program from the outside: processes, pipes and exit codes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busbar, node, ROOT } from './spawned.ts';

const FIRST = 'scenarios/ffa/first-request.yaml';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'busbar-e2e-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** One entry a line, so that a slip can be named by its line. */
const GOOD = `name: good
nodes:
  linux: { kind: vm }
  secure: { kind: partition }
buses:
  ffa0: { type: ffa, driver: linux, device: secure }
devices:
  disk0: { type: blk, bus: ffa0, number: 0, capacity: 1MiB }
  rng0: { type: rng, bus: ffa0, number: 1 }
workloads:
  - { type: fio, device: disk0, operations: 2 }
until: { workloads: done, atMost: 1s }
`;

describe('bad input', () => {
  /** What is replaced in the good file, the place where the mistake then stands, a word of the message. */
  const SLIPS = [
    ['an unknown key', 'operations', 'operatons', '11:33', 'operations'],
    ['a wrong unit', '1MiB', '1us', '8:55', 'size'],
    ['a missing node', 'device: secure', 'device: secre', '6:45', 'secure'],
    ['two devices with one number', 'number: 1', 'number: 0', '9:41', 'disk0'],
    ['a number above 65535', 'number: 1', 'number: 65536', '9:41', '65535'],
    ['a bus between a node and itself', 'device: secure', 'device: linux', '6:45', 'itself'],
    ['a missing image', 'capacity: 1MiB', 'image: none.img', '8:52', 'none.img'],
  ] as const;

  test.each(SLIPS)('%s has its place and exit code 2', async (name, from, to, place, word) => {
    expect(GOOD).toContain(from);
    const file = join(folder, `${name.replaceAll(' ', '-')}.yaml`);
    writeFileSync(file, GOOD.replace(from, to));
    const { code, out, error } = await busbar(['run', file]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(error).toContain(`${file}:${place}: `);
    expect(error).toContain(word);
    expect(error).toMatch(/^ +\| +\^+$/m);
    expect(error).not.toMatch(/^ +at |Error:/m);
  });

  test('without a slip the same file is accepted', async () => {
    const file = join(folder, 'good.yaml');
    writeFileSync(file, GOOD);
    expect(await busbar(['run', file, '--quiet'])).toMatchObject({ code: 0, error: '' });
  });
});

describe('the program', () => {
  test('runs a scenario and prints no colours into a pipe', async () => {
    const { code, out, error } = await busbar(['run', FIRST]);
    expect(code).toBe(0);
    expect(error).toBe('');
    expect(out).toMatch(/digest [0-9a-f]{16}\n$/);
    expect(out).not.toContain('\u001b');
  });

  test('runs a shipped scenario by name, from any folder', async () => {
    const { code, out } = await busbar(['run', 'ffa/first-request', '--json'], { folder });
    expect(code).toBe(0);
    expect(JSON.parse(out).devices.disk0.verified).toBe(1);
  });

  test('fails with 1 when an expectation does not hold', async () => {
    const file = join(folder, 'failing.yaml');
    writeFileSync(file, `${GOOD}expect: [disk0.requests > 2]\n`);
    const { code, out } = await busbar(['run', file]);
    expect(code).toBe(1);
    expect(out).toMatch(/✗ +disk0\.requests > 2/);
  });

  test('decodes its standard input', async () => {
    const input = '0041070000001000 0000000000000000\n00\n';
    const { code, out, error } = await busbar(['decode'], { input });
    expect(code).toBe(2);
    expect(out).toBe('req EVENT_AVAIL dev=7 tok=0 index=0 nextOffset=0\n');
    expect(error).toMatch(/^error: line 2: /);
  });

  test('ends in silence when nobody reads its output', async () => {
    const { code, error } = await busbar(['schema'], { readOnly: 1 });
    expect(error).toBe('');
    expect(code).toBe(0);
  });

  test('tells the version of its package', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect((await busbar(['--version'])).out).toBe(`${version}\n`);
  });
});

describe('worker threads', () => {
  const report = async (...flags: string[]) => {
    const argv = ['run', 'ffa/first-request', '--json', '--anatomy', 'disk0', ...flags];
    const { code, out, error } = await busbar(argv);
    expect(error).toBe('');
    expect(code).toBe(0);
    return JSON.parse(out);
  };

  test('report and anatomy are the same on any number of them', async () => {
    const { engine, workers, placement, wallSeconds, eventsPerSecond, speedRatio, ...reference } =
      await report('--workers', '0');
    expect({ engine, workers }).toEqual({ engine: 'compiled', workers: 0 });
    expect(placement).toEqual({ linux: 0, storage: 0 });
    for (const value of [wallSeconds, eventsPerSecond, speedRatio])
      expect(value).toBeGreaterThan(0);
    for (const count of ['1', '2', '4']) {
      expect(await report('--workers', count)).toMatchObject(reference);
    }
    expect(await report('--workers', '2', '--engine', 'xstate')).toMatchObject({
      ...reference,
      workers: 2,
      placement: { linux: 0, storage: 1 },
    });
  });

  test('their use is explained on request', async () => {
    const { out } = await busbar(['run', FIRST, '--workers', '2', '--explain-parallel']);
    expect(out).toMatch(/^Parallel run\n {2}2 worker threads, as asked for\n/);
    expect(out).toContain('lookahead 47 ns');
  });
});

describe('the package', () => {
  test('runs a scenario from code, by its name', async () => {
    const code = `
      import { decodeMessage, runScenario, ScenarioError } from 'busbar';
      const { report, passed, anatomy } = await runScenario('${FIRST}', { anatomy: true, workers: 0 });
      const refused = await runScenario({ text: 'name: 7' }).catch((error) => error);
      console.log(JSON.stringify({
        passed,
        requests: report.devices.disk0.requests,
        latency: anatomy('disk0').latencyPs === report.devices.disk0.latency.max * 1000,
        refused: refused instanceof ScenarioError && refused.problems.length > 0,
        line: decodeMessage('0041070000001000 0000000000000000'),
      }));`;
    const { out, error } = await node(['--input-type=module', '--eval', code]);
    expect(error).toBe('');
    expect(JSON.parse(out)).toEqual({
      passed: true,
      requests: 1,
      latency: true,
      refused: true,
      line: 'req EVENT_AVAIL dev=7 tok=0 index=0 nextOffset=0',
    });
  });
});
