// virtio-vsock: connections, credit in both directions, shutdown and reset, the event of a moved guest,
// and what a hostile guest gets.
import { describe, expect, it } from 'vitest';
import { REPLIES_MAX } from '../../devices/vsock/vsock-device.ts';
import { PS_PER_MS, PS_PER_S } from '../../platform/kernel/index.ts';
import {
  STATUS,
  VSOCK_HEADER_SIZE,
  VSOCK_OP,
  VSOCK_QUEUE,
  VSOCK_SHUTDOWN,
  VSOCK_TYPE,
  VsockHeader,
  VsockStream,
  vsockHeader,
} from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';

const OP = VSOCK_OP;
const { rx, tx, event } = VSOCK_QUEUE;
const CID = 42;
const HOST = 2;
const SERVICE = 7;
const BUFFER = 4096;

interface Fields {
  srcCid?: number;
  dstCid?: number;
  srcPort?: number;
  dstPort?: number;
  len?: number;
  type?: number;
  op: number;
  flags?: number;
  bufAlloc?: number;
  fwdCnt?: number;
}

/** Bytes of a packet of the guest. */
function packet(fields: Fields, payload: readonly number[] = []): number[] {
  const header = Object.assign(new VsockHeader(), {
    srcCid: CID,
    dstCid: HOST,
    srcPort: 1000,
    dstPort: SERVICE,
    len: payload.length,
    bufAlloc: BUFFER,
    ...fields,
  });
  const bytes = new Uint8Array(VSOCK_HEADER_SIZE);
  header.write(bytes, 0);
  return [...bytes, ...payload];
}

/** A packet of the device, decoded, with its payload. */
interface Packet {
  readonly op: number;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly flags: number;
  readonly bufAlloc: number;
  readonly fwdCnt: number;
  readonly type: number;
  readonly payload: readonly number[];
}

