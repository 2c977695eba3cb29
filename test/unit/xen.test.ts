// The Xen bus: grants on the device's side, the budget of an upcall, what becomes of pages when a device
// goes, domains that have one grant table for several buses, and a device domain that is destroyed.
import { describe, expect, it } from 'vitest';
import { GrantPort } from '../../buses/xen/grant-port.ts';
import { CONNECT, EVENT, GRANT_MAP, GRANT_UNMAP } from '../../buses/xen/packets.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { DmaFault, DmaPort } from '../../platform/contracts/index.ts';
import { Packet } from '../../platform/kernel/index.ts';
import { parseScenario } from '../../platform/scenario/index.ts';
import { readU32, toHex } from '../../platform/wire/index.ts';
import { busCounters, disk, fio, linkRig, linkRigWithNodes } from '../support/link-scenarios.ts';
import { Rig } from '../support/rig.ts';
import { testNodes } from '../support/test-nodes.ts';

const MILLISECOND = 1_000_000_000;
const PAGE = 4096;

/** A grant port before a recorder, on a node of its own; grants are asked of the test. */
function grantBench(mode: 'map' | 'copy') {
  const { kernel, storage } = testNodes({});
  const log: string[] = [];
  const asked: number[][] = [];
  const pieces: string[] = [];
  const inner: DmaPort = {
    readSegment: (address, length) => pieces.push(`${address}+${length}`),
    writeSegment: (address, source, offset, length) =>
      pieces.push(`${address}=${toHex(source.slice(offset, offset + length))}`),
    read: (_, tag) => log.push(`read ${tag}: ${pieces.splice(0).join(' ')}`),
    write: (_, tag) => {
      log.push(`write ${tag}: ${pieces.splice(0).join(' ')}`);
      return true;
    },
  };
  const port = new GrantPort({
    node: storage,
    name: 'grants',
    mode,
    inner,
    send: (kind, count, _, packet) => {
      expect(kind).toBe(GRANT_MAP);
      asked.push(Array.from({ length: count }, (_each, i) => readU32(packet!.bytes, i * 4)));
    },
    drained: () => log.push('drained'),
  });
  const client = {
    readDone: () => {},
    refused: (tag: number, { address, write, reason }: DmaFault) =>
      log.push(`refused ${tag}: ${write ? 'write' : 'read'} at ${address}: ${reason}`),
  };
  const run = () => kernel.runUntil(kernel.now + MILLISECOND);
  const read = (tag: number, address: number, length: number) => {
    port.readSegment(address, length);
    port.read(client, tag);
  };
  const write = (tag: number, address: number, bytes: Uint8Array) => {
    port.writeSegment(address, bytes, 0, bytes.length);
    return port.write(client, tag);
  };
  /** The hypervisor answers what it was asked last, with minus the status of each. */
  const answer = (...statuses: number[]) => {
    const packet = new Packet(7);
    packet.bytes.set(statuses);
    port.answered(packet);
    run();
  };
  return { port, log, asked, run, read, write, answer, storage };
}

