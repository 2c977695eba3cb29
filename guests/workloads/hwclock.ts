// A workload after hwclock: it may set the clock chip behind an I2C adapter, then reads it again and
// again. With `verify` each reading must be what simulated time has made of the clock.
import { z } from 'zod';
import type { WorkloadEnvironment } from '../../platform/contracts/index.ts';
import { PS_PER_S } from '../../platform/kernel/index.ts';
import { count, time } from '../../platform/scenario/fields.ts';
import {
  DS1338,
  DS1338_ADDRESS,
  DS1338_TIME_SIZE,
  decodeClockTime,
  encodeClockTime,
  parseClockTime,
  secondsOf,
} from '../../platform/virtio/index.ts';
import { defineWorkload } from '../common/index.ts';
import { type I2cClient, type I2cDriver, type I2cMessage, I2cResult } from '../i2c/index.ts';
import { WorkloadBase } from './workload-base.ts';

const hwclockOptions = z.strictObject({
  operations: count({ min: 1 }).default(10).describe('Readings of the clock.'),
  interval: time({ min: 0 })
    .default(250_000_000_000)
    .describe('Time between the end of a reading and the next.'),
  set: z
    .string()
    .refine((text) => parseClockTime(text) !== null, {
      error: 'not a time of the years 2000 to 2099',
      params: { expected: 'a time such as 2024-02-29 23:59:58' },
    })
    .optional()
    .describe('Sets the clock to this time before it is read.'),
  address: count({ min: 8, max: 0x77 })
    .optional()
    .describe('Address of the chip. Default: where the device has it.'),
  verify: z.boolean().default(true).describe('Compare each reading with simulated time.'),
});

type HwclockOptions = z.output<typeof hwclockOptions>;

/** The slot's buffer: the register number, then the registers. */
const REGISTERS = 1;
const BUFFER = REGISTERS + DS1338_TIME_SIZE;

class Hwclock extends WorkloadBase implements I2cClient {
  readonly #options: HwclockOptions;
  readonly #driver: I2cDriver;
  readonly #reading: readonly I2cMessage[];
  readonly #setting: readonly I2cMessage[];
  readonly #bytes = new Uint8Array(BUFFER);
  #left: number;
  #settingNow = false;
  #submittedAt = 0;
  /** What the clock showed, in seconds, at an instant between `#from` and `#to`. */
  #base = 0;
  #from = 0;
  #to = 0;

  constructor(environment: WorkloadEnvironment<HwclockOptions, I2cDriver>) {
    const { node, plan, device, driver, finished } = environment;
    const { options } = plan;
    const total = options.operations + (options.set === undefined ? 0 : 1);
    super({
      node,
      name: plan.name,
      duration: Infinity,
      depth: 1,
      total,
      thinkTime: options.interval,
      finished,
    });
    this.#options = options;
    this.#driver = driver;
    this.#left = total;
    this.#settingNow = options.set !== undefined;
    const start = parseClockTime(String(device.options.clockStart));
    this.#base = start === null ? 0 : secondsOf(start);
    const address = options.address ?? Number(device.options.clockAddress ?? DS1338_ADDRESS);
    this.#reading = [
      { address, read: false, offset: 0, length: REGISTERS },
      { address, read: true, offset: REGISTERS, length: DS1338_TIME_SIZE },
    ];
    this.#setting = [{ address, read: false, offset: 0, length: BUFFER }];
    this.firstSlot = driver.reserve(this, 1, BUFFER);
  }

  i2cReady(): void {
    this.ready();
  }

  i2cDown(reason: string): void {
    this.down(reason);
  }

  i2cCompleted(slot: number, result: I2cResult, latency: number): void {
    let failed = result !== I2cResult.ok;
    if (this.#settingNow && result === I2cResult.lost) {
      // Nobody knows what the chip has heard: it is set once more.
      this.#left++;
      return this.over(slot, latency, failed, 0);
    }
    if (this.#settingNow) {
      this.#settingNow = false;
      this.#base = secondsOf(parseClockTime(this.#options.set!)!);
      this.#from = this.#submittedAt;
      this.#to = this.node.kernel.now;
      return this.over(slot, latency, failed, DS1338_TIME_SIZE);
    }
    if (!failed && this.#options.verify) failed = !this.#verify(slot);
    this.over(slot, latency, failed, DS1338_TIME_SIZE);
  }

  protected override next(slot: number): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    this.#submittedAt = this.node.kernel.now;
    const bytes = this.#bytes.fill(0);
    bytes[0] = DS1338.seconds;
    if (this.#settingNow) {
      encodeClockTime(parseClockTime(this.#options.set!)!, bytes, REGISTERS);
    }
    this.node.memory.copyIn(this.#driver.dataAddress(slot), bytes, 0, BUFFER);
    // A clock that was set twice may be late; reading it twice does no harm.
    const messages = this.#settingNow ? this.#setting : this.#reading;
    this.#driver.transfer(slot, messages, !this.#settingNow);
    return true;
  }

  /** The reading is of an instant between the submission of its transfer and now. */
  #verify(slot: number): boolean {
    this.verified++;
    this.node.memory.copyOut(this.#driver.dataAddress(slot), this.#bytes, 0, BUFFER);
    const shown = decodeClockTime(this.#bytes, REGISTERS);
    const seconds = shown === null ? Number.NaN : secondsOf(shown);
    const least = this.#base + Math.floor((this.#submittedAt - this.#to) / PS_PER_S);
    const most = this.#base + Math.floor((this.node.kernel.now - this.#from) / PS_PER_S);
    if (seconds >= least && seconds <= most) return true;
    const clock = shown === null ? 'no time' : `${seconds} s into 2000`;
    this.node.violations.report(
      'VERIFY',
      `${this.name}: the clock shows ${clock}, not ${least} … ${most} s`,
    );
    return false;
  }
}

export const hwclock = defineWorkload({
  type: 'hwclock',
  drives: ['i2c'],
  doc: 'Sets and reads a clock chip on an I2C bus and compares it with simulated time.',
  spec: 'the options of hwclock',
  options: hwclockOptions,
  timing: [],
  create: (environment: WorkloadEnvironment<HwclockOptions, I2cDriver>) => new Hwclock(environment),
});
