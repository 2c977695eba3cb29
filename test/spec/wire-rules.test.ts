// The rules of virtio-msg that the codec and its helpers keep by themselves. What drivers, devices
// and buses do with messages is claimed by their own tests.
import { describe, expect, it } from 'vitest';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import { featureBlocks, withFeatureBlocks } from '../../platform/virtio/bits.ts';
import {
  answerDevices,
  brokenRules,
  capacity,
  checkCarries,
  devicesRequestIsLegal,
  devicesResponseIsLegal,
  revision,
  writeEmptyResponse,
  writeEventAvail,
  writeEventUsed,
} from '../../platform/virtio/messages/index.ts';
import { fromHex, toHex, WireError } from '../../platform/wire/index.ts';

const FILL = 0xa5;

function filled(length = 80): Uint8Array {
  return new Uint8Array(length).fill(FILL);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
  return 'OK';
}

/** Zero of every field, with 16 units where a count decides the size. */
const queue = { index: 1, flags: 0, descriptorArea: 1n, driverArea: 2n, deviceArea: 3n };

describe.each(REVISIONS)('header in %s', (name) => {
  const info = revision(name);
  const { codec } = info;

  it('HDR-1 MUST: numbers of header and payload have their low byte first', () => {
    const bytes = filled();
    const body = { offset: 0x0a0b0c0d, length: 0x01020304 };
    const message = { type: 'req.GET_CONFIG', dev: 0x1122, token: 0x3344, body } as const;
    const length = codec.encode(message, bytes);
    expect(toHex(bytes, 0, length)).toBe('0005221144331000' + '0d0c0b0a' + '04030201');
    expect(codec.decode(bytes, length)).toEqual(message);
  });

  it('HDR-2 MUST: type bits 7:2 are sent as zero by every message and helper', () => {
    const types = codec.legs.map((leg) => leg.typeByte);
    expect(types.every((type) => (type & 0xfc) === 0)).toBe(true);
    const bytes = filled();
    codec.encode({ type: 'req.PING', dev: 0, token: 1, body: { data: 1 } }, bytes);
    expect(bytes[0]).toBe(2);
    writeEmptyResponse(bytes, Uint8Array.of(0xfc, 0x0a, 1, 0, 2, 0, 8, 0));
    expect(bytes[0]).toBe(1);
    writeEventAvail(bytes, 1, 0, 0, 0);
    expect(bytes[0]).toBe(0);
    writeEventUsed(bytes, 1, 0, 0);
    expect(bytes[0]).toBe(0);
  });

  it('HDR-2 MUST: type bits 7:2 are ignored when received, and noticed by the monitor', () => {
    const bytes = fromHex('fe 03 00 00 02 01 0c 00 ef be ad de')!;
    expect(codec.decode(bytes, 12)).toMatchObject({ type: 'req.PING', token: 0x0102 });
    expect(brokenRules(info, bytes, 12).map(({ rule }) => rule)).toEqual(['HDR-2']);
  });

  it('HDR-3 MUST: a bus message with a dev_num other than 0 cannot be sent', () => {
    const message = { type: 'req.PING', dev: 1, token: 1, body: { data: 0 } } as const;
    expect(codeOf(() => codec.encode(message, filled()))).toBe('RANGE');
  });

  it('HDR-6 MUST: msg_size counts header and payload and is what encode returns', () => {
    const bytes = filled(300);
    const data = new Uint8Array(17);
    const body = { generation: 1, offset: 0, length: 17, data };
    const length = codec.encode({ type: 'res.GET_CONFIG', dev: 1, token: 1, body }, bytes);
    // 8 bytes of header, 12 of fixed fields, 17 of data.
    expect([length, bytes[6], bytes[7]]).toEqual([37, 37, 0]);
    body.length = 250;
    const long = { ...body, data: new Uint8Array(250) };
    codec.encode({ type: 'res.GET_CONFIG', dev: 1, token: 1, body: long }, bytes);
    expect(bytes[6] | (bytes[7] << 8)).toBe(270);
  });

  it('HDR-6 MUST: a msg_size below 8 or beyond what arrived is no message', () => {
    const bytes = fromHex('02 03 00 00 02 01 0c 00 ef be ad de')!;
    expect(codeOf(() => codec.decode(bytes, 11))).toBe('SHORT');
    bytes[6] = 7;
    expect(codeOf(() => codec.decode(bytes, 12))).toBe('SIZE');
    bytes[6] = 13;
    expect(codeOf(() => codec.decode(bytes, 12))).toBe('SHORT');
  });

  it('HDR-7 MUST: padding is ignored when received, and other than zero is noticed', () => {
    // PING of 12 bytes with msg_size 16, in a slot of 20.
    const bytes = fromHex('02 03 00 00 02 01 10 00 ef be ad de 00 00 00 00 00 00 00 00')!;
    const message = codec.decode(bytes, 20);
    expect(message).toEqual({
      type: 'req.PING',
      dev: 0,
      token: 0x0102,
      body: { data: 0xdeadbeef },
    });
    expect(brokenRules(info, bytes, 20)).toEqual([]);
    bytes[13] = 1;
    expect(codec.decode(bytes, 20)).toEqual(message);
    expect(brokenRules(info, bytes, 20).map(({ rule }) => rule)).toEqual(['HDR-7']);
  });

  it('HDR-8 MUST: a dev_num without a meaning is ignored when received', () => {
    const bytes = fromHex('02 03 99 00 02 01 0c 00 ef be ad de')!;
    expect(codec.decode(bytes, 12)).toMatchObject({ type: 'req.PING' });
  });

  it('HDR-9 MUST: an event has no response', () => {
    const events = codec.legs.filter((leg) => (leg.row.id & 0x40) !== 0);
    expect(events.map((leg) => leg.type)).toEqual([
      'req.EVENT_CONFIG',
      'req.EVENT_AVAIL',
      'req.EVENT_USED',
      'req.EVENT_DEVICE',
    ]);
    const answer = fromHex('01 42 05 00 00 00 0c 00 01 00 00 00')!;
    expect(codeOf(() => codec.decode(answer, 12))).toBe('UNKNOWN_ID');
    const rule = name === 'v2' ? 'HDR-9' : 'ERR-3';
    expect(brokenRules(info, answer, 12).map((broken) => broken.rule)).toEqual([rule]);
  });

  it('TOK-3, TOK-7 MUST: the empty response repeats dev_num and token of its request', () => {
    const bytes = filled(12);
    const request = fromHex('00 0a 05 00 3b 12 30 00')!;
    expect(writeEmptyResponse(bytes, request)).toBe(8);
    expect(toHex(bytes)).toBe('010a05003b120800' + 'a5a5a5a5');
  });

  it('PAR-2 MUST: nothing longer than the bus maximum is encoded', () => {
    const body = { ...queue, size: 256 };
    const message = { type: 'req.SET_VQUEUE', dev: 1, token: 1, body } as const;
    const bytes = filled();
    expect(codeOf(() => codec.encode(message, bytes, 0, 47))).toBe('SIZE');
    expect(bytes.every((byte) => byte === FILL)).toBe(true);
    expect(codec.encode(message, bytes, 0, 48)).toBe(48);
  });
});

