// The device side of virtio-i2c (virtio 1.4 §5.16): an adapter whose requests are the segments of I2C
// transactions, done in order, one at a time, at the speed of the wire.
import type { DeviceEnvironment } from '../../platform/contracts/index.ts';
import { Milestone } from '../../platform/node/index.ts';
import {
  I2C_DEVICE_ID,
  I2C_F,
  I2C_FLAGS,
  I2C_HEADER,
  I2C_HEADER_SIZE,
  I2C_MSG,
  parseClockTime,
} from '../../platform/virtio/index.ts';
import { readU16, readU32 } from '../../platform/wire/index.ts';
import {
  type Chain,
  type FetchedRequest,
  type QueueEngine,
  RequestFetcher,
  ServiceStation,
  scatter,
  VirtioDevice,
} from '../common/index.ts';
import type { I2cChip } from './chip.ts';
import { Ds1338Chip } from './ds1338-chip.ts';
import type { I2cOptions } from './options.ts';

/** Bytes of one segment at the most: what a Linux `i2c_msg` can say. */
const I2C_SEGMENT_MAX = 65535;
/** Periods of the bus clock that a byte with its acknowledgement takes, and a start or stop. */
const CLOCKS_PER_BYTE = 9;
const CLOCKS_PER_CONDITION = 1;

export class I2cDevice extends VirtioDevice {
  readonly #chips: readonly I2cChip[];
  readonly #clock: number;
  readonly #fetcher: RequestFetcher;
  readonly #wire: ServiceStation;
  /** Requests that are read, oldest first; the first is on the wire. */
  readonly #line: FetchedRequest[] = [];
  /** Requests on the wire before a reset carry an older epoch. */
  #epoch = 0;
  /** The chip of the request on the wire; null when nobody answers to its address. */
  #chip: I2cChip | null = null;
  /** The request on the wire makes no sense or belongs to a failed group: it is not executed. */
  #skipped = false;
  /** A request of the current group has failed. */
  #groupFailed = false;
  #data = new Uint8Array(64);
  readonly #status = new Uint8Array(1);

