// Enumeration finds every device exactly once, whatever numbers exist and however few slots a
// message has, in every revision, and with numbers of 32 bits; and every answer on the way is legal.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import {
  answerDevices,
  brokenRules,
  type DevicesRequest,
  devicesIn,
  devicesRequestIsLegal,
  devicesResponseIsLegal,
  nextDevicesRequest,
  revision,
} from '../../platform/virtio/messages/index.ts';

const dialects = REVISIONS.flatMap((name) => [
  { name, deviceBits: 16 as const },
  { name, deviceBits: 32 as const },
]);

describe.each(dialects)('enumeration in $name with $deviceBits bits', ({ name, deviceBits }) => {
  const info = revision(name, deviceBits);
  const { rules, codec } = info;
  const numbersArbitrary = fc
    .uniqueArray(
      fc.oneof(
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 0, max: 65_535 }),
        fc.integer({ min: 0, max: 2 ** deviceBits - 1 }),
        fc.integer({ min: 2 ** deviceBits - 20, max: 2 ** deviceBits - 1 }),
      ),
      { maxLength: 60 },
    )
    .map((numbers) => numbers.sort((a, b) => a - b));

  it('finds every device once, by legal messages', () => {
    const slots = fc.integer({ min: 1, max: 250 }).map((n) => n * 8);
    fc.assert(
      fc.property(numbersArbitrary, slots, slots, (numbers, asked, slotsMax) => {
        const found: number[] = [];
        const bytes = new Uint8Array(512);
        let request: DevicesRequest | null = { offset: 0, count: asked };
        while (request !== null) {
          const body = answerDevices(rules, request, numbers, slotsMax);
          const length = codec.encode({ type: 'res.GET_DEVICES', dev: 0, token: 1, body }, bytes);
          const legal =
            devicesRequestIsLegal(rules, request) &&
            devicesResponseIsLegal(rules, request, body) &&
            brokenRules(info, bytes, length).length === 0;
          expect(legal).toBe(true);
          found.push(...devicesIn(rules, body));
          request = nextDevicesRequest(rules, body, asked);
        }
        expect(found).toEqual(numbers);
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  it('answers a window of no slots legally, and leads on', () => {
    fc.assert(
      fc.property(numbersArbitrary, fc.integer({ min: 0, max: 8191 }), (numbers, at) => {
        const request = { offset: at * 8, count: 0 };
        const body = answerDevices(rules, request, numbers, 2000);
        expect(devicesResponseIsLegal(rules, request, body)).toBe(true);
        expect(devicesIn(rules, body)).toEqual([]);
      }),
      { seed: 6, numRuns: 200 },
    );
  });

  it('ends although a response leads back or nowhere', () => {
    const bitmap = new Uint8Array(1);
    const back = { offset: 64, count: 8, nextOffset: 8, bitmap };
    expect(nextDevicesRequest(rules, back, 64)).toBeNull();
    expect(nextDevicesRequest(rules, { ...back, nextOffset: 64 }, 64)).toBeNull();
    expect(nextDevicesRequest(rules, { ...back, nextOffset: 0 }, 64)).toBeNull();
  });
});