describe('grants on the side of the device', () => {
  it('are mapped at their first use, each page once', () => {
    const bench = grantBench('map');
    bench.read(1, 9 * PAGE - 4, 8);
    bench.run();
    expect([bench.asked, bench.log, bench.port.isBusy]).toEqual([[[8, 9]], [], true]);
    bench.answer(0, 0);
    // A page at a time, for neighbours among references are none in memory.
    expect(bench.log).toEqual([`read 1: ${9 * PAGE - 4}+4 ${9 * PAGE}+4`, 'drained']);
    bench.read(2, 8 * PAGE + 16, 16);
    expect(bench.log.at(-1)).toBe(`read 2: ${8 * PAGE + 16}+16`);
    expect([bench.asked.length, bench.port.hypercalls, bench.port.mappings]).toEqual([1, 1, 2]);
  });

  it('keep transactions in order, and the bytes of writes that wait', () => {
    const bench = grantBench('map');
    const bytes = new Uint8Array(100).fill(0x11);
    expect(bench.write(1, 10 * PAGE, bytes)).toBe(true);
    bytes.fill(0x22);
    bench.write(2, 10 * PAGE, bytes.subarray(0, 2));
    bytes.fill(0x33);
    bench.read(3, 11 * PAGE, 4);
    bench.run();
    expect(bench.asked).toEqual([[10]]);
    bench.answer(0);
    expect(bench.log).toEqual([
      `write 1: ${10 * PAGE}=${'11'.repeat(100)}`,
      `write 2: ${10 * PAGE}=2222`,
    ]);
    expect(bench.asked).toEqual([[10], [11]]);
    bench.answer(0);
    expect(bench.log.slice(2)).toEqual([`read 3: ${11 * PAGE}+4`, 'drained']);
  });

  it('that could not be mapped refuse the read, and are asked for again', () => {
    const bench = grantBench('map');
    bench.read(1, 12 * PAGE, 8);
    bench.run();
    bench.answer(3);
    expect(bench.log).toEqual([
      `refused 1: read at ${12 * PAGE}: page 12 could not be mapped: GNTST_bad_gntref`,
      'drained',
    ]);
    bench.read(2, 12 * PAGE, 8);
    bench.run();
    bench.answer(0);
    expect(bench.log.at(-2)).toBe(`read 2: ${12 * PAGE}+8`);
    expect([bench.asked, bench.port.refusals]).toEqual([[[12], [12]], 1]);
  });

  it('are no references beyond 32 bits', () => {
    const bench = grantBench('map');
    bench.read(1, 2 ** 45, 8);
    expect(bench.write(2, 2 ** 45, new Uint8Array(8))).toBe(false);
    const reason = `page ${2 ** 33} could not be mapped: no reference has so many bits`;
    expect([bench.log, bench.asked]).toEqual([
      [`refused 1: read at ${2 ** 45}: ${reason}`, `refused 2: write at ${2 ** 45}: ${reason}`],
      [],
    ]);
  });

  it('are copied through by a hypercall each time', () => {
    const bench = grantBench('copy');
    bench.read(1, 8 * PAGE - 4, 8);
    bench.write(2, 9 * PAGE, Uint8Array.of(1, 2));
    expect(bench.log).toEqual([]);
    bench.run();
    expect(bench.log).toEqual([
      `read 1: ${8 * PAGE - 4}+4 ${8 * PAGE}+4`,
      `write 2: ${9 * PAGE}=0102`,
      'drained',
    ]);
    expect([bench.asked, bench.port.hypercalls]).toEqual([[], 2]);
    const { charges } = bench.storage.costs;
    // Two pieces of the read, one of the write.
    expect(charges.counts[bench.storage.costs.idOf('xen.grantCopy')]).toBe(3);
  });

  it('are forgotten when the other domain wants its pages back', () => {
    const bench = grantBench('map');
    bench.read(1, 20 * PAGE, 8);
    bench.run();
    bench.answer(0);
    expect([bench.port.isMapped(20), bench.port.forget(19, 4), bench.port.forget(19, 4)]).toEqual([
      true,
      1,
      0,
    ]);
    bench.read(2, 20 * PAGE, 8);
    bench.run();
    expect(bench.asked).toEqual([[20], [20]]);
  });
});

