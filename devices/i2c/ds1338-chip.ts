// A DS1338 clock chip that runs on simulated time (Maxim DS1338 data sheet). It keeps a copy of the time
// from each start condition on, so that a read of several registers is of one moment.

import { type Instant, PS_PER_S } from '../../platform/kernel/index.ts';
import {
  type ClockTime,
  DS1338,
  DS1338_CONTROL_BITS,
  DS1338_HALT,
  DS1338_OSC_STOPPED,
  DS1338_SIZE,
  DS1338_TIME_SIZE,
  DS1338_TWELVE,
  daysInMonth,
  decodeHours,
  encodeHours,
  fromBcd,
  SECONDS_PER_DAY,
  toBcd,
  weekdayOf,
} from '../../platform/virtio/index.ts';
import type { I2cChip } from './chip.ts';

export class Ds1338Chip implements I2cChip {
  readonly address: number;
  /** Control register and RAM; the time registers here are the copy that is read. */
  readonly #registers = new Uint8Array(DS1338_SIZE);
  #pointer = 0;
  /** The next byte written sets the pointer. */
  #pointerExpected = false;

  // The time of the instant `#second`, when the current second began.
  #second: Instant;
  #secondOfDay: number;
  #weekday: number;
  #day: number;
  #month: number;
  #year: number;
  #twelve = false;
  #halted = false;

  /** The clock shows `time` at the start of simulated time. */
  constructor(address: number, time: ClockTime) {
    this.address = address;
    this.#second = 0;
    this.#secondOfDay = (time.hours * 60 + time.minutes) * 60 + time.seconds;
    this.#weekday = weekdayOf(time);
    this.#day = time.day;
    this.#month = time.month;
    this.#year = time.year;
  }

  start(now: Instant): void {
    this.#pointerExpected = true;
    this.#copyTime(now);
  }

  write(byte: number, now: Instant): boolean {
    if (this.#pointerExpected) {
      this.#pointerExpected = false;
      this.#pointer = byte % DS1338_SIZE;
      return true;
    }
    if (this.#pointer < DS1338_TIME_SIZE) this.#writeTime(this.#pointer, byte, now);
    else if (this.#pointer === DS1338.control) this.#writeControl(byte);
    else this.#registers[this.#pointer] = byte;
    this.#advancePointer(now);
    return true;
  }

  read(now: Instant): number {
    const byte = this.#registers[this.#pointer];
    this.#advancePointer(now);
    return byte;
  }

  #advancePointer(now: Instant): void {
    this.#pointer = (this.#pointer + 1) % DS1338_SIZE;
    if (this.#pointer === 0) this.#copyTime(now);
  }

  /** Brings the time up to `now`. */
  #run(now: Instant): void {
    if (this.#halted) return;
    const seconds = Math.floor((now - this.#second) / PS_PER_S);
    this.#second += seconds * PS_PER_S;
    this.#secondOfDay += seconds;
    while (this.#secondOfDay >= SECONDS_PER_DAY) {
      this.#secondOfDay -= SECONDS_PER_DAY;
      this.#nextDay();
    }
  }

  #nextDay(): void {
    this.#weekday = (this.#weekday % 7) + 1;
    // A day beyond the month's end, as software can write it, ends the month too.
    if (++this.#day <= daysInMonth(this.#year, this.#month)) return;
    this.#day = 1;
    if (++this.#month <= 12) return;
    this.#month = 1;
    this.#year = this.#year === 2099 ? 2000 : this.#year + 1;
  }

  #copyTime(now: Instant): void {
    this.#run(now);
    const registers = this.#registers;
    const seconds = this.#secondOfDay % 60;
    registers[DS1338.seconds] = toBcd(seconds) | (this.#halted ? DS1338_HALT : 0);
    registers[DS1338.minutes] = toBcd(Math.floor(this.#secondOfDay / 60) % 60);
    registers[DS1338.hours] = encodeHours(Math.floor(this.#secondOfDay / 3600), this.#twelve);
    registers[DS1338.weekday] = this.#weekday;
    registers[DS1338.day] = toBcd(this.#day);
    registers[DS1338.month] = toBcd(this.#month);
    registers[DS1338.year] = toBcd(this.#year - 2000);
  }

  /** What is no time of day or date comes out as the nearest that is; the data sheet leaves it open. */
  #writeTime(register: number, byte: number, now: Instant): void {
    this.#run(now);
    const hours = Math.floor(this.#secondOfDay / 3600);
    const minutes = Math.floor(this.#secondOfDay / 60) % 60;
    const seconds = this.#secondOfDay % 60;
    switch (register) {
      case DS1338.seconds:
        this.#setHalted((byte & DS1338_HALT) !== 0);
        // Writing the seconds starts the second anew.
        this.#second = now;
        this.#setTime(hours, minutes, clampBcd(byte & 0x7f, 0, 59));
        return;
      case DS1338.minutes:
        return this.#setTime(hours, clampBcd(byte & 0x7f, 0, 59), seconds);
      case DS1338.hours:
        this.#twelve = (byte & DS1338_TWELVE) !== 0;
        return this.#setTime(Math.min(decodeHours(byte), 23), minutes, seconds);
      case DS1338.weekday:
        this.#weekday = Math.max(1, byte & 7);
        return;
      case DS1338.day:
        this.#day = clampBcd(byte & 0x3f, 1, 31);
        return;
      case DS1338.month:
        this.#month = clampBcd(byte & 0x1f, 1, 12);
        return;
      default:
        this.#year = 2000 + clampBcd(byte, 0, 99);
    }
  }

  #setTime(hours: number, minutes: number, seconds: number): void {
    this.#secondOfDay = (hours * 60 + minutes) * 60 + seconds;
  }

  #setHalted(halted: boolean): void {
    if (halted) this.#registers[DS1338.control] |= DS1338_OSC_STOPPED;
    this.#halted = halted;
  }

  #writeControl(byte: number): void {
    const control = this.#registers[DS1338.control];
    // OSF can only be cleared.
    const keep = byte & DS1338_CONTROL_BITS & (control | ~DS1338_OSC_STOPPED);
    this.#registers[DS1338.control] = keep;
  }
}

function clampBcd(byte: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, fromBcd(byte)));
}
