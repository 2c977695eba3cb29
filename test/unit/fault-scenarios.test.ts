// Runs in which something goes wrong: missing memory, lost and late messages. Every one of them goes on
// to its end, with the error where it belongs and nowhere else.
import { describe, expect, it } from 'vitest';
import { measured } from '../support/measured.ts';
import { Rig } from '../support/rig.ts';
import type { ScenarioParts } from '../support/scenarios.ts';

const MICROSECOND = 1_000_000;

/** Shorter than the 5 s of the profile, so that the runs are. */
const timing = { 'ffa.requestTimeout': '1ms' };

function run(parts: ScenarioParts) {
  const rig = new Rig({ timing, until: { workloads: 'done', atMost: '100ms' }, ...parts });
  const ending = rig.run();
  const [workload] = rig.outcome.workloads;
  return { rig, ending, workload, result: workload.result };
}

const fio = (more: object = {}) => [
  { type: 'fio', device: 'disk0', rw: 'randread', blockSize: '4KiB', operations: 80, ...more },
];

describe('memory that was not shared', () => {
  it.each([1, 16])('ends %i requests at a time in errors, and the run in its report', (depth) => {
    const { rig, ending, workload, result } = run({
      workloads: fio({ depth }),
      faults: [{ on: 'ffa0', omit: 'AREA_SHARE' }],
    });
    expect(ending).toBe('done');
    expect(rig.violationCodes).toEqual(['DMA_FAULT']);
    expect(workload).toMatchObject({ done: true, driverState: 'needsReset' });
    expect(result).toMatchObject({ requests: depth, errors: depth, verified: 0 });
    expect(result.failure).toBe('the device needs a reset');
  });

  it('ends requests for random bytes in the same way', () => {
    const { rig, ending, result } = run({
      devices: { rng0: { type: 'rng', bus: 'ffa0', number: 0 } },
      workloads: [{ type: 'entropy', device: 'rng0', operations: 10, depth: 2 }],
      faults: [{ on: 'ffa0', omit: 'AREA_SHARE' }],
    });
    expect([ending, rig.violationCodes]).toEqual(['done', ['DMA_FAULT']]);
    expect(result).toMatchObject({ requests: 2, errors: 2, verified: 0 });
  });

  it('of one device leaves another alone', () => {
    const { rig, ending } = run({
      devices: {
        disk0: { type: 'blk', bus: 'ffa0', number: 0, capacity: '1MiB' },
        disk1: { type: 'blk', bus: 'ffa0', number: 1, capacity: '1MiB' },
      },
      workloads: [...fio(), { ...fio()[0], device: 'disk1' }],
      faults: [{ on: 'ffa0', omit: 'AREA_SHARE' }],
    });
    expect(ending).toBe('done');
    expect(rig.result(0)).toMatchObject({ errors: 1, verified: 0 });
    expect(rig.result(1)).toMatchObject({ requests: 80, errors: 0, verified: 80 });
  });
});

describe('an area that is a page short', () => {
  const faults = [{ on: 'ffa0', shrink: 'AREA_SHARE', pages: 1 }];

  it('fails the reads into the missing page, and no others', () => {
    const { rig, ending, workload, result } = run({ workloads: fio({ depth: 8 }), faults });
    expect(ending).toBe('done');
    expect(workload).toMatchObject({ driverState: 'live', downReason: null });
    // The last page is the buffer of the last of eight slots.
    expect(result.requests).toBe(80);
    expect(result.errors).toBeGreaterThan(4);
    expect(result.errors).toBeLessThan(16);
    expect(result.verified).toBe(80 - result.errors);
    // Each is one refused access, reported by the device.
    expect(rig.violationCodes).toEqual(['DMA_FAULT']);
    expect(rig.violations.length).toBe(result.errors);
    expect(rig.violations[0].node).toBe('storage');
  });

  it('fails every request when there is only one buffer', () => {
    const { ending, result } = run({ workloads: fio({ depth: 1 }), faults });
    expect(ending).toBe('done');
    expect(result).toMatchObject({ requests: 80, errors: 80, verified: 0 });
  });

  it('fails writes from the missing page, which change nothing on the disk', () => {
    const { rig, ending, result } = run({
      workloads: fio({ depth: 4, rw: 'randrw', operations: 400 }),
      faults,
    });
    expect(ending).toBe('done');
    expect(rig.violationCodes).toEqual(['DMA_FAULT']);
    // All that was read is as it was last written: a VERIFY violation would show.
    expect(result.errors).toBeGreaterThan(50);
    expect(result.verified).toBeGreaterThan(100);
    expect(rig.violations.length).toBe(Math.min(100, result.errors));
  });

  it('stops an entropy source, which has no way to say that a request failed', () => {
    const { rig, ending, workload, result } = run({
      devices: { rng0: { type: 'rng', bus: 'ffa0', number: 0 } },
      workloads: [
        { type: 'entropy', device: 'rng0', operations: 100, depth: 4, requestSize: '4KiB' },
      ],
      faults,
    });
    expect([ending, rig.violationCodes]).toEqual(['done', ['DMA_FAULT']]);
    expect(workload.driverState).toBe('needsReset');
    expect(result.errors).toBeGreaterThan(0);
  });
});

