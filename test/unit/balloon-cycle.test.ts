// The balloonCycle workload and the balloon driver over FF-A: the balloon follows its target, pages are
// the node's own, and programs in need get theirs back if the device allows it.
import { describe, expect, it } from 'vitest';
import { BATCH_PAGES, type BalloonDriver } from '../../guests/balloon/index.ts';
import { balloonCycle } from '../../guests/workloads/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { Device, ModelTables } from '../../platform/contracts/index.ts';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import { RunError } from '../../platform/errors.ts';
import type { Node } from '../../platform/node/index.ts';
import { Rig } from '../support/rig.ts';
import type { ScenarioParts } from '../support/scenarios.ts';

const MEBIBYTE = 256;
const parts = (device: object, workload: object = {}, rest: ScenarioParts = {}): ScenarioParts => ({
  devices: { balloon0: { type: 'balloon', bus: 'ffa0', number: 0, ...device } },
  workloads: [{ type: balloonCycle.type, device: 'balloon0', ...workload }],
  ...rest,
});

interface Seen {
  device?: Device;
  driver?: BalloonDriver & { readonly node: Node };
}

function watched(seen: Seen): ModelTables {
  const { devices, drivers } = tables;
  return {
    ...tables,
    devices: {
      ...devices,
      balloon: { ...devices.balloon, create: (e) => (seen.device = devices.balloon.create(e)) },
    },
    drivers: {
      ...drivers,
      balloon: {
        ...drivers.balloon,
        create: (e) => (seen.driver = drivers.balloon.create(e) as BalloonDriver),
      },
    },
  };
}

function run(scenario: ScenarioParts) {
  const seen: Seen = {};
  const rig = new Rig(scenario, { tables: watched(seen) });
  const ending = rig.run();
  return { rig, ending, result: rig.result(), figures: seen.device!.statistics!(), seen };
}

/** Free bytes of a node, in whole pages. */
function freePages({ memory }: Node): number {
  const taken: number[] = [];
  try {
    for (;;) taken.push(memory.allocate(4096, 4096));
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
  }
  for (const page of taken) memory.free(page, 4096);
  return taken.length;
}

describe('following the target', () => {
  it.each(REVISIONS)('in revision %s, in batches and back again', (revision) => {
    const pressure = [
      { at: '1ms', pages: 2 * BATCH_PAGES + 1 },
      { at: '10ms', pages: 3 },
      { at: '20ms', pages: 0 },
    ];
    const { rig, ending, result, figures, seen } = run(
      parts({ pressure }, {}, { bus: { revision } }),
    );
    expect(ending).toBe('done');
    // The first target, 0, is met at once.
    expect(result).toMatchObject({ requests: 4, errors: 0, verified: 4, failure: null });
    expect(figures).toMatchObject({ pages: 0, actual: 0, pagesInflated: 513, pagesDeflated: 513 });
    expect(seen.driver!.held).toBe(0);
    expect(rig.violations).toEqual([]);
  });

  it('takes the memory from the node while it is in the balloon', () => {
    const before = run(parts({}));
    const after = run(parts({ pages: 3 * MEBIBYTE }));
    expect(after.seen.driver!.held).toBe(3 * MEBIBYTE);
    expect(freePages(before.seen.driver!.node) - freePages(after.seen.driver!.node)).toBe(768);
  });

  it.each([{ ring: 'packed' }, { indirect: true }, { stats: false }, { mustTellHost: false }])(
    'with %j',
    (device) => {
      const pressure = [{ at: '1ms', pages: 300 }];
      const { rig, result } = run(parts({ ...device, pressure }));
      expect(result).toMatchObject({ errors: 0, verified: 2 });
      expect(rig.violations).toEqual([]);
    },
  );

  it('through targets that change faster than pages move', () => {
    const pressure = Array.from({ length: 60 }, (_, i) => ({
      at: `${1000 + 7 * i}us`,
      pages: (i * 397) % 1500,
    }));
    const { rig, ending, result, figures } = run(parts({ pressure }));
    expect(ending).toBe('done');
    expect(result.errors).toBe(0);
    expect(figures).toMatchObject({ pages: (59 * 397) % 1500, actual: (59 * 397) % 1500 });
    expect(rig.violations).toEqual([]);
  });

  it('is the same on both engines', () => {
    const digests = (['xstate', 'compiled'] as const).map((engine) => {
      const rig = new Rig(parts({ pressure: [{ at: '1ms', pages: 400 }] }), { engine });
      rig.run();
      return rig.digest;
    });
    expect(digests[0]).toBe(digests[1]);
  });
});

describe('statistics', () => {
  it('are sent at the start, and again whenever the device asks', () => {
    const pressure = [{ at: '10ms', pages: 1 }];
    const { figures } = run(parts({ statsInterval: '1ms', pressure }));
    expect(figures.memoryTotal).toBe(16 * 1024 * 1024);
    expect(figures.statisticsReceived).toBeGreaterThanOrEqual(8);
  });
});

describe('a guest in need', () => {
  const tight = { linux: { memory: '8MiB' } };
  const demand = [{ at: '20ms', size: '5MiB', hold: '1ms' }];
  const large = { pages: 6 * MEBIBYTE };

  it('gets pages back where that is allowed', () => {
    const { rig, result, figures } = run(
      parts({ ...large, deflateOnOom: true }, { demand }, { ...tight, until: { atMost: '50ms' } }),
    );
    expect(result).toMatchObject({ requests: 2, errors: 0, verified: 1 });
    expect(figures.pagesDeflated).toBeGreaterThan(3 * MEBIBYTE);
    expect(figures.actual).toBe(figures.pages);
    expect(rig.violations).toEqual([]);
  });

  it('goes without them where it is not', () => {
    const { result, figures } = run(parts(large, { demand }, tight));
    expect(result).toMatchObject({ requests: 2, errors: 1 });
    expect(figures).toMatchObject({ pages: 6 * MEBIBYTE, pagesDeflated: 0 });
  });

  it('makes the balloon wait while programs have the memory', () => {
    const early = [{ at: '0ms', size: '5MiB', hold: '300ms' }];
    const { rig, ending, result, figures } = run(
      parts({ pressure: [{ at: '1ms', pages: 6 * MEBIBYTE }] }, { demand: early }, tight),
    );
    // Starved at first; looked again every 200 ms.
    expect(ending).toBe('done');
    expect(rig.kernel.now).toBeGreaterThan(400e9);
    expect(result).toMatchObject({ errors: 0 });
    expect(figures).toMatchObject({ pages: 6 * MEBIBYTE, actual: 6 * MEBIBYTE });
    expect(rig.violations).toEqual([]);
  });
});

it('a device that miscounts is noticed', () => {
  const row = tables.devices.balloon;
  const create: typeof row.create = (environment) => {
    const device = row.create(environment);
    const read = device.readConfig.bind(device);
    device.readConfig = (offset, target, at, length) => {
      read(offset, target, at, length);
      if (length === 8) target[at + 4] ^= 1;
    };
    return device;
  };
  const wrong = { ...tables, devices: { ...tables.devices, balloon: { ...row, create } } };
  const rig = new Rig(parts({ pressure: [{ at: '1ms', pages: 20 }] }), { tables: wrong });
  rig.run();
  expect(rig.result().errors).toBeGreaterThan(0);
  expect(rig.violationCodes).toEqual(['VERIFY']);
});
