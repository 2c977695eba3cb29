// Takes messages out of a ring: the consumer's side. A slot is copied before its index is given back,
// and each message is handled before the next is read.
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, copyBytes, type Node, Priority } from '../../platform/node/index.ts';
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
  type RingReceiverEffect,
  type RingReceiverEvent,
  ringReceiverChart,
} from './ring-receiver-chart.ts';

export interface RingReceiverOptions {
  readonly node: Node;
  /** Unique on the node. */
  readonly name: string;
  readonly layout: RingLayout;
  readonly memory: RingMemory;
  /** Messages taken at one waking. */
  readonly budget: number;
  /** What happens to messages beyond it: the thread goes on later, or they wait for a doorbell. */
  readonly beyondBudget: 'continue' | 'wait';
  /** A message, on a core; the bytes are those of the whole slot and valid only during the call. */
  frame(bytes: Uint8Array, length: number): void;
  /** The thread goes to sleep. */
  rest(): void;
  /** The peer has spoilt the ring, or taken it away. */
  broken(reason: string): void;
}

// Steps of work on a core.
const LOAD = 0;
const AWAKE = 1;
// What is being read.
const OWN_INDEX = 0;
const PEER_INDEX_AT_START = 1;
const PEER_INDEX = 2;
const SLOT = 3;

const OPEN: RingReceiverEvent = { type: 'OPEN' };
const CLOSE: RingReceiverEvent = { type: 'CLOSE' };
const RUNG: RingReceiverEvent = { type: 'RUNG' };
const IS_AWAKE: RingReceiverEvent = { type: 'AWAKE' };
const FRAMES: RingReceiverEvent = { type: 'FRAMES' };
const EMPTY: RingReceiverEvent = { type: 'EMPTY' };
const MORE: RingReceiverEvent = { type: 'MORE' };
const LOOK: RingReceiverEvent = { type: 'LOOK' };
const SPENT: RingReceiverEvent = { type: 'SPENT' };

export class RingReceiver implements CpuClient, RingReader {
  received = 0;
  /** Wakings of the thread. */
  wakings = 0;
  readonly #options: RingReceiverOptions;
  readonly #chart: Chart<unknown, RingReceiverEvent>;
  readonly #frame: Uint8Array;
  readonly #index = new Uint8Array(4);
  #consumer = 0;
  /** The producer's index as it was last seen. */
  #producer = 0;
  /** Messages taken since the thread woke. */
  #taken = 0;
  /** Work of before the ring was closed carries an older epoch, and is ignored. */
  #epoch = 0;
  #readEpoch = 0;

  constructor(options: RingReceiverOptions) {
    this.#options = options;
    const { node, name, layout, budget, beyondBudget } = options;
    this.#frame = new Uint8Array(layout.slotSize);
    const continues = beyondBudget === 'continue';
    this.#chart = node.charts.start(ringReceiverChart, {
      name,
      // Without a budget one more look finds all that was rung for in the meantime.
      input: { continues, ringsMax: continues || budget === Infinity ? 1 : Infinity },
      perform: (effect: RingReceiverEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  /** The ring is there. */
  open(): void {
    this.#chart.send(OPEN);
  }

  close(): void {
    this.#epoch++;
    this.#chart.send(CLOSE);
  }

  /** The doorbell was rung. */
  rung(): void {
    this.#chart.send(RUNG);
  }

  deliver(step: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    if (step === LOAD) return this.#read(OWN_INDEX, NO_COST);
    this.wakings++;
    this.#taken = 0;
    this.#chart.send(IS_AWAKE);
  }

  ringRead(tag: number, bytes: Uint8Array): void {
    if (this.#readEpoch !== this.#epoch) return;
    if (tag === SLOT) return this.#take(bytes);
    const { layout, broken } = this.#options;
    const index = readIndex(layout, bytes, 0);
    if (!indexIsSound(layout, index)) return broken(`a ring's index is ${index}`);
    if (tag === OWN_INDEX) this.#consumer = index;
    else this.#producer = index;
    if (tag === OWN_INDEX) return this.#read(PEER_INDEX_AT_START, NO_COST);
    if (this.#used > layout.capacity) return broken(`a ring's indexes are too far apart`);
    if (tag === PEER_INDEX_AT_START) return this.#chart.send(LOOK);
    this.#chart.send(this.#used > 0 ? FRAMES : EMPTY);
  }

  ringRefused(): void {
    if (this.#readEpoch === this.#epoch) this.#options.broken('its memory may not be reached');
  }

  get #used(): number {
    return ringUsed(this.#options.layout, this.#producer, this.#consumer);
  }

  #perform(effect: RingReceiverEffect): void {
    const { node, rest } = this.#options;
    const { cpu, timing } = node;
    switch (effect.type) {
      case 'load':
        return cpu.submit(Priority.task, 0, this, LOAD, this.#epoch);
      case 'wake':
        return cpu.submit(Priority.task, node.charge(timing.workSwitch), this, AWAKE, this.#epoch);
      case 'look':
        return this.#read(PEER_INDEX, NO_COST);
      case 'fetch':
        return this.#read(SLOT, timing.messageHandle);
      case 'rest':
        return rest();
    }
  }

  #read(tag: number, cost: number): void {
    const { layout, memory } = this.#options;
    this.#readEpoch = this.#epoch;
    if (tag === SLOT) {
      const at = slotOffset(layout, this.#consumer);
      return memory.read(at, layout.slotSize, this, tag, cost);
    }
    const at = tag === OWN_INDEX ? layout.consumerIndex : layout.producerIndex;
    memory.read(at, layout.indexBytes, this, tag, cost);
  }

  #take(bytes: Uint8Array): void {
    const { layout, memory, frame, budget } = this.#options;
    copyBytes(bytes, 0, this.#frame, 0, layout.slotSize);
    this.#consumer = nextIndex(layout, this.#consumer);
    writeIndex(layout, this.#index, this.#consumer);
    memory.write(layout.consumerIndex, this.#index, layout.indexBytes);
    this.received++;
    this.#taken++;
    frame(this.#frame, layout.slotSize);
    if (this.#taken >= budget) return this.#chart.send(SPENT);
    this.#chart.send(this.#used > 0 ? MORE : LOOK);
  }
}