describe('bus parameters', () => {
  it.each([
    ['v1', 47, 48],
    ['v2', 51, 52],
  ] as const)('PAR-6 MUST: %s refuses a maximum of %i bytes and takes %i', (name, small, large) => {
    expect(codeOf(() => checkCarries(name, small))).toBe('SIZE');
    expect(codeOf(() => checkCarries(name, large))).toBe('OK');
  });
});

describe('features', () => {
  it.each(REVISIONS)('FEA-2 MUST: feature data is whole words of 4 bytes in %s', (name) => {
    const { codec } = revision(name);
    const body = { blockIndex: 0, blockCount: 3, features: [1, 2, 0xffff_ffff] };
    const bytes = filled();
    const length = codec.encode({ type: 'req.SET_DRIVER_FEATURES', dev: 1, token: 1, body }, bytes);
    expect(length).toBe(16 + 12);
    bytes[6] = length - 1;
    expect(codeOf(() => codec.decode(bytes, length - 1))).toBe('SIZE');
  });

  it('FEA-1 MUST: blocks beyond the last offered bit are zero', () => {
    const offered = (1n << 32n) | (1n << 5n);
    expect(featureBlocks(offered, 0, 4)).toEqual([32, 1, 0, 0]);
    expect(featureBlocks(offered, 1, 2)).toEqual([1, 0]);
    expect(featureBlocks(offered, 0xffff_ffff, 2)).toEqual([0, 0]);
  });

  it('FEA-7 MUST: only the addressed blocks change', () => {
    const before = (7n << 64n) | (9n << 32n) | 5n;
    expect(withFeatureBlocks(before, 1, [0])).toBe((7n << 64n) | 5n);
    expect(withFeatureBlocks(before, 1, [])).toBe(before);
    expect(withFeatureBlocks(before, 0xffff_ffff, [1])).toBe(before);
  });

  it('FEA-9 MUST: a response counts from the block asked for, with zeros above it', () => {
    expect(withFeatureBlocks(0n, 1, [3])).toBe(3n << 32n);
    expect(withFeatureBlocks(0n, 0, [0xffff_ffff])).toBe(0xffff_ffffn);
  });

  it.each(['rfc3', 'v1'] as const)(
    'INF-2 MUST: %s sends a number of feature bits that is a multiple of 32',
    (name) => {
      const { codec } = revision(name);
      const body = {
        deviceId: 2,
        vendorId: 0,
        uuid: '00000000-0000-0000-0000-000000000000',
        featureBits: 33,
        configSize: 0,
        maxVirtqueues: 1,
        adminStart: 0,
        adminCount: 0,
      };
      const message = { type: 'res.GET_DEVICE_INFO', dev: 1, token: 1, body } as const;
      expect(codeOf(() => codec.encode(message, filled()))).toBe('RANGE');
    },
  );
});

