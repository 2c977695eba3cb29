// The vsockEcho workload and the socket driver over FF-A: verified bytes, small buffers on either side,
// connections that are refused, lost, moved, or never answered, and a host that breaks the rules.
import { describe, expect, it } from 'vitest';
import type { VsockDriver } from '../../guests/vsock/index.ts';
import { vsockEcho } from '../../guests/workloads/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { ModelTables } from '../../platform/contracts/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { VSOCK_HEADER_SIZE, VSOCK_OP, VsockHeader } from '../../platform/virtio/index.ts';
import { Rig } from '../support/rig.ts';
import { type ScenarioParts, topologyOf } from '../support/scenarios.ts';

const CID = 0x4711;
const parts = (workload: object, device: object = {}, rest: ScenarioParts = {}): ScenarioParts => ({
  devices: { vsock0: { type: 'vsock', bus: 'ffa0', number: 0, guestCid: CID, ...device } },
  workloads: [{ type: vsockEcho.type, device: 'vsock0', operations: 20, ...workload }],
  ...rest,
});

describe('echo', () => {
  it.each([
    ['one byte at a time', { messageSize: '1B' }, {}],
    [
      'a buffer of one byte on each side',
      { messageSize: '20B', bufferSize: '1B' },
      { bufferSize: '1B' },
    ],
    [
      'messages beyond all buffers',
      { messageSize: '100KiB', operations: 4 },
      { bufferSize: '5KiB' },
    ],
    ['a slow reader', { messageSize: '9000B', bufferSize: '3KiB', readDelay: '30us' }, {}],
    ['many streams', { streams: 32, operations: 200 }, {}],
    ['a connection a message', { perConnection: 1, streams: 3 }, {}],
    ['queues of eight', { streams: 8, messageSize: '9KiB', operations: 60 }, { queueSize: 8 }],
    ['a packed ring', { streams: 4, operations: 60 }, { ring: 'packed', eventIdx: true }],
    ['indirect tables', { streams: 4 }, { indirect: true, notificationData: true }],
  ])('%s', (_, workload, device) => {
    const rig = new Rig(parts(workload, device));
    expect(rig.run()).toBe('done');
    const { requests, errors, verified, failure } = rig.result();
    expect({ errors, failure }).toEqual({ errors: 0, failure: null });
    expect(verified).toBe(requests);
    expect(rig.violations).toEqual([]);
  });

  it('is the same on both engines', () => {
    const digests = (['xstate', 'compiled'] as const).map((engine) => {
      const rig = new Rig(parts({ streams: 2, perConnection: 3 }), { engine });
      rig.run();
      return rig.digest;
    });
    expect(digests[0]).toBe(digests[1]);
  });

  it('counts its connections', () => {
    const rig = new Rig(parts({ perConnection: 4 }));
    rig.run();
    expect(rig.result().extra).toEqual({ connections: 5 });
  });
});

describe('trouble', () => {
  it('a port where nobody listens is an error each time', () => {
    const rig = new Rig(parts({ port: 8, operations: 3 }));
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 3, errors: 3, verified: 0 });
    expect(rig.violations).toEqual([]);
  });

  it('more connections than the service takes are errors', () => {
    const rig = new Rig(parts({ streams: 5, operations: 40 }, { connections: 2 }));
    rig.run();
    const { requests, errors } = rig.result();
    expect(requests).toBe(40);
    expect(errors).toBeGreaterThan(2);
    expect(rig.violations).toEqual([]);
  });

  it('a guest that moves loses its connections, and makes new ones with its new id', () => {
    const migrate = [{ at: '600us', cid: 99 }];
    const rig = new Rig(parts({ streams: 4, operations: 400 }, { migrate }));
    expect(rig.run()).toBe('done');
    const { requests, errors, extra } = rig.result();
    expect(requests).toBe(400);
    expect(errors).toBe(4);
    expect(extra!.connections).toBe(8);
    expect(rig.violations).toEqual([]);
  });

  it('a device that fails and is reset ends all connections, and takes new ones', () => {
    const needsReset = ['600us', '900us'];
    const rig = new Rig(parts({ streams: 4, operations: 400 }, { needsReset }));
    expect(rig.run()).toBe('done');
    const { requests, errors, verified, failure, extra } = rig.result();
    expect([requests, failure]).toEqual([400, null]);
    // Each connection had a message under way.
    expect(errors).toBe(4 * needsReset.length);
    expect(verified).toBe(requests - errors);
    expect(extra!.connections).toBe(4 * (1 + needsReset.length));
    expect(rig.violations).toEqual([]);
  });

  it('a connection that is asked for during a reset is made after it', () => {
    const closing = { streams: 8, operations: 200, perConnection: 1 };
    const rig = new Rig(parts(closing, { needsReset: ['500us'] }));
    expect(rig.run()).toBe('done');
    const { requests, errors, failure } = rig.result();
    expect([requests, failure]).toEqual([200, null]);
    expect(errors).toBeLessThanOrEqual(8);
    expect(rig.violations).toEqual([]);
  });

  it('a host that does not answer is given up after a while', () => {
    const rig = new Rig(parts({ operations: 2 }, {}, { until: { atMost: '20s' } }));
    // The requests arrive as packets to a host that is not there.
    bend(rig, VSOCK_OP.REQUEST, (bytes, at) => {
      bytes[at + 8] = 0;
      bytes[at + 30] = VSOCK_OP.RST;
    });
    rig.run();
    expect(rig.result()).toMatchObject({ requests: 2, errors: 2 });
    expect(rig.result().latency.min).toBeGreaterThanOrEqual(2e9);
  });

  it.each([2, 0xffff_ffff])('the reserved id %d is refused by the loader', (guestCid) => {
    expect(() => topologyOf(parts({}, { guestCid }))).toThrow(ScenarioError);
  });
});

