// A message ring under random use: whatever the layout, the doorbells and the budget, every message comes
// out once, in order and as it went in, as soon as the consumer looks often enough.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bridgeLayout, bridgeSize, type RingLayout, spscLayout } from '../../buses/common/index.ts';
import { randomStream } from '../../platform/kernel/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import { MessageRing, MICROSECOND } from '../support/message-ring-bench.ts';

const RUNS = 30;

interface Place {
  readonly name: string;
  readonly layout: RingLayout;
  readonly size: number;
  /** Where both indexes begin. */
  readonly start: number;
}

const PLACES: readonly Place[] = [
  { name: 'SPSC, 14 slots', layout: spscLayout(0, 1024), size: 1024, start: 0 },
  { name: 'SPSC, 2 slots', layout: spscLayout(0, 256), size: 256, start: 1 },
  {
    name: 'bridge, 4 entries',
    layout: bridgeLayout(0, 4, 64),
    size: bridgeSize(4, 64),
    start: 2 ** 32 - 3,
  },
];

const action = fc.oneof(
  { weight: 5, arbitrary: fc.constant('send' as const) },
  { weight: 2, arbitrary: fc.constant('ring' as const) },
  { weight: 3, arbitrary: fc.constant('run' as const) },
);

describe.each(PLACES)('$name', ({ layout, size, start }) => {
  it('keeps every message', () => {
    const budgets = fc.constantFrom(1, 3, Number.POSITIVE_INFINITY);
    const beyond = fc.constantFrom('continue' as const, 'wait' as const);
    const actions = fc.array(action, { minLength: 30, maxLength: 60 });
    fc.assert(
      fc.property(actions, budgets, beyond, fc.nat(1000), (steps, budget, beyondBudget, seed) => {
        const random = randomStream(seed, 'message rings');
        const ring = new MessageRing({ layout, size, budget, beyondBudget, deaf: true });
        for (const at of [layout.producerIndex, layout.consumerIndex]) {
          ring.nodes.linux.memory.writeU32(ring.base + at, start);
        }
        ring.sender.open();
        ring.receiver.open();
        const sent: string[] = [];
        for (const step of steps) {
          if (step === 'run') ring.run(random.below(30) * MICROSECOND);
          else if (step === 'ring') ring.receiver.rung();
          else {
            // A bus message, so that none is taken for a notification and merged.
            const bytes = new Uint8Array(8 + random.below(57));
            random.fill(bytes);
            bytes[0] = 2;
            sent.push(toHex(bytes) + '00'.repeat(64 - bytes.length));
            ring.sender.send(bytes, bytes.length);
          }
        }
        for (let i = 0; i <= sent.length; i++) {
          ring.receiver.rung();
          ring.run(100 * MICROSECOND);
        }
        expect(ring.frames).toEqual(sent);
        expect(ring.broken).toEqual([]);
        expect(ring.word(layout.producerIndex)).toBe(ring.word(layout.consumerIndex));
      }),
      { seed: 1, numRuns: RUNS },
    );
  });
});