describe('configuration and queues', () => {
  it.each(REVISIONS)('CFG-10 MUST: in %s a refused SET_CONFIG has length 0 and no data', (name) => {
    const { codec } = revision(name);
    const body = { generation: 8, offset: 4, length: 0, data: new Uint8Array(0) };
    const message = { type: 'res.SET_CONFIG', dev: 1, token: 1, body } as const;
    expect(codec.encode(message, filled())).toBe(20);
    const withData = { ...message, body: { ...body, data: new Uint8Array(4) } };
    expect(codeOf(() => codec.encode(withData, filled()))).toBe('SIZE');
  });

  it.each(REVISIONS)('VQ-16 MUST: in %s reserved words of queue messages are zero', (name) => {
    const { codec } = revision(name);
    const bytes = filled();
    codec.encode({ type: 'req.SET_VQUEUE', dev: 1, token: 1, body: { ...queue, size: 1 } }, bytes);
    expect([toHex(bytes, 12, 16), toHex(bytes, 20, 24)]).toEqual(['00000000', '00000000']);
    codec.encode(
      { type: 'res.GET_VQUEUE', dev: 1, token: 1, body: { ...queue, size: 1, maxSize: 1 } },
      bytes,
    );
    expect(toHex(bytes, 20, 24)).toBe('00000000');
  });
});

