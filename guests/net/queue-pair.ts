// One pair of receive and transmit queues on the driver's side: buffers for the device to fill, and the
// polling of both queues. What it sends is the sender's business.
import type { Chart } from '../../platform/machine/index.ts';
import { type FlowHasher, FrameView, HASH_KIND } from '../../platform/network/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  type DriverRing,
  NET_GSO,
  NET_HEADER,
  NET_HEADER_F,
  REAP_BROKEN,
  REAP_NONE,
} from '../../platform/virtio/index.ts';
import type { RingCosts } from '../common/index.ts';
import type { Offload } from './packet.ts';
import { PacketSender, type SenderLayout } from './packet-sender.ts';
import { type PollEffect, type PollEvent, pollChart } from './poll-chart.ts';

/** Packets that one round of polling takes at the most. */
const POLL_BUDGET = 64;
const PACKET_MAX = 65_535 + 64;

const POLL = 0;
const RECEIVED = 1;

/** What a pair needs of its driver. */
export interface PairOwner {
  readonly node: Node;
  readonly name: string;
  readonly timing: PairTiming;
  /** What the driver's work on rings costs. */
  readonly ringCosts: RingCosts;
  busAddress(address: number): number;
  /** Makes the chain built on a queue's ring available, with a tag; returns its name. */
  commit(queue: number, tag: number): number;
  tagOf(queue: number, head: number): number;
  /** Tells the device of what was added to a queue, if it wants to know. */
  tell(queue: number): void;
  /** The device has broken a ring. */
  broken(): void;
  /**
   * A packet came in; the bytes are valid only during the call. The device has found its checksum right if
   * `checked`, and has joined it of frames with so many bytes of data each, unless `segment` is 0.
   */
  received(bytes: Uint8Array, length: number, checked: boolean, segment: number): void;
  /** A packet came with a hash, right or wrong. */
  hashed(right: boolean): void;
  /** A round of polling is over. */
  polled(): void;
  /** There is room for packets again, after `send` had none. */
  writable(): void;
}

/** Ids of timing constants. */
export interface PairTiming {
  readonly driverTransmit: number;
  readonly driverReceive: number;
  readonly poll: number;
  readonly checksumRate: number;
}

/** What a pair works with once the device is live. */
export interface PairLayout {
  readonly ring: DriverRing;
  readonly queue: number;
  /** Receive buffers, one after another. */
  readonly buffers: number;
  readonly bufferBytes: number;
  /** The device may vouch for checksums. */
  readonly checksChecksums: boolean;
  /** Makes the hashes that the device must report, or null when it reports none. */
  readonly hasher: FlowHasher | null;
  /** The CPU that polls, or ANY_CORE. */
  readonly core: number;
  readonly sender: SenderLayout;
}

export class QueuePair implements CpuClient {
  /** Packets received, and their bytes. */
  packets = 0;
  bytes = 0;
  readonly #owner: PairOwner;
  readonly #chart: Chart<unknown, PollEvent>;
  readonly #sender: PacketSender;
  readonly #packet = new Uint8Array(PACKET_MAX);
  readonly #view = new FrameView();
  #layout: PairLayout | null = null;
  /** The receive queue is being reset: its ring is left alone. */
  #paused = false;
  /** Buffers that came back when the receive queue was reset; what they held is lost. */
  readonly #returned: number[] = [];
  #budget = 0;
  /** Bytes of the packet that is being handled, the flags of its header; 0 when it made no sense. */
  #length = 0;
  #flags = 0;
  /** Bytes of data of each of the frames that it was joined of, or 0. */
  #segment = 0;
  /** What was hashed of it, and the hash, as the device says. */
  #hashKind = 0;
  #hash = 0;
  /** Work of before the device was lost carries an older epoch. */
  #epoch = 0;

