// Data in band under random accesses of two devices: whatever their sizes and places, and however small the
// messages and the queues, memory is what it would be if each access had been made at once.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toHex } from '../../platform/wire/index.ts';
import { inBandBench, pattern } from '../support/in-band-bench.ts';

const MEMORY = 8192;
const RUNS = 60;

const segment = fc
  .tuple(fc.nat(MEMORY - 1), fc.oneof(fc.nat(12), fc.nat(700)))
  .map(([offset, length]) => ({ offset, length: Math.min(length, MEMORY - offset) }));

const access = fc.record({
  device: fc.nat(1),
  write: fc.boolean(),
  segments: fc.array(segment, { minLength: 1, maxLength: 5 }),
  /** ps until the next one. */
  pause: fc.oneof(fc.constant(0), fc.nat(30_000_000)),
});

const bus = fc.record({
  // 48 is the least that v1 lives with.
  maxMessageSize: fc.integer({ min: 12, max: 66 }).map((words) => `${words * 4}B`),
  elements: fc.integer({ min: 3, max: 20 }),
  perInterrupt: fc.constantFrom('one', 'all'),
});

it('keeps every byte', () => {
  fc.assert(
    fc.property(bus, fc.array(access, { minLength: 1, maxLength: 12 }), (options, accesses) => {
      const bench = inBandBench({ bus: options, memory: MEMORY });
      const { ports, addresses, outcomes, run } = bench;
      const model = addresses.map(() => new Uint8Array(MEMORY));
      const expected: { tag: number; bytes: string }[] = [];
      accesses.forEach(({ device, write, segments, pause }, tag) => {
        const base = addresses[device];
        if (write) {
          const data = segments.map(({ length }, i) => pattern(length, tag * 31 + i));
          segments.forEach(({ offset }, i) => void model[device].set(data[i], offset));
          bench.write(ports[device], tag, ...segments.map(at(base, data)));
        } else {
          const parts = segments.map(({ offset, length }) =>
            toHex(model[device], offset, offset + length),
          );
          expected.push({ tag, bytes: parts.join('') });
          bench.read(
            ports[device],
            tag,
            ...segments.map(({ offset, length }) => [base + offset, length] as const),
          );
        }
        if (pause > 0) run(pause);
      });
      run();
      expect([...outcomes].sort((a, b) => a.tag - b.tag)).toEqual(expected);
      addresses.forEach((address, i) => {
        expect(bench.bytesAt(address, MEMORY)).toBe(toHex(model[i]));
      });
      const violations = bench.driverNode.violations.count + bench.deviceNode.violations.count;
      expect(violations).toBe(0);
    }),
    { seed: 1, numRuns: RUNS },
  );
});

/** Segments with their data, by address. */
function at(base: number, data: readonly Uint8Array[]) {
  return ({ offset }: { readonly offset: number }, i: number) => [base + offset, data[i]] as const;
}
