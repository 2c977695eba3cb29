// Sends messages through a ring: the producer's side. A slot is written, then the index, then the
// doorbell is rung. It keeps a copy of the consumer's index and reads the real one only when the ring
// seems full, so that a message mostly costs no read.
import type { Chart } from '../../platform/machine/index.ts';
import {
  type CpuClient,
  copyBytes,
  labels,
  type Node,
  Priority,
} from '../../platform/node/index.ts';
import { MessageBacklog } from './message-backlog.ts';
import {
  indexIsSound,
  nextIndex,
  type RingLayout,
  readIndex,
  ringUsed,
  slotOffset,
  writeIndex,
} from './ring-layout.ts';
import { NO_COST, type RingMemory, type RingReader } from './ring-memory.ts';
import {
  type RingSenderEffect,
  type RingSenderEvent,
  ringSenderChart,
} from './ring-sender-chart.ts';

export interface RingSenderOptions {
  readonly node: Node;
  /** Unique on the node. */
  readonly name: string;
  readonly layout: RingLayout;
  readonly memory: RingMemory;
  readonly maxMessageSize: number;
  /** Bytes of a message's header; that of the drafts when left out. */
  readonly headerSize?: number;
  /** ps before a full ring is looked at again. */
  readonly fullRetry: number;
  /** Timing constant: what the doorbell costs the core that rings it. */
  readonly doorbell: number;
  ringDoorbell(): void;
  /** ps until everything that was written before is visible to the peer; notes them as a wait. */
  barrier(): number;
  /** The peer has spoilt the ring, or taken it away. */
  broken(reason: string): void;
}

// Steps of work on a core.
const LOAD = 0;
const PUT = 1;
const PUBLISH = 2;
// What is being read.
const OWN_INDEX = 0;
const PEER_INDEX_AT_START = 1;
const PEER_INDEX = 2;

const OPEN: RingSenderEvent = { type: 'OPEN' };
const CLOSE: RingSenderEvent = { type: 'CLOSE' };
const WORK: RingSenderEvent = { type: 'WORK' };
const MORE: RingSenderEvent = { type: 'MORE' };
const DONE: RingSenderEvent = { type: 'DONE' };
const FULL: RingSenderEvent = { type: 'FULL' };

export class RingSender implements CpuClient, RingReader {
  sent = 0;
  /** Times that no slot was free. */
  fullWaits = 0;
  readonly #options: RingSenderOptions;
  readonly #chart: Chart<unknown, RingSenderEvent>;
  readonly #backlog: MessageBacklog;
  readonly #slot: Uint8Array;
  readonly #index = new Uint8Array(4);
  #producer = 0;
  /** The consumer's index as it was last seen. */
  #consumer = 0;
  /** Work of before the ring was closed carries an older epoch, and is ignored. */
  #epoch = 0;
  #readEpoch = 0;
  /** A message has been given its place on a core. */
  #underWay = false;