describe('a disk over Xen', () => {
  it.each(['map', 'copy'])('works with grants that are used by: %s', (grants) => {
    const rig = linkRig({ type: 'xen', bus: { grants } });
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 60, errors: 0 });
    expect(rig.violations).toEqual([]);
    const { hypercalls, grantMappings, dmaReads, dmaWrites } = busCounters(rig, 'device');
    if (grants === 'copy') expect(grantMappings).toBe(0);
    // Each transaction is a hypercall; those of the queues go through the mapped page.
    else expect(hypercalls).toBeLessThan(dmaReads / 10);
    expect(dmaWrites).toBeGreaterThan(60);
  });

  it('comes up by the page that is granted, and not without it', () => {
    const rig = linkRig({ type: 'xen' });
    rig.filter = ({ packet }) => {
      if (packet.kind === CONNECT) packet.a = 9;
      return true;
    };
    rig.runUntil(100 * MILLISECOND);
    expect(rig.outcome.workloads[0]).toMatchObject({ driverState: 'offline' });
    expect(rig.violationCodes).toEqual(['DMA_FAULT']);
  });

  it('goes down, and only that, when the page of the queues is revoked', () => {
    const { rig, driver } = linkRigWithNodes({
      type: 'xen',
      workloads: [fio({ operations: 100_000 })],
    });
    rig.runUntil(5 * MILLISECOND);
    expect(rig.result().requests).toBeGreaterThan(20);
    const { memory } = driver;
    // The table is the first thing that the bus takes: entry 8 is the page of the queues.
    const entry = memory.base + 8 * 8;
    expect(memory.readU16(entry) & 1).toBe(1);
    memory.writeU16(entry, 0);
    rig.runUntil(10 * MILLISECOND);
    expect(rig.violationCodes).toContain('DMA_FAULT');
    const { requests } = rig.result();
    rig.runUntil(20 * MILLISECOND);
    expect(rig.result().requests).toBe(requests);
  });

  it('gives pages back when it goes, and they are granted anew when it comes', () => {
    const rig = linkRig({
      type: 'xen',
      bus: { pingInterval: '2ms' },
      workloads: [],
      until: { atMost: '50ms' },
      faults: [{ on: 'bus0', at: '5ms', drop: 'PING', count: 2 }],
    });
    const kinds: number[] = [];
    rig.filter = ({ packet }) => {
      kinds.push(packet.kind);
      return true;
    };
    rig.run();
    expect(busCounters(rig, 'driver')).toMatchObject({ silences: 1 });
    // What the device had was unmapped, and revoked before it was used again.
    expect(kinds.filter((kind) => kind === GRANT_UNMAP)).toHaveLength(1);
    const one = linkRig({ type: 'xen', workloads: [], until: { atMost: '5ms' } });
    one.run();
    expect(busCounters(rig, 'driver')['grants']).toBe(busCounters(one, 'driver')['grants']);
    expect(rig.violations).toEqual([]);
  });

  it('waits for the next device domain when its own is destroyed, and goes on with it', () => {
    const rig = linkRig({
      type: 'xen',
      device: { restarts: [{ at: '5ms', for: '3ms' }] },
      workloads: [fio({ operations: 2000 })],
    });
    rig.runUntil(6 * MILLISECOND);
    const [{ result, done }] = rig.outcome.workloads;
    expect([result.requests > 100, done]).toEqual([true, false]);
    expect(rig.run()).toBe('done');
    // What was under way is submitted again, and everything read is what was written.
    expect(rig.result()).toMatchObject({ requests: 2000, errors: 0, failure: null });
    expect(rig.result().latency.max).toBeGreaterThan(3e6);
    expect(rig.violations).toEqual([]);
  });

  it('keeps its grants over the end of a device domain, and has no more of them afterwards', () => {
    const grantsAfter = (device: Readonly<Record<string, unknown>>) => {
      const rig = linkRig({ type: 'xen', device, workloads: [], until: { atMost: '20ms' } });
      rig.run();
      expect(rig.violations).toEqual([]);
      return busCounters(rig, 'driver')['grants'];
    };
    const whole = grantsAfter({});
    expect(grantsAfter({ restarts: [{ at: '5ms', for: '3ms' }] })).toBe(whole);
    // The page of the queues is revoked while nobody is there.
    expect(grantsAfter({ restarts: [{ at: '5ms', for: '90ms' }] })).toBe(whole - 1);
  });

  it('fails alone when the grant table is full', () => {
    const rig = linkRig({
      type: 'xen',
      bus: { grantFrames: 1 },
      driver: { memory: '64MiB' },
      devices: { disk0: disk(0, { queueSize: 64 }), disk1: disk(1, { queueSize: 1024 }) },
      workloads: [fio(), fio({ device: 'disk1', depth: 512, operations: 600 })],
      until: { atMost: '100ms' },
    });
    rig.run();
    const [small, large] = rig.outcome.workloads;
    expect(small.result).toMatchObject({ requests: 60, errors: 0, failure: null });
    expect([large.result.requests, large.downReason]).toEqual([0, 'the grant table is full']);
  });
});

