// The PCI Express path between a host and a card: accesses, DMA behind the IOMMU, order, interrupts,
// reset and removal.
import { describe, expect, it } from 'vitest';
import { type PciePath, psPerByte, TlpTally } from '../../platform/pcie/index.ts';
import { readU16, readU32 } from '../../platform/wire/index.ts';
import { DEVICE, DmaRecorder, LATENCY, ONE_WAY, PcieBench, VENDOR } from '../support/pcie-bench.ts';

const PAGE = 4096;
/** ps that bytes take on the bench's links: generation 4, four lanes. */
const moving = (bytes: number) => bytes * psPerByte(4, 4);
const SHORT = 8 + 12;
const LONG = 8 + 16;

describe('enumeration', () => {
  it('learns who the function is, places its BARs and enables it', () => {
    const { found, own, probe } = new PcieBench().start();
    expect(probe.isReady).toBe(true);
    expect(found).toMatchObject({ vendorId: VENDOR, deviceId: DEVICE, revision: 7 });
    const bars = [...found!.bars].map(([index, { size }]) => [index, size]);
    expect(bars).toEqual([
      [0, 0x4000],
      [2, 0x4000],
      [4, 0x1000],
    ]);
    for (const [index, { address, size }] of found!.bars) {
      expect(address % size).toBe(0);
      const plan = own.config.plan.bars.find((bar) => bar.index === index)!;
      expect(own.config.barAddress(plan)).toBe(address);
      // Only the wide, prefetchable one lies above 4 GiB.
      expect(address >= 2 ** 32).toBe(index === 2);
    }
    expect(found!.capabilities.map(({ id }) => id)).toEqual([0x10, 0x05, 0x11]);
    expect([own.config.memoryEnabled, own.config.busMaster]).toEqual([true, true]);
    expect(own.config.intxDisabled).toBe(true);
  });

  it('sets payload and read request in device control', () => {
    const { own } = new PcieBench({ path: { maxPayload: 512, maxReadRequest: 4096 } }).start();
    const express = own.config.capability(0x10);
    expect(own.config.get16(express + 8)).toBe((2 << 5) | (5 << 12));
  });

  it('costs a round trip for each access of configuration space', () => {
    const { kernel, port } = new PcieBench().start();
    const roundTrip = 2 * ONE_WAY + LATENCY['pcie.registerRead'] + LATENCY['pcie.coreAccess'];
    expect(port.configAccesses).toBeGreaterThan(20);
    // Those of the root port, which are not as far away, are few.
    expect(kernel.now / (port.configAccesses * roundTrip)).toBeGreaterThan(0.7);
    expect(kernel.now / (port.configAccesses * roundTrip)).toBeLessThan(1.1);
  });

  it('finds nothing where no function answers', () => {
    const bench = new PcieBench();
    // The bench accepts this one device only.
    bench.own.config.set16(2, 0x9999);
    bench.start();
    expect([bench.probe.isReady, bench.absences, bench.found]).toEqual([false, 1, null]);
  });
});

describe('accesses of a core', () => {
  it('stall it for a round trip when it loads', () => {
    const bench = new PcieBench().start();
    bench.bars[0].set([1, 2, 3, 4], 16);
    const started = bench.kernel.now;
    const { at, bytes } = bench.load(bench.barAddress(0) + 16, 4);
    expect([...bytes]).toEqual([1, 2, 3, 4]);
    const wire = Math.ceil(moving(SHORT)) + Math.ceil(moving(SHORT + 4));
    const fixed = 2 * ONE_WAY + LATENCY['pcie.registerRead'] + LATENCY['pcie.coreAccess'];
    expect(at - started).toBe(fixed + wire);
    expect(bench.host.cpu.held).toBeGreaterThan(2 * ONE_WAY);
  });

  it('do not wait for a store', () => {
    const bench = new PcieBench().start();
    const { kernel } = bench;
    const started = kernel.now;
    let left = -1;
    bench.onCore(() => {
      bench.port.store(bench.barAddress(2) + 8, Uint8Array.of(9, 8, 7, 6), 0, 4);
      left = kernel.now;
    });
    bench.run();
    expect(left).toBe(started);
    // The BAR lies above 4 GiB: its address takes the long header.
    expect(bench.stores).toEqual([
      { bar: 2, offset: 8, at: started + ONE_WAY + Math.ceil(moving(LONG + 4)) },
    ]);
    expect([...bench.bars[1].subarray(8, 12)]).toEqual([9, 8, 7, 6]);
  });

  it('read all ones where nobody answers', () => {
    const bench = new PcieBench().start();
    // Within the window of the root port, and outside.
    for (const address of [bench.barAddress(0) + 0x10_0000, 0x9000_0000]) {
      expect([...bench.load(address, 4).bytes]).toEqual([255, 255, 255, 255]);
      expect(bench.endpoint.unclaimed).toBe(1);
    }
  });

  it('take longer through switches', () => {
    const timeOf = (switches: number) => {
      const bench = new PcieBench({ path: { switches } }).start();
      const started = bench.kernel.now;
      return bench.load(bench.barAddress(0), 4).at - started;
    };
    const hop = LATENCY['pcie.linkLatency'] + LATENCY['pcie.switchLatency'];
    expect(timeOf(2) - timeOf(0)).toBe(2 * 2 * hop);
  });
});