describe('a lost EVENT_USED', () => {
  const faults = [{ on: 'ffa0', drop: 'EVENT_USED', at: '100us' }];

  it('holds up a workload that waits for nothing else, until the driver looks by itself', () => {
    const until = { workloads: 'done', atMost: '60s' };
    const { rig, ending, workload, result } = run({ workloads: fio(), faults, until });
    expect(ending).toBe('done');
    expect(workload).toMatchObject({ done: true, driverState: 'live', downReason: null });
    expect(result).toMatchObject({ requests: 80, errors: 0, verified: 80 });
    // blk.requestTimeout is 30 s; latencies are in ns.
    expect(result.latency.max).toBeGreaterThan(29e9);
    expect(rig.violations).toEqual([]);
  });

  it('ends at the limit when polls go on', () => {
    const bus = { events: 'poll', pollInterval: '20us' };
    const { rig, ending, workload } = run({ workloads: fio(), faults, bus });
    expect(ending).toBe('limit');
    expect(workload.done).toBe(false);
    expect(rig.kernel.now).toBeGreaterThan(99_000 * MICROSECOND);
  });

  it('is made good by the next one when more requests are under way', () => {
    const { ending, result } = run({ workloads: fio({ depth: 16, operations: 2000 }), faults });
    expect(ending).toBe('done');
    expect(result).toMatchObject({ requests: 2000, errors: 0, verified: 2000 });
  });
});

describe('a lost EVENT_AVAIL', () => {
  it('holds up a workload that waits for nothing else, until its driver resets the device', () => {
    const { rig, ending, workload, result } = run({
      workloads: fio(),
      faults: [{ on: 'ffa0', drop: 'EVENT_AVAIL', at: '100us' }],
      until: { workloads: 'done', atMost: '60s' },
    });
    expect([ending, workload.done]).toEqual(['done', true]);
    expect(result).toMatchObject({ requests: 80, errors: 0, verified: 80 });
    expect(rig.violationCodes).toEqual(['TIMEOUT']);
  });
});

describe('a lost request', () => {
  it.each([
    'GET_DEVICE_INFO',
    'SET_DEVICE_STATUS',
    'GET_DEVICE_FEATURES',
    'SET_DRIVER_FEATURES',
    'GET_CONFIG',
    'GET_VQUEUE',
    'SET_VQUEUE',
    'AREA_SHARE',
    'EVENT_POLL',
  ])('of %s is repeated after the time-out, and all is well', (message) => {
    const { rig, ending, result } = run({
      workloads: fio(),
      faults: [{ on: 'ffa0', drop: message, count: 2 }],
    });
    expect(ending).toBe('done');
    expect(result).toMatchObject({ requests: 80, errors: 0, verified: 80 });
    expect(rig.violations).toEqual([]);
    // Two time-outs of 1 ms.
    expect(rig.kernel.now).toBeGreaterThan(2000 * MICROSECOND);
  });

  it.each(['GET_CONFIG', 'SET_VQUEUE', 'AREA_SHARE'])(
    'of %s that stays lost ends in a failure that says why',
    (message) => {
      const { rig, ending, workload, result } = run({
        workloads: fio(),
        faults: [{ on: 'ffa0', drop: message, count: 'always' }],
        // Longer than the workload waits, to see what the driver does then.
        until: { atMost: '20ms' },
      });
      expect(ending).toBe('limit');
      expect(workload).toMatchObject({ done: true, driverState: 'failed' });
      expect(result).toMatchObject({ requests: 0, failure: 'no response in time' });
      expect(rig.violationCodes).toEqual(['TIMEOUT']);
      // The driver resets the device in the end.
      const { message: last } = rig.messages.findLast(({ from }) => from === 'driver')!;
      expect(last).toMatchObject({ type: 'req.SET_DEVICE_STATUS', body: { status: 0 } });
    },
  );

  it.each(['RESET', 'VERSION', 'EVENT_CONFIGURE', 'GET_DEVICES'])(
    'of %s ends the session before it began',
    (message) => {
      const { ending, result } = run({
        workloads: fio(),
        faults: [{ on: 'ffa0', drop: message }],
      });
      expect(ending).toBe('done');
      expect(result.failure).toBe(`the bus ffa0 failed during ${message}`);
    },
  );
});

describe('a late message', () => {
  it.each(['EVENT_AVAIL', 'EVENT_USED'])(
    '%s makes its request so much later, and no other',
    (message) => {
      const workloads = fio({ operations: 20, thinkTime: '1ms' });
      const faults = [{ on: 'ffa0', delay: message, by: '123us', at: '5ms' }];
      const { ending, result } = run({ workloads, faults });
      expect(ending).toBe('done');
      const { min, p90, max } = measured(result.latency);
      expect(max - min).toBeCloseTo(123_000, 6);
      expect(p90).toBeLessThan(min * 1.01);
      expect(result).toMatchObject({ errors: 0, verified: 20 });
    },
  );

  it('that arrives after its repetition does no harm', () => {
    const { rig, ending, result } = run({
      workloads: fio(),
      faults: [{ on: 'ffa0', delay: 'GET_CONFIG', by: '1500us' }],
    });
    expect(ending).toBe('done');
    expect(result).toMatchObject({ requests: 80, errors: 0 });
    expect(rig.violations).toEqual([]);
  });

  it('that resets the device after all resets it under its driver, who finds out in time', () => {
    const { rig, ending, result } = run({
      workloads: fio({ operations: 2000 }),
      faults: [{ on: 'ffa0', delay: 'SET_DEVICE_STATUS', by: '1500us' }],
      until: { workloads: 'done', atMost: '60s' },
    });
    expect(ending).toBe('done');
    expect(result).toMatchObject({ requests: 2000, errors: 0, verified: 2000 });
    expect(rig.violationCodes).toEqual(['TIMEOUT']);
    const resets = rig.messages.filter(
      ({ message }) =>
        message.type === 'req.SET_DEVICE_STATUS' &&
        (message.body as { status: number }).status === 0,
    );
    // The first try, its repetition, and the driver's own once it had waited for 30 s.
    expect(resets).toHaveLength(3);
  });
});