describe('upcalls', () => {
  /** Several requests at once, so that answers and events come in bursts. */
  const many = {
    devices: Object.fromEntries([0, 1, 2, 3, 4, 5].map((i) => [`disk${i}`, disk(i)])),
    workloads: [0, 1, 2, 3, 4, 5].map((i) => fio({ device: `disk${i}`, operations: 40 })),
  };

  it('take as many messages as their budget allows, then make way and go on', () => {
    const wakings = (receiveBudget: number) => {
      const rig = linkRig({ type: 'xen', ...many, bus: { receiveBudget } });
      expect(rig.run()).toBe('done');
      for (let i = 0; i < 6; i++) expect(rig.result(i).errors).toBe(0);
      const { ringReceived, wakings: count } = busCounters(rig, 'device');
      expect(count).toBeGreaterThanOrEqual(Math.ceil(ringReceived / receiveBudget));
      return count;
    };
    expect(wakings(1)).toBeGreaterThan(wakings(100));
  });

  it('leave messages lying with the defect of the hypervisor code', () => {
    const rig = linkRig({
      type: 'xen',
      ...many,
      bus: { quirks: ['leftoverWaits'], receiveBudget: 1 },
      timing: { 'xen.requestTimeout': '20ms' },
      until: { workloads: 'done', atMost: '1s' },
    });
    rig.run();
    const done = rig.outcome.workloads.filter((workload) => workload.done);
    const late = rig.outcome.workloads.some(({ result }) => (result.latency.max ?? 0) > 10e6);
    expect(done.length < 6 || late || rig.violationCodes.includes('TIMEOUT')).toBe(true);
  });

  it('come late now and then, as often as asked, by the seed alone', () => {
    const delays = (outliersPerMillion: number, seed: number) => {
      const rig = linkRig({ type: 'xen', seed, bus: { outliersPerMillion } });
      const seen: number[] = [];
      rig.filter = ({ packet, delay }) => {
        if (packet.kind === EVENT) seen.push(delay);
        return true;
      };
      rig.run();
      return seen;
    };
    const isLate = (delay: number) => delay >= 540_000_000;
    expect(delays(0, 1).some(isLate)).toBe(false);
    expect(delays(1_000_000, 1).every(isLate)).toBe(true);
    const some = delays(100_000, 1);
    const share = some.filter(isLate).length / some.length;
    expect(share).toBeGreaterThan(0.02);
    expect(share).toBeLessThan(0.25);
    expect(delays(100_000, 1)).toEqual(some);
    expect(delays(100_000, 2)).not.toEqual(some);
  });
});

describe('a domain', () => {
  /** One guest with a bus to each of two driver domains. */
  function twoBackEnds(buses: readonly object[]) {
    const vm = { kind: 'vm', cpus: 2, memory: '32MiB' };
    const text = JSON.stringify({
      name: 'domains',
      nodes: { domu: vm, storage: vm, network: vm },
      buses: {
        bus0: { type: 'xen', driver: 'domu', device: 'storage', ...buses[0] },
        bus1: { type: 'xen', driver: 'domu', device: 'network', ...buses[1] },
      },
      devices: { disk0: disk(0), rng0: { type: 'rng', bus: 'bus1', number: 0 } },
      workloads: [fio(), { type: 'entropy', device: 'rng0', operations: 20 }],
      until: { workloads: 'done', atMost: '1s' },
    });
    return parseScenario({ text, file: 'domains.yaml', folder: import.meta.dirname }, tables);
  }

  it('has one grant table, whatever the number of its buses and of domains it grants to', () => {
    const rig = new Rig(twoBackEnds([{}, {}]));
    expect(rig.run()).toBe('done');
    expect([rig.result(0).errors, rig.result(1).errors, rig.violations]).toEqual([0, 0, []]);
    const grants = rig.outcome.buses
      .filter(({ side }) => side === 'driver')
      .map(({ statistics }) => statistics['grants']);
    expect(grants[0]).toBe(grants[1]);
    expect(grants[0]).toBeGreaterThan(4);
  });

  it('has one size of it', () => {
    expect(() => twoBackEnds([{}, { grantFrames: 8 }])).toThrow(
      "domain 'domu' has one grant table, of 64 pages for 'bus0'",
    );
  });

  it('may be destroyed when it has devices, not when it has drivers', () => {
    const driver = { restarts: [{ at: '5ms', for: '1ms' }] };
    expect(() => linkRig({ type: 'xen', driver })).toThrow(
      "'linux' restarts, which its device domain does not know how to survive",
    );
  });
});
