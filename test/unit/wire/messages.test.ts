// Headers as bytes, the message codec, text for people, and the rules that a monitor reports.
import { describe, expect, it } from 'vitest';
import { REVISIONS } from '../../../platform/contracts/topology.ts';
import { AssertionError, UsageError } from '../../../platform/errors.ts';
import {
  coreFeatures,
  F,
  featuresText,
  STATUS,
  statusBits,
  statusText,
} from '../../../platform/virtio/bits.ts';
import {
  brokenRules,
  codec,
  decodeLine,
  headerIsSound,
  isEventAvail,
  isEventUsed,
  NO_ROW,
  peekDevice,
  peekEventNextOffset,
  peekEventQueue,
  peekId,
  peekIsBus,
  peekIsEvent,
  peekIsResponse,
  peekSize,
  peekToken,
  peekType,
  revision,
  setDevice,
  setToken,
  standardMessages,
  writeEventAvail,
  writeEventUsed,
  writeHeader,
} from '../../../platform/virtio/messages/index.ts';
import { defineMessages, fromHex, le16, toHex, WireError } from '../../../platform/wire/index.ts';

const row = { scope: 'bus', sender: 'device', spec: 'test', doc: 'A test.' } as const;

describe('headers as bytes', () => {
  it('are read field by field, at any place', () => {
    const bytes = fromHex('ff ff ff 03 82 22 11 44 33 66 55')!;
    const fields = [peekType, peekId, peekDevice, peekToken, peekSize];
    expect(fields.map((peek) => peek(bytes, 3))).toEqual([3, 0x82, 0x1122, 0x3344, 0x5566]);
    expect([peekIsBus(bytes, 3), peekIsResponse(bytes, 3)]).toEqual([true, true]);
  });

  it.each([
    ['00 41', true],
    ['02 c0', true],
    ['01 41', false],
    ['00 0a', false],
    ['02 80', false],
  ])('%s is an event: %s', (hex, event) => {
    expect(peekIsEvent(fromHex(hex)!)).toBe(event);
  });

  it('are sound when whole and within what arrived', () => {
    const bytes = new Uint8Array(16);
    writeHeader(bytes, 4, 2, 3, 0, 9, 12);
    expect(headerIsSound(bytes, 12, 4)).toBe(true);
    expect(headerIsSound(bytes, 11, 4)).toBe(false);
    expect(headerIsSound(bytes, 7, 4)).toBe(false);
    writeHeader(bytes, 4, 2, 3, 0, 9, 7);
    expect(headerIsSound(bytes, 12, 4)).toBe(false);
  });

  it('change token and device number alone', () => {
    const bytes = fromHex('00 05 05 00 37 12 10 00')!;
    setToken(bytes, 0xbeef);
    setDevice(bytes, 0x0102);
    expect(toHex(bytes)).toBe('00050201efbe1000');
  });
});

describe('events as bytes', () => {
  const { codec: messages } = revision('v1');

  it('are the same as those of the codec', () => {
    const fast = new Uint8Array(16).fill(0xa5);
    const slow = new Uint8Array(16).fill(0x5a);
    const nextOffset = 2 ** 31 + 7;
    expect(writeEventAvail(fast, 5, 9, 3, nextOffset)).toBe(16);
    const body = { index: 3, nextOffset };
    messages.encode({ type: 'req.EVENT_AVAIL', dev: 5, token: 9, body }, slow);
    expect(toHex(fast)).toBe(toHex(slow));
    expect([peekEventQueue(fast), peekEventNextOffset(fast)]).toEqual([3, nextOffset]);
    expect([isEventAvail(fast, 16), isEventUsed(fast, 16)]).toEqual([true, false]);

    expect(writeEventUsed(fast, 5, 9, 3)).toBe(12);
    messages.encode({ type: 'req.EVENT_USED', dev: 5, token: 9, body: { index: 3 } }, slow);
    expect(toHex(fast, 0, 12)).toBe(toHex(slow, 0, 12));
    expect([isEventAvail(fast, 16), isEventUsed(fast, 16)]).toEqual([false, true]);
  });

  it.each([
    ['cut', '00 42 05 00 00 00 0c 00 01 00 00', 11],
    ['longer than what arrived', '00 42 05 00 00 00 0d 00 01 00 00 00', 12],
    ['too short for its field', '00 42 05 00 00 00 0b 00 01 00 00 00', 12],
    ['a response', '01 42 05 00 00 00 0c 00 01 00 00 00', 12],
    ['a bus message', '02 42 05 00 00 00 0c 00 01 00 00 00', 12],
  ])('are none when %s', (_title, hex, length) => {
    expect(isEventUsed(fromHex(hex)!, length)).toBe(false);
  });

  it('are recognised with reserved type bits and padding', () => {
    const bytes = fromHex('f0 42 05 00 00 00 10 00 01 00 00 00 00 00 00 00')!;
    expect(isEventUsed(bytes, 16)).toBe(true);
  });
});