/** Changes every packet of one operation on its way through memory, in either direction. */
function bend(rig: Rig, op: number, change: (bytes: Uint8Array, at: number) => void): void {
  rig.filter = ({ packet }) => {
    const { bytes, length } = packet;
    for (let at = 0; at + VSOCK_HEADER_SIZE <= length; at++) {
      const ours =
        (bytes[at] | (bytes[at + 1] << 8)) === CID ||
        (bytes[at + 8] | (bytes[at + 9] << 8)) === CID;
      const header = new VsockHeader();
      if (!ours) continue;
      header.read(bytes, at);
      const isPacket =
        header.type === 1 &&
        header.op === op &&
        ((header.srcCid === CID && header.dstCid === 2) ||
          (header.srcCid === 2 && header.dstCid === CID));
      if (isPacket) change(bytes, at);
    }
    return true;
  };
}

describe('a host that breaks the rules', () => {
  function watched(seen: { driver?: VsockDriver }): ModelTables {
    const { drivers } = tables;
    const create: typeof drivers.vsock.create = (environment) =>
      (seen.driver = drivers.vsock.create(environment) as VsockDriver);
    return { ...tables, drivers: { ...drivers, vsock: { ...drivers.vsock, create } } };
  }

  it.each([
    ['an operation that is none', (bytes: Uint8Array, at: number) => void (bytes[at + 30] = 99)],
    [
      'more bytes than the packet has',
      (bytes: Uint8Array, at: number) => {
        bytes[at + 26] = 1;
      },
    ],
  ])('with %s is told as a violation', (_, change) => {
    const rig = new Rig(parts({ operations: 1 }, {}, { until: { atMost: '5ms' } }));
    bend(rig, VSOCK_OP.RESPONSE, change);
    rig.run();
    expect(rig.violationCodes).toEqual(['BAD_REQUEST']);
    expect(rig.result().verified).toBe(0);
  });

  it('with bytes beyond the credit loses the connection', () => {
    const seen: { driver?: VsockDriver } = {};
    const rig = new Rig(
      parts(
        { operations: 1, messageSize: '4KiB', bufferSize: '1KiB', readDelay: '1ms' },
        {},
        {
          until: { atMost: '5ms' },
        },
      ),
      { tables: watched(seen) },
    );
    // The guest seems to have room for 16 MiB.
    bend(rig, VSOCK_OP.RW, (bytes, at) => void (bytes[at + 39] = 1));
    rig.run();
    expect(rig.violationCodes).toEqual(['BAD_REQUEST']);
    expect(rig.result()).toMatchObject({ requests: 1, errors: 1 });
  });

  it('with a type that nobody knows gets a reset', () => {
    const rig = new Rig(parts({ operations: 1 }, {}, { until: { atMost: '5ms' } }));
    const resets: number[] = [];
    bend(rig, VSOCK_OP.RESPONSE, (bytes, at) => void (bytes[at + 28] = 7));
    const inner = rig.filter;
    rig.filter = (sent) => {
      const { bytes, length } = sent.packet;
      const header = new VsockHeader();
      for (let at = 0; at + VSOCK_HEADER_SIZE <= length; at++) {
        header.read(bytes, at);
        if (header.srcCid === CID && header.dstCid === 2 && header.op === VSOCK_OP.RST) {
          resets.push(header.type);
        }
      }
      return inner(sent);
    };
    rig.run();
    expect(resets).toContain(7);
    expect(rig.result().verified).toBe(0);
  });
});
