// One pair of receive and transmit queues on the driver's side: buffers for the device to fill, packets
// on their way out, and the polling of both.
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  type DriverRing,
  NET_HEADER,
  NET_HEADER_F,
  NET_HEADER_SIZE,
  REAP_BROKEN,
  REAP_NONE,
} from '../../platform/virtio/index.ts';
import type { Offload } from './packet.ts';
import { PacketArena } from './packet-arena.ts';
import { type PollEffect, type PollEvent, pollChart } from './poll-chart.ts';

/** Packets that one round of polling takes at the most. */
export const POLL_BUDGET = 64;
/** Packets added to a ring before the device is told, while more are coming. */
const UNTOLD_MAX = 16;
const PACKET_MAX = 65_535 + 64;
/** Numbers of packets gone that may stand before those of pending ones. */
const PENDING_SLACK = 256;

const POLL = 0;
const RECEIVED = 1;
const TRANSMIT = 2;

/** What a pair needs of its driver. */
export interface PairOwner {
  readonly node: Node;
  readonly name: string;
  readonly timing: PairTiming;
  busAddress(address: number): number;
  /** Tells the device of what was added to a queue, if it wants to know. */
  tell(queue: number): void;
  /** The device has broken a ring. */
  broken(): void;
  /** A frame came in; the bytes are valid only during the call. */
  received(bytes: Uint8Array, length: number, checked: boolean): void;
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
  readonly receive: DriverRing;
  readonly transmit: DriverRing;
  readonly receiveQueue: number;
  readonly transmitQueue: number;
  /** Receive buffers, one after another. */
  readonly buffers: number;
  readonly bufferBytes: number;
  /** Memory for packets on their way out. */
  readonly arena: number;
  readonly arenaBytes: number;
  readonly checksumOffload: boolean;
  readonly checksChecksums: boolean;
}

export class QueuePair implements CpuClient {
  readonly #owner: PairOwner;
  readonly #chart: Chart<unknown, PollEvent>;
  readonly #packet = new Uint8Array(PACKET_MAX);
  #layout: PairLayout | null = null;
  #arena = new PacketArena(0, 0);
  #bufferOf = new Float64Array(0);
  #addressOf = new Float64Array(0);
  #budget = 0;
  /** Bytes of the packet that is being handled, the flags of its header; 0 when it made no sense. */
  #length = 0;
  #flags = 0;
  /** Packets built but not in the ring: address and length of each, oldest first, from `#next` on. */
  readonly #pending: number[] = [];
  #next = 0;
  #sending = false;
  #untold = 0;
  /** The ring is full: pending packets wait. */
  #full = false;
  /** The ring is full, or `send` had no room: the device must say when packets are gone. */
  #blocked = false;
  /** Packets taken back for which the CPU has not worked yet. */
  #reclaimed = 0;
  /** Work of before the device was lost carries an older epoch. */
  #epoch = 0;

