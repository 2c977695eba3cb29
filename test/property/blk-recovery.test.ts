// Disks that fail, are reset, change and lose messages at random moments, with every ring there is: every
// request comes back, and every block read is what it may be.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rig } from '../support/rig.ts';
import { memoryDisk, type ScenarioParts } from '../support/scenarios.ts';

const MICROSECOND = fc.integer({ min: 1, max: 3000 });

const diskArbitrary = fc.record({
  ring: fc.constantFrom('split', 'packed'),
  eventIdx: fc.boolean(),
  indirect: fc.boolean(),
  inOrder: fc.boolean(),
  notificationData: fc.boolean(),
  ringReset: fc.constant(true),
  discard: fc.constant(true),
  queues: fc.constantFrom(1, 1, 2, 3),
  queueSize: fc.constantFrom<number>(4, 16, 256),
  parallel: fc.constantFrom(1, 8),
  service: fc.constantFrom('constant', 'exponential'),
  writeCache: fc.constantFrom('0B', '16KiB', '1MiB'),
  powerLoss: fc.array(
    fc.record({
      at: MICROSECOND.map((at) => `${at}us`),
      for: fc.integer({ min: 1, max: 300 }).map((time) => `${time}us`),
    }),
    // A driver gives up after more failures in a row than that.
    { maxLength: 3 },
  ),
});

type Disk = typeof diskArbitrary extends fc.Arbitrary<infer Value> ? Value : never;

/** A packed ring may have any size. */
const oddWhenPacked = (disk: Disk): Disk =>
  disk.ring === 'packed' ? { ...disk, queueSize: disk.queueSize - 1 } : disk;

const workloadArbitrary = fc.record({
  depth: fc.constantFrom(1, 4, 16),
  flushEvery: fc.constantFrom(0, 7, 40),
  discardEvery: fc.constantFrom(0, 9),
  thinkTime: fc.constantFrom('0us', '20us'),
});

/** Steps of a script that makes trouble: waits, then resets something. */
const stepsArbitrary = fc.array(
  fc.record({
    wait: fc.integer({ min: 1, max: 800 }),
    what: fc.constantFrom('resetQueue', 'resetDevice', 'sleep'),
  }),
  { maxLength: 6 },
);

const faultArbitrary = fc.option(
  fc.record({
    drop: fc.constantFrom('EVENT_USED', 'EVENT_AVAIL', 'EVENT_CONFIG', 'SET_DEVICE_STATUS'),
    at: MICROSECOND.map((at) => `${at}us`),
  }),
  { nil: null },
);

describe('a disk in trouble', () => {
  it('loses no request and no acknowledged byte, seed 1, 50 runs', () => {
    fc.assert(
      fc.property(
        diskArbitrary.map(oddWhenPacked),
        workloadArbitrary,
        stepsArbitrary,
        faultArbitrary,
        fc.integer({ min: 1, max: 1000 }),
        (disk, workload, trouble, fault, seed) => {
          const steps = trouble.flatMap(({ wait, what }) => [
            { do: 'sleep', for: `${wait}us` },
            { do: what },
          ]);
          const scripts = steps.length > 0 ? [{ type: 'script', device: 'disk0', steps }] : [];
          const parts: ScenarioParts = {
            seed,
            timing: { 'blk.requestTimeout': '5ms', 'ffa.requestTimeout': '1ms' },
            devices: { disk0: memoryDisk(0, { capacity: '512KiB', ...disk }) },
            workloads: [
              { type: 'fio', device: 'disk0', rw: 'randrw', operations: 250, ...workload },
              ...scripts,
            ],
            faults: fault === null ? [] : [{ on: 'ffa0', ...fault }],
          };
          const rig = new Rig(parts);
          expect(rig.run()).toBe('done');
          const { requests, errors, failure, operations } = rig.result();
          expect([requests, failure]).toEqual([250, null]);
          // Only a flush may fail: the one that could not keep its promise.
          expect(errors).toBe(operations!['flush']?.errors ?? 0);
          // A reset of a queue that a reset of the disk has overtaken may be refused; no byte is wrong.
          const wrong = rig.violations.filter(({ text }) =>
            text.includes('is not what it must be'),
          );
          expect(wrong).toEqual([]);
          const codes = rig.violationCodes.filter(
            (code) => code !== 'TIMEOUT' && code !== 'VERIFY',
          );
          expect(codes).toEqual([]);
        },
      ),
      { seed: 1, numRuns: 50, endOnFailure: true },
    );
  });
});
