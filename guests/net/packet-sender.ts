// The transmit queue of a pair on the driver's side: packets are copied into memory that the device
// shares, put into the ring one after another by the CPU, and taken back once they are sent.
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
import { PacketArena } from './packet-arena.ts';

/** Packets added to a ring before the device is told, while more are coming. */
const UNTOLD_MAX = 16;
/** Numbers of packets gone that may stand before those of pending ones. */
const PENDING_SLACK = 256;

/** What a sender needs of its pair. */
export interface SenderOwner {
  readonly node: Node;
  /** Ids of timing constants. */
  readonly timing: { readonly driverTransmit: number; readonly checksumRate: number };
  /** What the driver's work on rings costs. */
  readonly ringCosts: RingCosts;
  busAddress(address: number): number;
  /** Makes the chain built on a queue's ring available, with a tag; returns its name. */
  commit(queue: number, tag: number): number;
  tagOf(queue: number, head: number): number;
  /** Tells the device of what was added to a queue, if it wants to know. */
  tell(queue: number): void;
  /** The device has broken the ring. */
  broken(): void;
  /** There is room for packets again, after `send` had none. */
  writable(): void;
  /** The sender waits for packets to be gone, and must hear of it. */
  waits(): void;
}

/** What a sender works with once the device is live. */
export interface SenderLayout {
  readonly ring: DriverRing;
  readonly queue: number;
  /** Memory for packets on their way out. */
  readonly arena: number;
  readonly arenaBytes: number;
  /** Bytes of the header before each packet. */
  readonly headerSize: number;
  /** The device sees to checksums. */
  readonly checksumOffload: boolean;
}

export class PacketSender implements CpuClient {
  /** Frames that the packets accepted so far make, once the device has cut them, and their bytes. */
  frames = 0;
  bytes = 0;
  /** The ring is full, or `send` had no room: the device must say when packets are gone. */
  blocked = false;
  readonly #owner: SenderOwner;
  #layout: SenderLayout | null = null;
  #arena = new PacketArena(0, 0);
  /** The queue is being reset: its ring is left alone. */
  #paused = false;
  /** Packets that are not in the ring yet: address and length of each, oldest first, from `#next` on. */
  readonly #pending: number[] = [];
  #next = 0;
  #sending = false;
  #untold = 0;
  /** The ring is full: pending packets wait. */
  #full = false;
  /** Packets were taken back since the sender was blocked. */
  #freed = false;
  /** Packets taken back for which the CPU has not worked yet. */
  #unpaid = 0;
  /** Work of before the device was lost carries an older epoch. */
  #epoch = 0;

  constructor(owner: SenderOwner) {
    this.#owner = owner;
  }

  /** The device is live. */
  start(layout: SenderLayout): void {
    this.#layout = layout;
    this.#arena = new PacketArena(layout.arena, layout.arenaBytes);
    this.#paused = false;
    this.mask();
  }

  /** The device is lost, and everything on its way with it. */
  stop(): void {
    this.#epoch++;
    this.#layout = null;
    this.#pending.length = 0;
    this.#next = 0;
    this.#sending = false;
    this.#full = false;
    this.#freed = false;
    this.blocked = false;
    this.#unpaid = 0;
    this.#untold = 0;
  }

