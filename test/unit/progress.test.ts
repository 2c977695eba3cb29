// How far workloads and runs are, as they tell it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { shareDone } from '../../guests/workloads/progress.ts';
import { progressText } from '../../platform/cli/progress.ts';
import { tables } from '../../platform/cli/tables.ts';
import { runInline } from '../../platform/hosts/inline-host.ts';
import { linkLatencies } from '../../platform/hosts/stop-rule.ts';
import { Backing } from '../../platform/memory/index.ts';
import { Rig } from '../support/rig.ts';
import { memoryDisk, topologyOf } from '../support/scenarios.ts';

describe('the share that is done', () => {
  const open = { done: 0, total: Infinity, elapsed: 0, duration: Infinity };

  it.each([
    [open, null],
    [{ ...open, done: 3, total: 12 }, 0.25],
    [{ ...open, elapsed: 30, duration: 40 }, 0.75],
    [{ done: 3, total: 12, elapsed: 30, duration: 40 }, 0.75],
    [{ ...open, done: 13, total: 12 }, 1],
  ])('of %j is %s', (goal, share) => {
    expect(shareDone(goal)).toBe(share);
  });
});

describe('a group', () => {
  const fio = (device: string, more: object) => ({ type: 'fio', device, rw: 'randread', ...more });
  const devices = { disk0: memoryDisk(0), disk1: memoryDisk(1) };

  it('is as far as the workload that is least far', () => {
    const workloads = [
      fio('disk0', { operations: 50, depth: 1 }),
      fio('disk1', { operations: 500, depth: 1 }),
    ];
    const { group, runUntil } = progressing({ devices, workloads });
    expect(group.progress()).toBe(0);
    let last = 0;
    for (let ms = 1; group.unfinished > 0; ms++) {
      runUntil(ms * 1e9);
      expect(group.progress()).toBeGreaterThanOrEqual(last);
      last = group.progress()!;
      if (group.unfinished === 1) expect(last).toBeLessThan(1);
    }
    expect(last).toBe(1);
  });

  it('knows nothing when a workload knows nothing', () => {
    const balloon = { type: 'balloon', bus: 'ffa0', number: 1 };
    const workloads = [
      fio('disk0', { operations: 50 }),
      { type: 'balloonCycle', device: 'balloon0' },
    ];
    const parts = { devices: { disk0: memoryDisk(0), balloon0: balloon }, workloads };
    expect(progressing(parts).group.progress()).toBeNull();
  });

  function progressing(parts: Parameters<typeof topologyOf>[0]) {
    const rig = new Rig(topologyOf(parts));
    return { group: rig.group, runUntil: (time: number) => rig.runUntil(time) };
  }
});

describe('a run that is abandoned', () => {
  it('closes files as they were', () => {
    const folder = mkdtempSync(join(tmpdir(), 'abandon-'));
    const image = join(folder, 'disk.img');
    writeFileSync(image, new Uint8Array(65536));
    const disk0 = { type: 'blk', bus: 'ffa0', number: 0, image, writeBack: true };
    const workloads = [{ type: 'fio', device: 'disk0', rw: 'randwrite', operations: 500 }];
    const topology = topologyOf({ devices: { disk0 }, workloads });
    const closed = vi.spyOn(Backing.prototype, 'close');
    const run = (abandon: () => boolean) =>
      runInline({
        ...{ topology, tables, abandon, engine: 'compiled', anatomy: false, trace: null },
        ...{ links: linkLatencies(topology, tables.buses), onProgress: () => {} },
      });
    expect(run(() => true)).toBeNull();
    expect(closed).toHaveBeenCalledTimes(1);
    expect(readFileSync(image).every((byte) => byte === 0)).toBe(true);
    expect(run(() => false)).toMatchObject({ ending: 'done' });
    expect(closed).toHaveBeenCalledTimes(2);
    expect(readFileSync(image).every((byte) => byte === 0)).toBe(false);
    closed.mockRestore();
    rmSync(folder, { recursive: true });
  });
});

describe('the line', () => {
  const progress = { simulatedPs: 2e9, events: 3000, share: 0.25 };

  it('tells the share and what is left', () => {
    expect(progressText(progress, 2)).toBe(
      '25 %, 6 s left  2 ms simulated, 3 k events, 1.5 k ev/s',
    );
  });

  it('does not guess', () => {
    const text = '2 ms simulated, 3 k events, 1.5 k ev/s';
    expect(progressText({ ...progress, share: null }, 2)).toBe(text);
    expect(progressText({ ...progress, share: 0.01 }, 2)).toBe(`1 %  ${text}`);
  });
});
