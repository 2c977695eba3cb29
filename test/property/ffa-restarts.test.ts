// Crashes at random instants on both sides of an FF-A bus, and resets in between, by every way of messages and
// events: the disk comes back each time, every request is answered, and no acknowledged write is lost.
import { describe, expect, it } from 'vitest';
import { type RandomStream, randomStream } from '../../platform/kernel/index.ts';
import { Rig } from '../support/rig.ts';

/** Short, so that a run is: what must hold does not depend on them. */
const timing = {
  'ffa.initRetry': '200us',
  'ffa.requestTimeout': '500us',
  'ffa.indirectRetry': '20us',
  'ffa.reclaimRetry': '300us',
};
const SEEDS = [55, 32, 36, 7, 28];
const DEPTH = 6;
const OPERATIONS = 1000;
const CRASHES = { partition: 3, vm: 2 };

/** So many crashes one after the other; the first session is up by 600 us. */
function crashes(random: RandomStream, count: number) {
  let last = 600;
  return Array.from({ length: count }, () => {
    const at = last + 200 + random.below(1500);
    const length = 1 + random.below(700);
    last = at + length + 1;
    return { at: `${at}us`, for: `${length}us` };
  });
}

describe.each([
  { messages: 'direct' },
  { messages: 'direct', events: 'poll', pollInterval: '50us' },
  { messages: 'direct', events: 'indirect', areaSize: '64KiB' },
  { messages: 'fifo' },
  { messages: 'fifo', events: 'notification' },
  { messages: 'indirect' },
  { messages: 'indirect', mediator: 'hypervisor' },
  { messages: 'indirect', mediator: 'hypervisor', memory: 'grants' },
])('%j', (ways) => {
  it.each(SEEDS)('survives the crashes of seed %i', (seed) => {
    const random = randomStream(seed, JSON.stringify(ways));
    const kind = ways.mediator === 'hypervisor' ? 'vm' : 'partition';
    const rig = new Rig({
      timing,
      seed,
      bus: { ...ways, pingInterval: '500us', resets: ['1234us', '3456us'] },
      storage: { kind, restarts: crashes(random, CRASHES.partition) },
      linux: { restarts: crashes(random, CRASHES.vm) },
      workloads: [
        { type: 'fio', device: 'disk0', rw: 'randrw', depth: DEPTH, operations: OPERATIONS },
      ],
      until: { workloads: 'done', atMost: '500ms' },
    });
    expect(rig.run()).toBe('done');
    const { requests, errors, failure } = rig.result();
    expect([errors, failure]).toEqual([0, null]);
    // Those under way when the VM crashed were never answered.
    expect(OPERATIONS - requests).toBeLessThanOrEqual(CRASHES.vm * DEPTH);
    // A partition that was back before anybody noticed says so; nothing else is wrong.
    expect(new Set(rig.violationCodes)).toEqual(
      new Set(rig.violationCodes.filter((code) => code === 'UNEXPECTED_MESSAGE')),
    );
  });
});
