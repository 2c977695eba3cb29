// Seqpacket sockets (virtio 1.4 §5.10.6.6): the ends of messages and records on the wire, at the echo
// service, and end to end.
import { describe, expect, it } from 'vitest';
import { vsockEcho } from '../../guests/workloads/index.ts';
import {
  VSOCK_F,
  VSOCK_HEADER_SIZE,
  VSOCK_OP,
  VSOCK_QUEUE,
  VSOCK_SEQ,
  VSOCK_TYPE,
  VsockHeader,
  VsockStream,
} from '../../platform/virtio/index.ts';
import { DeviceBench } from '../support/device-bench.ts';
import { Rig } from '../support/rig.ts';

const { rx, tx } = VSOCK_QUEUE;
const { STREAM, SEQPACKET } = VSOCK_TYPE;
const { EOM, EOR } = VSOCK_SEQ;
const CID = 42;

function packet(op: number, type: number, payload: readonly number[] = [], flags = 0): number[] {
  const header = Object.assign(new VsockHeader(), {
    ...{ srcCid: CID, dstCid: 2, srcPort: 1000, dstPort: 7, bufAlloc: 65_536 },
    ...{ op, type, flags, len: payload.length },
  });
  const bytes = new Uint8Array(VSOCK_HEADER_SIZE);
  header.write(bytes, 0);
  return [...bytes, ...payload];
}

class Guest {
  readonly dut: DeviceBench;

  constructor(features?: bigint) {
    const options = { guestCid: CID };
    this.dut = new DeviceBench('vsock', {
      options,
      ...(features === undefined ? {} : { features }),
    });
    this.dut.start();
    for (let i = 0; i < 32; i++) this.dut.send(rx, [], [1024]);
    this.dut.device.available(rx, 0);
  }

  /** Sends packets; what comes back: operation, type, flags and payload. */
  say(...packets: number[][]): [number, number, number, number[]][] {
    for (const bytes of packets) this.dut.send(tx, [bytes], []);
    this.dut.device.available(tx, 0);
    return this.dut
      .run()
      .filter(({ queue }) => queue === rx)
      .map(({ bytes, written }) => {
        const header = new VsockHeader();
        header.read(bytes, 0);
        const payload = [...bytes.subarray(VSOCK_HEADER_SIZE, written)];
        return [header.op, header.type, header.flags, payload];
      });
  }
}

describe('the service', () => {
  const { REQUEST, RESPONSE, RW, RST } = VSOCK_OP;

  it('sends each message back as one, with the ends that it had', () => {
    const guest = new Guest();
    expect(guest.say(packet(REQUEST, SEQPACKET))).toEqual([[RESPONSE, SEQPACKET, 0, []]]);
    const answers = guest.say(
      packet(RW, SEQPACKET, [1, 2]),
      packet(RW, SEQPACKET, [3], EOM),
      packet(RW, SEQPACKET, [4, 5], EOM | EOR),
    );
    const data = answers.filter(([op]) => op === RW);
    expect(data.every(([, type]) => type === SEQPACKET)).toBe(true);
    expect(data.flatMap(([, , , payload]) => payload)).toEqual([1, 2, 3, 4, 5]);
    // However a message is cut, no packet goes over its end.
    const ends = data
      .filter(([, , flags]) => flags !== 0)
      .map(([, , flags, p]) => [flags, p.at(-1)]);
    expect(ends).toEqual([
      [EOM, 3],
      [EOM | EOR, 5],
    ]);
  });

  it('knows no ends in a stream', () => {
    const guest = new Guest();
    guest.say(packet(REQUEST, STREAM));
    const answers = guest.say(packet(RW, STREAM, [1, 2], EOM), packet(RW, STREAM, [3]));
    expect(answers.every(([, , flags]) => flags === 0)).toBe(true);
  });

  it('takes no end of a message without bytes for a message', () => {
    const guest = new Guest();
    guest.say(packet(REQUEST, SEQPACKET));
    const answers = guest.say(packet(RW, SEQPACKET, [], EOM), packet(RW, SEQPACKET, [9], EOM));
    const data = answers.filter(([op]) => op === RW);
    expect(data).toEqual([[RW, SEQPACKET, EOM, [9]]]);
    expect(guest.dut.violations).toEqual([]);
  });

  it('refuses what is of another type than its connection', () => {
    const guest = new Guest();
    guest.say(packet(REQUEST, SEQPACKET));
    expect(guest.say(packet(RW, STREAM, [1]))).toEqual([[RST, STREAM, 0, []]]);
  });

  it.each([
    ['seqpackets that were not agreed', VSOCK_F.STREAM | VSOCK_F.NO_IMPLIED_STREAM, SEQPACKET],
    ['streams that were not agreed', VSOCK_F.SEQPACKET | VSOCK_F.NO_IMPLIED_STREAM, STREAM],
  ])('refuses %s', (_, features, type) => {
    expect(new Guest(features).say(packet(REQUEST, type))).toEqual([[RST, type, 0, []]]);
  });

  it('serves streams that are implied', () => {
    const [[op]] = new Guest(0n).say(packet(REQUEST, STREAM));
    expect(op).toBe(RESPONSE);
  });
});

describe('a guest', () => {
  const run = (workload: object, device: object = {}) => {
    const rig = new Rig({
      devices: { vsock0: { type: 'vsock', bus: 'ffa0', number: 0, ...device } },
      workloads: [{ type: vsockEcho.type, device: 'vsock0', socket: 'seqpacket', ...workload }],
    });
    expect(rig.run()).toBe('done');
    return rig;
  };

  it.each([
    ['small messages on many sockets', { streams: 8, messageSize: '90B', operations: 200 }, {}],
    ['messages of many packets', { messageSize: '50KiB', operations: 8 }, {}],
    [
      'messages beyond all buffers',
      { messageSize: '40KiB', operations: 4 },
      { bufferSize: '5KiB' },
    ],
    ['a slow reader', { messageSize: '9KiB', bufferSize: '4KiB', readDelay: '30us' }, {}],
  ])('gets %s back as they were', (_, workload, device) => {
    const rig = run(workload, device);
    const { requests, errors, verified } = rig.result();
    expect([errors, verified]).toEqual([0, requests]);
    expect(rig.violations).toEqual([]);
  });

  it('notices a host that forgets where messages end', () => {
    const receive = VsockStream.prototype.receive;
    VsockStream.prototype.receive = function (bytes, at, length) {
      return receive.call(this, bytes, at, length, 0);
    };
    try {
      const rig = run({ operations: 3 });
      expect(new Set(rig.violations.map(({ code }) => code))).toEqual(new Set(['VERIFY']));
    } finally {
      VsockStream.prototype.receive = receive;
    }
  });
});
