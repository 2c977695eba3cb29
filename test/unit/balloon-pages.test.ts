// What a balloon hears of free pages: reports, hints by rounds, and what pages are filled with (virtio 1.4
// §5.5.6.5 to §5.5.6.7), at the device and end to end.
import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES } from '../../guests/balloon/free-pages.ts';
import { PS_PER_MS } from '../../platform/kernel/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import {
  BALLOON_CONFIG,
  BALLOON_F,
  BALLOON_HINT,
  BALLOON_QUEUE,
  STATUS,
} from '../../platform/virtio/index.ts';
import { balloonBench, balloonFigures } from '../support/balloon-bench.ts';
import { DeviceBench, le } from '../support/device-bench.ts';
import { Rig } from '../support/rig.ts';
import { topologyOf } from '../support/scenarios.ts';

const { hint, report } = BALLOON_QUEUE;
const id = (value: number) => le([value, 4]);

function config32(dut: DeviceBench, at: number): number {
  const bytes = new Uint8Array(4);
  dut.device.readConfig(at, bytes, 0, 4);
  return new DataView(bytes.buffer).getUint32(0, true);
}

describe('reports', () => {
  it('are counted by pages and cost the host its time', () => {
    const dut = balloonBench({ reporting: true });
    dut.request(report, [], [4096 * 3, 4096], 4096);
    expect(balloonFigures(dut)).toMatchObject({ pagesReported: 4, pages: 0 });
    expect(dut.node.costs.charges.counts[dut.node.costs.idOf('balloon.page')]).toBe(4);
    expect(dut.violations).toEqual([]);
  });

  it('leave the bytes of the pages alone', () => {
    const dut = balloonBench({ reporting: true, poison: true });
    const [returned] = dut.request(report, [], [4096], 4096);
    expect(returned).toMatchObject({ written: 0 });
    expect(new Set(returned.bytes)).toEqual(new Set([0xee]));
  });

  it.each([
    ['half a page', [], [2048]],
    ['what can be read', [id(1)], [4096]],
  ])('of %s are a violation and count for nothing', (_, readable, writable) => {
    const dut = balloonBench({ reporting: true });
    expect(dut.request(report, readable, writable, 4096)).toHaveLength(1);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
    expect(balloonFigures(dut).pagesReported).toBe(0);
  });

  it('have no queue where they are not offered, and are refused where they are not agreed', () => {
    expect(balloonBench({}).device.info.queuesMax).toBe(3);
    const dut = balloonBench({ reporting: true }, BALLOON_F.STATS_VQ);
    dut.request(report, [], [4096], 4096);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });
});

describe('hints', () => {
  const options = {
    hints: [
      { at: '1ms', for: '2ms' },
      { at: '5ms', for: '1ms' },
    ],
  };

  it('are asked for by ids that are never used again', () => {
    const dut = balloonBench(options);
    const seen: number[] = [];
    for (let at = 0; at < 7; at++) {
      dut.run(PS_PER_MS);
      seen.push(config32(dut, BALLOON_CONFIG.freePageHintCmdId));
    }
    const { DONE, FIRST } = BALLOON_HINT;
    expect([...new Set(seen)]).toEqual([0, FIRST, DONE, FIRST + 1].slice(0, new Set(seen).size));
    expect(seen.at(-1)).toBe(DONE);
    expect(dut.configEvents).toBe(4);
  });

  it('count in the round that they belong to only', () => {
    const dut = balloonBench(options);
    dut.run(1.5 * PS_PER_MS);
    dut.request(hint, [id(BALLOON_HINT.FIRST)], []);
    dut.request(hint, [], [8192], 4096);
    expect(balloonFigures(dut)).toMatchObject({ pagesHinted: 2, hintRounds: 0 });
    dut.request(hint, [id(BALLOON_HINT.STOP)], []);
    dut.request(hint, [], [8192], 4096);
    expect(balloonFigures(dut)).toMatchObject({ pagesHinted: 2, hintRounds: 1 });
    dut.request(hint, [id(BALLOON_HINT.FIRST + 7)], []);
    dut.request(hint, [], [8192], 4096);
    expect(balloonFigures(dut).pagesHinted).toBe(2);
    expect(dut.violations).toEqual([]);
  });

  it('begin with an id of four bytes', () => {
    const dut = balloonBench(options);
    dut.request(hint, [[1, 2]], []);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });

  it('whose rounds overlap are refused by the loader', () => {
    const hints = [
      { at: '1ms', for: '3ms' },
      { at: '2ms', for: '1ms' },
    ];
    const devices = { b: { type: 'balloon', bus: 'ffa0', number: 0, hints } };
    expect(() => topologyOf({ devices, workloads: [] })).toThrow(ScenarioError);
  });
});