describe('the codec', () => {
  const { codec: messages } = revision('v1');

  it.each([
    [-1, 0],
    [65536, 0],
    [0.5, 0],
    [0, -1],
    [0, 65536],
  ])('refuses dev_num %d with token %d', (dev, token) => {
    const message = { type: 'req.GET_DEVICE_STATUS', dev, token, body: {} } as const;
    expect(() => messages.encode(message, new Uint8Array(8))).toThrow(
      expect.objectContaining({ code: 'RANGE' }),
    );
  });

  it('refuses a target without enough space, and writes nothing', () => {
    const target = new Uint8Array(11).fill(0xa5);
    const message = { type: 'req.PING', dev: 0, token: 1, body: { data: 1 } } as const;
    expect(() => messages.encode(message, target)).toThrow(
      expect.objectContaining({ code: 'SIZE' }),
    );
    expect(target.every((byte) => byte === 0xa5)).toBe(true);
  });

  it('does not read beyond the array when a length is too large', () => {
    const bytes = fromHex('02 03 00 00 02 01 0c 00 ef be ad')!;
    expect(() => messages.decode(bytes, 12)).toThrow(expect.objectContaining({ code: 'SHORT' }));
  });

  it('counts by row without decoding', () => {
    const event = fromHex('00 42 05 00 00 00 0c 00 01 00 00 00')!;
    const ping = fromHex('03 03 00 00 02 01 0c 00 ef be ad de')!;
    expect(messages.names[messages.rowIndexAt(event)]).toBe('EVENT_USED');
    expect(messages.names[messages.rowIndexAt(ping)]).toBe('PING');
    expect(messages.rowIndexAt(event)).toBe(messages.rowIndexOf('EVENT_USED'));
    expect(messages.rowIndexAt(fromHex('00 7f')!)).toBe(NO_ROW);
    expect(messages.rowIndexOf('AREA_SHARE')).toBe(NO_ROW);
  });

  it('holds an unknown message type for a bug of ours', () => {
    expect(() => messages.leg('req.NONE')).toThrow(AssertionError);
  });

  it('carries EVENT_CONFIG of a range whose bytes are left out', () => {
    const target = new Uint8Array(64);
    const body = { status: 15, generation: 2, offset: 0, length: 60, data: new Uint8Array(0) };
    const message = { type: 'req.EVENT_CONFIG', dev: 1, token: 0, body } as const;
    expect(messages.encode(message, target)).toBe(24);
    expect(messages.decode(target, 24)).toEqual(message);
  });

  it('leaves out what a revision lacks: flags before v2', () => {
    const target = new Uint8Array(48);
    const areas = { descriptorArea: 0n, driverArea: 0n, deviceArea: 0n };
    const body = { index: 0, flags: 0xff, size: 8, ...areas };
    const message = { type: 'req.SET_VQUEUE', dev: 1, token: 1, body } as const;
    messages.encode(message, target);
    expect(messages.decode(target, 48)).toMatchObject({ body: { flags: 0 } });
    revision('v2').codec.encode(message, target);
    expect(revision('v2').codec.decode(target, 48)).toMatchObject({ body: { flags: 0xff } });
  });
});

