// The DS1338 clock chip: registers, halting, modes, carries, and what the data sheet says of copies.
import { describe, expect, it } from 'vitest';
import { Ds1338Chip } from '../../devices/i2c/ds1338-chip.ts';
import { PS_PER_S } from '../../platform/kernel/index.ts';
import {
  DS1338,
  decodeClockTime,
  decodeHours,
  encodeHours,
  parseClockTime,
} from '../../platform/virtio/index.ts';

const chipAt = (text: string) => new Ds1338Chip(0x68, parseClockTime(text)!);

function read(chip: Ds1338Chip, register: number, count: number, now = 0): number[] {
  chip.start(now);
  chip.write(register, now);
  chip.start(now);
  return Array.from({ length: count }, () => chip.read(now));
}

function write(chip: Ds1338Chip, register: number, bytes: readonly number[], now = 0): void {
  chip.start(now);
  for (const byte of [register, ...bytes]) chip.write(byte, now);
}

describe('counting', () => {
  it.each([
    ['2024-02-28 23:59:59', '24-02-29', 'a leap year'],
    ['2023-02-28 23:59:59', '23-03-01', 'a common year'],
    ['2024-12-31 23:59:59', '25-01-01', 'the end of a year'],
    ['2099-12-31 23:59:59', '00-01-01', 'the end of its century'],
    ['2024-04-30 23:59:59', '24-05-01', 'a month of 30 days'],
  ])('%s is followed by %s: %s', (from, day) => {
    const [seconds, minutes, hours, , date, month, year] = read(chipAt(from), 0, 7, PS_PER_S);
    expect([seconds, minutes, hours]).toEqual([0, 0, 0]);
    const hex = [year, month, date].map((byte) => byte.toString(16).padStart(2, '0'));
    expect(hex.join('-')).toBe(day);
  });

  it('counts the weekday on, from 7 to 1', () => {
    // 2024-03-02 was a Saturday.
    const chip = chipAt('2024-03-02 23:59:59');
    expect(read(chip, DS1338.weekday, 1, 0)).toEqual([7]);
    expect(read(chip, DS1338.weekday, 1, PS_PER_S)).toEqual([1]);
  });

  it('shows one moment from a start condition on, and a new one after the address has wrapped', () => {
    const chip = chipAt('2024-01-01 10:59:59');
    chip.start(0);
    chip.write(63, 0);
    chip.start(0);
    // The RAM byte was read late: the copy was taken again as the address wrapped to 0.
    chip.read(PS_PER_S);
    expect([chip.read(9 * PS_PER_S), chip.read(9 * PS_PER_S)]).toEqual([0x00, 0x00]);
    expect(chip.read(9 * PS_PER_S)).toBe(0x11);
  });
});

describe('setting', () => {
  it('starts the second anew when the seconds are written, and only then', () => {
    const chip = chipAt('2024-01-01 00:00:00');
    write(chip, DS1338.seconds, [0x30], 0.75 * PS_PER_S);
    expect(read(chip, 0, 1, 1.7 * PS_PER_S)).toEqual([0x30]);
    expect(read(chip, 0, 1, 1.75 * PS_PER_S)).toEqual([0x31]);
    write(chip, DS1338.minutes, [0x15], 2 * PS_PER_S);
    expect(read(chip, 0, 2, 2.75 * PS_PER_S)).toEqual([0x32, 0x15]);
  });

  it('stands still while it is halted, and remembers that it did', () => {
    const chip = chipAt('2024-01-01 00:00:07');
    write(chip, DS1338.seconds, [0x80 | 0x07], PS_PER_S);
    expect(read(chip, 0, 1, 100 * PS_PER_S)).toEqual([0x87]);
    expect(read(chip, DS1338.control, 1)[0] & 0x20).toBe(0x20);
    write(chip, DS1338.seconds, [0x07], 100 * PS_PER_S);
    expect(read(chip, 0, 1, 102 * PS_PER_S)).toEqual([0x09]);
    // The flag can be cleared by software, never set.
    write(chip, DS1338.control, [0x00]);
    write(chip, DS1338.control, [0xff]);
    expect(read(chip, DS1338.control, 1)).toEqual([0x93]);
  });

  it('takes day and month in any order without carrying in between', () => {
    const chip = chipAt('2023-02-10 00:00:00');
    write(chip, DS1338.day, [0x31, 0x03]);
    expect(read(chip, DS1338.day, 2)).toEqual([0x31, 0x03]);
  });

  it('keeps the twelve-hour mode over noon and midnight', () => {
    const chip = chipAt('2024-01-01 00:00:00');
    write(chip, DS1338.seconds, [0x59, 0x59, 0x40 | 0x11]);
    expect(read(chip, DS1338.hours, 1, PS_PER_S)).toEqual([0x40 | 0x20 | 0x12]);
    write(chip, DS1338.seconds, [0x59, 0x59, 0x40 | 0x20 | 0x11], 2 * PS_PER_S);
    expect(read(chip, DS1338.hours, 3, 3 * PS_PER_S)).toEqual([0x40 | 0x12, 3, 0x02]);
  });
});

describe('times as text and registers', () => {
  it.each([
    '2023-02-29 00:00:00',
    '2024-13-01 00:00:00',
    '1999-01-01 00:00:00',
    '2024-01-01 24:00:00',
    'x',
  ])('%s is no time', (text) => {
    expect(parseClockTime(text)).toBeNull();
  });

  it('hours survive both modes', () => {
    for (let hour = 0; hour < 24; hour++) {
      expect(decodeHours(encodeHours(hour, true))).toBe(hour);
      expect(decodeHours(encodeHours(hour, false))).toBe(hour);
    }
  });

  it('a halted clock shows no time', () => {
    const chip = chipAt('2024-01-01 00:00:00');
    write(chip, DS1338.seconds, [0x80]);
    expect(decodeClockTime(Uint8Array.from(read(chip, 0, 7)), 0)).toBeNull();
  });
});
