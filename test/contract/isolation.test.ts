// Isolation: what a device's side was not given, by sharing, granting or mapping, it does not reach, on no
// bus. The access is refused and reported, with who, what, and which permission is missing; memory stays
// as it is, and everybody goes on.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import type {
  BusDefinition,
  DeviceTransport,
  DmaFault,
  DmaPort,
  ModelTables,
} from '../../platform/contracts/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import { Rig } from '../support/rig.ts';
import { BUS_CASES, contractTopology } from './cases.ts';

const MILLISECOND = 1_000_000_000;
const STEP = MILLISECOND / 10;
/** ps of simulated time that a test may take. */
const LIMIT = 1500 * MILLISECOND;
const LENGTH = 32;
/** No memory of any node is there, whatever the bus makes of addresses. */
const FAR = 2 ** 40;
const PATTERN = 0x5a;

/** How a bus protects memory. */
interface Protection {
  /** Which permission is missing far beyond all memory, and for a page that the driver's side keeps. */
  readonly far: RegExp;
  /** Null where the device's side is shown all of the RAM, as the README of the bus says. */
  readonly own: RegExp | null;
  /** Which is missing for what a device had that was removed; none where place alone protects. */
  readonly gone?: RegExp;
}

const NOT_SHARED = /no area with this number was shared/;
const BEYOND_POOL = /beyond the \d+ bytes that were shared/;
const BEYOND_RAM = /the access is outside the (region of \d+ bytes|shared pages)/;
const BAD_REFERENCE = /GNTST_bad_gntref|beyond the grant table/;
const NOT_GRANTED = /beyond the grant table/;
const NOT_MAPPED = /the page is not mapped|the host refused the access/;

const NO_MEMORY = /there is no memory at this address|the host refused the access/;

/** By type of bus, or by case where one type has several ways. */
const PROTECTIONS: Readonly<Record<string, Protection>> = {
  ffa: { far: NOT_SHARED, own: NOT_SHARED, gone: NOT_SHARED },
  'ffa through FIFOs': { far: BEYOND_POOL, own: BEYOND_POOL },
  ivshmem: { far: BEYOND_RAM, own: null },
  loopback: { far: BEYOND_POOL, own: BEYOND_POOL },
  mailbox: { far: BEYOND_POOL, own: BEYOND_POOL },
  xen: { far: BAD_REFERENCE, own: BAD_REFERENCE, gone: /GNTST_general_error|no such grant/ },
  'xen with copies': { far: NOT_GRANTED, own: NOT_GRANTED, gone: /no such grant/ },
  'xen behind a proxy for virtio-mmio': { far: /error -22|no such frame/, own: null },
  pci: { far: NOT_MAPPED, own: NOT_MAPPED, gone: NOT_MAPPED },
  'virtio-mmio': { far: BEYOND_RAM, own: null },
  'virtio-ccw': { far: BEYOND_RAM, own: null },
  'virtio-pci': { far: NOT_MAPPED, own: NOT_MAPPED },
  'virtio-pci of a device model': { far: NO_MEMORY, own: null },
  'admin-vq': { far: NOT_MAPPED, own: NOT_MAPPED },
  'admin-vq of a device model': { far: NO_MEMORY, own: null },
};

/** What makes devices be found by message, so that they may go. */
const DISCOVERY: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  xen: { discovery: 'messages' },
  pci: { discovery: 'messages' },
};

/** Accesses in band are checked by the other side's software, alike on every bus. */
const NOT_TAKEN = /its driver has not taken this memory/;

function protectionOf(bus: string): Protection {
  const { type, data } = BUS_CASES[bus];
  const shared = PROTECTIONS[bus] ?? PROTECTIONS[type];
  if (data !== 'inBand') return shared;
  const gone = shared.gone === undefined ? {} : { gone: NOT_TAKEN };
  return { far: NOT_TAKEN, own: NOT_TAKEN, ...gone };
}

/** A disk over the bus, with a hand on the DMA port of the device and on the addresses of the driver. */
function hostileRig(bus: string, removeAt?: string) {
  const nodes: { driver?: Node } = {};
  const ports: DmaPort[] = [];
  /** What the driver says instead of the next address of a buffer. */
  const wrong: number[] = [];
  const said: number[] = [];
  const watch = (row: BusDefinition): BusDefinition => ({
    ...row,
    createDriverEnd: (environment) => {
      nodes.driver ??= environment.node;
      const end = row.createDriverEnd(environment);
      const transport = end.transport.bind(end);
      end.transport = (plan) => {
        const made = transport(plan);
        const busAddress = made.busAddress.bind(made);
        made.busAddress = (address) => {
          const right = wrong.shift() ?? busAddress(address);
          said.push(right);
          return right;
        };
        return made;
      };
      return end;
    },
    createDeviceEnd: (environment) => {
      const end = row.createDeviceEnd(environment);
      const connect = end.connect.bind(end);
      end.connect = (plan, model) => {
        const connectModel = model.connect.bind(model);
        model.connect = (transport: DeviceTransport) => {
          ports.push(transport.dma);
          connectModel(transport);
        };
        connect(plan, model);
      };
      return end;
    },
  });
  const rows = Object.entries(tables.buses).map(([type, row]) => [type, watch(row)] as const);
  const watched: ModelTables = { ...tables, buses: Object.fromEntries(rows) };
  const removal = {
    busOptions: DISCOVERY[BUS_CASES[bus].type] ?? {},
    deviceOptions: { removeAt },
  };
  const choice = { bus, device: 'blk', ...(removeAt === undefined ? {} : removal) };
  const rig = new Rig(contractTopology(choice), { tables: watched });
  let now = 0;
  const runWhile = (condition: () => boolean) => {
    const end = now + LIMIT;
    while (condition() && now < end) {
      now += STEP;
      rig.runUntil(now);
    }
  };
  const runFor = (time: number) => {
    now += time;
    rig.runUntil(now);
  };
  runWhile(() => rig.result().requests < 20);
  return { rig, driver: nodes.driver!, port: ports[0], wrong, said, runWhile, runFor };
}