describe('what pages are filled with', () => {
  it('is said before the device is live, and holds until a reset', () => {
    const dut = new DeviceBench('balloon', { options: { poison: true } });
    const { device } = dut;
    const value = Uint8Array.from(id(0xaaaa_aaaa));
    const { poisonVal } = BALLOON_CONFIG;
    expect(device.writeConfig(poisonVal, value)).toBe(false);
    device.setStatus(STATUS.ACKNOWLEDGE | STATUS.DRIVER);
    device.setDriverFeatures(device.features);
    expect(device.writeConfig(poisonVal, value)).toBe(true);
    expect(config32(dut, poisonVal)).toBe(0xaaaa_aaaa);
    device.setStatus(0);
    expect(config32(dut, poisonVal)).toBe(0);
    dut.start();
    expect(device.writeConfig(poisonVal, value)).toBe(false);
  });

  it('has no place in the configuration where it is not offered', () => {
    expect(balloonBench({}).device.info.configSize).toBe(8);
  });
});

describe('a guest', () => {
  const run = (device: object, workload: object = {}, timing: Record<string, string> = {}) => {
    const rig = new Rig({
      devices: { balloon0: { type: 'balloon', bus: 'ffa0', number: 0, ...device } },
      workloads: [{ type: 'balloonCycle', device: 'balloon0', ...workload }],
      timing: { 'balloon.reportInterval': '1ms', ...timing },
      // Free memory is what the rest of the node has left of this.
      linux: { memory: '24MiB' },
    });
    expect(rig.run()).toBe('done');
    expect(rig.violations).toEqual([]);
    return { rig, figures: rig.outcome.devices[0].statistics };
  };
  const cycle = {
    pressure: [
      { at: '2ms', pages: 256 },
      { at: '20ms', pages: 0 },
    ],
  };

  it('reports most of its free memory, and again when there is more', () => {
    const { figures: once } = run({ reporting: true, pressure: [{ at: '12ms', pages: 1 }] });
    const most = (24 * 1024 * 1024) / 4096;
    expect(once.pagesReported).toBeGreaterThan(most / 2);
    expect(once.pagesReported).toBeLessThan(most);
    expect(once.pagesReported % (BLOCK_BYTES / 4096)).toBe(0);
    const { figures: again } = run({ reporting: true, ...cycle, pages: 2000 });
    expect(again.pagesReported).toBeGreaterThan(once.pagesReported / 2);
  });

  it('hints while the device asks for it, round by round', () => {
    const { figures } = run({
      hints: [
        { at: '3ms', for: '4ms' },
        { at: '10ms', for: '4ms' },
      ],
      ...cycle,
    });
    expect(figures.hintRounds).toBe(2);
    expect(figures.pagesHinted).toBeGreaterThan(2000);
  });

  it('has its memory back when it needs it', () => {
    const demand = [{ at: '5ms', size: '20MiB', hold: '1ms' }];
    const { rig } = run({ hints: [{ at: '1ms', for: '20ms' }], ...cycle }, { demand });
    expect(rig.result()).toMatchObject({ errors: 0 });
  });

  it('pays for filling what comes out of the balloon', () => {
    const took = (poison: boolean) => run({ poison, ...cycle }).rig.result().latency.max!;
    expect(took(true)).toBeGreaterThan(took(false));
  });
});
