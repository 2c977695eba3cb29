// Memory that FF-A shares: areas are made of pages, announced and retrieved, given back on RESET; and
// what the device side may reach of them.
import { describe, expect, it } from 'vitest';
import { AREA_SPAN, AREAS_MAX } from '../../buses/ffa/messages.ts';
import type { DmaClient, DmaFault } from '../../platform/contracts/index.ts';
import { PAGE_SIZE, RAM_BASE } from '../../platform/node/index.ts';
import { ffaBytes, ffaEnds, scriptedCaller } from '../support/ffa-peers.ts';
import type { ScenarioParts } from '../support/scenarios.ts';

const MILLISECOND = 1_000_000_000;

/** Ends with their session up, and one allocation of this many bytes for the first device. */
function shared(
  bytes: number,
  more: ScenarioParts['bus'] = {},
  faults: ScenarioParts['faults'] = [],
) {
  const ends = ffaEnds({ bus: more, faults });
  ends.driverEnd.start();
  ends.kernel.runUntil(MILLISECOND);
  ends.driverEnd.allocate(0, bytes);
  ends.kernel.runUntil(2 * MILLISECOND);
  return ends;
}

/** A DMA client that keeps what came. */
class Dma implements DmaClient {
  readonly done: string[] = [];
  readonly faults: DmaFault[] = [];

  readDone(tag: number, bytes: Uint8Array, length: number): void {
    this.done.push(`${tag}:${Buffer.from(bytes.subarray(0, length)).toString('hex')}`);
  }

  refused(_tag: number, fault: DmaFault): void {
    this.faults.push(fault);
  }
}

