// ORDER_PLATFORM: a driver that orders its memory accesses for hardware pays for it, by hand and to the
// picosecond, and only then.
import { expect, it } from 'vitest';
import { Rig } from '../support/rig.ts';
import { memoryDisk, type ScenarioParts } from '../support/scenarios.ts';

const BARRIER = 1000;

function run(device: Readonly<Record<string, unknown>>, barrier: string, more: ScenarioParts = {}) {
  const workload = { type: 'fio', device: 'disk0', rw: 'randread', blockSize: '4KiB', depth: 1 };
  const rig = new Rig({
    timing: { 'cpu.platformBarrier': barrier },
    devices: { disk0: memoryDisk(0, device) },
    // A pause after each, so that each request is alone.
    workloads: [{ ...workload, operations: 5, thinkTime: '1ms' }],
    ...more,
  });
  expect(rig.run()).toBe('done');
  const { min, max } = rig.result().latency;
  expect(min).toBe(max);
  return min!;
}

it('costs two barriers for a chain that is added and one for a used element', () => {
  const usual = run({}, '1us');
  // Before the index and before the look at the device's suppression; after the used index.
  expect(run({ orderPlatform: true }, '1us')).toBe(usual + 3 * BARRIER);
  expect(run({ orderPlatform: true }, '0ns')).toBe(usual);
});

it('costs nothing when it is not offered', () => {
  expect(run({}, '1us')).toBe(run({}, '0ns'));
});