describe('messages of a bus', () => {
  const own = defineMessages({
    ACK: { ...row, id: 0, response: {} },
    ERROR: { ...row, id: 0x87, namesDevice: true, response: { original: le16 } },
    RELEASE: { ...row, id: 0xc0, request: { area: le16 } },
  });

  it('extend the standard ones', () => {
    const messages = codec('v1', own);
    const target = new Uint8Array(10);
    const message = { type: 'res.ERROR', dev: 7, token: 3, body: { original: 5 } } as const;
    messages.encode(message, target);
    expect(toHex(target)).toBe('03870700030' + '00a000500');
    expect(messages.decode(target, 10)).toEqual(message);
    expect(messages.leg('req.GET_CONFIG').name).toBe('GET_CONFIG');
    expect(messages.text(message)).toBe('res ERROR dev=7 tok=3 original=5');
    expect(brokenRules(revision('v1'), target, 10, { codec: messages })).toEqual([
      { rule: 'HDR-3', text: 'a bus message has dev_num 7' },
    ]);
  });

  it('may not take ids or names of the standard', () => {
    const taken = defineMessages({ OTHER: { ...row, id: 0x04, request: {}, response: {} } });
    expect(() => codec('v1', taken)).toThrow(AssertionError);
    const named = defineMessages({ PING: { ...row, id: 0x84, request: {}, response: {} } });
    expect(() => codec('v1', named)).toThrow(AssertionError);
  });
});

describe('text of a message', () => {
  it.each([
    ['00 05 03 00 11 00 10 00 00 00 00 00 04 00 00 00', 'offset=0 length=4'],
    ['00:05:03:00:11:00:10:00:00:00:00:00:04:00:00:00', 'offset=0 length=4'],
    ['0x00050300 0x11001000 0x00000000 0x04000000', 'offset=0 length=4'],
  ])('takes %s', (hex, body) => {
    expect(decodeLine(hex)).toBe(`req GET_CONFIG dev=3 tok=17 ${body}`);
  });

  it.each([
    ['f0 42 05 00 00 00 0c 00 01 00 00 00', '[reserved type bits set]'],
    ['00 42 05 00 00 00 0e 00 01 00 00 00 00 00', '[2 bytes of padding]'],
    ['00 42 05 00 00 00 0c 00 01 00 00 00 00', '[1 bytes after the message]'],
  ])('points out what is legal but odd: %s', (hex, note) => {
    expect(decodeLine(hex)).toBe(`req EVENT_USED dev=5 tok=0 index=1 ${note}`);
  });

  it('shows the wrap counter beside the offset', () => {
    const hex = '00 41 05 00 00 00 10 00 01 00 00 00 07 00 00 80';
    expect(decodeLine(hex)).toContain('nextOffset=7+wrap');
  });

  it('knows a bus by its table', () => {
    const own = defineMessages({ RELEASE: { ...row, id: 0xc0, request: { area: le16 } } });
    const hex = '02 c0 00 00 00 00 0a 00 07 00';
    expect(decodeLine(hex, 'v1', own)).toBe('req RELEASE dev=0 tok=0 area=7');
    expect(() => decodeLine(hex)).toThrow(expect.objectContaining({ code: 'UNKNOWN_ID' }));
  });

  it.each(['xyz', '0', '00 4', ''])('gives a coded error for %j', (text) => {
    let code = '';
    try {
      decodeLine(text);
    } catch (error) {
      if (!(error instanceof UsageError || error instanceof WireError)) throw error;
      code = error.code;
    }
    expect(code).toBe(text === '' ? 'SHORT' : 'BAD_VALUE');
  });
});

