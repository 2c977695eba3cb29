// virtio-rng: the device as a hand-written driver sees it, and what a hostile one can do to it.
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../platform/kernel/index.ts';
import { rngStreamName, STATUS } from '../../platform/virtio/index.ts';
import { DeviceBench } from '../support/device-bench.ts';

/** The first bytes that the bench's source must give: scenario seed 1, device `dut`. */
function expectedBytes(length: number): number[] {
  const bytes = new Uint8Array(length);
  randomStream(1, rngStreamName('dut')).fill(bytes);
  return [...bytes];
}

function bench(options: Record<string, unknown> = {}): DeviceBench {
  const made = new DeviceBench('rng', { options });
  expect(made.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
  return made;
}

describe('the entropy device', () => {
  it('fills a buffer with the bytes of its stream', () => {
    const dut = bench();
    const [{ written, bytes }] = dut.request(0, [], [64]);
    expect(written).toBe(64);
    expect([...bytes]).toEqual(expectedBytes(64));
  });

  it('gives no more than its chunk, and says so', () => {
    const [{ written, bytes }] = bench({ chunk: '16B' }).request(0, [], [64]);
    expect(written).toBe(16);
    expect([...bytes.subarray(0, 16)]).toEqual(expectedBytes(16));
    // The rest of the buffer is as the driver left it.
    expect([...bytes.subarray(16)]).toEqual(new Array(48).fill(0xee));
  });

  it('spreads the bytes over all writable segments', () => {
    const [{ written, bytes }] = bench().request(0, [], [8, 16, 40]);
    expect(written).toBe(64);
    expect([...bytes]).toEqual(expectedBytes(64));
  });

  it('serves requests one after another, in the order of their arrival', () => {
    const dut = bench();
    const heads = [dut.send(0, [], [32]), dut.send(0, [], [32]), dut.send(0, [], [32])];
    dut.device.available(0, 0);
    const returned = dut.run();
    expect(returned.map(({ head }) => head)).toEqual(heads);
    // A fresh stream has no memory of how it is cut into requests of whole words.
    expect(returned.flatMap(({ bytes }) => [...bytes])).toEqual(expectedBytes(96));
  });

  it('takes the time of its service and of its bytes', () => {
    const dut = bench();
    dut.request(0, [], [500]);
    const { costs } = dut.node;
    const [service, rate] = [costs.idOf('rng.service'), costs.idOf('rng.rate')];
    expect(costs.charges.counts[service]).toBe(1);
    expect(costs.charges.ps[rate]).toBe(Math.ceil((500 * 1e12) / costs.value(rate)));
  });

  it('tells how long requests have waited for the source', () => {
    const dut = bench();
    for (let i = 0; i < 3; i++) dut.send(0, [], [500]);
    dut.device.available(0, 0);
    dut.run();
    const { served, servicePs, waitPs, utilisation } = dut.device.statistics!();
    // 1 us each, and 500 bytes at 500 MB/s; they came at the same time.
    expect([served, servicePs, waitPs]).toEqual([3, 6_000_000, 2_000_000 + 4_000_000]);
    expect(utilisation).toBe(1);
  });

  it('drops what is under way when it is reset', () => {
    const dut = bench();
    dut.send(0, [], [64]);
    dut.device.available(0, 0);
    // It has found the chain and waits for its source, which takes 1 us.
    dut.kernel.runUntil(1_000_000);
    expect(dut.device.setStatus(0)).toBe(0);
    expect(dut.run()).toEqual([]);
  });
});

describe('a hostile driver of the entropy device', () => {
  it('gets a buffer without room back, and nothing written', () => {
    const dut = bench();
    const [{ written }] = dut.request(0, [[1, 2, 3]], []);
    expect(written).toBe(0);
    expect(dut.request(0, [], [4])).toHaveLength(1);
  });

  it('cannot make it write where it may not: the device asks for a reset', () => {
    const refuse = ({ write, length }: { write: boolean; length: number }) =>
      write && length === 64 ? 'read-only' : null;
    const dut = new DeviceBench('rng', { refuse });
    dut.start();
    expect(dut.request(0, [], [64])).toEqual([]);
    expect(dut.violations).toEqual(['DMA_FAULT']);
    expect(dut.device.status & STATUS.DEVICE_NEEDS_RESET).not.toBe(0);
  });
});
