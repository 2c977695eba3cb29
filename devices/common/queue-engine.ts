// The device's side of one split virtqueue: it fetches available chains by DMA, hands them to the
// device, writes used elements, and signals the driver. What a fetch costs is real: the index, the
// entries and the descriptors are separate reads; a descriptor read brings the rest of its 64-byte line.
import type { DmaClient, DmaFault, DmaPort, QueueSetup } from '../../platform/contracts/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, Milestone, type Node, Priority } from '../../platform/node/index.ts';
import {
  AVAIL,
  AVAIL_F_NO_INTERRUPT,
  DESC,
  DESC_F_INDIRECT,
  DESC_F_NEXT,
  DESC_F_WRITE,
  DESC_SIZE,
  USED,
  USED_ELEMENT_SIZE,
} from '../../platform/virtio/index.ts';
import { Chain } from './chain.ts';
import { type QueueEffect, type QueueEvent, queueChart } from './queue-chart.ts';

/** Chains fetched in one go at the most. */
export const BATCH_MAX = 32;
const CACHE_LINE = 64;
const DESC_PER_LINE = CACHE_LINE / DESC_SIZE;

const STEP_HEADER = 0;
const STEP_ENTRIES = 1;
const STEP_CHAINS = 2;
const STEP_WRITE = 3;
const STEPS = 4;

const START: QueueEvent = { type: 'START' };
const STOP: QueueEvent = { type: 'STOP' };
const LOOK: QueueEvent = { type: 'LOOK' };
const NEW: QueueEvent = { type: 'NEW' };
const AGAIN: QueueEvent = { type: 'AGAIN' };
const EMPTY: QueueEvent = { type: 'EMPTY' };
const ENTRIES: QueueEvent = { type: 'ENTRIES' };
const MORE: QueueEvent = { type: 'MORE' };
const CHAINS: QueueEvent = { type: 'CHAINS' };
const BROKEN: QueueEvent = { type: 'BROKEN' };

/** What a queue needs of its device. */
export interface QueueOwner {
  readonly node: Node;
  readonly name: string;
  /** Index of the device in the topology. */
  readonly index: number;
  readonly dma: DmaPort;
  /** A chain is complete and the device's to serve. */
  accept(queue: QueueEngine, chain: Chain): void;
  /** The queue can't go on: its ring was refused or makes no sense. */
  queueBroken(queue: QueueEngine): void;
  notifyUsed(queue: number): void;
}

export class QueueEngine implements DmaClient, CpuClient {
  readonly index: number;
  setup: QueueSetup | null = null;
  readonly #owner: QueueOwner;
  readonly #chart: Chart<unknown, QueueEvent>;
  readonly #free: Chain[] = [];
  readonly #batch: Chain[] = [];
  readonly #heads = new Int32Array(BATCH_MAX);
  readonly #used = new Uint8Array(USED_ELEMENT_SIZE);
  readonly #usedIndexBytes = new Uint8Array(2);
  #uses = new Int32Array(0);
  #batchSize = 0;
  #availIndex = 0;
  #lastAvail = 0;
  #usedIndex = 0;
  /** Work of before a stop carries an older epoch, and is ignored. */
  #epoch = 0;
  #lookAgain = false;
  #signalWanted = false;
  #signalArmed = false;

