// One receive queue: frames that have arrived wait here until the driver has made buffers available,
// and are then written into one buffer, or into as many as they take where buffers may be merged
// (virtio 1.4 §5.1.6.3). Steps of one queue are taken one after another, as by one thread.
import type { DmaPort } from '../../platform/contracts/index.ts';
import { FrameView, IP_PROTOCOL } from '../../platform/network/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { NET_F, NET_HEADER_F, NET_HEADER_SIZE } from '../../platform/virtio/index.ts';
import { type Chain, type QueueEngine, scatter } from '../common/index.ts';
import { FrameFifo } from './frame-fifo.ts';
import { writeHeader } from './offloads.ts';

export interface ReceiveTiming {
  /** Ids of timing constants. */
  readonly deviceReceive: number;
  readonly checksumRate: number;
}

/** What a receive queue needs of its device. */
export interface ReceiveOwner {
  readonly node: Node;
  readonly dma: DmaPort;
  readonly driverFeatures: bigint;
  /** True while the driver wants checksums to be checked for it. */
  readonly checksChecksums: boolean;
}

export interface ReceivePlace {
  readonly queue: QueueEngine;
  readonly timing: ReceiveTiming;
  /** Bytes of frames that may wait. */
  readonly buffer: number;
}

export class ReceiveQueue implements CpuClient {
  frames = 0;
  /** Frames that found the queue full, or that no buffer can hold. */
  missed = 0;
  readonly #owner: ReceiveOwner;
  readonly #queue: QueueEngine;
  readonly #timing: ReceiveTiming;
  readonly #buffer: number;
  readonly #fifo = new FrameFifo();
  readonly #view = new FrameView();
  readonly #buffers: Chain[] = [];
  readonly #written: number[] = [];
  #packet = new Uint8Array(NET_HEADER_SIZE + 2048);
  #stepping = false;
  /** Steps of before a reset carry an older epoch. */
  #epoch = 0;

  constructor(owner: ReceiveOwner, { queue, timing, buffer }: ReceivePlace) {
    this.#owner = owner;
    this.#queue = queue;
    this.#timing = timing;
    this.#buffer = buffer;
  }

  /** True when the driver has set the queue up. */
  get usable(): boolean {
    return this.#queue.setup !== null;
  }

  /** Takes a buffer that the driver has made available. */
  accept(chain: Chain): void {
    this.#buffers.push(chain);
    this.#next();
  }

  /** Takes a frame that has arrived, if there is room for it. */
  arrived(bytes: Uint8Array, length: number): void {
    if (this.#fifo.bytes + length > this.#buffer) {
      this.missed++;
      return;
    }
    this.#fifo.push(bytes, length);
    this.#next();
  }

  forget(): void {
    this.#fifo.clear();
    this.#buffers.length = 0;
    this.#stepping = false;
    this.#epoch++;
  }

  /** The CPU has dealt with the oldest frame. */
  deliver(_kind: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#stepping = false;
    this.#place();
  }

  /** Starts work on the oldest frame, once there are buffers for it. */
  #next(): void {
    if (this.#stepping || this.#fifo.count === 0) return;
    const { length } = this.#fifo.peek();
    if (this.#buffersFor(NET_HEADER_SIZE + length) === 0) return;
    this.#stepping = true;
    const { node, checksChecksums } = this.#owner;
    const frame = node.charge(this.#timing.deviceReceive);
    const check = checksChecksums ? node.chargeBytes(this.#timing.checksumRate, length) : 0;
    node.cpu.submit(Priority.task, frame + check, this, 0, this.#epoch);
  }

  /** How many of the oldest buffers hold `length` bytes; 0 when there are not enough of them yet. */
  #buffersFor(length: number): number {
    const mergeable = (this.#owner.driverFeatures & NET_F.MRG_RXBUF) !== 0n;
    if (!mergeable) return this.#buffers.length === 0 ? 0 : 1;
    let room = 0;
    for (let i = 0; i < this.#buffers.length; i++) {
      room += this.#buffers[i].writableBytes;
      if (room >= length) return i + 1;
    }
    return 0;
  }

  #place(): void {
    const { bytes, length: frameLength } = this.#fifo.peek();
    const length = NET_HEADER_SIZE + frameLength;
    const count = this.#buffersFor(length);
    if (count === 1 && this.#buffers[0].writableBytes < length) {
      this.missed++;
      this.#fifo.shift();
      return this.#next();
    }
    if (this.#packet.length < length) this.#packet = new Uint8Array(length);
    writeHeader(this.#packet, this.#flagsOf(bytes, frameLength), count);
    this.#packet.set(bytes.subarray(0, frameLength), NET_HEADER_SIZE);
    this.#fifo.shift();
    this.#write(count, length);
  }

  /** Spreads the packet over the oldest `count` buffers and returns them together. */
  #write(count: number, length: number): void {
    const { dma } = this.#owner;
    let done = 0;
    for (let i = 0; i < count; i++) {
      const step = Math.min(this.#buffers[i].writableBytes, length - done);
      scatter(dma, this.#buffers[i], 0, this.#packet, done, step);
      this.#written[i] = step;
      done += step;
    }
    if (!this.#queue.completeTogether(this.#buffers, this.#written, count)) {
      return this.#queue.fail();
    }
    this.#buffers.splice(0, count);
    this.frames++;
    this.#next();
  }

  /** DATA_VALID for a packet whose checksum is known to be right. */
  #flagsOf(bytes: Uint8Array, length: number): number {
    const view = this.#view;
    if (!this.#owner.checksChecksums || !view.parse(bytes, length) || !view.isIpv4) return 0;
    const { protocol } = view;
    if (protocol !== IP_PROTOCOL.tcp && protocol !== IP_PROTOCOL.udp) return 0;
    return view.transportChecksumHolds(bytes) ? NET_HEADER_F.DATA_VALID : 0;
  }
}
