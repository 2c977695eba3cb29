// The script workload over FF-A: steps in order, each checked, and what is wrong is told by its number.
import { describe, expect, it } from 'vitest';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { Rig } from '../support/rig.ts';
import { memoryDisk, topologyOf } from '../support/scenarios.ts';

const parts = (steps: readonly object[], disk: object = {}) => ({
  devices: { disk0: memoryDisk(0, { ...disk }) },
  workloads: [{ type: 'script', device: 'disk0', steps }],
});

function run(steps: readonly object[], disk: object = {}) {
  const rig = new Rig(parts(steps, disk));
  const ending = rig.run();
  return { rig, ending, result: rig.result() };
}

describe('script', () => {
  it('does its steps in order and checks every byte', () => {
    const { rig, ending, result } = run([
      { do: 'write', at: '4KiB', pattern: 0xa5 },
      { do: 'write', at: '8KiB', length: '1KiB', pattern: 'deadbeef' },
      { do: 'flush' },
      { do: 'sleep', for: '3ms' },
      { do: 'read', pattern: 0 },
      { do: 'read', at: '4KiB', pattern: 'a5' },
      { do: 'read', at: '8KiB', length: '512B', pattern: 'deadbeefdeadbeef' },
      { do: 'read', at: '9KiB', length: '512B', pattern: '00' },
    ]);
    expect(ending).toBe('done');
    expect(result).toMatchObject({ requests: 7, errors: 0, verified: 4, failure: null });
    expect(result.bytes).toBe(4096 + 1024 + 4096 + 4096 + 512 + 512);
    expect(Object.keys(result.operations!)).toEqual(['write', 'flush', 'read']);
    expect(result.operations!['read'].requests).toBe(4);
    expect(result.elapsedPs).toBeGreaterThan(3e9);
    expect(rig.violations).toEqual([]);
  });

  it('tells the first byte that is wrong, and goes on', () => {
    const { rig, result } = run([
      { do: 'write', pattern: '0102' },
      { do: 'read', pattern: '0103' },
      { do: 'read', pattern: '0102' },
    ]);
    expect(result).toMatchObject({ requests: 3, errors: 1, verified: 2 });
    expect(rig.violationCodes).toEqual(['VERIFY']);
    expect(rig.violations[0].text).toBe('script.disk0: step 2 (read) found 02 at byte 1, not 03');
  });

  it('expects what must fail to fail', () => {
    const steps = [
      { do: 'write', expect: 'ioerr' },
      { do: 'read', at: '1MiB', expect: 'ioerr' },
      { do: 'discard', expect: 'unsupported' },
      { do: 'resetQueue', expect: 'unsupported' },
      { do: 'cacheMode', writeBack: false, expect: 'unsupported' },
      { do: 'read', pattern: 0 },
    ];
    const { rig, result } = run(steps, { readOnly: true });
    expect(result).toMatchObject({ requests: 4, errors: 0, verified: 1 });
    expect(rig.violations).toEqual([]);
    const writable = run(steps);
    // The write succeeds, which nobody expected.
    expect(writable.result).toMatchObject({ errors: 1 });
    expect(writable.rig.violations[0].text).toMatch(/step 1 \(write\) ended in 'ok', not 'ioerr'/);
  });

  it('resets queues and the disk, and chooses the cache mode', () => {
    const { rig, result } = run(
      [
        { do: 'cacheMode', writeBack: false },
        { do: 'write', pattern: 7 },
        { do: 'resetQueue', queue: 0 },
        { do: 'read', pattern: 7 },
        { do: 'resetDevice' },
        { do: 'read', pattern: 7 },
        { do: 'resetQueue', queue: 1, expect: 'unsupported' },
      ],
      { ringReset: true, writeCache: '64KiB' },
    );
    expect(result).toMatchObject({ requests: 3, errors: 0, verified: 2, failure: null });
    expect(rig.violations).toEqual([]);
    const types = rig.typesOf(0);
    expect(types.filter((type) => type === 'req.RESET_VQUEUE')).toHaveLength(1);
    // The mode was chosen, and chosen again after the reset.
    expect(types.filter((type) => type === 'req.SET_CONFIG')).toHaveLength(2);
  });

  it('writes zeroes and discards', () => {
    const { rig, result } = run(
      [
        { do: 'write', pattern: 7 },
        { do: 'writeZeroes', at: '1KiB', length: '512B' },
        { do: 'discard', at: '2KiB', length: '512B' },
        { do: 'read', length: '1KiB', pattern: 7 },
        { do: 'read', at: '1KiB', length: '512B', pattern: 0 },
        { do: 'read', at: '1536B', length: '512B', pattern: 7 },
      ],
      { discard: true, writeZeroes: true },
    );
    expect(result).toMatchObject({ requests: 6, errors: 0, verified: 3 });
    expect(rig.violations).toEqual([]);
  });

  it('notices a reset that was refused', () => {
    const { rig, result } = run([{ do: 'resetQueue' }, { do: 'flush' }]);
    expect(result).toMatchObject({ requests: 1, errors: 1 });
    expect(rig.violations[0].text).toBe(
      "script.disk0: step 1 (resetQueue) ended in 'unsupported', not 'ok'",
    );
  });

  it.each([
    ['no steps', []],
    ['an unknown step', [{ do: 'fly' }]],
    ['an unknown key', [{ do: 'read', size: '4KiB' }]],
    ['half a byte', [{ do: 'read', pattern: 'abc' }]],
    ['half a sector', [{ do: 'read', length: '100B' }]],
  ])('%s is refused by the loader', (_, steps) => {
    expect(() => topologyOf(parts(steps))).toThrow(ScenarioError);
  });
});
