// Statistics that a driver asks its network card for (virtio 1.4 §5.1.6.5.10).
import { describe, expect, it } from 'vitest';
import {
  NET_CTRL,
  NET_CTRL_STATS,
  NET_ERR,
  NET_F,
  NET_OK,
  NET_STATS,
} from '../../platform/virtio/index.ts';
import { NetBench, type NetBenchOptions } from '../support/net-bench.ts';
import { netHeader, tcpFrame } from '../support/net-frames.ts';

const { QUERY, GET } = NET_CTRL_STATS;
const { RX_BASIC, TX_BASIC, CVQ } = NET_STATS;
const CONTROL = 2;

function started(options: NetBenchOptions = {}): NetBench {
  const bench = new NetBench({ ...options, card: { deviceStats: true, ...options.card } });
  bench.start();
  return bench;
}

/** A question for one type of statistics of a queue. */
function about(queue: number, type: number): number[] {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint16(0, queue, true);
  view.setBigUint64(8, 1n << BigInt(type), true);
  return [...new Uint8Array(view.buffer)];
}

/** Header and counters of the answer to a question. */
function ask(bench: NetBench, queue: number, type: number, counters: number) {
  const answer = bench.ask(NET_CTRL.STATS, GET, about(queue, type), 8 + 8 * counters);
  expect(answer[0]).toBe(NET_OK);
  const view = new DataView(answer.buffer, 1);
  expect([view.getUint8(0), view.getUint16(2, true)]).toEqual([type, queue]);
  expect(view.getUint16(6, true)).toBe(8 + 8 * counters);
  return Array.from({ length: counters }, (_, i) => Number(view.getBigUint64(8 + 8 * i, true)));
}

describe('statistics', () => {
  it('are of the types that the card tells of', () => {
    const answer = started().ask(NET_CTRL.STATS, QUERY, [], 8);
    const types = new DataView(answer.buffer, 1).getBigUint64(0, true);
    expect([answer[0], types]).toEqual([NET_OK, 0x1_0001_0001n]);
  });

  it('count what a receive queue got, lost, and was told of', () => {
    const bench = started({ card: { receiveBuffer: '16KiB' } });
    const frame = tcpFrame({ payload: new Uint8Array(1000) });
    for (let i = 0; i < 2; i++) bench.offer(0, 1526);
    bench.run();
    const frames = 20;
    for (let i = 0; i < frames; i++) bench.arrive(frame);
    bench.run();
    const [notifications, packets, bytes, interrupts, drops, overruns] = ask(bench, 0, RX_BASIC, 6);
    expect([notifications, packets, bytes]).toEqual([2, 2, 2 * frame.length]);
    expect(interrupts).toBeGreaterThan(0);
    // 15 frames find room to wait for buffers that do not come.
    expect([drops, overruns]).toEqual([frames - 2 - 15, frames - 2 - 15]);
  });

  it('count what a transmit queue sent, cut as it was, and what made no sense', () => {
    const bench = started();
    const large = tcpFrame({ payload: new Uint8Array(2500) });
    const offload = { flags: 1, checksumStart: 34, checksumOffset: 16, gsoType: 1, gsoSize: 1000 };
    bench.transmit(1, netHeader(offload), large);
    bench.transmit(1, netHeader({ gsoType: 3 }), large);
    bench.run();
    const [notifications, packets, bytes, , drops, malformed] = ask(bench, 1, TX_BASIC, 6);
    expect([notifications, packets, bytes]).toEqual([2, 3, 3 * 54 + 2500]);
    expect([drops, malformed]).toEqual([1, 1]);
  });

  it('count commands, the one that asks among them', () => {
    const bench = started();
    bench.command(99, 0);
    expect(ask(bench, CONTROL, CVQ, 2)).toEqual([2, 1]);
    expect(ask(bench, CONTROL, CVQ, 2)).toEqual([3, 2]);
  });

  it('of several queues come in one answer', () => {
    const question = [...about(0, RX_BASIC), ...about(1, TX_BASIC)];
    const answer = started().ask(NET_CTRL.STATS, GET, question, 112);
    expect([answer[0], answer[1], answer[1 + 56]]).toEqual([NET_OK, RX_BASIC, TX_BASIC]);
  });

  it.each([
    ['a queue that there is not', about(9, RX_BASIC)],
    ['a type that the queue does not have', about(0, TX_BASIC)],
    ['a type that there is not', about(0, 3)],
    ['nothing', []],
    ['half a question', about(0, RX_BASIC).slice(0, 9)],
  ])('about %s are refused', (_, question) => {
    expect(started().ask(NET_CTRL.STATS, GET, question, 200)[0]).toBe(NET_ERR);
  });

  it('are refused without room for them, another command, or the feature', () => {
    const question = about(0, RX_BASIC);
    expect(started().ask(NET_CTRL.STATS, GET, question, 20)[0]).toBe(NET_ERR);
    expect(started().ask(NET_CTRL.STATS, 2, question, 60)[0]).toBe(NET_ERR);
    const features = NET_F.CTRL_VQ;
    expect(started({ features }).ask(NET_CTRL.STATS, GET, question, 60)[0]).toBe(NET_ERR);
  });
});
