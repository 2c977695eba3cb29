// A link with latency and bandwidth: serialisation, order, and what later messages must wait for.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrderedLink } from '../../buses/common/index.ts';
import { testNodes } from '../support/test-nodes.ts';

/** 1 GB/s: a byte takes 1000 ps. */
const PS_PER_BYTE = 1000;
const LATENCY = 50_000;

function setUp() {
  const timing = { 'memory.lineLatency': '50ns', 'memory.bandwidth': '1GB/s' };
  const { kernel, storage: node } = testNodes({ timing });
  const link = new OrderedLink(node, node.timing.lineLatency, node.timing.memoryBandwidth);
  return { kernel, node, link };
}

describe('a link', () => {
  it('takes the transfer and the latency', () => {
    const { link } = setUp();
    expect(link.arrivalDelay(64)).toBe(64 * PS_PER_BYTE + LATENCY);
    expect([link.bytes, link.busy]).toEqual([64, 64 * PS_PER_BYTE]);
  });

  it('moves one thing at a time', () => {
    const { kernel, link } = setUp();
    link.arrivalDelay(100);
    expect(link.arrivalDelay(10)).toBe(110 * PS_PER_BYTE + LATENCY);
    // Nothing to move, but it stands in line.
    expect(link.arrivalDelay(0)).toBe(110 * PS_PER_BYTE + LATENCY);
    kernel.now = 110 * PS_PER_BYTE;
    expect(link.arrivalDelay(0)).toBe(LATENCY);
  });

  it('holds a message back until what was sent before has arrived', () => {
    const { kernel, link } = setUp();
    const arrival = link.arrivalDelay(100);
    expect(link.orderingDelay(20_000)).toBe(arrival - 20_000);
    expect(link.orderingDelay(arrival)).toBe(0);
    expect(link.orderingDelay(arrival + 1)).toBe(0);
    kernel.now = 40_000;
    expect(link.orderingDelay(20_000)).toBe(arrival - 60_000);
    kernel.now = arrival;
    expect(link.orderingDelay(1)).toBe(0);
  });

  it('charges what it takes to the constants', () => {
    const { node, link } = setUp();
    link.arrivalDelay(10);
    link.arrivalDelay(0);
    const { ps, counts } = node.costs.charges;
    const { lineLatency, memoryBandwidth } = node.timing;
    expect([ps[lineLatency], counts[lineLatency]]).toEqual([2 * LATENCY, 2]);
    expect([ps[memoryBandwidth], counts[memoryBandwidth]]).toEqual([10 * PS_PER_BYTE, 1]);
  });

  it('never reorders, and never carries faster than its bandwidth (seed 1)', () => {
    const sends = fc.array(fc.tuple(fc.nat(100_000), fc.nat(5000)), {
      minLength: 1,
      maxLength: 50,
    });
    fc.assert(
      fc.property(sends, (steps) => {
        const { kernel, link } = setUp();
        let last = 0;
        let carried = 0;
        for (const [pause, bytes] of steps) {
          kernel.now += pause;
          const arrival = kernel.now + link.arrivalDelay(bytes);
          expect(arrival).toBeGreaterThanOrEqual(last);
          expect(arrival).toBeGreaterThanOrEqual(kernel.now + LATENCY + bytes * PS_PER_BYTE);
          carried += bytes;
          expect(arrival).toBeGreaterThanOrEqual(LATENCY + carried * PS_PER_BYTE);
          last = arrival;
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});
