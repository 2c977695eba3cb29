// The virtio-rng driver (virtio 1.4 §5.4.6): each request is one buffer for the device to fill.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { RNG_DEVICE_ID } from '../../platform/virtio/index.ts';
import { RequestEnd, SlotDriver } from '../common/index.ts';

const LINE = 64;

/** Whoever wants random bytes. */
export interface RngClient {
  rngReady(): void;
  /** `length` bytes are in the slot's buffer; -1 when the device was lost. `latency` in ps. */
  rngCompleted(slot: number, length: number, latency: number): void;
  rngDown(reason: string): void;
  /** The device was reset: it may have spent bytes on requests that it had to be asked for again. */
  rngRecovered?(): void;
}

export class RngDriver extends SlotDriver<RngClient> {
  #length = new Int32Array(0);
  #written = new Int32Array(0);

  constructor(environment: DriverEnvironment) {
    super(environment, {
      deviceId: RNG_DEVICE_ID,
      queueCount: 1,
      features: 0n,
      configSize: 0,
      segmentsMax: 1,
      // Entropy may take as long as it takes.
      timeout: Infinity,
    });
  }

  /** Reserves slots for a client, with buffers of this size. Only before the device is live. */
  reserve(client: RngClient, count: number, bytes: number): number {
    return this.slots.reserve(client, count, bytes, LINE);
  }

  /** Address of a slot's buffer in own RAM. */
  dataAddress(slot: number): number {
    return this.buffers + this.slots.offsetOf(slot);
  }

  /** Asks for at most `length` random bytes. */
  submit(slot: number, length: number): void {
    this.#length[slot] = length;
    this.begin(slot, 1);
  }

  protected override bufferBytes(): number {
    return Math.max(LINE, this.slots.bytes);
  }

  protected override wentLive(buffers: number): void {
    if (this.#length.length !== this.slots.count) {
      this.#length = new Int32Array(this.slots.count);
      this.#written = new Int32Array(this.slots.count);
    }
    super.wentLive(buffers);
  }

  protected override cameBack(): void {
    for (const { client } of this.slots.ranges) client.rngRecovered?.();
    super.cameBack();
  }

  protected override hasRoom(): boolean {
    return this.rings[0].hasRoom(1);
  }

  protected override add(slot: number): void {
    const address = this.transport.busAddress(this.dataAddress(slot));
    this.rings[0].addSegment(address, this.#length[slot], true);
    this.addChain(slot);
  }

  protected override returned(slot: number, written: number): void {
    this.#written[slot] = Math.min(written, this.#length[slot]);
  }

  protected override ended(slot: number, end: RequestEnd, latency: number): void {
    const length = end === RequestEnd.returned ? this.#written[slot] : -1;
    this.slots.clientOf(slot).rngCompleted(slot, length, latency);
  }

  protected override tellReady(): void {
    for (const { client } of this.slots.ranges) client.rngReady();
  }

  protected override tellDown(reason: string): void {
    for (const { client } of this.slots.ranges) client.rngDown(reason);
  }
}
