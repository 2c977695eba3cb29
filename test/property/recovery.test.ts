// Devices that fail at random moments, with resets that take their time and queues that are reset meanwhile:
// drivers bring them back, nothing breaks a rule, and what is verified is right.
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../platform/kernel/index.ts';
import { contractTopology, DEVICE_CASES, RING_CASES } from '../contract/cases.ts';
import { Rig } from '../support/rig.ts';

const SEED = 1;
const RUNS = 15;
/** ns after which the workloads of the contract suite have begun, and one in which they are busy. */
const FROM = 20_000;
const SPAN = 3_000_000;
/** More than some devices have: a queue that there is not cannot be reset. */
const QUEUES_MAX = 4;

describe.each(Object.keys(DEVICE_CASES))('%s', (device) => {
  it(`comes back whenever it fails, ${RUNS} runs (seed ${SEED})`, () => {
    const random = randomStream(SEED, `recovery ${device}`);
    const rings = Object.keys(RING_CASES);
    for (let run = 0; run < RUNS; run++) {
      const needsReset = Array.from(
        { length: 1 + random.below(2) },
        () => `${FROM + random.below(random.below(2) === 0 ? SPAN / 10 : SPAN)}ns`,
      );
      const resetTime = random.below(2) === 0 ? '0ps' : `${random.below(300)}us`;
      const ring = rings[random.below(rings.length)];
      const resetQueues = Array.from({ length: random.below(4) }, () => ({
        at: `${FROM + random.below(SPAN / 10)}ns`,
        queue: random.below(QUEUES_MAX),
      }));
      const options = { needsReset, resetTime, ringReset: true, resetQueues };
      const bus = 'ffa with notifications';
      const rig = new Rig(
        contractTopology({ bus, device, ring, revision: 'v2', deviceOptions: options }),
      );
      const what = `${device} ${ring} ${JSON.stringify(options)}`;
      expect(rig.run(), what).toBe('done');
      const [workload] = rig.outcome.workloads;
      const { verified, failure } = workload.result;
      expect([workload.downReason, failure, rig.violations], what).toEqual([null, null, []]);
      expect(verified, what).toBeGreaterThan(0);
    }
  });
});