  /**
   * Sends a frame, copying its bytes. Returns false when there is no room for it now; `writable` is
   * called when there may be.
   */
  send(bytes: Uint8Array, length: number, offload: Offload): boolean {
    const { memory } = this.#owner.node;
    const headerSize = this.#layout?.headerSize ?? 0;
    const size = headerSize + length;
    let address = this.#take(size, offload.bulk);
    if (address < 0 && this.#reclaim()) address = this.#take(size, offload.bulk);
    if (address < 0) {
      this.#block();
      return false;
    }
    memory.fill(address, headerSize, 0);
    writeHeader(this.#owner.node, address, offload);
    memory.copyIn(address + headerSize, bytes, 0, length);
    this.#pending.push(address, size);
    this.#count(length, offload);
    if (!this.#sending && !this.#full) this.#sendNext();
    return true;
  }

  #count(length: number, { gsoType, gsoSize, headerLength }: Offload): void {
    const whole = gsoType === NET_GSO.NONE;
    const frames = whole ? 1 : Math.max(1, Math.ceil((length - headerLength) / gsoSize));
    this.frames += frames;
    this.bytes += length + (frames - 1) * headerLength;
  }

  /** The queue's reset begins. */
  pause(): void {
    this.#paused = true;
  }

  /** A packet came back because the queue is being reset. */
  returned(address: number): void {
    this.#arena.give(address);
    this.#unpaid++;
    this.#freed = true;
  }

  /** The queue has a new ring, with what was on the old one. */
  resume(ring: DriverRing): void {
    if (this.#layout === null) return;
    this.#layout = { ...this.#layout, ring };
    this.#paused = false;
    this.mask();
    this.blocked = false;
    this.#full = false;
    if (this.#hasPending && !this.#sending) this.#sendNext();
    this.#owner.writable();
  }

  /** Asks not to hear of packets that are gone. */
  mask(): void {
    if (!this.#paused) this.#layout!.ring.disableInterrupts();
  }

  /** Asks to hear of packets that are gone; true when some are already. */
  unmask(): boolean {
    return !this.#paused && this.#layout!.ring.enableInterrupts();
  }

  /** Everything sent was taken back. */
  get idle(): boolean {
    return this.#arena.used === 0;
  }

  /** Takes back what was sent, and goes on if that is what was waited for. */
  poll(): void {
    if (this.#layout === null) return;
    this.#reclaim();
    if (!this.blocked || !this.#freed) return;
    this.blocked = false;
    this.#full = false;
    if (this.#hasPending && !this.#sending) this.#sendNext();
    this.#owner.writable();
  }

  /** Packets taken back that were not paid for; the caller's CPU work pays for them. */
  takeUnpaid(): number {
    const count = this.#unpaid;
    this.#unpaid = 0;
    return count;
  }

  /** The CPU has built the oldest packet. */
  deliver(_step: number, epoch: number): void {
    if (epoch === this.#epoch && this.#layout !== null) this.#add(this.#layout);
  }

  /** Room for a packet, or -1. Bulk leaves half of the memory to others, and so waits less itself. */
  #take(size: number, bulk: boolean): number {
    const half = (this.#layout?.arenaBytes ?? 0) / 2;
    if (bulk && this.#arena.used > 0 && this.#arena.used + size > half) return -1;
    return this.#arena.take(size);
  }

  /** The CPU works on the oldest packet. */
  #sendNext(): void {
    this.#sending = true;
    const { node, timing, ringCosts } = this.#owner;
    const size = this.#pending[this.#next + 1];
    const cost =
      node.charge(timing.driverTransmit) +
      ringCosts.add() +
      ringCosts.reap(this.takeUnpaid()) +
      node.chargeBytes(node.timing.copyRate, size) +
      (this.#layout!.checksumOffload ? 0 : node.chargeBytes(timing.checksumRate, size));
    node.cpu.submit(Priority.task, cost, this, 0, this.#epoch);
  }

  /** Puts the oldest packet into the ring, or waits until it has room. */
  #add({ ring, queue }: SenderLayout): void {
    this.#sending = false;
    if (!ring.hasRoom(1)) this.#reclaim();
    if (this.#paused || !ring.hasRoom(1)) {
      if (!this.#paused) this.#tell(queue);
      this.#full = true;
      return this.#block();
    }
    const address = this.#pending[this.#next];
    ring.addSegment(this.#owner.busAddress(address), this.#pending[this.#next + 1], false);
    this.#owner.commit(queue, address);
    this.#forgetPending();
    this.#untold++;
    if (!this.#hasPending || this.#untold >= UNTOLD_MAX) this.#tell(queue);
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

  /** Takes packets back that the device has sent. Returns true when there were any. */
  #reclaim(): boolean {
    if (this.#paused) return false;
    const { ring, queue } = this.#layout!;
    let count = 0;
    for (; ; count++) {
      const head = ring.reap();
      if (head === REAP_NONE) break;
      if (head === REAP_BROKEN) {
        this.#owner.broken();
        return false;
      }
      this.#arena.give(this.#owner.tagOf(queue, head));
    }
    this.#unpaid += count;
    if (count > 0) this.#freed = true;
    return count > 0;
  }

  /** Nothing more fits: the device must say when packets are gone. */
  #block(): void {
    if (this.#layout === null) return;
    this.blocked = true;
    this.#freed = false;
    this.#owner.waits();
  }
}

/** Writes what is not zero in the header of a packet. */
function writeHeader({ memory }: Node, at: number, offload: Offload): void {
  const { checksumStart, checksumOffset, gsoType, gsoSize, headerLength } = offload;
  const needs = checksumStart >= 0;
  memory.writeU8(at + NET_HEADER.flags, needs ? NET_HEADER_F.NEEDS_CSUM : 0);
  memory.writeU8(at + NET_HEADER.gsoType, gsoType);
  memory.writeU16(at + NET_HEADER.headerLength, headerLength);
  memory.writeU16(at + NET_HEADER.gsoSize, gsoSize);
  memory.writeU16(at + NET_HEADER.checksumStart, needs ? checksumStart : 0);
  memory.writeU16(at + NET_HEADER.checksumOffset, needs ? checksumOffset : 0);
}
