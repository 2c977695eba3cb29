// Field codecs and layouts: widths, byte order, ranges, text, and the checks that tables must pass.
import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../../platform/errors.ts';
import {
  absent,
  bitmap,
  bitset,
  bitsText,
  blocks,
  bytes,
  defineBits,
  defineLayout,
  defineMessages,
  fixedBytes,
  fromHex,
  LayoutCodec,
  layoutMarkdown,
  le16,
  le32,
  le32AsBigint,
  le64,
  messagesMarkdown,
  multipleOf,
  oneOf,
  readU16,
  readU32,
  readU64,
  replaceGenerated,
  reserved,
  scaled,
  toHex,
  u8,
  uuid,
  WireError,
  writeU16,
  writeU32,
  writeU64,
} from '../../../platform/wire/index.ts';

const flags = defineBits({
  A: { bit: 0, spec: 'test', doc: '' },
  B: { bit: 3, spec: 'test', doc: '' },
});

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
  return 'OK';
}

describe('loads and stores', () => {
  it('are little-endian and unsigned', () => {
    const store = new Uint8Array(8);
    writeU64(store, 0, 0xfedc_ba98_7654_3210n);
    expect(toHex(store)).toBe('1032547698badcfe');
    expect(readU64(store, 0)).toBe(0xfedc_ba98_7654_3210n);
    expect(readU32(store, 4)).toBe(0xfedc_ba98);
    expect(readU16(store, 6)).toBe(0xfedc);
    writeU16(store, 0, 0xbeef);
    writeU32(store, 4, 0x8000_0001);
    expect(toHex(store)).toBe('efbe547601000080');
  });

  it('read hexadecimal text in the usual spellings, and nothing else', () => {
    const wanted = Uint8Array.of(0x00, 0xaf, 0x10);
    expect(fromHex('00 af 10')).toEqual(wanted);
    expect(fromHex('00:AF:10')).toEqual(wanted);
    expect(fromHex('0x00, 0xaf, 0x10\n')).toEqual(wanted);
    expect(fromHex('00af10')).toEqual(wanted);
    expect(fromHex('')).toEqual(new Uint8Array(0));
    expect(fromHex('0')).toBeNull();
    expect(fromHex('0g')).toBeNull();
  });
});

describe('fields', () => {
  const all = new LayoutCodec('all', {
    small: u8,
    half: le16,
    pad: reserved(1),
    word: le32,
    long: le64,
    narrow: le32AsBigint,
    id: uuid,
    mac: fixedBytes(6),
    elsewhere: absent(le16),
  });
  const value = {
    small: 0xfe,
    half: 0x1234,
    word: 0xdead_beef,
    long: 1n << 63n,
    narrow: 0xffff_ffffn,
    id: 'c66028b5-2498-4aa1-9de7-77da6122abf0',
    mac: Uint8Array.of(1, 2, 3, 4, 5, 6),
    elsewhere: 0,
  };

  it('lie one after the other, without gaps', () => {
    expect(all.places.map(({ name, at }) => [name, at])).toEqual([
      ['small', 0],
      ['half', 1],
      ['pad', 3],
      ['word', 4],
      ['long', 8],
      ['narrow', 16],
      ['id', 20],
      ['mac', 36],
    ]);
    expect(all.fixedSize).toBe(42);
    expect(all.offsetOf('mac')).toBe(36);
  });

  it('encode to these bytes and back; reserved bytes become zero', () => {
    const target = new Uint8Array(42).fill(0xa5);
    expect(all.encode(value, target, 0)).toBe(42);
    expect(toHex(target)).toBe(
      'fe341200efbeadde0000000000000080ffffffffc66028b524984aa19de777da6122abf0010203040506',
    );
    expect(all.decode(target, 0, 42)).toEqual(value);
  });

  it('read as text with the names of bits and values', () => {
    const named = new LayoutCodec('named', {
      flags: bitset(flags, u8),
      state: oneOf({ READY: 1 }, le16),
      other: oneOf({ READY: 1 }),
      blocks: scaled(u8, 32, 'blockCount'),
      gone: absent(le32),
    });
    const body = { flags: 0b1010, state: 1, other: 7, blocks: 96, gone: 0 };
    expect(named.text(body)).toBe('flags=bit1|B state=READY other=7 blockCount=3');
  });

  it.each([
    ['u8', u8, 256],
    ['u8', u8, -1],
    ['le16', le16, 65536],
    ['le32', le32, 2 ** 32],
    ['le32', le32, 0.5],
    ['le32', le32, Number.NaN],
    ['le64', le64, 1n << 64n],
    ['le64', le64, -1n],
    ['le64 as number', le64, 1],
    ['le32AsBigint', le32AsBigint, 1n << 32n],
    ['uuid', uuid, 'c66028b5'],
    ['uuid in capitals', uuid, 'C66028B5-2498-4AA1-9DE7-77DA6122ABF0'],
    ['fixedBytes', fixedBytes(2), new Uint8Array(3)],
    ['multipleOf', multipleOf(le16, 8), 12],
    ['scaled', scaled(le32, 32, 'n'), 33],
    ['missing', le32, undefined],
  ])('refuse what they cannot carry: %s', (_title, field, value) => {
    const layout = new LayoutCodec('one', { field });
    const target = new Uint8Array(16).fill(0xa5);
    expect(codeOf(() => layout.encode({ field: value } as never, target, 0))).toBe('RANGE');
    expect(target.every((byte) => byte === 0xa5)).toBe(true);
  });

  it('receive what they would not send: a value that is no multiple', () => {
    const layout = new LayoutCodec('one', { field: multipleOf(le16, 8) });
    expect(layout.decode(Uint8Array.of(12, 0), 0, 2)).toEqual({ field: 12 });
  });
});

