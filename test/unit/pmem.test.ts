// virtio-pmem: the device as a hand-written driver sees it, its image and its failures, and where it cannot be.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import { parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import { PMEM_F, STATUS } from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';

const MICROSECOND = 1_000_000;
const PAGE = 4096;
const FLUSH = le([0, 4]);
const OK = le([0, 4]);
const FAILED = le([0xffff_ffff, 4]);

function bench(options: Record<string, unknown> = {}): DeviceBench {
  const made = new DeviceBench('pmem', { options: { size: '64KiB', ...options } });
  expect(made.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
  return made;
}

/** Stores bytes as a core of the driver would, through no bus. */
function store({ device, node }: DeviceBench, offset: number, bytes: readonly number[]): void {
  const region = device.regions![0];
  node.memory.copyIn(region.address + offset, Uint8Array.from(bytes), 0, bytes.length);
  region.stored!(offset, bytes.length);
}

function bytesAt({ device, node }: DeviceBench, offset: number, length: number): number[] {
  const bytes = new Uint8Array(length);
  node.memory.copyOut(device.regions![0].address + offset, bytes, 0, length);
  return [...bytes];
}

const flush = (dut: DeviceBench) => [...dut.request(0, [FLUSH], [4])[0].bytes];
const model = ({ device }: DeviceBench) => device.statistics!();

describe('the device', () => {
  it('has one region of the size asked for, in zeroed pages of its node', () => {
    const dut = bench();
    expect(dut.device.regions).toMatchObject([{ shmid: 0, length: 65536 }]);
    expect(dut.device.regions![0].address % PAGE).toBe(0);
    expect(bytesAt(dut, 0, 65536).every((byte) => byte === 0)).toBe(true);
  });

  it('flushes what was stored, by the sector, in the time of its bytes', () => {
    const dut = bench();
    store(dut, 510, [1, 2, 3, 4]);
    expect(model(dut)).toMatchObject({ dirtyBytes: 1024 });
    expect(flush(dut)).toEqual(OK);
    expect(model(dut)).toMatchObject({ dirtyBytes: 0, flushes: 1 });
    const { costs } = dut.node;
    const rate = costs.idOf('pmem.flushRate');
    const time = costs.value(costs.idOf('pmem.flush')) + costs.transfer(rate, 1024);
    expect(model(dut)['servicePs']).toBe(time);
  });

  it('fails what is no flush, reports it, and goes on', () => {
    const dut = bench();
    expect([...dut.request(0, [le([7, 4])], [4])[0].bytes]).toEqual(FAILED);
    expect([...dut.request(0, [le([0, 2])], [4])[0].bytes]).toEqual(FAILED);
    expect(dut.request(0, [FLUSH], [2])[0].written).toBe(2);
    expect(dut.violations).toEqual(['BAD_REQUEST', 'BAD_REQUEST', 'BAD_REQUEST']);
    expect(flush(dut)).toEqual(OK);
  });

  it('takes requests that are cut into pieces', () => {
    const dut = bench();
    const [{ bytes, written }] = dut.request(0, [[0], [0, 0], [0]], [1, 3]);
    expect([[...bytes], written]).toEqual([OK, 4]);
  });

  it('keeps its memory over a reset and a failure, whatever was flushed', () => {
    const dut = bench({ needsReset: ['10us'] });
    store(dut, 0, [9, 8, 7]);
    dut.run(20 * MICROSECOND);
    expect(dut.device.status & STATUS.DEVICE_NEEDS_RESET).not.toBe(0);
    dut.device.setStatus(0);
    expect(bytesAt(dut, 0, 3)).toEqual([9, 8, 7]);
    expect(model(dut)).toMatchObject({ dirtyBytes: 512, sectorsLost: 0 });
  });
});

describe('a failure of the power', () => {
  const sectors = 64;
  const dut = bench({ powerLoss: [{ at: '1ms', for: '1ms' }] });
  for (let i = 0; i < sectors; i++) store(dut, 512 * i, [1]);
  expect(flush(dut)).toEqual(OK);
  for (let i = 0; i < sectors; i++) store(dut, 512 * i, [2]);
  dut.run(1000 * MICROSECOND);
  const firsts = () => Array.from({ length: sectors }, (_, i) => bytesAt(dut, 512 * i, 1)[0]);

  it('shows when the driver has reset the device, and not before', () => {
    expect(dut.device.status & STATUS.DEVICE_NEEDS_RESET).not.toBe(0);
    expect(firsts()).toEqual(new Array(sectors).fill(2));
  });

  it('leaves of each sector what was flushed or what was stored', () => {
    dut.device.setStatus(0);
    const found = firsts();
    const lost = found.filter((byte) => byte === 1).length;
    expect(found.filter((byte) => byte === 2)).toHaveLength(sectors - lost);
    // Of 64 with even chances: beyond these bounds once in ten million seeds.
    expect(lost).toBeGreaterThan(10);
    expect(lost).toBeLessThan(54);
    expect(model(dut)).toMatchObject({ powerLosses: 1, sectorsLost: lost, dirtyBytes: 0 });
  });

  it('is over for good: what is stored and flushed afterwards stays', () => {
    dut.run(2000 * MICROSECOND);
    expect(dut.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
    store(dut, 0, [3]);
    expect(flush(dut)).toEqual(OK);
    dut.device.setStatus(0);
    expect(bytesAt(dut, 0, 1)).toEqual([3]);
    expect(model(dut)).toMatchObject({ powerLosses: 1 });
  });
});

describe('an image', () => {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-pmem-'));
  const path = join(folder, 'memory.img');
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is what the memory begins with, and gets what was flushed when it is written back', () => {
    writeFileSync(
      path,
      Uint8Array.from({ length: 2 * PAGE }, (_, i) => i % 251),
    );
    const dut = bench({ image: path, writeBack: true });
    expect(dut.device.regions![0].length).toBe(2 * PAGE);
    expect(bytesAt(dut, PAGE, 4)).toEqual([PAGE % 251, 81, 82, 83]);
    store(dut, 5, [255]);
    expect(flush(dut)).toEqual(OK);
    store(dut, PAGE, [255]);
    dut.device.close!();
    const after = readFileSync(path);
    expect([after[5], after[PAGE]]).toEqual([255, PAGE % 251]);
  });

  it('fills whole pages, or is refused', () => {
    writeFileSync(path, new Uint8Array(PAGE + 1));
    const text = scenario({ options: `image: ${path}` });
    expect(problemsOf(text)).toEqual(['7:51 REFUSED an image of 4097 bytes is no memory']);
  });
});