describe('an area', () => {
  it('has bus addresses of its own, which the device reaches in both directions', () => {
    const { kernel, linux, driverEnd, deviceEnd, drivers } = shared(100);
    expect(drivers[0].log).toEqual(['online', 'allocated']);
    expect(driverEnd.busAddress(RAM_BASE + 20)).toBe(AREA_SPAN + 20);
    linux.memory.writeU32(RAM_BASE + 20, 0x44332211);
    const client = new Dma();
    const dma = deviceEnd.dmaOf();
    dma.readSegment(AREA_SPAN + 20, 2);
    dma.readSegment(AREA_SPAN + 22, 2);
    dma.read(client, 7);
    dma.writeSegment(AREA_SPAN + PAGE_SIZE - 1, Uint8Array.of(0xee), 0, 1);
    expect(dma.write(client, 8)).toBe(true);
    kernel.runUntil(3 * MILLISECOND);
    expect(client.done).toEqual(['7:11223344']);
    expect(linux.memory.readU8(RAM_BASE + PAGE_SIZE - 1)).toBe(0xee);
  });

  it.each([
    ['in no area', 5 * AREA_SPAN, 1],
    ['in area 0, which is not used', 0, 1],
    ['across the end', AREA_SPAN + PAGE_SIZE - 1, 2],
    ['far beyond', AREA_SPAN + 2 ** 40, 1],
    ['at the end of all addresses', 2 ** 64, 8],
  ])('is not left by an access %s', (_, address, length) => {
    const { kernel, deviceEnd } = shared(PAGE_SIZE);
    const client = new Dma();
    const dma = deviceEnd.dmaOf();
    dma.readSegment(AREA_SPAN, 1);
    dma.readSegment(address, length);
    dma.read(client, 1);
    dma.writeSegment(address, new Uint8Array(8), 0, length);
    expect(dma.write(client, 2)).toBe(false);
    kernel.runUntil(3 * MILLISECOND);
    expect(client.done).toEqual([]);
    expect(client.faults.map((fault) => [fault.address, fault.write])).toEqual([
      [address, false],
      [address, true],
    ]);
    expect(deviceEnd.statistics()).toMatchObject({ dmaRefused: 2, dmaReads: 0, dmaWrites: 0 });
  });

  it('of several pages has room for more than one allocation', () => {
    const { kernel, driverEnd, drivers } = shared(100, { areaSize: '16KiB' });
    for (let i = 0; i < 4; i++) driverEnd.allocate(0, PAGE_SIZE);
    kernel.runUntil(3 * MILLISECOND);
    expect(drivers[0].log).toEqual(['online', ...Array(5).fill('allocated')]);
    expect(driverEnd.statistics()['areas']).toBe(2);
    expect(driverEnd.busAddress(RAM_BASE + 3 * PAGE_SIZE)).toBe(AREA_SPAN + 3 * PAGE_SIZE);
    expect(driverEnd.busAddress(RAM_BASE + 4 * PAGE_SIZE)).toBe(2 * AREA_SPAN);
  });

  it('is one of 31: after them allocations fail', () => {
    const { kernel, driverEnd, drivers } = shared(1);
    for (let i = 1; i <= AREAS_MAX; i++) {
      driverEnd.allocate(0, 1);
      kernel.runUntil((2 + i) * MILLISECOND);
    }
    expect(drivers[0].log).toEqual([
      'online',
      ...Array(AREAS_MAX).fill('allocated'),
      'not allocated: all area numbers are taken',
    ]);
  });

  it('is announced once more, not made twice, for a client that asks again', () => {
    const ends = ffaEnds({ faults: [{ on: 'ffa0', drop: 'AREA_SHARE' }] });
    ends.driverEnd.start();
    ends.kernel.runUntil(MILLISECOND);
    ends.driverEnd.allocate(0, 1);
    ends.kernel.runUntil(2 * MILLISECOND);
    expect(ends.drivers[0].log).toEqual(['online']);
    ends.driverEnd.allocate(0, 1);
    ends.kernel.runUntil(3 * MILLISECOND);
    expect(ends.drivers[0].log).toEqual(['online', 'allocated']);
    expect(ends.driverEnd.statistics()['areas']).toBe(1);
  });

  it('is refused, and the allocation with it, when the partition cannot retrieve it', () => {
    const ends = ffaEnds();
    ends.driverEnd.start();
    ends.kernel.runUntil(MILLISECOND);
    // The handle is for somebody else.
    const send = ends.driverEnd.handles.send.bind(ends.driverEnd.handles);
    ends.driverEnd.handles.send = (request) => send({ ...request, borrower: 99 });
    ends.driverEnd.allocate(0, 1);
    ends.kernel.runUntil(2 * MILLISECOND);
    expect(ends.drivers[0].log).toEqual([
      'online',
      'not allocated: the partition refused the area',
    ]);
  });

  it('is given back on RESET, and out of reach then', () => {
    const { kernel, driverEnd, deviceEnd } = shared(PAGE_SIZE);
    expect(driverEnd.handles.reclaim(1)).toBe(false);
    const reset = Uint8Array.from(Buffer.from('0283000001000800', 'hex'));
    driverEnd.send(reset, reset.length);
    kernel.runUntil(3 * MILLISECOND);
    const client = new Dma();
    deviceEnd.dmaOf().readSegment(AREA_SPAN, 1);
    deviceEnd.dmaOf().read(client, 1);
    expect(client.faults.length).toBe(1);
    expect(driverEnd.handles.reclaim(1)).toBe(true);
  });

  it('that is unshared is given back', () => {
    const { kernel, driverEnd, deviceEnd } = shared(PAGE_SIZE);
    const unshare = Uint8Array.from(Buffer.from('0282000001000a000100', 'hex'));
    driverEnd.send(unshare, unshare.length);
    kernel.runUntil(3 * MILLISECOND);
    const client = new Dma();
    deviceEnd.dmaOf().readSegment(AREA_SPAN, 1);
    deviceEnd.dmaOf().read(client, 1);
    expect(client.faults.length).toBe(1);
    // The driver's end has reclaimed it.
    expect(driverEnd.handles.reclaim(1)).toBe(false);
    expect(driverEnd.handles.denial).toBe('no such handle');
  });

  it('that was reclaimed behind the partition is refused by the owner, and reported there', () => {
    const { kernel, linux, driverEnd, deviceEnd } = shared(PAGE_SIZE);
    driverEnd.handles.relinquish(1, 1);
    driverEnd.handles.reclaim(1);
    const client = new Dma();
    const dma = deviceEnd.dmaOf();
    dma.readSegment(AREA_SPAN + 8, 4);
    dma.read(client, 3);
    dma.writeSegment(AREA_SPAN, Uint8Array.of(1), 0, 1);
    // Posted: the device is not told, the owner is.
    expect(dma.write(client, 4)).toBe(true);
    kernel.runUntil(3 * MILLISECOND);
    expect(client.faults.map(({ length }) => length)).toEqual([4]);
    expect(linux.violations.described.map(({ code }) => code)).toEqual(['DMA_FAULT', 'DMA_FAULT']);
    expect(linux.memory.readU8(RAM_BASE)).toBe(0);
  });

  it('is lent apart from the one with the rings, and out of the reach of its owner until it is back', () => {
    const ends = ffaEnds({ bus: { buffers: 'lend' } });
    const { kernel, linux, driverEnd, deviceEnd, drivers } = ends;
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    driverEnd.allocate(0, 3 * PAGE_SIZE, PAGE_SIZE);
    kernel.runUntil(2 * MILLISECOND);
    expect(drivers[0].log).toEqual(['online', 'allocated']);
    const data = RAM_BASE + PAGE_SIZE;
    expect([driverEnd.busAddress(RAM_BASE), driverEnd.busAddress(data)]).toEqual([
      AREA_SPAN,
      2 * AREA_SPAN,
    ]);
    deviceEnd.dmaOf().writeSegment(2 * AREA_SPAN, Uint8Array.of(0x77), 0, 1);
    expect(deviceEnd.dmaOf().write(new Dma(), 1)).toBe(true);
    kernel.runUntil(3 * MILLISECOND);
    linux.memory.writeU8(RAM_BASE, 1);
    expect([linux.memory.readU8(RAM_BASE), linux.memory.readU8(data)]).toEqual([1, 0]);
    expect(linux.violations.described.map(({ code, text }) => `${code}: ${text}`)).toEqual([
      'ACCESS_FAULT: read of 1 bytes at 0x40001000 refused: ' +
        'lent to storage over ffa0 under handle 2 (Owner-NA: no read, no write)',
    ]);
    const unshare = Uint8Array.from(Buffer.from('0282000001000a000200', 'hex'));
    driverEnd.send(unshare, unshare.length);
    kernel.runUntil(4 * MILLISECOND);
    expect(linux.memory.readU8(data)).toBe(0x77);
  });

  it('that is announced in another way than it is given cannot be retrieved', () => {
    const { kernel, driverEnd, drivers } = ffaEnds({ bus: { buffers: 'lend' } });
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    const send = driverEnd.handles.send.bind(driverEnd.handles);
    driverEnd.handles.send = (request) => send({ ...request, mode: 'share' });
    driverEnd.allocate(0, 3 * PAGE_SIZE, PAGE_SIZE);
    kernel.runUntil(2 * MILLISECOND);
    expect(drivers[0].log.at(-1)).toBe('not allocated: the partition refused the area');
    expect(driverEnd.statistics()['areas']).toBe(0);
  });

  it('shrinks by the pages that a fault rule says, and keeps at least one', () => {
    const reach = (pages: number) => {
      const { deviceEnd } = shared(3 * PAGE_SIZE, {}, [
        { on: 'ffa0', shrink: 'AREA_SHARE', pages },
      ]);
      const client = new Dma();
      for (let page = 0; page < 3; page++) {
        deviceEnd.dmaOf().readSegment(AREA_SPAN + page * PAGE_SIZE, 1);
        deviceEnd.dmaOf().read(client, page);
      }
      return 3 - client.faults.length;
    };
    expect([reach(1), reach(2), reach(5)]).toEqual([2, 1, 1]);
  });
});

