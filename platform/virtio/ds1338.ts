// The registers of the DS1338 clock chip (Maxim DS1338 data sheet, table 3), which model and driver both
// know, and calendar arithmetic on what they hold: the years 2000 to 2099.

export const DS1338_ADDRESS = 0x68;
/** Registers; the chip's memory for anything follows the control register. */
export const DS1338 = {
  seconds: 0,
  minutes: 1,
  hours: 2,
  weekday: 3,
  day: 4,
  month: 5,
  year: 6,
  control: 7,
  ram: 8,
} as const;
/** Registers and RAM; the address wraps here. */
export const DS1338_SIZE = 64;
/** Registers that hold the time. */
export const DS1338_TIME_SIZE = 7;

/** Clock halt, in `seconds`. */
export const DS1338_HALT = 0x80;
/** Twelve-hour mode and its PM, in `hours`. */
export const DS1338_TWELVE = 0x40;
export const DS1338_PM = 0x20;
/** The oscillator has stopped at some time, in `control`; writing a 0 clears it. */
export const DS1338_OSC_STOPPED = 0x20;
/** Bits of `control` that exist: OUT, OSF, SQWE, RS1, RS0. */
export const DS1338_CONTROL_BITS = 0xb3;

export interface ClockTime {
  /** 2000 … 2099. */
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** Days from 2000-01-01 to 2100-01-01, where the chip's two digits of year wrap. */
export const DAYS_OF_CENTURY = 36525;
export const SECONDS_PER_DAY = 86400;

export function daysInMonth(year: number, month: number): number {
  return month === 2 && year % 4 === 0 ? 29 : DAYS[month - 1];
}

/** Seconds from the start of 2000 to a time of the chip's century. */
export function secondsOf(time: ClockTime): number {
  let days = time.day - 1;
  for (let month = 1; month < time.month; month++) days += daysInMonth(time.year, month);
  for (let year = 2000; year < time.year; year++) days += year % 4 === 0 ? 366 : 365;
  return ((days * 24 + time.hours) * 60 + time.minutes) * 60 + time.seconds;
}

const TIME = /^(20\d\d)-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)$/;

/** Reads `2024-02-29 23:59:58`; null when there is no such time in the chip's century. */
export function parseClockTime(text: string): ClockTime | null {
  const parts = TIME.exec(text);
  if (parts === null) return null;
  const [year, month, day, hours, minutes, seconds] = parts.slice(1).map(Number);
  const inYear = month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month);
  if (!inYear || hours > 23 || minutes > 59 || seconds > 59) return null;
  return { year, month, day, hours, minutes, seconds };
}

/** Day of the week of a time, 1 for Sunday … 7 for Saturday; the chip only counts it on. */
export function weekdayOf(time: ClockTime): number {
  // 2000-01-01 was a Saturday.
  return ((Math.floor(secondsOf(time) / SECONDS_PER_DAY) + 6) % 7) + 1;
}

export function toBcd(value: number): number {
  return (Math.floor(value / 10) << 4) | (value % 10);
}

export function fromBcd(value: number): number {
  return (value >> 4) * 10 + (value & 15);
}

/** Writes a time as the chip's seven time registers, in 24-hour mode. */
export function encodeClockTime(time: ClockTime, target: Uint8Array, at: number): void {
  target[at + DS1338.seconds] = toBcd(time.seconds);
  target[at + DS1338.minutes] = toBcd(time.minutes);
  target[at + DS1338.hours] = toBcd(time.hours);
  target[at + DS1338.weekday] = weekdayOf(time);
  target[at + DS1338.day] = toBcd(time.day);
  target[at + DS1338.month] = toBcd(time.month);
  target[at + DS1338.year] = toBcd(time.year - 2000);
}

/** Reads the seven time registers; null when they hold no time, or the clock is halted. */
export function decodeClockTime(bytes: Uint8Array, at: number): ClockTime | null {
  const seconds = bytes[at + DS1338.seconds];
  if ((seconds & DS1338_HALT) !== 0) return null;
  const time = {
    year: 2000 + fromBcd(bytes[at + DS1338.year]),
    month: fromBcd(bytes[at + DS1338.month]),
    day: fromBcd(bytes[at + DS1338.day]),
    hours: decodeHours(bytes[at + DS1338.hours]),
    minutes: fromBcd(bytes[at + DS1338.minutes]),
    seconds: fromBcd(seconds),
  };
  const pad = (value: number) => String(value).padStart(2, '0');
  const date = `${time.year}-${pad(time.month)}-${pad(time.day)}`;
  return parseClockTime(`${date} ${pad(time.hours)}:${pad(time.minutes)}:${pad(time.seconds)}`);
}

/** Hours 0 … 23 of the hours register, in either mode. */
export function decodeHours(register: number): number {
  if ((register & DS1338_TWELVE) === 0) return fromBcd(register & 0x3f);
  const hours = fromBcd(register & 0x1f) % 12;
  return (register & DS1338_PM) === 0 ? hours : hours + 12;
}

/** The hours register for hours 0 … 23, in the mode asked for. */
export function encodeHours(hours: number, twelve: boolean): number {
  if (!twelve) return toBcd(hours);
  return DS1338_TWELVE | (hours >= 12 ? DS1338_PM : 0) | toBcd(hours % 12 === 0 ? 12 : hours % 12);
}