/** A bench with pages that the card may read and write. */
function withMemory(pages = 4, writable = true, iotlb = 64) {
  const bench = new PcieBench({ iotlb }).start();
  const memory = bench.host.memory.allocate(pages * PAGE, PAGE);
  const iova = bench.translation.map(memory, pages, writable);
  const dma = bench.endpoint.dmaOf(bench.own);
  return { bench, memory, iova, dma, client: bench.client, kernel: bench.kernel };
}

describe('DMA', () => {
  it('reads what is there, over page boundaries and in the order of its segments', () => {
    const { bench, memory, iova, dma, client } = withMemory();
    for (let i = 0; i < 3 * PAGE; i += 4) bench.host.memory.writeU32(memory + i, i * 77);
    dma.readSegment(iova + 2 * PAGE, 4);
    dma.readSegment(iova + PAGE - 100, 3000);
    dma.read(client, 5);
    bench.run();
    const [{ tag, bytes }] = client.done;
    expect([tag, bytes.length]).toEqual([5, 3004]);
    expect(readU32(bytes, 0)).toBe(2 * PAGE * 77);
    for (let i = 0; i < 3000; i += 4) expect(readU32(bytes, 4 + i)).toBe((PAGE - 100 + i) * 77);
  });

  it('takes the time of its packets, of the page walk and of the memory', () => {
    const { bench, iova, dma, client, kernel } = withMemory();
    const started = kernel.now;
    dma.readSegment(iova, 64);
    dma.read(client, 0);
    bench.run();
    const { 'pcie.iotlbHit': hit, 'pcie.iotlbMiss': miss, 'pcie.memoryRead': read } = LATENCY;
    const wire = Math.ceil(moving(SHORT)) + Math.ceil(moving(SHORT + 64));
    expect(client.done[0].at - started).toBe(2 * ONE_WAY + hit + miss + read + wire);
    // The page is in the IOTLB now.
    const again = kernel.now;
    dma.readSegment(iova + 64, 64);
    dma.read(client, 1);
    bench.run();
    expect(client.done[1].at - again).toBe(2 * ONE_WAY + hit + read + wire);
    expect([bench.translation.hits, bench.translation.misses]).toEqual([1, 1]);
  });

  it('forgets the page that was used longest ago', () => {
    const { bench, iova, dma, client } = withMemory(6, true, 4);
    for (const page of [0, 1, 2, 3, 0, 4, 0, 1]) {
      dma.readSegment(iova + page * PAGE, 4);
      dma.read(client, page);
      bench.run();
    }
    // 4 takes the place of 1, which is then missed again; 0 stays.
    expect([bench.translation.hits, bench.translation.misses]).toEqual([2, 6]);
  });

  it('never passes a write that was posted before, nor does an interrupt', () => {
    const { bench, memory, iova, dma, client } = withMemory();
    dma.writeSegment(iova, Uint8Array.of(42, 0, 0, 0), 0, 4);
    dma.write(client, 0);
    bench.own.interrupts.raise(0);
    dma.readSegment(iova, 4);
    dma.read(client, 1);
    while (bench.interrupts.length === 0) bench.kernel.runUntil(bench.kernel.nextTime() + 1);
    const seen = bench.host.memory.readU32(memory);
    bench.run();
    expect(seen).toBe(42);
    expect([...client.done[0].bytes]).toEqual([42, 0, 0, 0]);
  });

  it('is refused where nothing is mapped, reported, and goes on', () => {
    const { bench, iova, dma, client } = withMemory();
    dma.readSegment(iova, 4);
    dma.readSegment(0x5000_0000, 16);
    dma.read(client, 3);
    dma.writeSegment(0x6000_0000, new Uint8Array(8), 0, 8);
    expect(dma.write(client, 4)).toBe(true);
    bench.run();
    expect(client.done).toEqual([]);
    expect(client.faults).toEqual([
      {
        tag: 3,
        fault: expect.objectContaining({ address: 0x5000_0000, length: 16, write: false }),
      },
    ]);
    const { described } = bench.host.violations;
    expect(described.map(({ code }) => code)).toEqual(['DMA_FAULT', 'DMA_FAULT']);
    expect(described[1].text).toMatch(/write of 8 bytes .* by function 0 .*not mapped/);
    dma.readSegment(iova, 4);
    dma.read(client, 9);
    bench.run();
    expect(client.done.map(({ tag }) => tag)).toEqual([9]);
    expect(bench.translation.faults).toBe(2);
  });

  it('cannot write a page that is mapped for reading', () => {
    const { bench, memory, iova, dma, client } = withMemory(1, false);
    dma.writeSegment(iova, Uint8Array.of(1), 0, 1);
    dma.write(client, 0);
    bench.run();
    expect(bench.host.memory.readU8(memory)).toBe(0);
    expect(bench.host.violations.described[0].text).toMatch(/mapped read-only/);
  });

  it('needs the bus master bit', () => {
    const { bench, iova, dma, client } = withMemory();
    bench.own.config.write(4, 2, 0);
    dma.readSegment(iova, 4);
    dma.read(client, 0);
    dma.writeSegment(iova, new Uint8Array(4), 0, 4);
    expect(dma.write(client, 1)).toBe(false);
    expect(client.faults.map(({ fault }) => fault.reason)).toEqual([
      'the function is not a bus master',
      'the function is not a bus master',
    ]);
  });

  it('reaches all RAM, and no more, without an IOMMU', () => {
    const bench = new PcieBench({ iommu: false }).start();
    const dma = bench.endpoint.dmaOf(bench.own);
    const { memory } = bench.host;
    dma.writeSegment(memory.base + 12, Uint8Array.of(7), 0, 1);
    dma.write(bench.client, 0);
    dma.readSegment(memory.base + memory.size - 2, 4);
    dma.read(bench.client, 1);
    bench.run();
    expect(memory.readU8(memory.base + 12)).toBe(7);
    expect(bench.client.faults.map(({ tag }) => tag)).toEqual([1]);
    expect(bench.host.violations.described[0].text).toMatch(/no memory at this address/);
  });

  it('has no more reads outstanding than tags', () => {
    const bench = new PcieBench({ path: { tags: 3, maxReadRequest: 128 } }).start();
    const memory = bench.host.memory.allocate(PAGE, PAGE);
    const iova = bench.translation.map(memory, 1, true);
    bench.host.memory.fill(memory, PAGE, 0xa5);
    const dma = bench.endpoint.dmaOf(bench.own);
    dma.readSegment(iova, 1024);
    dma.read(bench.client, 0);
    dma.readSegment(iova + 1024, 8);
    dma.read(bench.client, 1);
    bench.run();
    expect(bench.endpoint.dma.tagsMax).toBe(3);
    expect(bench.endpoint.dma.tagWaits).toBe(1);
    expect(bench.client.done.map(({ tag, bytes }) => [tag, bytes.length])).toEqual([
      [0, 1024],
      [1, 8],
    ]);
    expect(bench.client.done[0].bytes.every((byte) => byte === 0xa5)).toBe(true);
  });
});