/** A scenario with persistent memory on line 7. */
function scenario({ bus = 'type: ffa', options = '', node = 'partition' } = {}): string {
  return [
    'name: pmem',
    'nodes:',
    `  a: { kind: vm, cpus: 1, memory: 16MiB }`,
    `  b: { kind: ${node}, cpus: 1, memory: 16MiB }`,
    `buses: { bus0: { ${bus}, driver: a, device: b } }`,
    'devices:',
    `  mem: { type: pmem, bus: bus0, number: 0${options === '' ? '' : `, ${options}`} }`,
    '',
  ].join('\n');
}

function problemsOf(text: string): string[] {
  try {
    parseScenario({ text, file: 'pmem.yaml', folder: '/' }, tables);
    return [];
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    return error.problems.map((p) => `${p.line}:${p.column} ${p.code} ${p.message}`);
  }
}

describe('a scenario', () => {
  it('can have it on a bus with shared memory regions', () => {
    expect(problemsOf(scenario({ options: 'size: 1MiB' }))).toEqual([]);
  });

  const refused = "carries no shared memory regions, which 'pmem' has";
  it.each([
    ['type: virtio-ccw', 'host', 'virtio-ccw has no regions'],
    ['type: xen, data: inBand', 'vm', 'with data in band, nodes share no memory'],
    ['type: xen, frontEnd: mmio', 'vm', 'behind a proxy for virtio-mmio they are not modelled'],
  ])('cannot have it on a bus of %s', (bus, node, why) => {
    const text = scenario({ bus, node, options: 'size: 1MiB' });
    expect(problemsOf(text)).toEqual([`7:27 REFUSED bus 'bus0' ${refused}: ${why}`]);
  });

  it('cannot have a workload on it that is for other devices', () => {
    const workloads = 'workloads: [{ type: entropy, device: mem }]\n';
    expect(problemsOf(scenario() + workloads)).toEqual([
      "8:38 REFUSED 'entropy' cannot use 'mem', which is of type pmem",
    ]);
    expect(problemsOf(scenario() + workloads.replace('entropy', 'fio'))).toEqual([]);
  });

  it('cannot have more of it than its node has RAM', () => {
    expect(problemsOf(scenario({ options: 'size: 16MiB' }))).toEqual([
      "7:50 REFUSED 16MiB do not fit the RAM of node 'b', which is 16MiB",
    ]);
  });
});

it('a driver without SHMEM_REGION is refused', () => {
  const dut = new DeviceBench('pmem', { options: { size: '64KiB' }, features: 0n });
  expect(dut.start() & STATUS.FEATURES_OK).toBe(0);
  expect(dut.device.features & PMEM_F.SHMEM_REGION).toBe(PMEM_F.SHMEM_REGION);
});
