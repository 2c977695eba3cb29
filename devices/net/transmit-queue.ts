// One transmit queue: reads packets by DMA, prepares them as the driver asks, and puts them on the
// cable. A packet is returned to the driver when its last bit has left, so that a full cable fills the
// ring. Steps of one queue are taken one after another, as by one thread.
//
//   ring ──▶ waiting ──DMA──▶ read ──CPU──▶ on the cable ──▶ returned
//                      └──────── at most WINDOW_BYTES ────────┘
import type { DmaClient, DmaFault, DmaPort } from '../../platform/contracts/index.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import { ETHERNET_HEADER, VLAN_TAG } from '../../platform/network/index.ts';
import { type CpuClient, Milestone, type Node, Priority } from '../../platform/node/index.ts';
import { NET_GSO, NET_HEADER_SIZE_MAX } from '../../platform/virtio/index.ts';
import type { Chain, QueueEngine } from '../common/index.ts';
import type { Agreement } from './agreement.ts';
import {
  emptyHeader,
  type FrameSink,
  fillChecksum,
  needsChecksum,
  readHeader,
  Segmenter,
} from './offloads.ts';

/** Bytes of packets that are read and not yet returned, at the most; one packet always may be. */
const WINDOW_BYTES = 131_072;
/** More than the window holds packets. A tag is generation × SLOTS + slot. */
const SLOTS = 65_536;
/** Largest packet: an IP packet of 64 KiB, its Ethernet header and a tag. */
const PACKET_MAX = NET_HEADER_SIZE_MAX + ETHERNET_HEADER + VLAN_TAG + 65_535;

/** Step on the CPU, event on the kernel. */
const PREPARED = 0;
const DEPARTED = 1;

export interface TransmitTiming {
  /** Ids of timing constants. */
  readonly deviceTransmit: number;
  readonly checksumRate: number;
}

/** What a transmit queue needs of its device. */
export interface TransmitOwner {
  readonly node: Node;
  readonly name: string;
  readonly dma: DmaPort;
  readonly agreement: Agreement;
  /** False while frames can't leave. */
  readonly linkUp: boolean;
  readonly mtu: number;
  /** Puts a frame on the cable; returns the ps until its last bit has left. */
  sendFrame(pair: number, bytes: Uint8Array, offset: number, length: number): number;
}

class Slot {
  chain: Chain | null = null;
  bytes = new Uint8Array(0);
  length = 0;
  read = false;
  refused = false;
  /** Counts the uses of the slot, so that what concerns a forgotten packet is known as such. */
  generation = 0;
}

export class TransmitQueue implements DmaClient, CpuClient, Component {
  packets = 0;
  /** Frames that these have made, and their bytes. */
  framesSent = 0;
  bytesSent = 0;
  /** Packets that made no sense, or came while the cable was out, and the former alone. */
  dropped = 0;
  malformed = 0;
  readonly #owner: TransmitOwner;
  readonly #queue: QueueEngine;
  readonly #pair: number;
  readonly #timing: TransmitTiming;
  readonly #id: ComponentId;
  readonly #segmenter = new Segmenter();
  readonly #header = emptyHeader();
  readonly #sink: FrameSink;
  readonly #waiting: Chain[] = [];
  readonly #slots: Slot[] = [];
  readonly #free: number[] = [];
  /** Slots being read or to be prepared, oldest first. */
  readonly #order: number[] = [];
  #windowBytes = 0;
  #preparing = false;
  /** Departure of the last frame of the packet being sent, in ps from now. */
  #departure = 0;
  /** Frames that the packet being prepared will make; 0 for one that makes no sense. */
  #frames = 0;