describe('tails', () => {
  const counted = new LayoutCodec('counted', { count: u8, data: bytes('count') });
  const rest = new LayoutCodec('rest', { head: u8, data: bytes() });
  const words = new LayoutCodec('words', { count: u8, data: blocks('count') });
  const bits = new LayoutCodec('bits', { count: u8, map: bitmap('count') });
  const optional = new LayoutCodec('optional', {
    count: u8,
    data: bytes('count', { optional: true }),
  });

  it('end where their count says; what follows is padding', () => {
    const source = Uint8Array.of(2, 7, 8, 9, 9);
    expect(counted.decode(source, 0, 5)).toEqual({ count: 2, data: Uint8Array.of(7, 8) });
    expect(counted.usedSize(source, 0, 5)).toBe(3);
    expect(rest.decode(source, 0, 5).data).toHaveLength(4);
  });

  it('are SIZE when the count says more than there is, or than is given', () => {
    expect(codeOf(() => counted.decode(Uint8Array.of(3, 7, 8), 0, 3))).toBe('SIZE');
    expect(codeOf(() => words.decode(Uint8Array.of(1, 7, 8, 9), 0, 4))).toBe('SIZE');
    const target = new Uint8Array(8);
    const wrong = { count: 3, data: new Uint8Array(2) };
    expect(codeOf(() => counted.encode(wrong, target, 0))).toBe('SIZE');
    expect(codeOf(() => optional.encode(wrong, target, 0))).toBe('SIZE');
  });

  it('may be left out as a whole when optional', () => {
    expect(optional.decode(Uint8Array.of(3), 0, 1).data).toHaveLength(0);
    expect(optional.encode({ count: 3, data: new Uint8Array(0) }, new Uint8Array(1), 0)).toBe(1);
    expect(codeOf(() => optional.decode(Uint8Array.of(3, 1), 0, 2))).toBe('SIZE');
  });

  it('carry words of 32 bits, each checked', () => {
    const target = new Uint8Array(9);
    expect(words.encode({ count: 2, data: [1, 0xffff_ffff] }, target, 0)).toBe(9);
    expect(toHex(target)).toBe('0201000000ffffffff');
    expect(codeOf(() => words.encode({ count: 1, data: [-1] }, target, 0))).toBe('RANGE');
  });

  it('carry bits up to the count and send none beyond it', () => {
    expect(bits.decode(Uint8Array.of(9, 0xff, 0xff), 0, 3).map).toHaveLength(2);
    const target = new Uint8Array(3);
    expect(bits.encode({ count: 9, map: Uint8Array.of(0xff, 1) }, target, 0)).toBe(3);
    const beyond = { count: 9, map: Uint8Array.of(0xff, 2) };
    expect(codeOf(() => bits.encode(beyond, target, 0))).toBe('RANGE');
  });

  it('are copies, not views', () => {
    const source = Uint8Array.of(1, 7);
    const value = counted.decode(source, 0, 2);
    source[1] = 0;
    expect(value.data[0]).toBe(7);
  });
});

