// Memory by Xen page grants on FF-A: pages are granted without a message, mapped at their first use, and come
// back when their device goes or one of the two domains does.
import { describe, expect, it } from 'vitest';
import type { DmaClient } from '../../platform/contracts/index.ts';
import { FIRST_GRANT } from '../../platform/memory/index.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';
import { ffaEnds } from '../support/ffa-peers.ts';
import { Rig } from '../support/rig.ts';
import { memoryDisk, type ScenarioParts } from '../support/scenarios.ts';

const MILLISECOND = 1_000_000_000;
const XEN: ScenarioParts = {
  bus: { mediator: 'hypervisor', messages: 'indirect', memory: 'grants' },
  storage: { kind: 'vm' },
};

/** Ends with their session up, and two pages granted. */
function granted() {
  const ends = ffaEnds(XEN);
  const { kernel, driverEnd, drivers } = ends;
  driverEnd.start();
  kernel.runUntil(MILLISECOND);
  driverEnd.allocate(0, PAGE_SIZE + 1);
  kernel.runUntil(2 * MILLISECOND);
  expect(drivers[0].log).toEqual(['online', 'allocated']);
  return ends;
}

/** Reads one byte at a bus address, and says what has come of it. */
function read({ kernel, deviceEnd }: ReturnType<typeof granted>, address: number): string {
  let found = 'nothing';
  const client: DmaClient = {
    readDone: (_, bytes) => (found = bytes[0].toString(16)),
    refused: (_, { reason }) => (found = `refused: ${reason}`),
  };
  deviceEnd.dmaOf().readSegment(address, 1);
  deviceEnd.dmaOf().read(client, 1);
  kernel.runUntil(kernel.now + MILLISECOND);
  return found;
}

describe('memory by grants', () => {
  it('needs no messages, and has references for bus addresses', () => {
    const ends = granted();
    const { driverEnd, deviceEnd, linux } = ends;
    expect(driverEnd.statistics()).toMatchObject({ areas: 1 });
    expect(driverEnd.statistics()['AREA_SHARE']).toBe(undefined);
    const bus = FIRST_GRANT * PAGE_SIZE;
    const own = Array.from({ length: 256 }, (_, page) => 0x4000_0000 + page * PAGE_SIZE).find(
      (address) => {
        try {
          return driverEnd.busAddress(address) === bus;
        } catch {
          return false;
        }
      },
    );
    expect(own).toBeDefined();
    linux.memory.writeU8(own! + PAGE_SIZE, 0x6b);
    expect(deviceEnd.statistics()).toMatchObject({ grantMappings: 0 });
    expect(read(ends, bus + PAGE_SIZE)).toBe('6b');
    expect(read(ends, bus + PAGE_SIZE)).toBe('6b');
    expect(deviceEnd.statistics()).toMatchObject({ grantMappings: 1 });
  });

  it('beyond what is granted is refused, and reported with who, what and why', () => {
    const ends = granted();
    const answer = read(ends, (FIRST_GRANT + 2) * PAGE_SIZE);
    expect(answer).toMatch(/^refused: /);
    expect(ends.linux.violations.described.map(({ code, text }) => `${code}: ${text}`)).toEqual([
      `DMA_FAULT: ffa0: mapping of grant ${FIRST_GRANT + 2} by storage refused: no such grant`,
    ]);
  });

  it('comes back when its device is pulled out', () => {
    const rig = new Rig({
      ...XEN,
      timing: { 'ffa.indirectRetry': '20us' },
      devices: { disk0: memoryDisk(0, { removeAt: '3ms' }) },
      workloads: [{ type: 'fio', device: 'disk0', rw: 'randrw', depth: 4, duration: '5ms' }],
      until: { atMost: '6ms' },
    });
    rig.run();
    const driver = rig.outcome.buses.find(({ side }) => side === 'driver')!;
    expect(driver.statistics['areas']).toBe(0);
    expect(rig.result().requests).toBeGreaterThan(50);
    expect(rig.violations).toEqual([]);
  });
});
