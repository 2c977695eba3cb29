// One receive queue: frames that have arrived wait here until the driver has made buffers available,
// and are then written into one buffer, or into as many as they take where buffers may be merged
// (virtio 1.4 §5.1.6.3). Steps of one queue are taken one after another, as by one thread.
//
//   arrived ─▶ waiting ──CPU──▶ handled ─▶ written, returned
//                                  └─▶ joined with those that follow ─▶ written, returned
import type { DmaPort } from '../../platform/contracts/index.ts';
import {
  type Component,
  type ComponentId,
  type EventHandle,
  NO_EVENT,
} from '../../platform/kernel/index.ts';
import { type FlowHasher, FrameView, IP_PROTOCOL } from '../../platform/network/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { NET_HEADER_F, NET_HEADER_SIZE_MAX } from '../../platform/virtio/index.ts';
import { type Chain, type QueueEngine, scatter } from '../common/index.ts';
import type { Agreement } from './agreement.ts';
import { FrameFifo } from './frame-fifo.ts';
import { FrameMerger } from './frame-merger.ts';
import { clearHeader, emptyHeader, writeHash, writeHeader } from './offloads.ts';

/** Buffers taken that may stand before those that are there. */
const TAKEN_SLACK = 256;

/** Step on the CPU, event on the kernel. */
const HANDLED = 0;
const WAITED = 1;

export interface ReceiveTiming {
  /** Ids of timing constants. */
  readonly deviceReceive: number;
  readonly checksumRate: number;
}

/** What a receive queue needs of its device. */
export interface ReceiveOwner {
  readonly node: Node;
  readonly dma: DmaPort;
  readonly agreement: Agreement;
  readonly hasher: FlowHasher;
  /** The device is suspended: frames wait. */
  readonly pausing: boolean;
}

export interface ReceivePlace {
  readonly queue: QueueEngine;
  readonly timing: ReceiveTiming;
  /** Bytes of frames that may wait. */
  readonly buffer: number;
  /** ps that a frame waits for others to be joined with it. */
  readonly mergeTime: number;
}

export class ReceiveQueue implements CpuClient, Component {
  /** Packets that were written for the driver, and their bytes without headers before them. */
  frames = 0;
  bytes = 0;
  /** Frames that came to the driver behind another one in the same packet. */
  joined = 0;
  /** Frames that found the queue full, or that no buffer can hold. */
  missed = 0;
  /** Those of them that found the queue full. */
  overruns = 0;
  readonly #owner: ReceiveOwner;
  readonly #queue: QueueEngine;
  readonly #timing: ReceiveTiming;
  readonly #buffer: number;
  readonly #mergeTime: number;
  /** -1 without a time to wait: nothing is scheduled then. */
  readonly #id: ComponentId;
  readonly #fifo = new FrameFifo();
  readonly #merger = new FrameMerger();
  readonly #view = new FrameView();
  readonly #header = emptyHeader();
  /** What the driver has made available, from `#oldest` on. */
  readonly #buffers: Chain[] = [];
  #oldest = 0;
  /** Buffers of one packet, and what was written into each. */
  readonly #taken: Chain[] = [];
  readonly #written: number[] = [];
  #packet = new Uint8Array(NET_HEADER_SIZE_MAX + 2048);
  #stepping = false;
  /** The CPU has dealt with the oldest frame, but there was no room for it then. */
  #handled = false;
  #timer: EventHandle = NO_EVENT;
  /** Steps of before a reset carry an older epoch. */
  #epoch = 0;

  constructor(owner: ReceiveOwner, { queue, timing, buffer, mergeTime }: ReceivePlace) {
    this.#owner = owner;
    this.#queue = queue;
    this.#timing = timing;
    this.#buffer = buffer;
    this.#mergeTime = mergeTime;
    this.#id = mergeTime > 0 ? owner.node.add(this) : -1;
  }

  /** True when the driver has set the queue up. */
  get usable(): boolean {
    return this.#queue.setup !== null;
  }

  /** Buffers that the driver has made available and that nothing was written into. */
  get bufferCount(): number {
    return this.#buffers.length - this.#oldest;
  }