describe('credit for requests', () => {
  const credit = { posted: null, requests: { headers: 1, data: Infinity } };

  it('holds a read back, which a posted write passes', () => {
    // A read of two requests, then a write: when it is in memory, and when the read is over.
    const timesOf = (path: Partial<PciePath>) => {
      const bench = new PcieBench({ path, iommu: false }).start();
      const { kernel, host, endpoint, own, client } = bench;
      const memory = host.memory.allocate(PAGE, PAGE);
      const started = kernel.now;
      const dma = endpoint.dmaOf(own);
      dma.readSegment(memory, 1024);
      dma.read(client, 0);
      dma.writeSegment(memory, Uint8Array.of(7), 0, 1);
      dma.write(client, 1);
      while (host.memory.readU8(memory) === 0) kernel.runUntil(kernel.nextTime() + 1);
      const written = kernel.now - started;
      bench.run();
      return { written, read: client.done[0].at - started };
    };
    const free = timesOf({});
    const held = timesOf({ credit });
    // The second request does not go before the write, and waits for the credit of the first.
    expect(free.written - held.written).toBe(Math.floor(moving(SHORT)));
    expect(held.read).toBeGreaterThan(free.read + 2 * LATENCY['pcie.linkLatency'] - moving(1024));
  });

  it('holds the load of another core back, which a store passes', () => {
    const bench = new PcieBench({ path: { credit } }).start();
    const address = bench.barAddress(0);
    const started = bench.kernel.now;
    const loadedAt: number[] = [];
    const load = () =>
      bench.port.load(address, 4, { loaded: () => loadedAt.push(bench.kernel.now) }, 0);
    bench.onCore(load);
    bench.onCore(() => {
      bench.port.store(address, Uint8Array.of(1, 0, 0, 0), 0, 4);
      load();
    });
    bench.run();
    const { 'pcie.linkLatency': link } = LATENCY;
    const [first, second] = loadedAt;
    // The second request leaves when the credit of the first is back.
    expect(second - first).toBe(2 * link + Math.ceil(moving(SHORT)));
    const [{ at }] = bench.stores;
    expect(at - started).toBe(ONE_WAY + Math.ceil(moving(SHORT) + moving(SHORT + 4)));
  });

  it('is lost with the link: what waited reads all ones', () => {
    const bench = new PcieBench({ path: { credit } }).start();
    const seen: number[] = [];
    const client = { loaded: (_: number, bytes: Uint8Array) => seen.push(bytes[0]) };
    for (let i = 0; i < 2; i++) {
      bench.onCore(() => bench.port.load(bench.barAddress(0), 4, client, 0));
    }
    bench.kernel.runUntil(bench.kernel.now + LATENCY['pcie.linkLatency']);
    bench.endpoint.remove();
    bench.run();
    expect(seen).toEqual([255, 255]);
  });
});

