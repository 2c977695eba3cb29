// Resets of one queue and of the whole disk while requests are under way: nothing is lost, nothing is done
// twice that a user could see.
import { describe, expect, it } from 'vitest';
import { PS_PER_MS, PS_PER_US } from '../../platform/kernel/index.ts';
import { BLK_S } from '../../platform/virtio/index.ts';
import { DiskRig } from '../support/disk-rig.ts';

const SLOTS = 16;
const RINGS = [
  ['split', { ring: 'split' }],
  ['split with indirect tables and event indexes', { indirect: true, eventIdx: true }],
  ['packed', { ring: 'packed' }],
  ['packed and in order', { ring: 'packed', inOrder: true, eventIdx: true }],
  ['three queues', { queues: 3 }],
] as const;

/** Keeps all slots writing until 1.5 ms have passed; returns how often each slot wrote. */
function underLoad(disk: object, slots = SLOTS) {
  const user = new DiskRig({ ringReset: true, ...disk });
  const times = new Array<number>(slots).fill(1);
  user.whenReady = () => {
    for (let slot = 0; slot < slots; slot++) user.write(slot, slot, slot);
  };
  user.whenCompleted = (slot) => {
    if (user.rig.kernel.now > 1.5 * PS_PER_MS) return;
    user.write(slot, slot, (slot + times[slot]) % 251);
    times[slot]++;
  };
  return { user, times };
}

/** Reads back what each slot has written last. */
function expectAllWritten({ user, times }: ReturnType<typeof underLoad>): void {
  user.rig.runUntil(4 * PS_PER_MS);
  const expected = times.map((count, slot) => (slot + count - 1) % 251);
  expect(user.completions).toHaveLength(times.reduce((sum, count) => sum + count, 0));
  expect(new Set(user.statuses)).toEqual(new Set([BLK_S.OK]));
  for (let slot = 0; slot < SLOTS; slot++) user.read(slot, slot);
  user.rig.runUntil(6 * PS_PER_MS);
  expect(expected.map((_, slot) => user.valueOf(slot))).toEqual(expected);
  expect(user.rig.violations).toEqual([]);
}

describe('a queue that is reset under load', () => {
  it.each(RINGS)('comes back with all its requests: %s', (_, disk) => {
    const load = underLoad(disk);
    const { user } = load;
    const restarted: boolean[] = [];
    // Again and again, at odd moments.
    for (let i = 1; i <= 6; i++) {
      user.rig.runUntil(i * 217 * PS_PER_US);
      user.driver.resetQueue(0, (done) => restarted.push(done));
    }
    expectAllWritten(load);
    expect(restarted).toEqual(new Array(6).fill(true));
    expect(user.driver.recoveries).toBe(0);
    const resets = user.rig.messages.filter(({ message }) => message.type === 'req.RESET_VQUEUE');
    expect(resets).toHaveLength(6);
  });

  it('leaves the other queues alone', () => {
    const { user } = underLoad({ queues: 2 }, 48);
    user.rig.runUntil(PS_PER_MS);
    const before = user.completions.length;
    let done = false;
    user.driver.resetQueue(1, () => (done = true));
    while (!done) user.rig.runUntil(user.rig.kernel.nextTime() + 1);
    const during = user.completions.slice(before);
    // Even slots are those of the other queue.
    expect(during.filter(({ slot }) => slot % 2 === 0).length).toBeGreaterThan(2);
  });

  it('is not reset without RING_RESET, nor twice at a time, nor when it is not there', () => {
    const results: boolean[] = [];
    const { user } = underLoad({ ringReset: false });
    user.rig.runUntil(PS_PER_MS);
    user.driver.resetQueue(0, (done) => results.push(done));
    const able = underLoad({}).user;
    able.rig.runUntil(PS_PER_MS);
    able.driver.resetQueue(1, (done) => results.push(done));
    able.driver.resetQueue(0, () => {});
    able.driver.resetQueue(0, (done) => results.push(done));
    expect(results).toEqual([false, false, false]);
  });

  it('may be overtaken by a power failure', () => {
    for (const at of ['1000us', '1005us', '1010us', '1015us', '1020us', '1030us']) {
      const load = underLoad({ powerLoss: [{ at, for: '50us' }] });
      const results: boolean[] = [];
      load.user.rig.runUntil(PS_PER_MS);
      load.user.driver.resetQueue(0, (done) => results.push(done));
      expectAllWritten(load);
      expect([results, load.user.driver.recoveries]).toEqual([[true], 1]);
    }
  });
});

describe('a disk that its driver resets under load', () => {
  it.each(RINGS)('comes back with all its requests: %s', (_, disk) => {
    const load = underLoad(disk);
    const { user } = load;
    for (let i = 1; i <= 4; i++) {
      user.rig.runUntil(i * 317 * PS_PER_US);
      user.driver.resetDevice();
    }
    expectAllWritten(load);
    expect(user.driver.recoveries).toBe(4);
  });

  it('is the same on both engines', () => {
    const digests = (['compiled', 'xstate'] as const).map((engine) => {
      const user = new DiskRig({ ringReset: true }, { engine });
      user.whenReady = () => {
        for (let slot = 0; slot < 4; slot++) user.write(slot, slot, slot);
      };
      user.whenCompleted = (slot) => user.write(slot, slot, 1);
      user.rig.runUntil(300 * PS_PER_US);
      user.driver.resetQueue(0, () => {});
      user.rig.runUntil(600 * PS_PER_US);
      user.driver.resetDevice();
      user.rig.runUntil(900 * PS_PER_US);
      return user.rig.digest;
    });
    expect(digests[0]).toBe(digests[1]);
  });
});