  constructor(
    owner: TransmitOwner,
    place: { readonly queue: QueueEngine; readonly pair: number; readonly timing: TransmitTiming },
  ) {
    this.#owner = owner;
    this.#queue = place.queue;
    this.#pair = place.pair;
    this.#timing = place.timing;
    this.#id = owner.node.add(this);
    this.#sink = (bytes, offset, length) => {
      this.framesSent++;
      this.bytesSent += length;
      this.#departure = owner.sendFrame(this.#pair, bytes, offset, length);
    };
  }

  /** Takes a packet that the driver has made available. */
  accept(chain: Chain): void {
    this.#waiting.push(chain);
    this.#readMore();
  }

  /** Forgets all packets; frames on the cable arrive nevertheless. */
  forget(): void {
    this.#waiting.length = 0;
    this.#order.length = 0;
    this.#preparing = false;
    for (let slot = 0; slot < this.#slots.length; slot++) {
      if (this.#slots[slot].chain !== null) this.#release(slot);
    }
  }

  readDone(tag: number, bytes: Uint8Array, length: number): void {
    const slot = this.#find(tag);
    if (slot === null) return;
    if (slot.bytes.length < length) slot.bytes = new Uint8Array(Math.max(length, 2048));
    slot.bytes.set(bytes.subarray(0, length));
    slot.length = length;
    slot.read = true;
    this.#queue.dataRead();
    this.#prepareNext();
  }

  refused(tag: number, fault: DmaFault): void {
    const { node, name } = this.#owner;
    node.violations.report(
      'DMA_FAULT',
      `${name}: read of ${fault.length} bytes at bus address 0x${fault.address.toString(16)} ` +
        `refused: ${fault.reason}`,
    );
    const slot = this.#find(tag);
    if (slot === null) return;
    slot.read = true;
    slot.refused = true;
    this.#queue.dataRead();
    this.#prepareNext();
  }

  deliver(step: number, tag: number): void {
    const slot = this.#find(tag);
    if (slot === null) return;
    if (step === PREPARED) this.#send(slot, tag);
    else this.#return(tag % SLOTS);
  }

  /** Starts reads as long as the window has room. */
  #readMore(): void {
    while (this.#waiting.length > 0) {
      const chain = this.#waiting[0];
      const fits = this.#windowBytes + chain.readableBytes <= WINDOW_BYTES;
      if (!fits && this.#windowBytes > 0) return;
      this.#waiting.shift();
      const index = this.#free.pop() ?? this.#slots.push(new Slot()) - 1;
      const slot = this.#slots[index];
      slot.chain = chain;
      slot.length = 0;
      slot.read = false;
      slot.refused = false;
      this.#windowBytes += chain.readableBytes;
      this.#order.push(index);
      if (chain.readableBytes === 0 || chain.readableBytes > PACKET_MAX) {
        slot.read = true;
        continue;
      }
      this.#queue.readData(chain, this, slot.generation * SLOTS + index);
    }
    this.#prepareNext();
  }

  /** The CPU prepares the oldest packet, once it is read. */
  #prepareNext(): void {
    if (this.#preparing || this.#order.length === 0) return;
    const index = this.#order[0];
    const slot = this.#slots[index];
    if (!slot.read) return;
    this.#preparing = true;
    this.#queue.mark(slot.chain!, Milestone.started);
    this.#frames = slot.refused ? 0 : this.#framesOf(slot);
    const { node } = this.#owner;
    const cost = this.#cost(slot);
    node.cpu.submit(Priority.task, cost, this, PREPARED, slot.generation * SLOTS + index);
  }

  #cost({ length }: Slot): number {
    const { node } = this.#owner;
    const packet = node.charge(node.timing.deviceStep);
    const frames = node.chargeTimes(this.#timing.deviceTransmit, Math.max(1, this.#frames));
    if (this.#frames === 0 || !needsChecksum(this.#header)) return packet + frames;
    const covered = length - this.#owner.agreement.headerSize - this.#header.checksumStart;
    return packet + frames + node.chargeBytes(this.#timing.checksumRate, Math.max(0, covered));
  }

  /** Reads the header of a packet. Returns how many frames it makes; 0, and a violation, for none. */
  #framesOf({ bytes, length }: Slot): number {
    const { agreement, mtu } = this.#owner;
    const { headerSize } = agreement;
    if (length < headerSize + ETHERNET_HEADER) return this.#refuse('it has no whole header');
    readHeader(bytes, this.#header);
    const { gsoType } = this.#header;
    const wantsSum = needsChecksum(this.#header);
    if (wantsSum && !agreement.fillsChecksums) {
      return this.#refuse('NEEDS_CSUM was not negotiated');
    }
    const headers = ETHERNET_HEADER + VLAN_TAG;
    if (gsoType === NET_GSO.NONE) {
      const tooLong = length - headerSize > mtu + headers;
      return tooLong ? this.#refuse(`${length} bytes are more than the MTU allows`) : 1;
    }
    if (!agreement.cuts(gsoType)) return this.#refuse(`GSO type ${gsoType} was not negotiated`);
    if (!wantsSum) return this.#refuse('segmentation without NEEDS_CSUM');
    const frames = this.#segmenter.count(bytes, headerSize, length, this.#header);
    return frames > 0 ? frames : this.#refuse('it can not be cut into segments');
  }

  #refuse(why: string): number {
    this.malformed++;
    this.#owner.node.violations.report('BAD_REQUEST', `${this.#owner.name}: a packet: ${why}`);
    return 0;
  }

  #send(slot: Slot, tag: number): void {
    const { node, linkUp } = this.#owner;
    this.#order.shift();
    this.#preparing = false;
    this.#queue.mark(slot.chain!, Milestone.served);
    if (this.#frames > 0 && linkUp && this.#sendFrames(slot)) {
      this.packets++;
      node.kernel.schedule(this.#id, this.#departure, DEPARTED, tag);
      this.#prepareNext();
      return;
    }
    this.dropped++;
    this.#return(tag % SLOTS);
  }

  /** Puts the frames of a packet on the cable; false when the header asks for what is not there. */
  #sendFrames({ bytes, length }: Slot): boolean {
    const { gsoType, gsoSize } = this.#header;
    const { headerSize } = this.#owner.agreement;
    if (gsoType !== NET_GSO.NONE) {
      this.#segmenter.cut(bytes, headerSize, length, gsoSize, this.#sink);
      return true;
    }
    if (needsChecksum(this.#header)) {
      if (!fillChecksum(bytes, headerSize, length, this.#header)) {
        this.#refuse('the checksum lies outside it');
        return false;
      }
    }
    this.#sink(bytes, headerSize, length - headerSize);
    return true;
  }

  #return(index: number): void {
    const chain = this.#slots[index].chain!;
    this.#release(index);
    if (this.#queue.complete(chain, 0)) this.#readMore();
    else this.#queue.fail();
  }

  #release(index: number): void {
    const slot = this.#slots[index];
    this.#windowBytes -= slot.chain!.readableBytes;
    slot.chain = null;
    slot.generation++;
    this.#free.push(index);
  }

  /** The slot that a tag names, or null when it was forgotten meanwhile. */
  #find(tag: number): Slot | null {
    const slot = this.#slots[tag % SLOTS];
    return slot.generation === Math.floor(tag / SLOTS) ? slot : null;
  }
}