describe('packets', () => {
  const path = new PcieBench().path;
  const tally = (fill: (tally: TlpTally) => void) => {
    const sum = new TlpTally(path);
    fill(sum);
    return [sum.tlps, sum.bytes];
  };

  it('of writes have the maximum payload and end at 4 KiB', () => {
    expect(tally((sum) => sum.write(0x1000, 512))).toEqual([2, 2 * (SHORT + 256)]);
    expect(tally((sum) => sum.write(0x1f80, 256))).toEqual([2, 2 * (SHORT + 128)]);
    expect(tally((sum) => sum.write(2 ** 32, 4))).toEqual([1, LONG + 4]);
  });

  it('carry whole words', () => {
    expect(tally((sum) => sum.write(0x1001, 1))).toEqual([1, SHORT + 4]);
    expect(tally((sum) => sum.write(0x1003, 2))).toEqual([1, SHORT + 8]);
  });

  it('of completions end at multiples of 64 bytes', () => {
    expect(tally((sum) => sum.completion(0x1000, 512))).toEqual([2, 2 * (SHORT + 256)]);
    // 0x1030 … 0x1100, then … 0x1200, then the rest.
    expect(tally((sum) => sum.completion(0x1030, 512))).toEqual([3, 3 * SHORT + 512]);
  });
});