const row = { scope: 'bus', sender: 'driver', spec: 'test', doc: 'A test.' } as const;

describe('tables are refused', () => {
  it.each<[string, () => unknown]>([
    ['a field after a tail', () => defineLayout({ data: bytes(), after: u8 })],
    ['a count that is no field', () => defineLayout({ data: bytes('count') })],
    ['a count after its tail', () => defineLayout({ data: bytes('count'), count: u8 })],
    ['a field name in capitals', () => defineLayout({ Data: u8 })],
    ['an event with a response', () => defineMessages({ X: { ...row, id: 0x40, response: {} } })],
    ['a request without response', () => defineMessages({ X: { ...row, id: 1, request: {} } })],
    ['a message without body', () => defineMessages({ X: { ...row, id: 0x40 } })],
    ['an id beyond a byte', () => defineMessages({ X: { ...row, id: 256, response: {} } })],
    ['a message name in lower case', () => defineMessages({ x: { ...row, id: 1, response: {} } })],
    [
      'two messages with one id',
      () =>
        defineMessages({ X: { ...row, id: 1, response: {} }, Y: { ...row, id: 1, response: {} } }),
    ],
    [
      'two names for one bit',
      () => defineBits({ A: { bit: 1, spec: '', doc: '' }, B: { bit: 1, spec: '', doc: '' } }),
    ],
  ])('for %s', (_title, define) => {
    expect(define).toThrow(AssertionError);
  });

  it('but an id may serve both scopes, and a response may stand alone', () => {
    const table = defineMessages({
      X: { ...row, id: 1, request: {}, response: {} },
      Y: { ...row, id: 1, scope: 'transport', request: {}, response: {} },
      ERROR: { ...row, id: 0x87, response: { original: le16 } },
    });
    expect(Object.keys(table)).toEqual(['X', 'Y', 'ERROR']);
  });
});

describe('text of bits', () => {
  it.each([
    [0, '0'],
    [1, 'A'],
    [9, 'A|B'],
    [2 ** 31, 'bit31'],
    [1n << 100n, 'bit100'],
  ])('%s is %s', (value, text) => {
    expect(bitsText(flags, value)).toBe(text);
  });
});

describe('generated tables', () => {
  it('show offset, size and type', () => {
    expect(layoutMarkdown({ index: le32, gone: absent(le16), data: bytes() })).toBe(
      [
        '| offset | size | type  | field |',
        '| ------ | ---- | ----- | ----- |',
        '| 0      | 4    | le32  | index |',
        '| 4      | …    | bytes | data  |',
      ].join('\n'),
    );
  });

  it('say which bodies are empty', () => {
    const text = messagesMarkdown({ X: { ...row, id: 1, request: {}, response: {} } });
    expect(text).toBe(
      '#### X (bus 0x01, from driver)\n\nA test.\n\nRequest: empty\n\nResponse: empty',
    );
  });

  it('replace what stands between their markers', () => {
    const page = 'a\n<!-- generated:t -->\nold\n<!-- /generated:t -->\nb';
    const wanted = 'a\n<!-- generated:t -->\nnew\n<!-- /generated:t -->\nb';
    expect(replaceGenerated(page, 't', 'new')).toBe(wanted);
    expect(() => replaceGenerated(page, 'other', 'new')).toThrow(AssertionError);
  });
});