describe('rules that a message breaks', () => {
  const inactive = '00 00 00 00 00 00 00 00 ';
  const queueMessage = (head: string, at12: string) =>
    `${head} 00 00 00 00 ${at12} ${inactive.repeat(4)}`;

  it.each([
    ['rfc3', 'TOK-1', '00 07 05 00 00 00 08 00'],
    ['rfc3', 'TOK-2', '00 42 05 00 01 00 0c 00 01 00 00 00'],
    ['rfc3', 'VQ-16', queueMessage('00 0a 05 00 01 00 30 00', '01 00 00 00')],
    ['v1', 'HDR-7', queueMessage('00 0a 05 00 01 00 30 00', '01 00 00 00')],
    ['v1', 'HDR-3', '02 03 01 00 01 00 0c 00 00 00 00 00'],
    ['v1', 'HDR-6', '02 03 00 00 01 00 07 00 00 00 00 00'],
    ['v1', 'HDR-6', '02 03 00 00 01 00 0b 00 00 00 00 00'],
    ['v1', 'ERR-3', '00 0d 01 00 01 00 08 00'],
    ['v1', 'BUS-1', '02 02 00 00 01 00 0c 00 04 00 08 00'],
    ['v1', 'BUS-3', '03 02 00 00 01 00 0f 00 00 00 08 00 04 00 00'],
    ['v2', 'BUS-3', '03 02 00 00 01 00 0f 00 08 00 08 00 08 00 00'],
    ['v2', 'BUS-2', '03 02 00 00 01 00 0f 00 00 00 00 00 04 00 10'],
    ['v2', 'VQ-8', queueMessage('00 0a 05 00 01 00 30 00', '40 00 00 00')],
    ['v2', 'VQ-8', queueMessage('00 0a 05 00 01 00 30 00', '03 00 00 00')],
    ['v2', 'VQ-3', '01 09 05 00 01 00 30 00 00 00 00 00 00 00 00 00 01' + ' 00'.repeat(31)],
    [
      'v2',
      'VQ-11',
      '01 09 05 00 01 00 30 00 00 00 00 00 08 00 00 00 00 00 00 00 02' + ' 00'.repeat(27),
    ],
    ['v2', 'SHM-1', '01 0c 05 00 01 00 20 00 00 00 00 00 01' + ' 00'.repeat(19)],
    ['v2', 'INF-3', '01 02 05 00 01 00 34 00' + ' 00'.repeat(36) + ' 01' + ' 00'.repeat(7)],
    ['v1', 'INF-2', '01 02 05 00 01 00 20 00 00 00 00 00 00 00 00 00 21' + ' 00'.repeat(15)],
  ] as const)('%s: %s', (name, rule, hex) => {
    const bytes = fromHex(hex)!;
    const broken = brokenRules(revision(name), bytes, bytes.length);
    expect(broken.map((row) => row.rule)).toEqual([rule]);
  });

  it('include the maximum of the bus', () => {
    const bytes = fromHex('02 03 00 00 01 00 0c 00 00 00 00 00')!;
    const broken = brokenRules(revision('v1'), bytes, 12, { busMax: 11 });
    expect(broken.map((row) => row.rule)).toEqual(['PAR-2']);
  });
});

describe('revisions', () => {
  it('have the same messages, named and numbered alike', () => {
    for (const name of REVISIONS) {
      const { table } = revision(name).codec;
      const ids = Object.entries(table).map(([message, { id, scope }]) => [message, scope, id]);
      const wanted = Object.entries(standardMessages).map(([message, { id, scope }]) => [
        message,
        scope,
        id,
      ]);
      expect(ids).toEqual(wanted);
    }
  });

  it('differ only where v2 changed a body', () => {
    const sizes = (name: (typeof REVISIONS)[number]) =>
      new Map(revision(name).codec.legs.map((leg) => [leg.type, leg.leastSize]));
    expect(sizes('rfc3')).toEqual(sizes('v1'));
    const changed = [...sizes('v2')].filter(([type, size]) => sizes('v1').get(type) !== size);
    expect(changed).toEqual([
      ['res.GET_DEVICE_INFO', 52],
      ['res.GET_SHM', 32],
    ]);
  });
});

describe('bits', () => {
  it('have masks that agree with their tables', () => {
    for (const [name, mask] of Object.entries(STATUS)) {
      expect(mask).toBe(2 ** statusBits[name as keyof typeof STATUS].bit);
    }
    for (const [name, mask] of Object.entries(F)) {
      expect(mask).toBe(1n << BigInt(coreFeatures[name as keyof typeof F].bit));
    }
  });

  it('read as names', () => {
    expect(statusText(0)).toBe('RESET');
    expect(statusText(STATUS.ACKNOWLEDGE | STATUS.DRIVER)).toBe('ACKNOWLEDGE|DRIVER');
    expect(featuresText(F.VERSION_1 | F.EVENT_IDX | 1n)).toBe('bit0|EVENT_IDX|VERSION_1');
    const own = { FLUSH: { bit: 9, spec: 'test', doc: '' } };
    expect(featuresText(F.RING_RESET | 512n, own)).toBe('FLUSH|RING_RESET');
  });
});
