// virtio-balloon: pages in and out, the target and its generation, statistics, and hostile drivers.
import { describe, expect, it } from 'vitest';
import { PS_PER_MS } from '../../platform/kernel/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import {
  BALLOON_CONFIG,
  BALLOON_F,
  BALLOON_QUEUE,
  BALLOON_STAT,
} from '../../platform/virtio/index.ts';
import { balloonBench, balloonFigures } from '../support/balloon-bench.ts';
import { DeviceBench, le } from '../support/device-bench.ts';
import { topologyOf } from '../support/scenarios.ts';

const { inflate, deflate, stats } = BALLOON_QUEUE;
const list = (...pages: number[]) => le(...pages.map((page) => [page, 4] as const));
const stat = (tag: number, value: number) => le([tag, 2], [value, 8]);

function config(dut: DeviceBench): number[] {
  const bytes = new Uint8Array(8);
  dut.device.readConfig(0, bytes, 0, 8);
  const view = new DataView(bytes.buffer);
  return [view.getUint32(0, true), view.getUint32(4, true)];
}

const tell = (dut: DeviceBench, actual: number) =>
  dut.device.writeConfig(BALLOON_CONFIG.actual, Uint8Array.from(le([actual, 4])));

describe('pages', () => {
  it('go in and come out by number, and every request is acknowledged', () => {
    const dut = balloonBench();
    expect(dut.request(inflate, [list(10, 11, 12)], [])).toHaveLength(1);
    expect(balloonFigures(dut)).toMatchObject({ pages: 3, pagesInflated: 3 });
    expect(dut.request(deflate, [list(11), list(12)], [])).toHaveLength(1);
    expect(balloonFigures(dut)).toMatchObject({ pages: 1, pagesDeflated: 2 });
    expect(dut.violations).toEqual([]);
  });

  it('cost the host its time for each', () => {
    const dut = balloonBench();
    dut.request(inflate, [list(1, 2, 3, 4, 5)], []);
    const page = dut.node.costs.idOf('balloon.page');
    expect(dut.node.costs.charges.counts[page]).toBe(5);
  });

  it('are forgotten at a reset, and a request under way with them', () => {
    const dut = balloonBench();
    dut.request(inflate, [list(1, 2)], []);
    tell(dut, 2);
    dut.send(inflate, [list(3)], []);
    dut.device.available(inflate, 0);
    dut.run(300_000);
    dut.device.setStatus(0);
    expect(config(dut)).toEqual([0, 0]);
    dut.start();
    dut.run();
    expect(balloonFigures(dut).pages).toBe(0);
    expect(dut.request(inflate, [list(1)], [])).toHaveLength(1);
    expect(dut.violations).toEqual([]);
  });

  it('of the other queue stay in line when one queue is reset', () => {
    const dut = balloonBench();
    dut.request(inflate, [list(1, 2)], []);
    dut.send(deflate, [list(1)], []);
    dut.send(inflate, [list(3)], []);
    dut.device.available(inflate, 0);
    dut.device.available(deflate, 0);
    // Long enough to be fetched, not to be served.
    for (let i = 0; i < 50 && balloonFigures(dut).pagesInflated === 2; i++)
      dut.kernel.runUntil(dut.kernel.now + 20_000);
    dut.device.resetQueue(inflate);
    dut.run();
    expect(balloonFigures(dut)).toMatchObject({ pagesDeflated: 1 });
  });
});

describe('the target', () => {
  it('changes by the schedule, with a new generation and an event', () => {
    const pressure = [
      { at: '1ms', pages: 100 },
      { at: '2ms', pages: 5 },
    ];
    const dut = balloonBench({ pages: 7, pressure });
    expect(config(dut)).toEqual([7, 0]);
    const { configGeneration } = dut.device;
    dut.run(1.5 * PS_PER_MS);
    expect(config(dut)).toEqual([100, 0]);
    expect([dut.device.configGeneration, dut.configEvents]).toEqual([configGeneration + 1, 1]);
    dut.run(PS_PER_MS);
    expect(config(dut)).toEqual([5, 0]);
    expect([dut.device.configGeneration, dut.configEvents]).toEqual([configGeneration + 2, 2]);
  });

  it('is for the device alone; the driver writes what there is', () => {
    const dut = balloonBench();
    dut.request(inflate, [list(1, 2)], []);
    expect(tell(dut, 2)).toBe(true);
    expect(config(dut)).toEqual([0, 2]);
    const three = Uint8Array.of(1, 0, 0);
    expect(dut.device.writeConfig(BALLOON_CONFIG.numPages, Uint8Array.from(le([9, 4])))).toBe(
      false,
    );
    expect(dut.device.writeConfig(BALLOON_CONFIG.actual, three)).toBe(false);
    expect(dut.device.writeConfig(0, new Uint8Array(8))).toBe(false);
    expect(config(dut)).toEqual([0, 2]);
    expect(dut.violations).toEqual([]);
  });

  it('is told wrong by a driver that cannot count', () => {
    const dut = balloonBench();
    dut.request(inflate, [list(1, 2)], []);
    expect(tell(dut, 3)).toBe(true);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });
});

