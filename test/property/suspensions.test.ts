// Devices that are suspended at random moments, for any time: nothing is lost, nothing comes twice, no rule is
// broken, and a queue that is reset in between does not matter.
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../platform/kernel/index.ts';
import { contractTopology, DEVICE_CASES, RING_CASES } from '../contract/cases.ts';
import { Rig } from '../support/rig.ts';

const SEED = 1;
const RUNS = 7;
const BUSES = ['ffa with notifications', 'virtio-pci', 'xen with copies', 'virtio-mmio'];
/** us after which the workloads of the contract suite have begun, and in which they are busy. */
const FROM = 20;
const SPAN = 250;
/** A queue that is reset while a frame has come in for it loses the frame. */
const LOSES_FRAMES: ReadonlySet<string> = new Set(['net']);

describe.each(Object.keys(DEVICE_CASES))('%s', (device) => {
  it(`loses nothing whenever it is suspended, ${RUNS} runs (seed ${SEED})`, () => {
    const random = randomStream(SEED, `suspensions ${device}`);
    const rings = Object.keys(RING_CASES);
    let suspensions = 0;
    for (let run = 0; run < RUNS; run++) {
      const suspends: { at: string; for: string }[] = [];
      for (let at = FROM, i = random.below(4); i >= 0; i--) {
        at += random.below(SPAN);
        const time = 1 + random.below(random.below(2) === 0 ? 20 : SPAN);
        suspends.push({ at: `${at}us`, for: `${time}us` });
        at += time;
      }
      const resets = LOSES_FRAMES.has(device) ? 0 : random.below(3);
      const resetQueues = Array.from({ length: resets }, () => ({
        at: `${FROM + random.below(SPAN)}us`,
        queue: random.below(2),
      }));
      const options = { suspends, ringReset: true, resetQueues };
      const bus = BUSES[random.below(BUSES.length)];
      const ring = rings[random.below(rings.length)];
      const choice = { bus, device, ring, seed: 1 + run };
      const expected = new Rig(contractTopology(choice));
      expected.run();
      const rig = new Rig(contractTopology({ ...choice, deviceOptions: options }));
      const what = JSON.stringify({ ...choice, options });
      expect(rig.run(), what).toBe('done');
      const [{ downReason, result }] = rig.outcome.workloads;
      const { requests, errors, failure } = result;
      expect([downReason, failure, errors, rig.violations], what).toEqual([null, null, 0, []]);
      expect(requests, what).toBe(expected.result().requests);
      suspensions += rig.outcome.devices[0].statistics['suspensions'];
    }
    expect(suspensions).toBeGreaterThan(RUNS / 2);
  });
});