describe('bus messages', () => {
  it('BUS-1 MUST: before v2 windows are multiples of 8, in v2 of any size', () => {
    const odd = { offset: 4, count: 12 };
    for (const name of ['rfc3', 'v1'] as const) {
      const { codec, rules } = revision(name);
      const message = { type: 'req.GET_DEVICES', dev: 0, token: 1, body: odd } as const;
      expect(codeOf(() => codec.encode(message, filled()))).toBe('RANGE');
      expect(devicesRequestIsLegal(rules, odd)).toBe(false);
      expect(devicesRequestIsLegal(rules, { offset: 8, count: 0 })).toBe(true);
    }
    const { codec, rules } = revision('v2');
    const message = { type: 'req.GET_DEVICES', dev: 0, token: 1, body: odd } as const;
    expect(codec.encode(message, filled())).toBe(12);
    expect(devicesRequestIsLegal(rules, odd)).toBe(true);
    expect(devicesRequestIsLegal(rules, { offset: 3, count: 0 })).toBe(true);
  });

  it('BUS-2 MUST: device offset + n is bit n mod 8 of byte n / 8', () => {
    for (const name of REVISIONS) {
      const { rules } = revision(name);
      const answer = answerDevices(rules, { offset: 8, count: 16 }, [8, 10, 23], 2000);
      expect(toHex(answer.bitmap)).toBe('0580');
    }
  });

  it('BUS-2 MUST: in v2 a count of 9 takes 2 bytes, the unused bits zero', () => {
    const { codec, rules } = revision('v2');
    const answer = answerDevices(rules, { offset: 0, count: 9 }, [0, 8, 9, 15], 2000);
    expect(toHex(answer.bitmap)).toBe('0101');
    const beyond = { ...answer, bitmap: Uint8Array.of(1, 3) };
    const message = { type: 'res.GET_DEVICES', dev: 0, token: 1, body: beyond } as const;
    expect(codeOf(() => codec.encode(message, filled()))).toBe('RANGE');
  });

  it.each([
    ['rfc3', 24, true],
    ['rfc3', 25, false],
    ['v1', 15, false],
    ['v1', 16, true],
    ['v1', 17, true],
    ['v2', 1, true],
    ['v2', 0, true],
  ] as const)('BUS-3 MUST: in %s a next_offset of %i is legal: %s', (name, nextOffset, legal) => {
    const { rules } = revision(name);
    const request = { offset: 0, count: 16 };
    const response = { ...request, nextOffset, bitmap: new Uint8Array(2) };
    expect(devicesResponseIsLegal(rules, request, response)).toBe(legal);
  });

  it.each(REVISIONS)('BUS-3 MUST: %s answers lead to the next device, and end with 0', (name) => {
    const { rules } = revision(name);
    const request = { offset: 0, count: 16 };
    const step = rules.deviceWindowStep;
    const next = answerDevices(rules, request, [3, 100], 2000).nextOffset;
    expect(next).toBe(step === 8 ? 96 : 100);
    expect(answerDevices(rules, request, [3], 2000).nextOffset).toBe(0);
  });

  it.each(REVISIONS)('BUS-4 MUST NOT: %s answers have no more slots than asked for', (name) => {
    const { rules } = revision(name);
    const { deviceSlots } = capacity(name, 52);
    const answer = answerDevices(rules, { offset: 0, count: 16 }, [0, 40], deviceSlots);
    expect(answer.count).toBe(16);
    expect(devicesResponseIsLegal(rules, { offset: 0, count: 8 }, answer)).toBe(false);
    // 52 bytes hold 304 slots, so a request for 1000 is cut.
    expect(answerDevices(rules, { offset: 0, count: 1000 }, [], deviceSlots).count).toBe(304);
  });

  it.each(REVISIONS)('BUS-5 MUST: in %s a PING response repeats the data exactly', (name) => {
    const { codec } = revision(name);
    const request = fromHex('02 03 00 00 02 01 0c 00 ef be ad de')!;
    const ping = codec.decode(request, 12);
    if (ping.type !== 'req.PING') throw new Error(`decoded ${ping.type}`);
    const bytes = filled(12);
    codec.encode({ type: 'res.PING', dev: 0, token: ping.token, body: ping.body }, bytes);
    expect(toHex(bytes)).toBe('0303000002010c00efbeadde');
  });
});