describe('statistics', () => {
  it('are kept until more are wanted, in any order, unknown ones ignored', () => {
    const dut = balloonBench({ statsInterval: '2ms' });
    const first = [
      ...stat(99, 1),
      ...stat(BALLOON_STAT.MEMTOT, 1_000_000),
      ...stat(BALLOON_STAT.SWAP_IN, 0),
    ];
    dut.send(stats, [first], []);
    dut.device.available(stats, 0);
    expect(dut.run(PS_PER_MS)).toEqual([]);
    expect(balloonFigures(dut)).toMatchObject({ statisticsReceived: 1, memoryTotal: 1_000_000 });
    expect(dut.run(2 * PS_PER_MS).map(({ written }) => written)).toEqual([0]);
    dut.send(stats, [stat(BALLOON_STAT.MEMTOT, 5)], []);
    dut.device.available(stats, 0);
    dut.run(PS_PER_MS);
    expect(balloonFigures(dut)).toMatchObject({ statisticsReceived: 2, memoryTotal: 5 });
    expect(dut.violations).toEqual([]);
  });

  it('have no queue where they are not offered', () => {
    const dut = balloonBench({ stats: false });
    expect(dut.device.info.queuesMax).toBe(2);
    expect(dut.device.features & BALLOON_F.STATS_VQ).toBe(0n);
  });

  it('are not asked for again without an interval', () => {
    const dut = balloonBench();
    dut.send(stats, [stat(BALLOON_STAT.MEMTOT, 5)], []);
    dut.device.available(stats, 0);
    expect(dut.run(100 * PS_PER_MS)).toEqual([]);
  });
});

describe('hostile requests', () => {
  it.each([
    ['a page twice', inflate, [list(5, 5)], [], 1],
    ['a page back that was never in', deflate, [list(5)], [], 0],
    ['half a page number', inflate, [[1, 2]], [], 0],
    ['a list that is writable', inflate, [], [8], 0],
    ['a list with room to write', inflate, [list(1)], [4], 0],
  ])('%s is a violation, and is acknowledged', (_, queue, readable, writable, pages) => {
    const dut = balloonBench();
    expect(dut.request(queue, readable, writable)).toHaveLength(1);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
    expect(balloonFigures(dut).pages).toBe(pages);
    expect(dut.request(inflate, [list(77)], [])).toHaveLength(1);
  });

  it.each([
    ['an odd number of bytes', [stat(BALLOON_STAT.MEMTOT, 1).slice(1)]],
    ['nothing', []],
  ])('statistics of %s are a violation', (_, readable) => {
    const dut = balloonBench();
    dut.send(stats, readable, readable.length === 0 ? [10] : []);
    dut.device.available(stats, 0);
    dut.run();
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });

  it('a second buffer of statistics comes straight back', () => {
    const dut = balloonBench();
    dut.send(stats, [stat(BALLOON_STAT.MEMTOT, 1)], []);
    dut.send(stats, [stat(BALLOON_STAT.MEMTOT, 2)], []);
    dut.device.available(stats, 0);
    expect(dut.run()).toHaveLength(1);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });

  it('a list that the device may not read is acknowledged, and moves nothing', () => {
    let armed = false;
    const refuse = ({ write, length }: { write: boolean; length: number }) =>
      armed && !write && length === 4 ? 'not shared' : null;
    const dut = new DeviceBench('balloon', { refuse });
    dut.start();
    dut.run();
    armed = true;
    dut.send(inflate, [list(1)], []);
    armed = true;
    dut.device.available(inflate, 0);
    dut.run();
    expect(dut.violations).toContain('DMA_FAULT');
    expect(balloonFigures(dut).pages).toBe(0);
  });
});

it('a schedule out of order is refused by the loader', () => {
  const pressure = [
    { at: '2ms', pages: 1 },
    { at: '1ms', pages: 2 },
  ];
  const devices = { balloon0: { type: 'balloon', bus: 'ffa0', number: 0, pressure } };
  expect(() => topologyOf({ devices })).toThrow(ScenarioError);
});