describe('interrupts', () => {
  it('by MSI-X arrive with their vector', () => {
    const bench = new PcieBench().start();
    const started = bench.kernel.now;
    bench.own.interrupts.raise(1);
    bench.run();
    const delay = ONE_WAY + LATENCY['pcie.iotlbHit'] + LATENCY['pcie.msiDelivery'];
    const at = started + delay + Math.ceil(moving(SHORT + 4));
    expect(bench.interrupts).toEqual([{ vector: 1, at }]);
  });

  it('are remembered while their MSI-X entry is masked', () => {
    const bench = new PcieBench().start();
    const entry = 16;
    bench.own.interrupts.writeTable(entry + 12, Uint8Array.of(1, 0, 0, 0), 4);
    bench.own.interrupts.raise(1);
    bench.run();
    expect(bench.interrupts).toEqual([]);
    const pending = new Uint8Array(8);
    bench.own.interrupts.readTable(2048, pending, 8);
    expect(readU16(pending, 0)).toBe(0b10);
    bench.own.interrupts.writeTable(entry + 12, Uint8Array.of(0, 0, 0, 0), 4);
    bench.run();
    expect(bench.interrupts.map(({ vector }) => vector)).toEqual([1]);
  });

  it('by MSI have the vector in the low bits of the data', () => {
    const bench = new PcieBench({ interrupts: 'msi' }).start();
    bench.own.interrupts.raise(0);
    bench.own.interrupts.raise(1);
    bench.run();
    expect(bench.interrupts.map(({ vector }) => vector)).toEqual([0, 1]);
  });

  it('by MSI are remembered as well while their vector is masked', () => {
    const bench = new PcieBench({ interrupts: 'msi' }).start();
    const { config } = bench.own;
    const msi = config.capability(0x05);
    // Two vectors, of 64-bit addresses, can be masked each.
    expect(config.get16(msi + 2) & 0x1fe).toBe((1 << 8) | (1 << 7) | (1 << 4) | (1 << 1));
    config.write(msi + 16, 4, 0xffff_ffff);
    expect(config.get32(msi + 16)).toBe(0b11);
    bench.own.interrupts.raise(1);
    bench.own.interrupts.raise(1);
    bench.run();
    expect([bench.interrupts, config.get32(msi + 20)]).toEqual([[], 0b10]);
    config.write(msi + 16, 4, 0b01);
    bench.run();
    expect(bench.interrupts.map(({ vector }) => vector)).toEqual([1]);
    expect(config.get32(msi + 20)).toBe(0);
  });

  it('by INTx assert one line until it is lowered', () => {
    const bench = new PcieBench({ interrupts: 'intx' }).start();
    bench.own.interrupts.raise(0);
    bench.own.interrupts.raise(1);
    bench.run();
    expect(bench.interrupts.map(({ vector }) => vector)).toEqual([-1]);
    expect(bench.own.config.get16(6) & 8).toBe(8);
    bench.own.interrupts.lower();
    bench.own.interrupts.raise(1);
    bench.run();
    expect(bench.interrupts).toHaveLength(2);
  });

  it('to an address that nobody gave are reported', () => {
    const bench = new PcieBench().start();
    bench.own.interrupts.writeTable(8, Uint8Array.of(99, 0, 0, 0), 4);
    bench.own.interrupts.raise(0);
    bench.run();
    expect(bench.host.violations.described.map(({ code }) => code)).toEqual(['UNEXPECTED_MESSAGE']);
  });
});

describe('reset and removal', () => {
  it('a function-level reset clears the function, which is then taken into use again', () => {
    const bench = new PcieBench().start();
    const before = bench.kernel.now;
    bench.probe.reset();
    bench.kernel.runUntil(before + LATENCY['pcie.readyTime'] / 2);
    expect([bench.resets, bench.own.config.busMaster]).toEqual([1, false]);
    bench.run();
    expect(bench.kernel.now - before).toBeGreaterThan(LATENCY['pcie.readyTime']);
    expect([bench.probe.isReady, bench.own.config.busMaster]).toEqual([true, true]);
    bench.own.interrupts.raise(0);
    bench.run();
    expect(bench.interrupts).toHaveLength(1);
  });

  it('a card pulled out answers nothing, and what is under way ends', () => {
    const { bench, iova, dma, client, kernel } = withMemory();
    dma.readSegment(iova, 64);
    dma.read(client, 0);
    const other = new DmaRecorder(kernel);
    const answered = bench.endpoint.dmaOf(bench.own, true);
    answered.readSegment(iova, 64);
    answered.read(other, 0);
    let bytes = new Uint8Array(0);
    bench.onCore(() => {
      const loaded = (_: number, data: Uint8Array, length: number) => {
        bytes = data.slice(0, length);
      };
      bench.port.load(bench.barAddress(0), 4, { loaded }, 0);
    });
    kernel.runUntil(kernel.now + ONE_WAY / 2);
    bench.endpoint.remove();
    // Nothing is heard of it any more by those who lose their power as well.
    expect([client.faults, other.faults.map(({ fault }) => fault.reason)]).toEqual([
      [],
      ['the card is not in its slot'],
    ]);
    bench.run();
    expect(client.done).toEqual([]);
    expect([...bytes]).toEqual([255, 255, 255, 255]);
    expect([bench.linkChanges, bench.absences]).toEqual([[false], 1]);
    expect([...bench.load(bench.barAddress(0), 4).bytes]).toEqual([255, 255, 255, 255]);
    dma.readSegment(iova, 64);
    dma.read(client, 1);
    expect(client.faults).toHaveLength(1);
  });

  it('a card put back is found again', () => {
    const bench = new PcieBench().start();
    bench.endpoint.remove();
    bench.run();
    bench.endpoint.insert();
    bench.run();
    expect(bench.linkChanges).toEqual([false, true]);
    expect(bench.probe.isReady).toBe(true);
    bench.bars[0][0] = 17;
    expect(bench.load(bench.barAddress(0), 1).bytes[0]).toBe(17);
  });
});
