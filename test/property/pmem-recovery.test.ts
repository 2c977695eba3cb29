// Persistent memory that loses power, fails, and has its queue reset at random moments, with every ring there is:
// every request comes back, and every block read is what it may be.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Rig } from '../support/rig.ts';

const instant = fc.integer({ min: 1, max: 1500 }).map((at) => `${at}us`);

const memoryArbitrary = fc.record({
  ring: fc.constantFrom('split', 'packed'),
  eventIdx: fc.boolean(),
  indirect: fc.boolean(),
  inOrder: fc.boolean(),
  notificationData: fc.boolean(),
  ringReset: fc.constant(true),
  queueSize: fc.constantFrom(2, 16, 64),
  // A driver gives up after more than three failures in a row.
  powerLoss: fc.array(
    fc.record({ at: instant, for: fc.integer({ min: 1, max: 100 }).map((time) => `${time}us`) }),
    { maxLength: 2 },
  ),
  needsReset: fc.array(instant, { maxLength: 1 }),
  resetQueues: fc.array(fc.record({ at: instant }), { maxLength: 2 }),
});

const workloadArbitrary = fc.record({
  depth: fc.constantFrom(1, 4, 16),
  blockSize: fc.constantFrom('512B', '4KiB', '12KiB'),
  flushEvery: fc.constantFrom(0, 7, 40),
  thinkTime: fc.constantFrom('0us', '20us'),
});

const busArbitrary = fc.constantFrom(
  {},
  { messages: 'fifo' },
  { events: 'poll', pollInterval: '30us' },
);

it('persistent memory in trouble loses no request and no acknowledged byte, seed 1, 40 runs', () => {
  fc.assert(
    fc.property(
      busArbitrary,
      memoryArbitrary,
      workloadArbitrary,
      fc.integer({ min: 1, max: 1000 }),
      (bus, memory, workload, seed) => {
        const rig = new Rig({
          seed,
          bus,
          devices: { mem: { type: 'pmem', bus: 'ffa0', number: 0, size: '512KiB', ...memory } },
          workloads: [{ type: 'fio', device: 'mem', rw: 'randrw', operations: 300, ...workload }],
        });
        expect(rig.run()).toBe('done');
        const { requests, errors, failure, operations } = rig.result();
        expect([requests, failure, rig.violations]).toEqual([300, null, []]);
        // Only a flush may fail: the one that could not keep its promise.
        expect(errors).toBe(operations!['flush']?.errors ?? 0);
      },
    ),
    { seed: 1, numRuns: 40, endOnFailure: true },
  );
});
