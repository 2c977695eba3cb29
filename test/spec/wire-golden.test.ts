// Every golden vector of the reference encodes to exactly its bytes, decodes to exactly its values
// and reads as its line of text.
import { describe, expect, it } from 'vitest';
import { codec, decodeLine, revision } from '../../platform/virtio/messages/index.ts';
import { defineMessages, fromHex, le16, le32, le64, toHex } from '../../platform/wire/index.ts';
import { goldenVectors } from './golden-vectors.ts';

const rows = goldenVectors.flatMap((vector) =>
  vector.revisions.map((name) => ({ ...vector, name })),
);

describe.each(rows)('$title in $name', ({ name, hex, message, line }) => {
  const bytes = fromHex(hex)!;
  const { codec: messages } = revision(name);

  it('encodes to its bytes and touches no byte beyond them', () => {
    const target = new Uint8Array(80).fill(0xa5);
    const length = messages.encode(message as never, target, 3);
    expect(toHex(target, 3, 3 + length)).toBe(toHex(bytes));
    expect(toHex(target, 0, 3)).toBe('a5a5a5');
    expect(target.subarray(3 + length).every((byte) => byte === 0xa5)).toBe(true);
  });

  it('decodes to its values', () => {
    expect(messages.decode(bytes, bytes.length)).toEqual(message);
  });

  it('reads as one line', () => {
    expect(decodeLine(hex, name)).toBe(line);
  });
});

// The two private messages of the FF-A bus, as that bus defines them (reference B1).
const ffaMessages = defineMessages({
  VERSION: {
    id: 0x80,
    scope: 'bus',
    sender: 'driver',
    spec: 'DEN0153 VERSION',
    doc: 'Agrees on versions.',
    request: { busVersion: le32, transportRevision: le32, ffaVersion: le32 },
    response: { busVersion: le32 },
  },
  AREA_SHARE: {
    id: 0x81,
    scope: 'bus',
    sender: 'driver',
    spec: 'DEN0153 AREA_SHARE',
    doc: 'Announces shared memory.',
    request: { area: le16, handle: le64, tag: le64, pages: le32, attributes: le32 },
    response: { area: le16, result: le16 },
  },
});

describe('messages private to a bus', () => {
  const messages = codec('v1', ffaMessages);

  it('encodes the FF-A VERSION probe', () => {
    const target = new Uint8Array(20).fill(0xa5);
    messages.encode(
      {
        type: 'req.VERSION',
        dev: 0,
        token: 2,
        body: { busVersion: 0, transportRevision: 0, ffaVersion: 0x10002 },
      },
      target,
    );
    expect(target).toEqual(fromHex('02 80 00 00 02 00 14 00 00 00 00 00 00 00 00 00 02 00 01 00'));
  });

  it('encodes the packed FF-A AREA_SHARE', () => {
    const target = new Uint8Array(34).fill(0xa5);
    const body = { area: 1, handle: 0x1122n, tag: 0n, pages: 16, attributes: 0x6f4 };
    messages.encode({ type: 'req.AREA_SHARE', dev: 0, token: 3, body }, target);
    expect(target).toEqual(
      fromHex(
        '02 81 00 00 03 00 22 00 01 00 22 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ' +
          '10 00 00 00 f4 06 00 00',
      ),
    );
    expect(messages.decode(target, 34)).toEqual({
      type: 'req.AREA_SHARE',
      dev: 0,
      token: 3,
      body,
    });
  });
});
