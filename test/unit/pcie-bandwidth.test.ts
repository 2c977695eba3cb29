// PCI Express truth: the bandwidth that the model reaches, for posted writes and for reads, over
// generations, lanes and payload sizes, against what can be worked out on paper.
import { describe, expect, it } from 'vitest';
import {
  GENERATIONS,
  type Generation,
  LANES,
  type Lanes,
  type PciePath,
  psPerByte,
} from '../../platform/pcie/index.ts';
import { LATENCY, ONE_WAY, PcieBench } from '../support/pcie-bench.ts';

const PAGES = 64;
const PAGE = 4096;

// From the specification, and not from the code under test: GB/s of one lane after its line code.
const LANE_RATE: Readonly<Record<Generation, number>> = {
  1: (2.5 * 8) / 10 / 8,
  2: (5 * 8) / 10 / 8,
  3: (8 * 128) / 130 / 8,
  4: (16 * 128) / 130 / 8,
  5: (32 * 128) / 130 / 8,
  6: (64 * 236) / 256 / 8,
};
/** Three header words, and eight bytes around them but in flits. */
const overhead = (generation: Generation) => 12 + (generation === 6 ? 0 : 8);

const close = (measured: number, expected: number) => {
  expect(measured / expected).toBeGreaterThan(0.99);
  expect(measured / expected).toBeLessThan(1.01);
};

type Limits = PciePath['credit']['posted'];

interface Link {
  readonly generation: Generation;
  readonly lanes: Lanes;
}

/** GB/s in which the data of packets goes by, each `payload` bytes of it. */
function linkLimit({ generation, lanes }: Link, payload: number): number {
  return (LANE_RATE[generation] * lanes * payload) / (payload + overhead(generation));
}

/** Posts writes of 4 KiB without pause, and returns GB/s up to the arrival of the last one. */
function writeBandwidth(link: Link, maxPayload: number, posted: Limits = null): number {
  const path = { ...link, maxPayload, credit: { posted, requests: null } };
  const bench = new PcieBench({ path, iommu: false }).start();
  const { kernel, host, endpoint, own, client } = bench;
  const memory = host.memory.allocate(PAGES * PAGE, PAGE);
  const dma = endpoint.dmaOf(own);
  const data = new Uint8Array(PAGE).fill(0x5a);
  const started = kernel.now;
  for (let page = 0; page < PAGES; page++) {
    dma.writeSegment(memory + page * PAGE, data, 0, PAGE);
    expect(dma.write(client, page)).toBe(true);
  }
  bench.run();
  expect(host.memory.readU8(memory + PAGES * PAGE - 1)).toBe(0x5a);
  return (PAGES * PAGE) / ((kernel.now - started - ONE_WAY) / 1000);
}

/** Keeps reads of `size` bytes under way, enough to use all tags, and returns GB/s. */
function readBandwidth(
  path: Partial<PciePath> & Pick<PciePath, 'maxReadRequest' | 'tags'>,
): number {
  const { maxReadRequest, tags } = path;
  const bench = new PcieBench({ path, iommu: false }).start();
  const { kernel, host, endpoint, own, client } = bench;
  const memory = host.memory.allocate(PAGES * PAGE, PAGE);
  const dma = endpoint.dmaOf(own);
  const reads = 40 * Math.max(1, Math.ceil((tags * maxReadRequest) / PAGE));
  const ahead = Math.ceil((tags * maxReadRequest) / PAGE) + 1;
  let issued = 0;
  const issue = () => {
    if (issued >= reads) return;
    dma.readSegment(memory + (issued % PAGES) * PAGE, PAGE);
    dma.read(client, issued++);
  };
  client.next = issue;
  for (let i = 0; i < ahead; i++) issue();
  bench.run();
  expect(client.done).toHaveLength(reads);
  // In the steady middle: the first and last tenth are start and end.
  const skip = Math.floor(reads / 10);
  const [from, to] = [client.done[skip].at, client.done[reads - skip].at];
  expect(kernel.now).toBeGreaterThan(to);
  return ((reads - 2 * skip) * PAGE) / ((to - from) / 1000);
}

/** GB/s of reads: round trip divided by what is outstanding, or the link. */
function readLimit(link: Link, maxReadRequest: number, tags: number, maxPayload = 256): number {
  const perByte = 1 / (LANE_RATE[link.generation] * link.lanes);
  const head = overhead(link.generation);
  const payload = Math.min(maxPayload, maxReadRequest);
  const completions = (maxReadRequest / payload) * (payload + head);
  const roundTrip =
    (2 * ONE_WAY + LATENCY['pcie.memoryRead']) / 1000 + (head + completions) * perByte;
  return Math.min((tags * maxReadRequest) / roundTrip, linkLimit(link, payload));
}

const PAYLOADS = [128, 256, 512, 1024, 2048, 4096] as const;

const links: Link[] = GENERATIONS.flatMap((generation) =>
  LANES.map((lanes) => ({ generation, lanes })),
);

describe.each(links)('generation $generation, $lanes lanes', (link) => {
  it('takes the time of a byte from the speed and the line code', () => {
    const { generation, lanes } = link;
    expect(1000 / psPerByte(generation, lanes)).toBeCloseTo(LANE_RATE[generation] * lanes, 9);
  });

  it.each(PAYLOADS)('posts writes of %i bytes at the closed form', (payload) => {
    close(writeBandwidth(link, payload), linkLimit(link, payload));
  });

  it.each(PAYLOADS)('reads in completions of %i bytes at the closed form', (maxPayload) => {
    const path = { ...link, maxReadRequest: 4096, tags: 8, maxPayload };
    close(readBandwidth(path), readLimit(link, 4096, 8, maxPayload));
  });

  it.each([
    [128, 8],
    [512, 1],
    [512, 8],
    [512, 32],
    [4096, 4],
  ] as const)('reads requests of %i bytes with %i tags at the closed form', (request, tags) => {
    const path = { ...link, maxReadRequest: request, tags };
    close(readBandwidth(path), readLimit(link, request, tags));
  });
});

