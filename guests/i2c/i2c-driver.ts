// The virtio-i2c driver (virtio 1.4 §5.16.6): a transfer is a group of messages, each a chain of header,
// data and status, that the device does in order and gives up together.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import {
  I2C_DEVICE_ID,
  I2C_F,
  I2C_FLAGS,
  I2C_HEADER,
  I2C_HEADER_SIZE,
  I2C_MSG,
  i2cAddrField,
} from '../../platform/virtio/index.ts';
import { RequestEnd, SlotDriver } from '../common/index.ts';

/** Messages of one transfer at the most. */
const I2C_MESSAGES_MAX = 8;
/** Segments of a chain: header, data, status. */
const SEGMENTS = 3;
/** Bytes of a message's header and status, each message in a 64-byte line of its own. */
const CELL = 64;
const STATUS_OFFSET = I2C_HEADER_SIZE;

export interface I2cMessage {
  /** 7-bit address of the chip. */
  readonly address: number;
  readonly read: boolean;
  /** Place of the bytes in the slot's buffer. */
  readonly offset: number;
  readonly length: number;
}

/** How a transfer ended. */
export const I2cResult = { ok: 0, error: 1, timedOut: 2, lost: 3 } as const;
export type I2cResult = (typeof I2cResult)[keyof typeof I2cResult];

/** Whoever uses the bus. */
export interface I2cClient {
  i2cReady(): void;
  /** A transfer is over; what was read is in the slot's buffer only if all went well. */
  i2cCompleted(slot: number, result: I2cResult, latency: number): void;
  i2cDown(reason: string): void;
}

export class I2cDriver extends SlotDriver<I2cClient> {
  readonly #messages: (readonly I2cMessage[])[] = [];
  readonly #harmlessTwice: boolean[] = [];

  constructor(environment: DriverEnvironment) {
    const { costs } = environment.node;
    super(environment, {
      deviceId: I2C_DEVICE_ID,
      queueCount: 1,
      features: I2C_F.ZERO_LENGTH_REQUEST,
      requiredFeatures: I2C_F.ZERO_LENGTH_REQUEST,
      configSize: 0,
      segmentsMax: SEGMENTS,
      timeout: costs.value(costs.idOf('i2c.requestTimeout')),
    });
  }

  /** Reserves slots for a client, with data buffers of this size. Only before the device is live. */
  reserve(client: I2cClient, count: number, dataBytes: number): number {
    return this.slots.reserve(client, count, I2C_MESSAGES_MAX * CELL + dataBytes, CELL);
  }

  /** Address of a slot's data buffer in own RAM. */
  dataAddress(slot: number): number {
    return this.#cell(slot, I2C_MESSAGES_MAX);
  }

  /**
   * Starts a transfer. What it writes is in the slot's buffer already. A chip may not like to be told twice: only
   * a transfer that does no harm then is made again when the device had to be reset, any other is lost.
   */
  transfer(slot: number, messages: readonly I2cMessage[], harmlessTwice: boolean): void {
    assert(
      messages.length > 0 && messages.length <= I2C_MESSAGES_MAX,
      'a transfer has 1-8 messages',
    );
    this.#messages[slot] = messages;
    this.#harmlessTwice[slot] = harmlessTwice;
    this.begin(slot, messages.length);
  }

  protected override bufferBytes(): number {
    return Math.max(CELL, this.slots.bytes);
  }

  protected override hasRoom(slot: number): boolean {
    return this.rings[0].freeCount >= this.#messages[slot].length * SEGMENTS;
  }

  protected override add(slot: number): void {
    const { memory } = this.node;
    const { transport } = this;
    const [ring] = this.rings;
    const messages = this.#messages[slot];
    for (let i = 0; i < messages.length; i++) {
      const { address, read, offset, length } = messages[i];
      const cell = this.#cell(slot, i);
      const more = i + 1 < messages.length;
      memory.writeU32(cell, 0);
      memory.writeU16(cell + I2C_HEADER.addr, i2cAddrField(address));
      const flags = (more ? I2C_FLAGS.FAIL_NEXT : 0) | (read ? I2C_FLAGS.M_RD : 0);
      memory.writeU32(cell + I2C_HEADER.flags, flags);
      memory.writeU8(cell + STATUS_OFFSET, I2C_MSG.ERR);
      ring.addSegment(transport.busAddress(cell), I2C_HEADER_SIZE, false);
      if (length > 0) {
        ring.addSegment(transport.busAddress(this.dataAddress(slot) + offset), length, read);
      }
      ring.addSegment(transport.busAddress(cell + STATUS_OFFSET), 1, true);
      this.addChain(slot);
    }
  }

  protected override repeats(slot: number): boolean {
    return this.#harmlessTwice[slot];
  }

  protected override ended(slot: number, end: RequestEnd, latency: number): void {
    this.slots.clientOf(slot).i2cCompleted(slot, this.#result(slot, end), latency);
  }

  protected override tellReady(): void {
    for (const { client } of this.slots.ranges) client.i2cReady();
  }

  protected override tellDown(reason: string): void {
    for (const { client } of this.slots.ranges) client.i2cDown(reason);
  }

  /** A transfer has failed if any of its messages has, whatever the status of those after it. */
  #result(slot: number, end: RequestEnd): I2cResult {
    if (end === RequestEnd.lost) return I2cResult.lost;
    if (end === RequestEnd.timedOut) return I2cResult.timedOut;
    for (let i = 0; i < this.#messages[slot].length; i++) {
      const status = this.node.memory.readU8(this.#cell(slot, i) + STATUS_OFFSET);
      if (status !== I2C_MSG.OK) return I2cResult.error;
    }
    return I2cResult.ok;
  }

  #cell(slot: number, message: number): number {
    return this.buffers + this.slots.offsetOf(slot) + CELL * message;
  }
}
