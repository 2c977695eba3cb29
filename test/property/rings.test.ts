// Driver ring and queue engine against each other, with random operations: no buffer is lost, comes
// twice or is touched by who does not own it; and a ring that makes no sense is an error, never a crash.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FetchOptions } from '../../devices/common/index.ts';
import { type RandomStream, randomStream } from '../../platform/kernel/index.ts';
import { RingBench, type RingBenchOptions } from '../support/ring-bench.ts';

const SEED = 1;
const RUNS = 40;
const STEPS = 80;

const FORMATS = [false, true].flatMap((packed) =>
  [false, true].flatMap((eventIndex) =>
    [false, true].map((indirect) => ({ packed, eventIndex, indirect })),
  ),
);

function nameOf({ packed, eventIndex, indirect }: Omit<RingBenchOptions, 'size'>): string {
  const options = [eventIndex ? 'EVENT_IDX' : '', indirect ? 'INDIRECT_DESC' : ''];
  return [packed ? 'packed' : 'split', ...options].filter((word) => word !== '').join(', ');
}

/** What happens next, drawn with the weights of a busy queue. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant('add' as const) },
  { weight: 3, arbitrary: fc.constant('kick' as const) },
  { weight: 3, arbitrary: fc.constant('step' as const) },
  { weight: 4, arbitrary: fc.constant('complete' as const) },
  { weight: 1, arbitrary: fc.constant('reap' as const) },
);

/** The same weights, for runs that are too long for generated lists. */
const WEIGHTED = ['add', 'kick', 'step', 'complete', 'reap'].flatMap((action, i) =>
  new Array<string>([4, 3, 3, 4, 1][i]).fill(action),
);
const LONG_SEEDS = [1, 2, 3, 4];
const LONG_STEPS = 10_000;

/** What a device may read ahead: from nothing at all to more than there is. */
const FETCHES: readonly FetchOptions[] = [1, 2, 5, 32].flatMap((batch) =>
  [16, 64, 256, 4096].map((descriptorBurst, i) => ({
    batch,
    descriptorBurst,
    availPrefetch: [0, 1, 3, 64][(i + batch) % 4],
    descriptorCache: [4096, 0, 512, 65536][(i + batch) % 4],
  })),
);
const fetch = fc.option(fc.constantFrom(...FETCHES), { nil: undefined });

function perform(bench: RingBench, action: string, random: RandomStream): void {
  if (action === 'add') {
    const readable = random.below(4);
    bench.add(readable, readable === 0 ? 1 + random.below(3) : random.below(3));
  } else if (action === 'kick') bench.kick();
  else if (action === 'step') bench.step(1 + random.below(12));
  else if (action === 'complete') bench.complete();
  else bench.reap();
}

describe.each(FORMATS)(
  'a ring: packed $packed, event index $eventIndex, indirect $indirect',
  (format) => {
    it(`keeps every buffer, ${RUNS} runs of ${STEPS} steps (seed ${SEED})`, () => {
      const sizes = format.packed ? [1, 3, 8, 100, 256, 32768] : [1, 2, 8, 64, 256, 32768];
      const steps = fc.array(step, { minLength: STEPS, maxLength: STEPS });
      fc.assert(
        fc.property(
          steps,
          fc.constantFrom(...sizes),
          fc.nat(1000),
          fetch,
          (actions, size, seed, plan) => {
            const random = randomStream(seed, `rings ${nameOf(format)}`);
            const bench = new RingBench({ ...format, size, fetch: plan ?? {} }, random);
            for (const action of actions) perform(bench, action, random);
            bench.drain();
          },
        ),
        { seed: SEED, numRuns: RUNS },
      );
    });
  },
);

describe.each(FORMATS)(
  'a ring for long: packed $packed, event index $eventIndex, indirect $indirect',
  (format) => {
    it.each(LONG_SEEDS)(`keeps every buffer over ${LONG_STEPS} steps (seed %i)`, (seed) => {
      const random = randomStream(seed, `long rings ${nameOf(format)}`);
      const sizes = format.packed ? [3, 8, 100] : [2, 8, 64];
      // The first as the profile has it, the others as any device may be.
      const fetch = seed === 1 ? {} : FETCHES[random.below(FETCHES.length)];
      const bench = new RingBench({ ...format, size: sizes[seed % sizes.length], fetch }, random);
      for (let step = 0; step < LONG_STEPS; step++) {
        perform(bench, WEIGHTED[random.below(WEIGHTED.length)], random);
      }
      bench.drain();
      // It went round many times.
      expect(bench.added).toBeGreaterThan(10 * sizes[seed % sizes.length]);
    });
  },
);

describe.each([false, true])('the indexes of a split ring with event index: %s', (eventIndex) => {
  it('go round beyond 65535 without losing count', () => {
    const random = randomStream(SEED, 'around');
    const bench = new RingBench({ packed: false, indirect: false, eventIndex, size: 256 }, random);
    while (bench.added < 66_000) {
      while (bench.add(0, 1));
      bench.kick();
      bench.step(60);
      while (bench.complete());
      bench.step(60);
    }
    bench.drain();
    // Both sides work in batches: far fewer signals and notifications than buffers.
    expect(bench.signals).toBeLessThan(bench.added / 10);
    expect(bench.notifications).toBeLessThan(bench.added / 10);
  });
});