describe('AREA_SHARE', () => {
  it.each([
    ['with number 0', 0],
    ['with a number beyond the limit', AREAS_MAX + 1],
  ])('%s is answered by an error', (_, areaId) => {
    const { ask, agree } = scriptedCaller();
    agree();
    const body = { areaId, memHandle: 1n, memTag: 0n, pageCount: 1, sharingAttributes: 0x6f4 };
    const answer = ask({ type: 'req.AREA_SHARE', dev: 0, token: 1, body });
    expect(answer).toMatchObject({ type: 'res.AREA_SHARE', body: { areaId, result: 1 } });
  });

  it('of an area that is there already is answered by an error', () => {
    const { kernel, linux, driverEnd, deviceEnd, drivers } = shared(PAGE_SIZE);
    const body = { areaId: 1, memHandle: 1n, memTag: 0n, pageCount: 1, sharingAttributes: 0x6f4 };
    const again = ffaBytes({ type: 'req.AREA_SHARE', dev: 0, token: 9, body });
    driverEnd.send(again, again.length);
    kernel.runUntil(3 * MILLISECOND);
    expect(deviceEnd.statistics()['AREA_SHARE']).toBe(2);
    // The driver's end did not ask for this answer: it is reported and changes nothing.
    expect(linux.violations.described.map(({ code }) => code)).toEqual(['UNEXPECTED_RESPONSE']);
    expect(drivers[0].log).toEqual(['online', 'allocated']);
    const client = new Dma();
    deviceEnd.dmaOf().readSegment(AREA_SPAN, 1);
    deviceEnd.dmaOf().read(client, 1);
    expect(client.faults).toEqual([]);
  });
});