  constructor({ node, plan }: DeviceEnvironment<I2cOptions>) {
    const { options } = plan;
    super(node, plan, {
      deviceId: I2C_DEVICE_ID,
      features: I2C_F.ZERO_LENGTH_REQUEST,
      requiredFeatures: I2C_F.ZERO_LENGTH_REQUEST,
      config: new Uint8Array(0),
      queueSizes: [options.queueSize],
    });
    const start = parseClockTime(options.clockStart)!;
    this.#chips = [new Ds1338Chip(options.clockAddress, start)];
    const fast = options.mode === 'fast';
    this.#clock = node.costs.idOf(fast ? 'i2c.fastClock' : 'i2c.standardClock');
    this.#wire = new ServiceStation(node, 1, (epoch) => this.#wireDone(epoch));
    this.#fetcher = new RequestFetcher({
      node,
      name: plan.name,
      bytesMax: I2C_HEADER_SIZE + I2C_SEGMENT_MAX,
      ready: (request) => {
        if (this.#line.push(request) === 1) this.#begin(request);
      },
    });
  }

  protected serve(queue: QueueEngine, chain: Chain): void {
    this.#fetcher.fetch(queue, chain);
  }

  protected forget(queue: QueueEngine): void {
    this.#fetcher.forget(queue);
    this.#line.length = 0;
    this.#epoch++;
    this.#groupFailed = false;
  }

  /** Puts a request on the wire. The start condition is now, the bytes take effect at the end. */
  #begin(request: FetchedRequest): void {
    const { node } = this;
    const problem = this.#problemOf(request);
    if (problem !== null && !request.refused) {
      node.violations.report('BAD_REQUEST', `${this.name}: ${problem}`);
    }
    this.#skipped = problem !== null || this.#groupFailed;
    if (this.#skipped) return this.#wire.request(0, this.#epoch);
    const addr = readU16(request.bytes, I2C_HEADER.addr);
    this.#chip = this.#chips.find(({ address }) => address << 1 === addr) ?? null;
    this.#chip?.start(node.kernel.now);
    const bytes = 1 + (this.#chip === null ? 0 : dataLength(request));
    const last = (flagsOf(request) & I2C_FLAGS.FAIL_NEXT) === 0;
    const conditions = last || this.#chip === null ? 2 : 1;
    const clocks = CLOCKS_PER_BYTE * bytes + CLOCKS_PER_CONDITION * conditions;
    this.#wire.request(node.chargeTimes(this.#clock, clocks), this.#epoch);
  }

  /** What is wrong with a request, or null. */
  #problemOf({ chain, bytes, length, refused }: FetchedRequest): string | null {
    const { readableBytes, writableBytes } = chain!;
    if (refused || length < I2C_HEADER_SIZE) return 'a chain without header';
    if (writableBytes < 1) return 'a chain without status';
    const flags = readU32(bytes, I2C_HEADER.flags);
    if ((flags & ~I2C_FLAGS.KNOWN) !== 0) return `reserved flags in 0x${flags.toString(16)}`;
    const written = readableBytes - I2C_HEADER_SIZE;
    const read = writableBytes - 1;
    if (Math.max(written, read) > I2C_SEGMENT_MAX) return 'a segment of more than 65535 bytes';
    const wrongWay = (flags & I2C_FLAGS.M_RD) !== 0 ? written : read;
    return wrongWay > 0 ? 'a buffer that goes the other way than the read flag' : null;
  }

  #wireDone(epoch: number): void {
    if (epoch !== this.#epoch) return;
    const request = this.#line.shift()!;
    const { queue, chain } = request as { queue: QueueEngine; chain: Chain };
    queue.mark(chain, Milestone.served);
    const failed = this.#skipped || !this.#transfer(request);
    // A request without header can't say that others follow it.
    const more =
      request.length >= I2C_HEADER_SIZE && (flagsOf(request) & I2C_FLAGS.FAIL_NEXT) !== 0;
    this.#groupFailed = more && (failed || this.#groupFailed);
    this.#answer(request, failed);
    if (epoch === this.#epoch && this.#line.length > 0) this.#begin(this.#line[0]);
  }

  /** Moves the bytes between request and chip; false when the chip did not acknowledge. */
  #transfer(request: FetchedRequest): boolean {
    const chip = this.#chip;
    if (chip === null) return false;
    const { now } = this.node.kernel;
    const length = dataLength(request);
    if ((flagsOf(request) & I2C_FLAGS.M_RD) === 0) {
      for (let i = 0; i < length; i++) {
        if (!chip.write(request.bytes[I2C_HEADER_SIZE + i], now)) return false;
      }
      return true;
    }
    if (this.#data.length < length) this.#data = new Uint8Array(length);
    for (let i = 0; i < length; i++) this.#data[i] = chip.read(now);
    return true;
  }

  #answer(request: FetchedRequest, failed: boolean): void {
    const { queue, chain } = request as { queue: QueueEngine; chain: Chain };
    const { writableBytes } = chain;
    let written = 0;
    if (writableBytes > 0) {
      const last = writableBytes - 1;
      if (!failed && last > 0) {
        scatter(this.dma, chain, 0, this.#data, 0, last);
        written = last;
      }
      this.#status[0] = failed ? I2C_MSG.ERR : I2C_MSG.OK;
      scatter(this.dma, chain, last, this.#status, 0, 1);
      written++;
    }
    this.#fetcher.release(request);
    if (!queue.complete(chain, written)) queue.fail();
  }
}

function flagsOf({ bytes }: FetchedRequest): number {
  return readU32(bytes, I2C_HEADER.flags);
}

/** Bytes of the segment itself, whichever way they go. */
function dataLength({ chain }: FetchedRequest): number {
  return Math.max(chain!.readableBytes - I2C_HEADER_SIZE, chain!.writableBytes - 1);
}
