// The clock chip against the calendar of JavaScript: set to any time and left alone, it shows what a
// calendar says; whatever is written to it, it stays a clock.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Ds1338Chip } from '../../devices/i2c/ds1338-chip.ts';
import { PS_PER_S } from '../../platform/kernel/index.ts';
import {
  decodeClockTime,
  encodeClockTime,
  fromBcd,
  parseClockTime,
  secondsOf,
  weekdayOf,
} from '../../platform/virtio/index.ts';

const SECONDS_OF_CENTURY = 36525 * 86400;
const EPOCH = Date.UTC(2000, 0, 1);

const textAt = (seconds: number) =>
  new Date(EPOCH + seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');

it('counts as a calendar does', () => {
  const start = fc.integer({ min: 0, max: SECONDS_OF_CENTURY - 100_000 });
  fc.assert(
    fc.property(start, fc.integer({ min: 0, max: 9_000 }), (seconds, passed) => {
      const time = parseClockTime(textAt(seconds))!;
      expect(secondsOf(time)).toBe(seconds);
      expect(weekdayOf(time)).toBe(new Date(EPOCH + seconds * 1000).getUTCDay() + 1);
      const chip = new Ds1338Chip(0x68, time);
      const registers = readAll(chip, passed * PS_PER_S);
      expect(secondsOf(decodeClockTime(registers, 0)!)).toBe(seconds + passed);
      const again = new Uint8Array(7);
      encodeClockTime(parseClockTime(textAt(seconds + passed))!, again, 0);
      expect(again).toEqual(registers.subarray(0, 7));
    }),
    { seed: 1, numRuns: 300 },
  );
});

it('survives any bytes, and its RAM keeps them', () => {
  const writes = fc.array(
    fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 70 }), fc.integer({ min: 0, max: 2_000_000 })),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(writes, (list) => {
      const chip = new Ds1338Chip(0x68, parseClockTime('2000-01-01 00:00:00')!);
      const ram = new Uint8Array(64);
      let now = 0;
      for (const [register, bytes, later] of list) {
        now += later * 1_000_000;
        chip.start(now);
        chip.write(register, now);
        for (const [i, byte] of bytes.entries()) {
          chip.write(byte, now);
          ram[(register + i) % 64] = byte;
        }
      }
      const shown = readAll(chip, now);
      expect(shown.subarray(8)).toEqual(ram.subarray(8));
      const [seconds, minutes] = [fromBcd(shown[0] & 0x7f), fromBcd(shown[1])];
      expect(seconds < 60 && minutes < 60).toBe(true);
      expect(fromBcd(shown[4]) >= 1 && fromBcd(shown[4]) <= 31).toBe(true);
      expect(fromBcd(shown[5]) >= 1 && fromBcd(shown[5]) <= 12).toBe(true);
    }),
    { seed: 1, numRuns: 200 },
  );
});

function readAll(chip: Ds1338Chip, now: number): Uint8Array {
  chip.start(now);
  chip.write(0, now);
  chip.start(now);
  return Uint8Array.from({ length: 64 }, () => chip.read(now));
}
