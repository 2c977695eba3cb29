// Laws of the codec, for every message of every revision and with both widths of numbers: what is encoded decodes to itself, and
// no bytes whatever make decoding fail in any way but by a WireError.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import { brokenRules, decodeLine, revision } from '../../platform/virtio/messages/index.ts';
import { toHex, WireError } from '../../platform/wire/index.ts';
import { messageArbitrary } from './wire-arbitrary.ts';

const FILL = 0xa5;
// The largest generated body is 16 fixed bytes and 40 words.
const SPACE = 256;

const dialects = REVISIONS.flatMap((name) => [
  { name, bits: 16 as const },
  { name, bits: 32 as const },
]);
const rows = dialects.flatMap(({ name, bits }) =>
  revision(name, bits).codec.legs.map((leg) => ({ type: leg.type, name, bits, leg })),
);

/** Runs `decode`; anything but a WireError is let through. */
function codeOf(decode: () => unknown): string {
  try {
    decode();
    return 'OK';
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return error.code;
  }
}

describe.each(rows)('$type in $name with $bits bits', ({ leg, name, bits }) => {
  const { codec } = revision(name, bits);
  const { headerSize } = codec;

  it('decodes to what was encoded, and writes exactly its own bytes', () => {
    fc.assert(
      fc.property(messageArbitrary(leg, bits), fc.integer({ min: 0, max: 9 }), (message, at) => {
        const target = new Uint8Array(SPACE).fill(FILL);
        const other = new Uint8Array(SPACE).fill(0x5a);
        const length = codec.encode(message as never, target, at);
        codec.encode(message as never, other, at);
        expect(codec.decode(target, length, at)).toEqual(message);
        // Every byte of the message is written, whatever was there, and none beside it.
        expect(toHex(target, at, at + length)).toBe(toHex(other, at, at + length));
        const beside = [...target.subarray(0, at), ...target.subarray(at + length)];
        expect(beside.every((byte) => byte === FILL)).toBe(true);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('is SHORT when cut at any length, and SIZE when its header lies about that', () => {
    fc.assert(
      fc.property(messageArbitrary(leg, bits), (message) => {
        const bytes = new Uint8Array(SPACE);
        const length = codec.encode(message as never, bytes);
        const codes = new Set<string>();
        for (let cut = 0; cut < length; cut++) codes.add(codeOf(() => codec.decode(bytes, cut)));
        expect([...codes]).toEqual(['SHORT']);
        const lies = new Set<string>();
        for (let cut = headerSize; cut < leg.leastSize; cut++) {
          const lying = bytes.slice(0, cut);
          lying[6] = cut;
          lying[7] = 0;
          lies.add(codeOf(() => codec.decode(lying, cut)));
        }
        expect([...lies]).toEqual(leg.leastSize > headerSize ? ['SIZE'] : []);
      }),
      { seed: 2, numRuns: 10 },
    );
  });
});

describe.each(dialects)('random bytes in $name with $bits bits', ({ name, bits }) => {
  const info = revision(name, bits);
  const wide = bits === 32 ? [0, 0] : [];

  it('raise only the four codes of WireError', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        seen.add(codeOf(() => info.codec.decode(bytes, bytes.length)));
      }),
      { seed: 3, numRuns: 2000 },
    );
    expect([...seen].every((code) => ['OK', 'SHORT', 'SIZE', 'UNKNOWN_ID'].includes(code))).toBe(
      true,
    );
  });

  it('with a plausible header decode or raise WireError, and are always judged', () => {
    const seen = new Set<string>();
    const header = fc.record({
      type: fc.integer({ min: 0, max: 3 }),
      id: fc.oneof(fc.integer({ min: 0, max: 0x0d }), fc.integer({ min: 0x40, max: 0x43 })),
      body: fc.uint8Array({ maxLength: 64 }),
      size: fc.integer({ min: 0, max: 80 }),
      sound: fc.boolean(),
    });
    fc.assert(
      fc.property(header, ({ type, id, body, size, sound }) => {
        const msgSize = sound ? info.codec.headerSize + body.length : size;
        const bytes = Uint8Array.of(type, id, 1, 0, 1, 0, msgSize, 0, ...wide, ...body);
        const code = codeOf(() => info.codec.decode(bytes, bytes.length));
        seen.add(code);
        const broken = brokenRules(info, bytes, bytes.length);
        const judged = code === 'OK' || broken.length === 1;
        const told = codeOf(() => decodeLine(toHex(bytes), name, {}, bits)) === code;
        expect(judged && told).toBe(true);
      }),
      { seed: 4, numRuns: 3000 },
    );
    expect([...seen].sort()).toEqual(['OK', 'SHORT', 'SIZE', 'UNKNOWN_ID']);
  });
});
