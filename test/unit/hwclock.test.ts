// The hwclock workload over FF-A: it follows the clock, notices a wrong one, and tells why it gave up.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import type { ModelTables } from '../../platform/contracts/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { Rig } from '../support/rig.ts';
import { topologyOf } from '../support/scenarios.ts';

const device = { type: 'i2c', bus: 'ffa0', number: 0, clockStart: '2031-12-31 23:59:59' };
const parts = (workload: object, more: object = {}) => ({
  devices: { i2c0: { ...device, ...more } },
  workloads: [{ type: 'hwclock', device: 'i2c0', operations: 12, ...workload }],
  until: { workloads: 'done', atMost: '60s' },
});

describe('hwclock', () => {
  it.each(['split', 'packed'])('reads a clock that runs with simulated time, ring %s', (ring) => {
    const rig = new Rig(parts({}, { ring, indirect: true, eventIdx: true }));
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 12, errors: 0, verified: 12, bytes: 84 });
    expect(rig.violations).toEqual([]);
  });

  it('sets the clock first when asked to', () => {
    const rig = new Rig(parts({ set: '2024-02-28 23:59:58', mode: undefined }, { mode: 'fast' }));
    rig.run();
    expect(rig.result()).toMatchObject({ requests: 13, errors: 0, verified: 12 });
  });

  it('reads again what was on the wire when the adapter failed', () => {
    // A reading takes a millisecond of a slow bus; the first begins soon after the start.
    for (const at of ['500us', '900us', '1200us', '251500us']) {
      const rig = new Rig(parts({ operations: 4 }, { needsReset: [at] }));
      expect(rig.run()).toBe('done');
      expect(rig.result()).toMatchObject({ requests: 4, errors: 0, verified: 4 });
      expect(rig.violations).toEqual([]);
    }
  });

  it('tells of a setting that was on the wire then, and sets the clock once more', () => {
    const set = '2024-02-28 23:59:58';
    const rig = new Rig(parts({ operations: 4, set }, { needsReset: ['700us'] }));
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 6, errors: 1, verified: 4 });
    expect(rig.violations).toEqual([]);
  });

  it('is the same on both engines', () => {
    const digests = (['xstate', 'compiled'] as const).map((engine) => {
      const rig = new Rig(parts({ operations: 3 }), { engine });
      rig.run();
      return rig.digest;
    });
    expect(digests[0]).toBe(digests[1]);
  });

  it('notices a clock that is wrong by two seconds', () => {
    const row = tables.devices.i2c;
    const create: typeof row.create = (environment) => {
      const { plan } = environment as { plan: { options: object } };
      const options = { ...plan.options, clockStart: '2032-01-01 00:00:01' };
      return row.create({ ...(environment as object), plan: { ...plan, options } } as never);
    };
    const wrong: ModelTables = {
      ...tables,
      devices: { ...tables.devices, i2c: { ...row, create } },
    };
    const rig = new Rig(parts({ operations: 3 }), { tables: wrong });
    rig.run();
    expect(rig.result()).toMatchObject({ errors: 3, verified: 3 });
    expect(rig.violationCodes).toEqual(['VERIFY']);
  });

  it('counts an address where no chip is as errors', () => {
    const rig = new Rig(parts({ operations: 2, address: 0x50 }));
    rig.run();
    expect(rig.result()).toMatchObject({ requests: 2, errors: 2, verified: 0 });
  });

  it.each(['2024-02-30 00:00:00', 'noon'])('%s is refused by the loader', (clockStart) => {
    expect(() => topologyOf(parts({}, { clockStart }))).toThrow(ScenarioError);
  });
});