  /** The device goes on: frames need no longer wait. */
  resumed(): void {
    this.#next();
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
      this.overruns++;
      return;
    }
    this.#fifo.push(bytes, length);
    this.#next();
  }

  forget(): void {
    this.#fifo.clear();
    this.#merger.clear();
    this.#stopTimer();
    this.#buffers.length = 0;
    this.#oldest = 0;
    this.#stepping = false;
    this.#handled = false;
    this.#epoch++;
  }

  /** The CPU has dealt with the oldest frame, or those that were joined have waited long enough. */
  deliver(what: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    if (what === WAITED) {
      this.#timer = NO_EVENT;
      if (!this.#owner.pausing) this.#flush();
      return;
    }
    this.#stepping = false;
    this.#handled = true;
    this.#next();
  }

  /** Goes on with the oldest frame, as far as there are buffers for it. */
  #next(): void {
    const { headerSize } = this.#owner.agreement;
    while (!this.#stepping && !this.#owner.pausing) {
      if (this.#fifo.count === 0) return this.#pause();
      const { length } = this.#fifo.peek();
      if (this.#buffersFor(headerSize + this.#merger.length + length) === 0) {
        // What is joined has its buffers, and can only wait for more in vain.
        if (this.#merger.frames === 0) return;
        this.#flush();
      } else if (this.#handled) this.#handle();
      else return this.#work(length);
    }
  }

  #work(length: number): void {
    this.#stepping = true;
    const { node, agreement } = this.#owner;
    const frame = node.charge(this.#timing.deviceReceive);
    const { checksChecksums } = agreement;
    const check = checksChecksums ? node.chargeBytes(this.#timing.checksumRate, length) : 0;
    node.cpu.submit(Priority.task, frame + check, this, HANDLED, this.#epoch);
  }

  /** No frame waits: those that are joined go to the driver, now or after a while. */
  #pause(): void {
    if (this.#merger.frames === 0 || this.#timer !== NO_EVENT) return;
    if (this.#mergeTime === 0) return this.#flush();
    const { kernel } = this.#owner.node;
    this.#timer = kernel.schedule(this.#id, this.#mergeTime, WAITED, this.#epoch);
  }

  /** How many of the oldest buffers hold `length` bytes; 0 when there are not enough of them yet. */
  #buffersFor(length: number): number {
    if (!this.#owner.agreement.mergesBuffers) {
      if (this.#oldest === this.#buffers.length) return 0;
      // A frame alone that its buffer does not hold is lost; one that is joined need not be.
      const { writableBytes } = this.#buffers[this.#oldest];
      return this.#merger.frames > 0 && writableBytes < length ? 0 : 1;
    }
    let room = 0;
    for (let i = this.#oldest; i < this.#buffers.length; i++) {
      room += this.#buffers[i].writableBytes;
      if (room >= length) return i + 1 - this.#oldest;
    }
    return 0;
  }

  /** Joins the oldest frame with those before it, or hands it on. */
  #handle(): void {
    const { bytes, length } = this.#fifo.peek();
    const { agreement } = this.#owner;
    const merger = this.#merger;
    const { joins } = agreement;
    // Once those before it are gone, there may be no room for this one.
    if (merger.frames > 0 && !(joins && merger.append(bytes, length))) return this.#flush();
    this.#handled = false;
    this.#fifo.shift();
    if (merger.frames > 1 || (joins && merger.begin(bytes, length, agreement))) {
      if (merger.closed) this.#flush();
      return;
    }
    clearHeader(this.#header);
    this.#header.flags = this.#flagsOf(bytes, length);
    this.#place(bytes, length);
  }

  /** Hands on what is joined. */
  #flush(): void {
    this.#stopTimer();
    const merger = this.#merger;
    const { frames, bytes, length } = merger;
    if (frames === 0) return;
    clearHeader(this.#header);
    this.#header.flags = frames > 1 ? NET_HEADER_F.NEEDS_CSUM : NET_HEADER_F.DATA_VALID;
    if (frames > 1) merger.finish(this.#header);
    merger.clear();
    this.joined += frames - 1;
    this.#place(bytes, length);
  }

  #stopTimer(): void {
    if (this.#timer === NO_EVENT) return;
    this.#owner.node.kernel.cancel(this.#timer);
    this.#timer = NO_EVENT;
  }

  /** Puts a packet into the oldest buffers, behind the header. */
  #place(bytes: Uint8Array, packetLength: number): void {
    const { headerSize, reportsHash } = this.#owner.agreement;
    const length = headerSize + packetLength;
    const count = this.#buffersFor(length);
    if (count === 1 && this.#buffers[this.#oldest].writableBytes < length) {
      this.missed++;
      return;
    }
    if (this.#packet.length < length) this.#packet = new Uint8Array(length);
    writeHeader(this.#packet, this.#header, count);
    if (reportsHash) this.#writeHash(bytes, packetLength);
    this.#packet.set(bytes.subarray(0, packetLength), headerSize);
    this.bytes += packetLength;
    this.#write(count, length);
  }

  /** Tells the hash of the packet (§5.1.6.4.8). */
  #writeHash(bytes: Uint8Array, length: number): void {
    const { hasher } = this.#owner;
    this.#view.parse(bytes, length);
    hasher.hash(bytes, this.#view);
    writeHash(this.#packet, hasher);
  }

  /** Spreads the packet over the oldest `count` buffers and returns them together. */
  #write(count: number, length: number): void {
    const { dma } = this.#owner;
    let done = 0;
    for (let i = 0; i < count; i++) {
      const chain = this.#buffers[this.#oldest++];
      const step = Math.min(chain.writableBytes, length - done);
      scatter(dma, chain, 0, this.#packet, done, step);
      this.#taken[i] = chain;
      this.#written[i] = step;
      done += step;
    }
    this.#forgetTaken();
    if (!this.#queue.completeTogether(this.#taken, this.#written, count)) {
      return this.#queue.fail();
    }
    this.frames++;
  }

  /** Moves the buffers to the front now and then, so that taking one moves no others. */
  #forgetTaken(): void {
    if (this.#oldest < TAKEN_SLACK && this.#oldest < this.#buffers.length) return;
    this.#buffers.splice(0, this.#oldest);
    this.#oldest = 0;
  }

  /** DATA_VALID for a packet whose checksum is known to be right. */
  #flagsOf(bytes: Uint8Array, length: number): number {
    const view = this.#view;
    if (!this.#owner.agreement.checksChecksums || !view.parse(bytes, length) || !view.isIp)
      return 0;
    const { protocol } = view;
    if (protocol !== IP_PROTOCOL.tcp && protocol !== IP_PROTOCOL.udp) return 0;
    return view.transportChecksumHolds(bytes) ? NET_HEADER_F.DATA_VALID : 0;
  }
}