  constructor(options: RingSenderOptions) {
    this.#options = options;
    this.#backlog = new MessageBacklog(options.maxMessageSize, options.headerSize);
    this.#slot = new Uint8Array(options.layout.slotSize);
    this.#chart = options.node.charts.start(ringSenderChart, {
      name: options.name,
      input: { fullRetry: options.fullRetry },
      perform: (effect: RingSenderEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  get merged(): number {
    return this.#backlog.merged;
  }

  /** Messages that wait. */
  get waiting(): number {
    return this.#backlog.length;
  }

  /** Most messages that ever waited. */
  get backlogMax(): number {
    return this.#backlog.highWater;
  }

  /** The ring is there: what waits is sent. */
  open(): void {
    this.#chart.send(OPEN);
  }

  /** The ring is gone, and with it what waits. */
  close(): void {
    this.#epoch++;
    this.clear();
    this.#chart.send(CLOSE);
  }

  /** Forgets what waits. */
  clear(): void {
    this.#backlog.clear();
  }

  /** Sends a message, or lets it wait; copies the bytes. */
  send(bytes: Uint8Array, length: number): void {
    if (this.#backlog.merges(bytes, length)) return;
    const { kernel } = this.#options.node;
    const waits = this.#underWay && kernel.causes !== null;
    const ticket = waits ? kernel.causes!.suspend(kernel.currentKey, kernel.now) : -1;
    this.#backlog.push(bytes, length, ticket);
    this.#chart.send(WORK);
  }

  deliver(step: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    switch (step) {
      case LOAD:
        return this.#read(OWN_INDEX);
      case PUT:
        return this.#put(true);
      case PUBLISH:
        return this.#publish();
    }
  }

  ringRead(tag: number, bytes: Uint8Array): void {
    if (this.#readEpoch !== this.#epoch) return;
    const { layout, broken } = this.#options;
    const index = readIndex(layout, bytes, 0);
    if (tag === OWN_INDEX) this.#producer = index;
    else this.#consumer = index;
    if (!indexIsSound(layout, index)) return broken(`a ring's index is ${index}`);
    if (tag === OWN_INDEX) return this.#read(PEER_INDEX_AT_START);
    if (this.#used > layout.capacity) return broken(`a ring's indexes are too far apart`);
    if (tag === PEER_INDEX) return this.#put(false);
    this.#chart.send(this.#backlog.length > 0 ? MORE : DONE);
  }

  ringRefused(): void {
    if (this.#readEpoch === this.#epoch) this.#options.broken('its memory may not be reached');
  }

  get #used(): number {
    return ringUsed(this.#options.layout, this.#producer, this.#consumer);
  }

  #perform(effect: RingSenderEffect): void {
    const { node, doorbell } = this.#options;
    if (effect.type === 'load') return node.cpu.submit(Priority.task, 0, this, LOAD, this.#epoch);
    if (this.#backlog.length === 0) return this.#chart.send(DONE);
    this.#underWay = true;
    const ticket = this.#backlog.nextMark;
    if (ticket >= 0) node.kernel.causes!.restore(ticket, labels.WAIT_BUS, node.kernel.now);
    const cost = node.charge(node.timing.messageEncode) + node.charge(doorbell);
    node.cpu.submit(Priority.task, cost, this, PUT, this.#epoch);
  }

  #read(tag: number): void {
    const { layout, memory } = this.#options;
    const at = tag === OWN_INDEX ? layout.producerIndex : layout.consumerIndex;
    this.#readEpoch = this.#epoch;
    memory.read(at, layout.indexBytes, this, tag, NO_COST);
  }

  /** The message is ready; is there a slot for it? `mayLook` asks the consumer once if not. */
  #put(mayLook: boolean): void {
    const { node, layout, barrier } = this.#options;
    if (this.#backlog.length === 0) return this.#over();
    if (this.#used >= layout.capacity) {
      if (mayLook) return this.#read(PEER_INDEX);
      this.fullWaits++;
      this.#underWay = false;
      return this.#chart.send(FULL);
    }
    const wait = barrier();
    if (wait === 0) return this.#publish();
    node.noteWait(labels.WAIT_ORDER, wait);
    node.cpu.resume(node.cpu.hold(), wait, this, PUBLISH, this.#epoch);
  }

  /** First the slot, then the index, then the doorbell: the order that makes it safe. */
  #publish(): void {
    const { layout, memory, ringDoorbell } = this.#options;
    if (this.#backlog.length === 0) return this.#over();
    const { bytes, length } = this.#backlog.shift();
    copyBytes(bytes, 0, this.#slot, 0, length);
    this.#slot.fill(0, length);
    memory.write(slotOffset(layout, this.#producer), this.#slot, layout.slotSize);
    this.#producer = nextIndex(layout, this.#producer);
    writeIndex(layout, this.#index, this.#producer);
    memory.write(layout.producerIndex, this.#index, layout.indexBytes);
    this.sent++;
    ringDoorbell();
    this.#over();
  }

  #over(): void {
    this.#underWay = false;
    this.#chart.send(this.#backlog.length > 0 ? MORE : DONE);
  }
}
