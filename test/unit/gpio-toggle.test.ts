// The gpioToggle workload and the GPIO driver over FF-A: every interrupt type, many lines at once, lost
// signals, and scenarios that cannot work.
import { describe, expect, it } from 'vitest';
import { gpioToggle } from '../../guests/workloads/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { Rig } from '../support/rig.ts';
import { type ScenarioParts, topologyOf } from '../support/scenarios.ts';

const device = {
  type: 'gpio',
  bus: 'ffa0',
  number: 0,
  loop: [[0, 1]],
  names: ['out', 'in'],
  stimulus: [{ line: 2, period: '200us' }],
};
const parts = (workload: object, more: object = {}, rest: ScenarioParts = {}): ScenarioParts => ({
  devices: { gpio0: { ...device, ...more } },
  workloads: [
    { type: gpioToggle.type, device: 'gpio0', in: 1, out: 0, operations: 9, ...workload },
  ],
  ...rest,
});

function run(scenario: ScenarioParts) {
  const rig = new Rig(scenario);
  const ending = rig.run();
  return { rig, ending, result: rig.result() };
}

describe('toggling', () => {
  it.each(['none', 'rising', 'falling', 'both', 'high', 'low'])('interrupt %s', (interrupt) => {
    const { rig, ending, result } = run(parts({ interrupt }));
    expect(ending).toBe('done');
    expect(result).toMatchObject({ requests: 9, errors: 0, verified: 9, failure: null });
    expect(rig.violations).toEqual([]);
    expect(result.latency.min).toBeGreaterThan(0);
  });

  it.each(['split', 'packed'])('works on a %s ring with indirect tables', (ring) => {
    const { result } = run(parts({}, { ring, indirect: true, eventIdx: true }));
    expect(result).toMatchObject({ requests: 9, errors: 0 });
  });

  it('works without interrupts if it does not ask for them', () => {
    expect(run(parts({ interrupt: 'none' }, { interrupts: false })).result.errors).toBe(0);
    const { result } = run(parts({ interrupt: 'both' }, { interrupts: false }));
    expect(result).toMatchObject({ requests: 0, failure: 'the device has no interrupts' });
  });

  it('unmasks more lines than the event queue has room for', () => {
    const pairs = Array.from({ length: 24 }, (_, i) => [2 * i, 2 * i + 1]);
    const { rig, ending } = run({
      devices: {
        gpio0: { ...device, lines: 48, names: [], loop: pairs, stimulus: [], queueSize: 32 },
      },
      workloads: pairs.map(([out, input]) => ({
        type: gpioToggle.type,
        device: 'gpio0',
        in: input,
        out,
        operations: 4,
      })),
    });
    // 32 descriptors are 16 pairs: the other lines hear of their edges later, but they do.
    expect(ending).toBe('done');
    expect(rig.violations).toEqual([]);
    for (const { result } of rig.outcome.workloads) {
      expect(result).toMatchObject({ requests: 4, errors: 0 });
    }
  });

  it('is the same on both engines', () => {
    const digests = (['xstate', 'compiled'] as const).map((engine) => {
      const rig = new Rig(parts({}), { engine });
      rig.run();
      return rig.digest;
    });
    expect(digests[0]).toBe(digests[1]);
  });
});

describe('listening', () => {
  it.each(['rising', 'falling', 'both'])('hears every %s edge of a signal', (interrupt) => {
    const { rig, result } = run(parts({ in: 2, out: undefined, interrupt }));
    expect(result).toMatchObject({ requests: 9, errors: 0, verified: 9 });
    expect(rig.violations).toEqual([]);
    expect(result.latency.max).toBeLessThan(100_000);
  });

  it('notices edges that come faster than it can hear', () => {
    const { rig, result } = run(
      parts({ in: 2, out: undefined }, { stimulus: [{ line: 2, period: '4us' }] }),
    );
    expect(result.errors).toBeGreaterThan(0);
    expect(rig.violationCodes).toEqual(['VERIFY']);
  });
});

describe('trouble', () => {
  it('counts an interrupt that does not come as an error, and goes on', () => {
    // The event of the third toggle and all that could reveal it are lost.
    const faults = [{ at: '400us', on: 'ffa0', drop: 'EVENT_USED', count: 'always' }];
    const { rig, result } = run(
      parts({ timeout: '1ms', interval: '100us' }, {}, { faults, until: { atMost: '3s' } }),
    );
    expect(result.errors).toBeGreaterThan(0);
    expect(rig.violationCodes).toContain('TIMEOUT');
  });

  it.each([
    ['lines that are not wired', { in: 1, out: 3 }],
    ['one line for both', { in: 1, out: 1 }],
    ['a line without signal', { in: 3, out: undefined }],
    ['a level of a signal', { in: 2, out: undefined, interrupt: 'high' }],
  ])('%s is refused by the loader', (_, workload) => {
    expect(() => topologyOf(parts(workload))).toThrow(ScenarioError);
  });
});