  constructor(owner: QueueOwner, index: number) {
    this.#owner = owner;
    this.index = index;
    const name = `${owner.name}.queue${index}`;
    this.#chart = owner.node.charts.start(queueChart, {
      name,
      perform: (effect: QueueEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  /** Begins to serve; the ring is empty and both indexes are 0. */
  start(): void {
    if (this.setup === null) return;
    this.#uses = new Int32Array(this.setup.size);
    this.#chart.send(START);
    // The driver may have made buffers available before it said DRIVER_OK.
    if (this.#lookAgain) this.#chart.send(LOOK);
  }

  /** Stops at once. Chains handed out are forgotten; completing one later has no effect. */
  stop(): void {
    this.#chart.send(STOP);
  }

  /** The driver says that it made buffers available. */
  available(): void {
    this.#lookAgain = true;
    this.#chart.send(LOOK);
  }

  /**
   * Returns a chain to the driver, after the writes that the device has gathered on its DMA port: one
   * posted burst of data, used element and used index. Returns false when the burst was refused; then
   * nothing was written and the chain is still the device's.
   */
  complete(chain: Chain, written: number): boolean {
    const { dma } = this.#owner;
    const setup = this.setup!;
    const slot = this.#usedIndex & (setup.size - 1);
    writeU32(this.#used, 0, chain.head);
    writeU32(this.#used, 4, written);
    const element = setup.deviceArea + USED.ring + USED_ELEMENT_SIZE * slot;
    dma.writeSegment(element, this.#used, 0, USED_ELEMENT_SIZE);
    const nextIndex = (this.#usedIndex + 1) & 0xffff;
    this.#usedIndexBytes[0] = nextIndex;
    this.#usedIndexBytes[1] = nextIndex >>> 8;
    dma.writeSegment(setup.deviceArea + USED.index, this.#usedIndexBytes, 0, 2);
    if (!dma.write(this, this.#epoch * STEPS + STEP_WRITE)) return false;
    this.#usedIndex = nextIndex;
    this.mark(chain, Milestone.used);
    this.#free.push(chain);
    this.#signalWanted = true;
    this.available();
    return true;
  }

  /** Notes, while request anatomy is recorded, that a request has come this far. */
  mark(chain: Chain, milestone: Milestone): void {
    const { node, index } = this.#owner;
    node.milestones?.mark(index, this.index, chain.head, chain.use, milestone);
  }

  /** Gives up: the device can't return a chain. */
  fail(): void {
    this.#chart.send(BROKEN);
  }

  deliver(step: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    const tag = this.#epoch * STEPS + step;
    const { dma } = this.#owner;
    const setup = this.setup!;
    if (step === STEP_HEADER) {
      this.#lookAgain = false;
      this.#signalArmed = this.#signalWanted;
      this.#signalWanted = false;
      dma.readSegment(setup.driverArea, AVAIL.ring);
    } else if (step === STEP_ENTRIES) {
      this.#gatherEntries(setup);
    } else {
      this.#gatherDescriptors(setup);
    }
    dma.read(this, tag);
  }

  readDone(tag: number, bytes: Uint8Array): void {
    const step = tag % STEPS;
    if (tag - step !== this.#epoch * STEPS) return;
    if (step === STEP_HEADER) this.#headerRead(bytes);
    else if (step === STEP_ENTRIES) this.#entriesRead(bytes);
    else this.#chainsRead(bytes);
  }

  refused(tag: number, fault: DmaFault): void {
    const step = tag % STEPS;
    if (tag - step !== this.#epoch * STEPS) return;
    const { node, name } = this.#owner;
    const verb = fault.write ? 'write' : 'read';
    node.violations.report(
      'DMA_FAULT',
      `${name} queue ${this.index}: ${verb} of ${fault.length} bytes at bus address ` +
        `0x${fault.address.toString(16)} refused: ${fault.reason}`,
    );
    // A refused write is the completing device's to handle: it still owns the chain.
    if (step !== STEP_WRITE) this.#chart.send(BROKEN);
  }

  #perform(effect: QueueEffect): void {
    switch (effect.type) {
      case 'readHeader':
        return this.#step(STEP_HEADER);
      case 'readEntries':
        return this.#step(STEP_ENTRIES);
      case 'readChains':
        return this.#step(STEP_CHAINS);
      case 'accept':
        return this.#acceptBatch();
      case 'discard':
        return this.#discard();
      case 'fail':
        this.#epoch++;
        return this.#owner.queueBroken(this);
    }
  }

  /** Device software works for a moment, then starts the read of this step. */
  #step(step: number): void {
    const { node } = this.#owner;
    node.cpu.submit(Priority.task, node.charge(node.timing.deviceStep), this, step, this.#epoch);
  }

  #headerRead(bytes: Uint8Array): void {
    const flags = bytes[0] | (bytes[1] << 8);
    this.#availIndex = bytes[AVAIL.index] | (bytes[AVAIL.index + 1] << 8);
    if (this.#signalArmed) {
      this.#signalArmed = false;
      if ((flags & AVAIL_F_NO_INTERRUPT) === 0) this.#owner.notifyUsed(this.index);
    }
    const pending = (this.#availIndex - this.#lastAvail) & 0xffff;
    if (pending > this.setup!.size) this.#bad(`avail index jumped by ${pending}`);
    else if (pending > 0) this.#chart.send(NEW);
    else this.#chart.send(this.#lookAgain ? AGAIN : EMPTY);
  }

  #gatherEntries(setup: QueueSetup): void {
    const pending = (this.#availIndex - this.#lastAvail) & 0xffff;
    const count = Math.min(pending, BATCH_MAX);
    const first = this.#lastAvail & (setup.size - 1);
    const untilWrap = Math.min(count, setup.size - first);
    const { dma } = this.#owner;
    dma.readSegment(setup.driverArea + AVAIL.ring + 2 * first, 2 * untilWrap);
    if (untilWrap < count) dma.readSegment(setup.driverArea + AVAIL.ring, 2 * (count - untilWrap));
    this.#batchSize = count;
  }

  #entriesRead(bytes: Uint8Array): void {
    const setup = this.setup!;
    for (let i = 0; i < this.#batchSize; i++) {
      const head = bytes[2 * i] | (bytes[2 * i + 1] << 8);
      if (head >= setup.size) {
        this.#bad(`head ${head} of a queue of ${setup.size}`);
        return;
      }
      const chain = this.#free.pop() ?? new Chain();
      chain.begin(head, this.#uses[head]++);
      this.#batch.push(chain);
    }
    this.#lastAvail = (this.#lastAvail + this.#batchSize) & 0xffff;
    this.#chart.send(ENTRIES);
  }

  /** Reads, for each incomplete chain, from its next descriptor to the end of that cache line. */
  #gatherDescriptors(setup: QueueSetup): void {
    for (let i = 0; i < this.#batch.length; i++) {
      const { next } = this.#batch[i];
      if (next < 0) continue;
      const count = descriptorsToLineEnd(setup, next);
      this.#heads[i] = next;
      this.#owner.dma.readSegment(setup.descriptorArea + DESC_SIZE * next, DESC_SIZE * count);
    }
  }

  #chainsRead(bytes: Uint8Array): void {
    const setup = this.setup!;
    let at = 0;
    let incomplete = false;
    for (let i = 0; i < this.#batch.length; i++) {
      const chain = this.#batch[i];
      if (chain.next < 0) continue;
      const first = this.#heads[i];
      const count = descriptorsToLineEnd(setup, first);
      if (!this.#walk(chain, bytes, at, first, count)) return;
      at += DESC_SIZE * count;
      if (chain.next >= 0) incomplete = true;
    }
    this.#chart.send(incomplete ? MORE : CHAINS);
  }

  /** Follows a chain through the descriptors `first … first+count-1` at `bytes[at]`. */
  #walk(chain: Chain, bytes: Uint8Array, at: number, first: number, count: number): boolean {
    const { size } = this.setup!;
    while (chain.next >= first && chain.next < first + count) {
      const desc = at + DESC_SIZE * (chain.next - first);
      const flags = bytes[desc + DESC.flags] | (bytes[desc + DESC.flags + 1] << 8);
      const length = readU32(bytes, desc + DESC.length);
      const address =
        readU32(bytes, desc + DESC.address) + readU32(bytes, desc + DESC.address + 4) * 2 ** 32;
      if ((flags & DESC_F_INDIRECT) !== 0)
        return this.#bad('an indirect descriptor, not negotiated');
      if (!chain.add(address, length, (flags & DESC_F_WRITE) !== 0)) {
        return this.#bad('a readable descriptor after a writable one');
      }
      if (chain.count > size) return this.#bad(`a chain longer than the queue of ${size}`);
      const next = bytes[desc + DESC.next] | (bytes[desc + DESC.next + 1] << 8);
      chain.next = (flags & DESC_F_NEXT) === 0 ? -1 : next;
      if (chain.next >= size) return this.#bad(`next descriptor ${next} of a queue of ${size}`);
    }
    return true;
  }

  #acceptBatch(): void {
    for (let i = 0; i < this.#batch.length; i++) {
      this.mark(this.#batch[i], Milestone.fetched);
      this.#owner.accept(this, this.#batch[i]);
    }
    this.#batch.length = 0;
  }

  #discard(): void {
    this.#epoch++;
    this.#batch.length = 0;
    this.#availIndex = 0;
    this.#lastAvail = 0;
    this.#usedIndex = 0;
    this.#lookAgain = false;
    this.#signalWanted = false;
    this.#signalArmed = false;
  }

  #bad(text: string): false {
    const { node, name } = this.#owner;
    node.violations.report('BAD_DESCRIPTOR', `${name} queue ${this.index}: ${text}`);
    this.#chart.send(BROKEN);
    return false;
  }
}

function descriptorsToLineEnd(setup: QueueSetup, index: number): number {
  const inLine = Math.floor((setup.descriptorArea + DESC_SIZE * index) / DESC_SIZE) % DESC_PER_LINE;
  return Math.min(DESC_PER_LINE - inLine, setup.size - index);
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