function bench(options: Record<string, unknown> = {}): DeviceBench {
  const dut = new DeviceBench('vsock', {
    options: { guestCid: CID, bufferSize: '4KiB', ...options },
    queueSize: 128,
  });
  expect(dut.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
  return dut;
}

function offer(dut: DeviceBench, count = 32, size = 1024): void {
  for (let i = 0; i < count; i++) dut.send(rx, [], [size]);
  dut.device.available(rx, 0);
}

/** Packets that have come from the device. */
function heard(dut: DeviceBench, time = PS_PER_MS): Packet[] {
  return dut
    .run(time)
    .filter(({ queue }) => queue === rx)
    .map(({ bytes, written }) => {
      const header = vsockHeader.decode(bytes, 0, written);
      expect([header.srcCid, header.dstCid]).toEqual([BigInt(HOST), BigInt(CID)]);
      expect(written).toBe(VSOCK_HEADER_SIZE + header.len);
      return { ...header, payload: [...bytes.subarray(VSOCK_HEADER_SIZE, written)] };
    });
}

function say(dut: DeviceBench, ...packets: number[][]): Packet[] {
  for (const bytes of packets) dut.send(tx, [bytes], []);
  dut.device.available(tx, 0);
  return heard(dut);
}

function connected(options: Record<string, unknown> = {}, fields: Partial<Fields> = {}) {
  const dut = bench(options);
  offer(dut);
  const [response] = say(dut, packet({ op: OP.REQUEST, ...fields }));
  expect(response).toMatchObject({
    op: OP.RESPONSE,
    srcPort: SERVICE,
    bufAlloc: BUFFER,
    fwdCnt: 0,
  });
  return dut;
}

const bytes = (length: number, first = 0) => Array.from({ length }, (_, i) => (first + i) % 251);
const figures = (dut: DeviceBench) => dut.device.statistics!();

describe('connections', () => {
  it('are accepted by the service, carry bytes back, and tell of credit', () => {
    const dut = connected();
    const [echo] = say(dut, packet({ op: OP.RW }, bytes(100)));
    expect(echo).toMatchObject({ op: OP.RW, srcPort: SERVICE, dstPort: 1000, fwdCnt: 100 });
    expect(echo.payload).toEqual(bytes(100));
    expect(echo.type).toBe(VSOCK_TYPE.STREAM);
    expect(dut.violations).toEqual([]);
  });

  it('cut what they carry into the buffers that there are', () => {
    const dut = bench();
    offer(dut, 8, VSOCK_HEADER_SIZE + 30);
    const packets = say(dut, packet({ op: OP.REQUEST }), packet({ op: OP.RW }, bytes(100)));
    expect(packets.map(({ payload }) => payload.length)).toEqual([0, 30, 30, 30, 10]);
    expect(packets.flatMap(({ payload }) => payload)).toEqual(bytes(100));
  });

  it('are refused where nobody listens, and when there are too many', () => {
    const dut = bench({ connections: 1 });
    offer(dut);
    const reset = { op: OP.RST, srcPort: 99, dstPort: 1000 };
    expect(say(dut, packet({ op: OP.REQUEST, dstPort: 99 }))).toMatchObject([reset]);
    expect(say(dut, packet({ op: OP.REQUEST }))).toMatchObject([{ op: OP.RESPONSE }]);
    const second = packet({ op: OP.REQUEST, srcPort: 1001 });
    expect(say(dut, second)).toMatchObject([{ op: OP.RST, srcPort: SERVICE, dstPort: 1001 }]);
    expect(figures(dut)).toMatchObject({ connectionsAccepted: 1, connectionsRefused: 2 });
    say(dut, packet({ op: OP.RST }));
    expect(say(dut, second)).toMatchObject([{ op: OP.RESPONSE }]);
    expect(dut.violations).toEqual([]);
  });

  it('end with a reset when the guest will neither send nor receive', () => {
    const dut = connected();
    const [reset] = say(dut, packet({ op: OP.SHUTDOWN, flags: VSOCK_SHUTDOWN.BOTH }));
    expect(reset).toMatchObject({ op: OP.RST, dstPort: 1000 });
    expect(figures(dut).connectionsOpen).toBe(0);
    // The pair of ports can be used again.
    expect(say(dut, packet({ op: OP.REQUEST }))).toMatchObject([{ op: OP.RESPONSE }]);
  });

  it('drain what was sent before the guest said that it sends no more', () => {
    const dut = connected();
    const packets = say(
      dut,
      packet({ op: OP.RW }, bytes(900)),
      packet({ op: OP.SHUTDOWN, flags: VSOCK_SHUTDOWN.SEND }),
    );
    expect(packets.map(({ op }) => op)).toEqual([OP.RW, OP.SHUTDOWN]);
    expect(packets[0].payload).toEqual(bytes(900));
    expect(packets[1].flags).toBe(VSOCK_SHUTDOWN.BOTH);
    expect(figures(dut).connectionsOpen).toBe(1);
    say(dut, packet({ op: OP.RST }));
    expect(figures(dut).connectionsOpen).toBe(0);
  });

  it('end by themselves when the guest does not confirm the end', () => {
    const dut = connected();
    say(dut, packet({ op: OP.SHUTDOWN, flags: VSOCK_SHUTDOWN.SEND }));
    expect(heard(dut, 9 * PS_PER_S).map(({ op }) => op)).toEqual([OP.RST]);
    expect(figures(dut).connectionsOpen).toBe(0);
  });

  it('are forgotten at a reset of the device', () => {
    const dut = connected();
    dut.device.setStatus(0);
    dut.start();
    offer(dut);
    expect(figures(dut).connectionsOpen).toBe(0);
    expect(say(dut, packet({ op: OP.RW }, [1]))).toMatchObject([{ op: OP.RST }]);
  });
});

describe('credit', () => {
  it('stops the service when the guest has no room, and a credit update lets it go on', () => {
    const dut = connected({}, { bufAlloc: 50 });
    const packets = say(dut, packet({ op: OP.RW, bufAlloc: 50 }, bytes(120)));
    expect(packets.map(({ op }) => op)).toEqual([OP.RW, OP.CREDIT_REQUEST]);
    expect(packets[0].payload).toEqual(bytes(50));
    // It asks once, not again and again.
    expect(heard(dut, 10 * PS_PER_MS)).toEqual([]);
    const more = say(dut, packet({ op: OP.CREDIT_UPDATE, bufAlloc: 50, fwdCnt: 50 }));
    expect(more[0].payload).toEqual(bytes(50, 50));
    const rest = say(dut, packet({ op: OP.CREDIT_UPDATE, bufAlloc: 80, fwdCnt: 100 }));
    expect(rest.at(-1)!.payload).toEqual(bytes(20, 100));
  });

  it('is told when it is asked for', () => {
    const dut = connected();
    say(dut, packet({ op: OP.RW }, bytes(10)));
    expect(say(dut, packet({ op: OP.CREDIT_REQUEST }))).toMatchObject([
      { op: OP.CREDIT_UPDATE, bufAlloc: BUFFER, fwdCnt: 10 },
    ]);
  });

  it('is told unasked once half the buffer is free again and no data tells of it', () => {
    const dut = connected({}, { bufAlloc: 0 });
    const packets = say(dut, packet({ op: OP.RW, bufAlloc: 0 }, bytes(BUFFER)));
    // The service has read it all, and cannot send a byte back.
    expect(packets.map(({ op }) => op)).toEqual([OP.CREDIT_REQUEST]);
    expect(packets[0].fwdCnt).toBe(BUFFER);
  });

  it('is counted modulo 2^32', () => {
    const [a, b] = [new VsockStream(100), new VsockStream(100)];
    const header = new VsockHeader();
    const data = new Uint8Array(100);
    let moved = 0;
    b.stamp(header);
    a.learn(header);
    // As if 4 GiB had gone before, without sending them.
    Object.assign(header, { bufAlloc: 100, fwdCnt: 0xffff_ffce });
    a.learn(header);
    expect(a.peerFree).toBe(50);
    a.write(data, 0, 100);
    moved += a.take(data, 0, 100);
    expect([moved, a.peerFree]).toEqual([50, 0]);
    Object.assign(header, { fwdCnt: 50 });
    a.learn(header);
    expect(a.peerFree).toBe(100);
  });
});

describe('a guest that moves', () => {
  const migrate = [{ at: '2ms', cid: 77 }];

  it('has a new id, an event, a new generation, and no connections', () => {
    const dut = connected({ migrate });
    dut.send(event, [], [8]);
    dut.device.available(event, 0);
    dut.run(3 * PS_PER_MS);
    const told = dut.returned.filter(({ queue }) => queue === event);
    expect(told.map(({ bytes: data, written }) => [...data.subarray(0, written)])).toEqual([
      [0, 0, 0, 0],
    ]);
    const config = new Uint8Array(8);
    dut.device.readConfig(0, config, 0, 8);
    expect([...config]).toEqual(le([77, 8]));
    expect(dut.configEvents).toBe(1);
    expect(figures(dut).connectionsOpen).toBe(0);
    // What still comes from the old id is about nothing.
    expect(say(dut, packet({ op: OP.RW }, [1]))).toEqual([]);
    expect(dut.violations).toEqual([]);
  });

  it('gets the event later if it has no buffer for it', () => {
    const dut = bench({ migrate });
    dut.run(3 * PS_PER_MS);
    dut.send(event, [], [4]);
    dut.device.available(event, 0);
    expect(dut.run().map(({ queue, written }) => [queue, written])).toEqual([[event, 4]]);
  });
});

describe('hostile packets', () => {
  it.each([
    ['another source', packet({ op: OP.REQUEST, srcCid: 3 })],
    ['half a header', packet({ op: OP.REQUEST }).slice(0, 20)],
    ['less payload than it says', packet({ op: OP.RW, len: 500 }, [1, 2, 3])],
    ['a length beyond any packet', packet({ op: OP.RW, len: 0xffff_ffff })],
  ])('with %s are violations, and nobody answers', (_, bad) => {
    const dut = connected();
    expect(say(dut, bad)).toEqual([]);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
    expect(say(dut, packet({ op: OP.RW }, [9])).at(0)!.payload).toEqual([9]);
  });

  it.each([
    ['an unknown type', { op: OP.REQUEST, type: 9 }, 9],
    ['a type that is not offered', { op: OP.REQUEST, type: VSOCK_TYPE.SEQPACKET }, 2],
    ['another destination', { op: OP.REQUEST, dstCid: 5 }, 1],
    ['data without connection', { op: OP.RW, srcPort: 5 }, 1],
  ])('with %s are answered with a reset of that type', (_, fields, type) => {
    const dut = connected();
    expect(say(dut, packet(fields))).toMatchObject([{ op: OP.RST, type }]);
    expect(dut.violations).toEqual([]);
  });

  it('that are resets of nothing are not answered', () => {
    const dut = connected();
    expect(say(dut, packet({ op: OP.RST, srcPort: 5 }))).toEqual([]);
  });

  it('with an upper half of an id are of nobody', () => {
    const dut = connected();
    const bad = packet({ op: OP.RW }, [1]);
    bad[5] = 1;
    expect(say(dut, bad)).toEqual([]);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });

  it('beyond the credit end the connection', () => {
    const dut = connected({}, { bufAlloc: 0 });
    // The service reads one buffer full and then has to keep the next.
    const full = packet({ op: OP.RW, bufAlloc: 0 }, bytes(BUFFER));
    say(dut, full);
    say(dut, full);
    expect(dut.violations).toEqual([]);
    expect(say(dut, packet({ op: OP.RW, bufAlloc: 0 }, [1])).map(({ op }) => op)).toEqual([OP.RST]);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
    expect(figures(dut).connectionsOpen).toBe(0);
  });

  it.each([
    ['a second request', OP.REQUEST],
    ['a response', OP.RESPONSE],
    ['an operation that is none', 200],
  ])('with %s end the connection', (_, op) => {
    const dut = connected();
    expect(say(dut, packet({ op })).map((answer) => answer.op)).toEqual([OP.RST]);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });

  it('on buffers of the wrong direction or size come back unused', () => {
    const dut = bench();
    dut.send(rx, [[1]], [100]);
    dut.send(rx, [], [VSOCK_HEADER_SIZE - 1]);
    dut.send(tx, [packet({ op: OP.REQUEST })], [4]);
    dut.send(event, [], [3]);
    for (const queue of [rx, tx, event]) dut.device.available(queue, 0);
    expect(dut.run().map(({ written }) => written)).toEqual([0, 0, 0, 0]);
    expect(dut.violations).toEqual(new Array(4).fill('BAD_REQUEST'));
  });

  it('that want more replies than are received wait themselves', () => {
    const dut = bench();
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 120; i++) {
        dut.send(tx, [packet({ op: OP.RW, srcPort: 2000 + i + 120 * round })], []);
      }
      dut.device.available(tx, 0);
      dut.run(5 * PS_PER_MS);
      if (dut.rings[tx].freeCount < 120) break;
    }
    const taken = dut.returned.filter(({ queue }) => queue === tx).length;
    // One may be in the making when the line is full.
    expect(taken).toBeGreaterThanOrEqual(REPLIES_MAX);
    expect(taken).toBeLessThanOrEqual(REPLIES_MAX + 1);
    offer(dut, 100, 64);
    expect(heard(dut, 5 * PS_PER_MS)).toHaveLength(100);
    expect(dut.returned.filter(({ queue }) => queue === tx).length).toBeGreaterThan(taken);
  });
});
