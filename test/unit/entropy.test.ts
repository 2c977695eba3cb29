// The entropy workload over FF-A: bytes are compared with the stream of the seed, and a wrong one is found.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import type { ModelTables } from '../../platform/contracts/index.ts';
import { rngStreamName } from '../../platform/virtio/index.ts';
import { Rig } from '../support/rig.ts';

const parts = (workload: object = {}, device: object = {}) => ({
  devices: { rng0: { type: 'rng', bus: 'ffa0', number: 0, ...device } },
  workloads: [{ type: 'entropy', device: 'rng0', operations: 20, ...workload }],
});

describe('entropy', () => {
  it.each([
    ['split', {}],
    ['packed', { ring: 'packed', indirect: true, eventIdx: true }],
  ])('reads and compares every byte, ring %s', (_, device) => {
    const rig = new Rig(parts({ requestSize: '100B', depth: 4 }, device));
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 20, errors: 0, verified: 20, bytes: 2000 });
    expect(rig.violations).toEqual([]);
  });

  it('copes with a source that gives less than asked for', () => {
    const rig = new Rig(parts({ requestSize: '64B' }, { chunk: '24B' }));
    rig.run();
    expect(rig.result()).toMatchObject({ requests: 20, errors: 0, bytes: 20 * 24 });
  });

  it('ends after its duration, not before and with nothing under way', () => {
    const rig = new Rig(parts({ operations: undefined, duration: '2ms', depth: 2 }));
    rig.run();
    const { requests, elapsedPs, failure } = rig.result();
    expect(requests).toBeGreaterThan(20);
    expect(elapsedPs).toBeGreaterThanOrEqual(1.9e9);
    expect(failure).toBeNull();
  });

  it('finds bytes that are not those of the source', () => {
    // The source draws from another stream than the one that the workload replays.
    const row = tables.devices.rng;
    const create: typeof row.create = (environment) => {
      const { node } = environment as { node: { random(name: string): unknown } };
      const own = Object.create(node, {
        random: { value: () => node.random(`not ${rngStreamName('rng0')}`) },
      });
      return row.create({ ...(environment as object), node: own } as never);
    };
    const wrong: ModelTables = {
      ...tables,
      devices: { ...tables.devices, rng: { ...row, create } },
    };
    const rig = new Rig(parts({ operations: 3 }), { tables: wrong });
    rig.run();
    expect(rig.result()).toMatchObject({ requests: 3, errors: 3, verified: 3 });
    expect(rig.violationCodes).toEqual(['VERIFY']);
  });

  it('counts requests as errors when its device is lost', () => {
    const faults = [{ on: 'ffa0', omit: 'AREA_SHARE', count: 'always' }];
    const rig = new Rig({ ...parts({ operations: 5, depth: 2 }), faults });
    rig.run();
    const { requests, errors, failure } = rig.result();
    expect([requests, errors]).toEqual([2, 2]);
    expect(failure).not.toBeNull();
  });
});