  constructor(owner: PairOwner, pair: number) {
    const { node, timing, name } = owner;
    this.#owner = owner;
    this.#sender = new PacketSender({
      node,
      timing,
      ringCosts: owner.ringCosts,
      busAddress: (address) => owner.busAddress(address),
      commit: (queue, tag) => owner.commit(queue, tag),
      tagOf: (queue, head) => owner.tagOf(queue, head),
      tell: (queue) => owner.tell(queue),
      broken: () => owner.broken(),
      writable: () => owner.writable(),
      waits: () => this.#senderWaits(),
    });
    this.#chart = node.charts.start(pollChart, {
      name: `${name}.poll${pair}`,
      perform: (effect: PollEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  /** The device is live. */
  start(layout: PairLayout): void {
    this.#layout = layout;
    const { ring, queue, buffers, bufferBytes, sender } = layout;
    this.#paused = false;
    for (let i = 0; i < ring.size; i++) this.#addBuffer(buffers + i * bufferBytes);
    this.#owner.tell(queue);
    this.#sender.start(sender);
  }

  /** The device is lost, and everything on its way with it. */
  stop(): void {
    this.#epoch++;
    this.#layout = null;
    this.#sender.stop();
    this.#chart.send(STOP);
  }

  /** A queue's reset begins. */
  pause(queue: number): void {
    if (queue === this.#layout?.queue) this.#paused = true;
    else this.#sender.pause();
  }

  /** A chain came back because its queue is being reset. */
  returned(queue: number, tag: number): void {
    if (queue === this.#layout?.queue) this.#returned.push(tag);
    else this.#sender.returned(tag);
  }

  /** A queue has a new ring, with what was on the old one. */
  resume(queue: number, ring: DriverRing): void {
    const layout = this.#layout;
    if (layout === null) return;
    if (queue !== layout.queue) return this.#sender.resume(ring);
    this.#layout = { ...layout, ring };
    this.#paused = false;
    for (const buffer of this.#returned.splice(0)) this.#addBuffer(buffer);
    this.#chart.send(INTERRUPT);
  }

  /** Frames that were to be sent, and their bytes. */
  get framesSent(): number {
    return this.#sender.frames;
  }

  get bytesSent(): number {
    return this.#sender.bytes;
  }

  /** Nothing is on its way out. */
  get idle(): boolean {
    return this.#sender.idle;
  }

  /** The device has used buffers of one of the two queues. */
  interrupt(): void {
    this.#chart.send(INTERRUPT);
  }

  /**
   * Sends a frame, copying its bytes. Returns false when there is no room for it now; `writable` is
   * called when there may be.
   */
  send(bytes: Uint8Array, length: number, offload: Offload): boolean {
    return this.#sender.send(bytes, length, offload);
  }

  deliver(step: number, epoch: number): void {
    if (epoch !== this.#epoch || this.#layout === null) return;
    if (step === POLL) this.#poll();
    else this.#handle();
  }

  #perform(effect: PollEffect): void {
    if (this.#layout === null) return;
    const { ring } = this.#layout;
    switch (effect.type) {
      case 'mask':
        if (!this.#paused) ring.disableInterrupts();
        this.#sender.mask();
        return;
      case 'poll': {
        const { node, timing } = this.#owner;
        const priority = effect.yielding ? Priority.task : Priority.interrupt;
        const { core } = this.#layout;
        const epoch = this.#epoch;
        node.cpu.submit(priority, node.charge(timing.poll), this, POLL, epoch, 0, core);
        return;
      }
      case 'unmask': {
        const received = !this.#paused && ring.enableInterrupts();
        const gone = this.#sender.blocked && this.#sender.unmask();
        return this.#chart.send(received || gone ? FOUND : NOTHING);
      }
    }
  }

  /** While polling, interrupts stay off; the end of the round asks for them. */
  #senderWaits(): void {
    if (!this.#chart.matches('idle')) return;
    if (this.#sender.unmask()) this.#chart.send(INTERRUPT);
  }

  /** Begins a round. */
  #poll(): void {
    this.#budget = POLL_BUDGET;
    this.#sender.poll();
    this.#receiveNext();
  }

  /** Takes the next packet off the ring; the CPU then works on it. */
  #receiveNext(): void {
    if (this.#layout === null) return;
    const { ring, queue } = this.#layout;
    const found = !this.#paused && ring.hasUsed;
    if (!found || this.#budget === 0) {
      if (!this.#paused) this.#owner.tell(queue);
      this.#owner.polled();
      if (this.#layout !== null) this.#chart.send(found ? SPENT : DRAINED);
      return;
    }
    this.#budget--;
    const buffers = this.#gather(this.#layout);
    if (buffers < 0) return this.#owner.broken();
    this.packets++;
    this.bytes += this.#length;
    const { node, timing, ringCosts } = this.#owner;
    const cost =
      node.charge(timing.driverReceive) +
      ringCosts.reap(buffers + this.#sender.takeUnpaid()) +
      ringCosts.add(buffers) +
      node.chargeBytes(node.timing.copyRate, this.#length) +
      // Without help of the device, the CPU goes over all bytes for the checksum.
      (this.#checked ? 0 : node.chargeBytes(timing.checksumRate, this.#length));
    const { core } = this.#layout;
    node.cpu.submit(Priority.interrupt, cost, this, RECEIVED, this.#epoch, 0, core);
  }

  /**
   * Reaps one packet from the buffers that it lies in and makes these available again. Returns how many
   * they were, or -1 when the ring is broken.
   */
  #gather({ ring, queue, bufferBytes, sender, hasher }: PairLayout): number {
    const { memory } = this.#owner.node;
    this.#length = 0;
    let buffers = 1;
    for (let i = 0; i < buffers; i++) {
      const head = ring.reap();
      if (head === REAP_BROKEN) return -1;
      if (head === REAP_NONE) return this.#malformed(i, 'it lacks buffers');
      const address = this.#owner.tagOf(queue, head);
      const skip = i === 0 ? sender.headerSize : 0;
      const length = Math.min(ring.usedLength, bufferBytes) - skip;
      if (i === 0) {
        buffers = Math.max(1, memory.readU16(address + NET_HEADER.bufferCount));
        this.#flags = memory.readU8(address + NET_HEADER.flags);
        const joined = memory.readU8(address + NET_HEADER.gsoType) !== NET_GSO.NONE;
        this.#segment = joined ? memory.readU16(address + NET_HEADER.gsoSize) : 0;
        if (hasher !== null) this.#readHash(address);
      }
      if (length > 0 && this.#length + length <= PACKET_MAX) {
        memory.copyOut(address + skip, this.#packet, this.#length, length);
        this.#length += length;
      }
      this.#addBuffer(address);
    }
    if (hasher !== null) this.#checkHash(hasher);
    return buffers;
  }

  #readHash(address: number): void {
    const { memory } = this.#owner.node;
    this.#hashKind = memory.readU16(address + NET_HEADER.hashReport);
    this.#hash = memory.readU32(address + NET_HEADER.hashValue);
  }

  /** Compares the hash that came with a packet with its own. */
  #checkHash(hasher: FlowHasher): void {
    // Packets of before the device has heard what to hash have none.
    if (this.#hashKind === HASH_KIND.none || !this.#view.parse(this.#packet, this.#length)) return;
    hasher.hash(this.#packet, this.#view);
    this.#owner.hashed(hasher.kind === this.#hashKind && hasher.value === this.#hash);
  }

  #malformed(buffers: number, why: string): number {
    const { node, name } = this.#owner;
    node.violations.report('BAD_REQUEST', `${name}: a received packet: ${why}`);
    this.#length = 0;
    return buffers;
  }

  /** True when the device vouches for the checksum of the packet that is being handled. */
  get #checked(): boolean {
    // What is left to be summed has been found right before.
    const vouches = NET_HEADER_F.DATA_VALID | NET_HEADER_F.NEEDS_CSUM;
    return this.#layout!.checksChecksums && (this.#flags & vouches) !== 0;
  }

  /** The CPU has dealt with the packet. */
  #handle(): void {
    if (this.#length > 0) {
      this.#owner.received(this.#packet, this.#length, this.#checked, this.#segment);
    }
    this.#receiveNext();
  }

  #addBuffer(address: number): void {
    const { ring, queue, bufferBytes } = this.#layout!;
    ring.addSegment(this.#owner.busAddress(address), bufferBytes, true);
    this.#owner.commit(queue, address);
  }
}

const INTERRUPT: PollEvent = { type: 'INTERRUPT' };
const SPENT: PollEvent = { type: 'SPENT' };
const DRAINED: PollEvent = { type: 'DRAINED' };
const FOUND: PollEvent = { type: 'FOUND' };
const NOTHING: PollEvent = { type: 'NOTHING' };
const STOP: PollEvent = { type: 'STOP' };
