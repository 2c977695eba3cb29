// One direction of a cable, with the queue of frames that wait for it. A frame is on the cable for its
// bytes at the cable's rate, and arrives whole, a latency after its last bit has left.
//
// What waits is known from when it will start, so that a frame costs no event of its own here:
//
//   now     starts ▾       ▾         ▾ freeAt
//   ──┼──[ on cable ][ waits ][ waits ]──▶ time

import type { NetworkPlan, PacketPlace, Statistics } from '../contracts/index.ts';
import { type Packet, type RandomStream, transferTime } from '../kernel/index.ts';
import { labels, type Node } from '../node/index.ts';
import { bytesOnCable, FRAME_MIN } from './ethernet.ts';

/** Packet kind of a frame. */
export const FRAME = 120;

const MILLION = 1_000_000;

export interface CableOptions {
  readonly node: Node;
  readonly network: Pick<NetworkPlan, 'rate' | 'latency' | 'lossPerMillion'>;
  /** Bytes of frames that may wait; Infinity for a sender that never sends too much. */
  readonly buffer: number;
  readonly far: PacketPlace;
  /** Decides which frames are lost. */
  readonly random: RandomStream;
}

export class Cable {
  frames = 0;
  bytes = 0;
  /** Frames that found no room in the queue, and frames that the cable lost. */
  dropped = 0;
  lost = 0;
  /** ps in which the cable was moving frames. */
  busy = 0;
  /** Most bytes that ever waited. */
  queueMax = 0;
  readonly #options: CableOptions;
  #freeAt = 0;
  #waitingBytes = 0;
  // Start and length of each frame that waits, as a ring.
  #starts = new Float64Array(16);
  #lengths = new Float64Array(16);
  #head = 0;
  #count = 0;

  constructor(options: CableOptions) {
    this.#options = options;
  }

  /**
   * Sends a frame, copying its bytes. Returns the ps until its last bit has left, or -1 when there was
   * no room to wait.
   */
  send(bytes: Uint8Array, offset: number, length: number): number {
    const { node, network, buffer } = this.#options;
    const { now } = node.kernel;
    this.#forgetStarted(now);
    const wait = Math.max(0, this.#freeAt - now);
    if (wait > 0) {
      if (this.#waitingBytes + length > buffer) {
        this.dropped++;
        return -1;
      }
      this.#remember(now + wait, length);
    }
    const time = transferTime(bytesOnCable(length), network.rate);
    this.#freeAt = now + wait + time;
    this.frames++;
    this.bytes += length;
    this.busy += time;
    const { lossPerMillion } = network;
    if (lossPerMillion > 0 && this.#options.random.ratio(lossPerMillion, MILLION)) this.lost++;
    else this.#deliver(bytes, offset, length, wait, time);
    return wait + time;
  }

  /** Counters by name. */
  statistics(): Statistics {
    const { frames, bytes, dropped, lost, busy, queueMax } = this;
    return { frames, bytes, dropped, lost, busyPs: busy, queueMax };
  }

  #deliver(bytes: Uint8Array, offset: number, length: number, wait: number, time: number): void {
    const { node, network, far } = this.#options;
    const { kernel } = node;
    node.noteWait(labels.WAIT_LINK, wait);
    node.noteWait(labels.ON_CABLE, time + network.latency);
    const padded = Math.max(length, FRAME_MIN);
    const packet: Packet = kernel.packets.acquire(padded);
    packet.bytes.set(bytes.subarray(offset, offset + length));
    if (padded > length) packet.bytes.fill(0, length, padded);
    packet.label(FRAME);
    kernel.send(node.index, far.node, far.port, wait + time + network.latency, packet);
  }

  #remember(start: number, length: number): void {
    if (this.#count === this.#starts.length) this.#grow();
    const at = (this.#head + this.#count++) & (this.#starts.length - 1);
    this.#starts[at] = start;
    this.#lengths[at] = length;
    this.#waitingBytes += length;
    if (this.#waitingBytes > this.queueMax) this.queueMax = this.#waitingBytes;
  }

  /** A frame no longer waits once its first bit is on the cable. */
  #forgetStarted(now: number): void {
    while (this.#count > 0 && this.#starts[this.#head] <= now) {
      this.#waitingBytes -= this.#lengths[this.#head];
      this.#head = (this.#head + 1) & (this.#starts.length - 1);
      this.#count--;
    }
  }

  #grow(): void {
    const capacity = this.#starts.length * 2;
    const starts = new Float64Array(capacity);
    const lengths = new Float64Array(capacity);
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#head + i) & (this.#starts.length - 1);
      starts[i] = this.#starts[from];
      lengths[i] = this.#lengths[from];
    }
    this.#starts = starts;
    this.#lengths = lengths;
    this.#head = 0;
  }
}