/** What came of an access of the device's side. */
function attempt(h: ReturnType<typeof hostileRig>, address: number, write: boolean) {
  const faults: DmaFault[] = [];
  const brought: number[][] = [];
  const client = {
    readDone: (_: number, bytes: Uint8Array, length: number) => {
      brought.push([...bytes.slice(0, length)]);
    },
    refused: (_: number, fault: DmaFault) => faults.push(fault),
  };
  const known = h.rig.violations.length;
  if (write) {
    h.port.writeSegment(address, new Uint8Array(LENGTH), 0, LENGTH);
    h.port.write(client, 1);
  } else {
    h.port.readSegment(address, LENGTH);
    h.port.read(client, 1);
  }
  h.runFor(2 * MILLISECOND);
  const reports = h.rig.violations.slice(known).filter(({ code }) => code === 'DMA_FAULT');
  return { faults, brought, reports: reports.map(({ text }) => text) };
}

describe.each(Object.keys(BUS_CASES))('over %s, an access of the device side', (bus) => {
  const { far, own } = protectionOf(bus);

  it('beyond all memory is refused', () => {
    const h = hostileRig(bus);
    const reading = attempt(h, FAR, false);
    const writing = attempt(h, FAR, true);
    expect([...reading.brought, ...writing.brought]).toEqual([]);
    // A read tells whoever wanted it; a posted write may be refused where it arrives.
    expect(reading.faults).toMatchObject([{ address: FAR, length: LENGTH, write: false }]);
    for (const { faults, reports } of [reading, writing]) {
      expect([...faults.map(({ reason }) => reason), ...reports].join('\n')).toMatch(far);
      for (const report of reports) expect(report).toMatch(/^bus0: .*(of 32 bytes|mapping of)/);
    }
    h.runWhile(() => !h.rig.outcome.workloads[0].done);
    expect(h.rig.result()).toMatchObject({ requests: 150, errors: 0, failure: null });
  });

  it('to a page that the driver side keeps for itself is refused, or is its to make', () => {
    const h = hostileRig(bus);
    const { memory } = h.driver;
    const secret = memory.allocate(PAGE_SIZE, PAGE_SIZE);
    memory.fill(secret, PAGE_SIZE, PATTERN);
    const { faults, brought } = attempt(h, secret, false);
    const { reports } = attempt(h, secret, true);
    const kept = memory.readU8(secret) === PATTERN;
    if (own === null) {
      // The whole of its RAM is open to the other side: no isolation, as with real ones of its kind.
      expect([brought, kept]).toEqual([[new Array(LENGTH).fill(PATTERN)], false]);
    } else {
      expect([brought, kept]).toEqual([[], true]);
      expect([...faults.map(({ reason }) => reason), ...reports].join('\n')).toMatch(own);
    }
    h.runWhile(() => !h.rig.outcome.workloads[0].done);
    expect(h.rig.result()).toMatchObject({ requests: 150, errors: 0, failure: null });
  });

  it('that its driver misled it to is reported by who made it, and survived by both', () => {
    const h = hostileRig(bus);
    // The header of the next request is nowhere.
    h.wrong.push(FAR);
    h.runWhile(() => !h.rig.outcome.workloads[0].done);
    const reports = h.rig.violations.filter(({ code }) => code === 'DMA_FAULT');
    const text = reports.map((report) => report.text).join('\n');
    expect(text).toMatch(/^(dut|bus0)/m);
    expect(text).toMatch(/(read|MEM_READ) of \d+ bytes (at|by)|mapping of/);
    expect(text).toMatch(far);
    const { requests, errors, failure } = h.rig.result();
    expect([requests, failure]).toEqual([150, null]);
    expect(errors).toBeLessThan(10);
  });
});

/** Cases whose devices may go while the bus stays, and that do not protect by place alone. */
const LEAVING = Object.keys(BUS_CASES).filter((bus) => protectionOf(bus).gone !== undefined);

describe.each(LEAVING)('over %s, memory of a device that was removed', (bus) => {
  it('is not reached any more', () => {
    // The first thing that the driver said an address of is a ring, which the device has used.
    const h = hostileRig(bus, '900ms');
    h.runWhile(() => h.rig.outcome.workloads[0].downReason === null);
    expect(h.rig.outcome.workloads[0].downReason).toBe('the device was removed');
    h.runFor(50 * MILLISECOND);
    for (const write of [false, true]) {
      const { faults, brought, reports } = attempt(h, h.said[0], write);
      expect(brought).toEqual([]);
      expect([...faults.map(({ reason }) => reason), ...reports].join('\n')).toMatch(
        protectionOf(bus).gone!,
      );
    }
  });
});

it('the table of protections has no row without a bus', () => {
  const known = new Set([
    ...Object.keys(BUS_CASES),
    ...Object.values(BUS_CASES).map(({ type }) => type),
  ]);
  expect(Object.keys(PROTECTIONS).filter((name) => !known.has(name))).toEqual([]);
  expect(Object.keys(BUS_CASES).filter((bus) => protectionOf(bus) === undefined)).toEqual([]);
});