  constructor(owner: PairOwner, pair: number) {
    this.#owner = owner;
    this.#chart = owner.node.charts.start(pollChart, {
      name: `${owner.name}.poll${pair}`,
      perform: (effect: PollEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  /** The device is live. */
  start(layout: PairLayout): void {
    this.#layout = layout;
    const { receive, transmit, buffers, bufferBytes, arena, arenaBytes, receiveQueue } = layout;
    this.#arena = new PacketArena(arena, arenaBytes);
    this.#bufferOf = new Float64Array(receive.size);
    this.#addressOf = new Float64Array(transmit.size);
    for (let i = 0; i < receive.size; i++) this.#addBuffer(buffers + i * bufferBytes);
    transmit.disableInterrupts();
    this.#owner.tell(receiveQueue);
  }

  /** The device is lost, and everything on its way with it. */
  stop(): void {
    this.#epoch++;
    this.#layout = null;
    this.#pending.length = 0;
    this.#next = 0;
    this.#sending = false;
    this.#full = false;
    this.#blocked = false;
    this.#reclaimed = 0;
    this.#untold = 0;
    this.#chart.send(STOP);
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
    const { memory } = this.#owner.node;
    let address = this.#take(NET_HEADER_SIZE + length, offload.bulk);
    if (address < 0 && this.#reclaim() > 0) {
      address = this.#take(NET_HEADER_SIZE + length, offload.bulk);
    }
    if (address < 0) {
      this.#block();
      return false;
    }
    writeHeader(this.#owner.node, address, offload);
    memory.copyIn(address + NET_HEADER_SIZE, bytes, 0, length);
    this.#pending.push(address, NET_HEADER_SIZE + length);
    if (!this.#sending && !this.#full) this.#sendNext();
    return true;
  }

  /** Room for a packet, or -1. Bulk leaves half of the memory to others, and so waits less itself. */
  #take(length: number, bulk: boolean): number {
    const arenaBytes = this.#layout?.arenaBytes ?? 0;
    if (bulk && this.#arena.used > 0 && this.#arena.used + length > arenaBytes / 2) return -1;
    return this.#arena.take(length);
  }

  deliver(step: number, epoch: number): void {
    if (epoch !== this.#epoch || this.#layout === null) return;
    if (step === POLL) this.#poll();
    else if (step === RECEIVED) this.#handle();
    else this.#transmit();
  }

  #perform(effect: PollEffect): void {
    if (this.#layout === null) return;
    const { receive, transmit } = this.#layout;
    switch (effect.type) {
      case 'mask':
        receive.disableInterrupts();
        transmit.disableInterrupts();
        return;
      case 'poll': {
        const { node } = this.#owner;
        const priority = effect.yielding ? Priority.task : Priority.interrupt;
        node.cpu.submit(priority, node.charge(this.#timing.poll), this, POLL, this.#epoch);
        return;
      }
      case 'unmask': {
        const received = receive.enableInterrupts();
        const gone = this.#blocked && transmit.enableInterrupts();
        return this.#chart.send(received || gone ? FOUND : NOTHING);
      }
    }
  }

  get #timing(): PairTiming {
    return this.#owner.timing;
  }

  /** Begins a round. */
  #poll(): void {
    this.#budget = POLL_BUDGET;
    if (this.#reclaim() > 0) this.#unblock();
    this.#receiveNext();
  }

  /** Takes the next packet off the ring; the CPU then works on it. */
  #receiveNext(): void {
    if (this.#layout === null) return;
    const { receive } = this.#layout;
    if (!receive.hasUsed || this.#budget === 0) {
      this.#owner.tell(this.#layout.receiveQueue);
      this.#owner.polled();
      if (this.#layout !== null) this.#chart.send(receive.hasUsed ? SPENT : DRAINED);
      return;
    }
    this.#budget--;
    const buffers = this.#gather();
    if (buffers < 0) return this.#owner.broken();
    const { node } = this.#owner;
    const { timing } = node;
    const cost =
      node.charge(this.#timing.driverReceive) +
      this.#reclaimCost(buffers) +
      node.chargeTimes(timing.ringAdd, buffers) +
      node.chargeBytes(timing.copyRate, this.#length) +
      this.#checkCost();
    node.cpu.submit(Priority.interrupt, cost, this, RECEIVED, this.#epoch);
  }

  /** What it costs to take these buffers off a ring, and the packets that were taken back since. */
  #reclaimCost(buffers: number): number {
    const { node } = this.#owner;
    const count = buffers + this.#reclaimed;
    this.#reclaimed = 0;
    return node.chargeTimes(node.timing.ringReap, count);
  }

  /** Without help of the device, the CPU goes over all bytes for the checksum. */
  #checkCost(): number {
    if ((this.#flags & NET_HEADER_F.DATA_VALID) !== 0) return 0;
    return this.#owner.node.chargeBytes(this.#timing.checksumRate, this.#length);
  }

  /**
   * Reaps one packet from the buffers that it lies in and makes these available again. Returns how many
   * they were, or -1 when the ring is broken.
   */
  #gather(): number {
    const { receive, bufferBytes } = this.#layout!;
    const { memory } = this.#owner.node;
    this.#length = 0;
    let buffers = 1;
    for (let i = 0; i < buffers; i++) {
      const head = receive.reap();
      if (head === REAP_BROKEN) return -1;
      if (head === REAP_NONE) return this.#malformed(i, 'it lacks buffers');
      const address = this.#bufferOf[head];
      const skip = i === 0 ? NET_HEADER_SIZE : 0;
      const length = Math.min(receive.usedLength, bufferBytes) - skip;
      if (i === 0) {
        buffers = Math.max(1, memory.readU16(address + NET_HEADER.bufferCount));
        this.#flags = memory.readU8(address + NET_HEADER.flags);
      }
      if (length > 0 && this.#length + length <= PACKET_MAX) {
        memory.copyOut(address + skip, this.#packet, this.#length, length);
        this.#length += length;
      }
      this.#addBuffer(address);
    }
    return buffers;
  }

  #malformed(buffers: number, why: string): number {
    const { node, name } = this.#owner;
    node.violations.report('BAD_REQUEST', `${name}: a received packet: ${why}`);
    this.#length = 0;
    return buffers;
  }

  #handle(): void {
    const checked = this.#layout!.checksChecksums && (this.#flags & NET_HEADER_F.DATA_VALID) !== 0;
    if (this.#length > 0) this.#owner.received(this.#packet, this.#length, checked);
    this.#receiveNext();
  }

  #addBuffer(address: number): void {
    const { receive, bufferBytes } = this.#layout!;
    receive.addSegment(this.#owner.busAddress(address), bufferBytes, true);
    this.#bufferOf[receive.commit()] = address;
  }

  /** The CPU works on the oldest packet to send. */
  #sendNext(): void {
    this.#sending = true;
    const { node } = this.#owner;
    const { timing } = node;
    const bytes = this.#pending[1];
    const sums = this.#layout!.checksumOffload
      ? 0
      : node.chargeBytes(this.#timing.checksumRate, bytes);
    const cost =
      node.charge(this.#timing.driverTransmit) +
      node.charge(timing.ringAdd) +
      node.chargeBytes(timing.copyRate, bytes) +
      sums;
    node.cpu.submit(Priority.task, cost, this, TRANSMIT, this.#epoch);
  }

  /** Puts the oldest packet into the ring, or waits until it has room. */
  #transmit(): void {
    const { transmit, transmitQueue } = this.#layout!;
    this.#sending = false;
    if (!transmit.hasRoom(1)) this.#reclaim();
    if (!transmit.hasRoom(1)) {
      this.#tell(transmitQueue);
      this.#full = true;
      return this.#block();
    }
    const address = this.#pending[this.#next];
    const length = this.#pending[this.#next + 1];
    this.#forgetPending();
    transmit.addSegment(this.#owner.busAddress(address), length, false);
    this.#addressOf[transmit.commit()] = address;
    this.#untold++;
    if (!this.#hasPending || this.#untold >= UNTOLD_MAX) this.#tell(transmitQueue);
    if (this.#hasPending) this.#sendNext();
  }

  get #hasPending(): boolean {
    return this.#next < this.#pending.length;
  }

  /** The oldest pending packet is in the ring. */
  #forgetPending(): void {
    this.#next += 2;
    if (this.#next < PENDING_SLACK && this.#hasPending) return;
    this.#pending.splice(0, this.#next);
    this.#next = 0;
  }

  #tell(queue: number): void {
    this.#untold = 0;
    this.#owner.tell(queue);
  }

  /** Takes packets back that the device has sent. Returns how many. */
  #reclaim(): number {
    const { transmit } = this.#layout!;
    let count = 0;
    for (; ; count++) {
      const head = transmit.reap();
      if (head === REAP_NONE) break;
      if (head === REAP_BROKEN) {
        this.#owner.broken();
        return 0;
      }
      this.#arena.give(this.#addressOf[head]);
    }
    this.#reclaimed += count;
    return count;
  }

  /** Nothing more fits: ask for a signal when packets are gone. */
  #block(): void {
    if (this.#layout === null) return;
    this.#blocked = true;
    // While polling, interrupts stay off; the end of the round asks for them.
    if (this.#chart.matches('idle') && this.#layout.transmit.enableInterrupts()) {
      this.#chart.send(INTERRUPT);
    }
  }

  #unblock(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#full = false;
    if (this.#hasPending && !this.#sending) this.#sendNext();
    this.#owner.writable();
  }
}

function writeHeader({ memory }: Node, at: number, offload: Offload): void {
  const { checksumStart, checksumOffset, gsoType, gsoSize, headerLength } = offload;
  const needs = checksumStart >= 0;
  memory.fill(at, NET_HEADER_SIZE, 0);
  memory.writeU8(at + NET_HEADER.flags, needs ? NET_HEADER_F.NEEDS_CSUM : 0);
  memory.writeU8(at + NET_HEADER.gsoType, gsoType);
  memory.writeU16(at + NET_HEADER.headerLength, headerLength);
  memory.writeU16(at + NET_HEADER.gsoSize, gsoSize);
  memory.writeU16(at + NET_HEADER.checksumStart, needs ? checksumStart : 0);
  memory.writeU16(at + NET_HEADER.checksumOffset, needs ? checksumOffset : 0);
}

const INTERRUPT: PollEvent = { type: 'INTERRUPT' };
const SPENT: PollEvent = { type: 'SPENT' };
const DRAINED: PollEvent = { type: 'DRAINED' };
const FOUND: PollEvent = { type: 'FOUND' };
const NOTHING: PollEvent = { type: 'NOTHING' };
const STOP: PollEvent = { type: 'STOP' };
