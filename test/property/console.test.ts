// The echo behind a console port: whatever the sizes of writes and buffers, the bytes come back complete,
// in order and once.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DeviceBench } from '../support/device-bench.ts';

const step = fc.oneof(
  fc.record({ write: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ offer: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ wait: fc.integer({ min: 1, max: 50 }) }),
);

it('gives back what it was given', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const dut = new DeviceBench('console', { options: { multiport: false }, queueSize: 64 });
      dut.start();
      const sent: number[] = [];
      let space = 0;
      for (const act of steps) {
        if ('wait' in act) dut.run(act.wait * 1_000_000);
        else if ('offer' in act && dut.rings[0].freeCount > 0) {
          dut.send(0, [], [act.offer]);
          dut.device.available(0, 0);
          space += act.offer;
        } else if ('write' in act && dut.rings[1].freeCount > 0) {
          const bytes = Array.from({ length: act.write }, (_, i) => (sent.length + i) % 251);
          sent.push(...bytes);
          dut.send(1, [bytes], []);
          dut.device.available(1, 0);
        }
      }
      dut.run();
      const back = dut.returned.filter(({ queue }) => queue === 0);
      const received = back.flatMap(({ bytes, written }) => [...bytes.subarray(0, written)]);
      expect(received).toEqual(sent.slice(0, received.length));
      // Buffers come back as soon as there are bytes for them, so not all of them need be full.
      const used = back.reduce((sum, { bytes }) => sum + bytes.length, 0);
      if (received.length < sent.length) expect(used).toBe(space);
      expect(dut.violations).toEqual([]);
    }),
    { seed: 1, numRuns: 150 },
  );
});