// A table to read: GB/s of data, worked out by hand from the figures above.
describe('the table', () => {
  it.each([
    [3, 4, 256, 3.653],
    [3, 16, 256, 14.612],
    [4, 4, 256, 7.306],
    [4, 16, 512, 30.326],
    [5, 16, 128, 54.498],
    [6, 16, 256, 112.716],
  ] as const)(
    'generation %i with %i lanes and payloads of %i B: %f GB/s',
    (generation, lanes, payload, rate) => {
      close(writeBandwidth({ generation, lanes }, payload), rate);
    },
  );

  it('one read at a time is bound by its round trip, whatever the link', () => {
    // 512 B in 2 × 310 ns + 90 ns and the time of the bytes.
    const one = { maxReadRequest: 512, tags: 1 };
    close(readBandwidth({ generation: 5, lanes: 16, ...one }), 512 / 719.11);
    close(readBandwidth({ generation: 3, lanes: 1, ...one }), 512 / 1290.94);
  });
});

describe('credit', () => {
  const link = { generation: 5, lanes: 16 } as const;
  const ps = psPerByte(5, 16);
  /** From the start of a packet of so many bytes until its credit is back. */
  const cycle = (bytes: number) => (bytes * ps + 2 * LATENCY['pcie.linkLatency']) / 1000;

  it.each([1, 2, 8])('%i headers bind posted writes to so many in a round trip', (headers) => {
    const rate = (headers * 256) / cycle(256 + 20);
    close(writeBandwidth(link, 256, { headers, data: Infinity }), rate);
  });

  it.each([16, 32, 128])('%i units of data bind them, too', (data) => {
    const rate = (data * 16) / cycle(256 + 20);
    close(writeBandwidth(link, 256, { headers: Infinity, data }), rate);
  });

  it('binds by what runs out first', () => {
    const rate = (3 * 256) / cycle(256 + 20);
    close(writeBandwidth(link, 256, { headers: 3, data: 128 }), rate);
    close(writeBandwidth(link, 256, { headers: 8, data: 3 * 16 + 15 }), rate);
  });

  it.each([1, 2, 4])('%i headers of requests bind reads', (headers) => {
    const credit = { posted: null, requests: { headers, data: Infinity } };
    const path = { ...link, maxReadRequest: 512, tags: 256, credit };
    close(readBandwidth(path), (headers * 512) / cycle(20));
  });

  it('does not matter when there is enough', () => {
    const slow = { generation: 4, lanes: 4 } as const;
    close(writeBandwidth(slow, 256, { headers: 127, data: 4096 }), linkLimit(slow, 256));
    const credit = { posted: null, requests: { headers: 127, data: Infinity } };
    const path = { ...slow, maxReadRequest: 512, tags: 32, credit };
    close(readBandwidth(path), readLimit(slow, 512, 32));
  });
});

describe('two cards behind one switch', () => {
  const path = { generation: 4, lanes: 4, switches: 1 } as const;

  /** Both cards post 64 pages at once; GB/s of each, and the order in which all arrived. */
  function bothPost(uplink: string | null, others: string | null, uplinkLanes: Lanes = 4) {
    const first = new PcieBench({ path: { ...path, uplink, uplinkLanes }, iommu: false });
    const beside = { ...path, uplink: others, uplinkLanes };
    const options = { path: beside, iommu: false, beside: first };
    const second = new PcieBench(options);
    first.probe.start();
    second.start();
    const { kernel, host } = first;
    const started = kernel.now;
    const ends = [first, second].map((bench) => {
      const memory = host.memory.allocate(PAGES * PAGE, PAGE);
      const dma = bench.endpoint.dmaOf(bench.own);
      for (let page = 0; page < PAGES; page++) {
        dma.writeSegment(memory + page * PAGE, new Uint8Array(PAGE).fill(page + 1), 0, PAGE);
        dma.write(bench.client, page);
      }
      return memory + PAGES * PAGE - 1;
    });
    const oneWay = ONE_WAY + LATENCY['pcie.linkLatency'] + LATENCY['pcie.switchLatency'];
    const done = ends.map((last) => {
      while (host.memory.readU8(last) === 0) kernel.runUntil(kernel.nextTime() + 1);
      return (PAGES * PAGE) / ((kernel.now - started - oneWay) / 1000);
    });
    expect(first.endpoint.dma.writes + second.endpoint.dma.writes).toBe(2 * PAGES);
    return done;
  }

  const whole = linkLimit({ generation: 4, lanes: 4 }, 256);

  it('halve the link to the root port when they share it', () => {
    const [first, second] = bothPost('switch0', 'switch0');
    close(second, whole / 2);
    close(first, whole / 2);
  });

  it('have all of their own links when the one to the root port is twice as wide', () => {
    for (const rate of bothPost('switch0', 'switch0', 8)) close(rate, whole);
  });

  it('have a quarter each of what they could when it is half as wide', () => {
    for (const rate of bothPost('switch0', 'switch0', 2)) close(rate, whole / 4);
  });

  it('have all of it each when they do not', () => {
    for (const rate of bothPost(null, null)) close(rate, whole);
    for (const rate of bothPost('switch0', 'switch1')) close(rate, whole);
  });
});
