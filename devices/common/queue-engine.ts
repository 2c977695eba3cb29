// The device's side of one virtqueue: it fetches available chains by DMA, hands them to the device,
// returns them, and signals the driver. The format of the ring is its ring's business; each read is
// started by a step of device software on the node's CPU.
import type { DmaClient, DmaFault, DmaPort, QueueSetup } from '../../platform/contracts/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, Milestone, type Node, Priority } from '../../platform/node/index.ts';
import type { Chain } from './chain.ts';
import { DataReads } from './data-reads.ts';
import { type DeviceRing, Fetch } from './device-ring.ts';
import type { FetchPlan } from './fetch.ts';
import { makeDeviceRing } from './make-device-ring.ts';
import { type QueueEffect, type QueueEvent, queueChart } from './queue-chart.ts';

const STEP_LOOK = 0;
const STEP_MORE = 1;
const STEP_WRITE = 2;
const STEP_SIGNALS = 3;
const STEPS = 4;

const START: QueueEvent = { type: 'START' };
const STOP: QueueEvent = { type: 'STOP' };
const PAUSE: QueueEvent = { type: 'PAUSE' };
const RESUME: QueueEvent = { type: 'RESUME' };
const SETTLED: QueueEvent = { type: 'SETTLED' };
const TOLD: QueueEvent = { type: 'TOLD' };
const LOOK: QueueEvent = { type: 'LOOK' };
const NEW: QueueEvent = { type: 'NEW' };
const AGAIN: QueueEvent = { type: 'AGAIN' };
const EMPTY: QueueEvent = { type: 'EMPTY' };
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
  readonly fetch: FetchPlan;
  /** Features that the driver has accepted. */
  readonly driverFeatures: bigint;
  /** A chain is complete and the device's to serve. */
  accept(queue: QueueEngine, chain: Chain): void;
  /** The queue can't go on: its ring was refused or makes no sense. */
  queueBroken(queue: QueueEngine): void;
  /** Chains of a queue that the device keeps until something happens outside: no work on them is under way. */
  keeps(queue: QueueEngine): number;
  /** A queue that was paused is quiet now. */
  queueQuiet(): void;
  notifyUsed(queue: number): void;
}

/** DMA reads of a queue by what they were for, and the bytes that those of its ring have brought. */
export interface QueueReads {
  readonly index: number;
  readonly entries: number;
  readonly descriptors: number;
  readonly tables: number;
  readonly data: number;
  readonly ringBytes: number;
}

/** Holds signals of a queue back, besides what the driver itself suppresses. */
export interface SignalGate {
  /** The device has returned a request. */
  returned(): void;
  /** A look begins. Returns true when the driver may be told of what was returned before it. */
  open(): boolean;
  /** The queue has stopped. */
  stopped(): void;
}

export class QueueEngine implements DmaClient, CpuClient {
  readonly index: number;
  setup: QueueSetup | null = null;
  gate: SignalGate | null = null;
  readonly #owner: QueueOwner;
  readonly #chart: Chart<unknown, QueueEvent>;
  #ring: DeviceRing | null = null;
  /** Work of before a stop carries an older epoch, and is ignored. */
  #epoch = 0;
  #lookAgain = false;
  /** The driver may be told of what was returned before the last look. */
  #mayTell = true;
  /** Chains that the device has taken and not returned. */
  #taken = 0;
  /** The device is to be suspended, or is. */
  #pausing = false;
  /** A write is being handed to the port. */
  #posting = false;
  readonly #data: DataReads;
  /** Reads of the ring by Purpose. */
  readonly #ringReads = [0, 0, 0, 0];
  #ringBytes = 0;

  constructor(owner: QueueOwner, index: number) {
    this.#owner = owner;
    this.index = index;
    this.#data = new DataReads(owner.fetch.dataReads, () => owner.dma);
    const name = `${owner.name}.queue${index}`;
    this.#chart = owner.node.charts.start(queueChart, {
      name,
      perform: (effect: QueueEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  /** Begins to serve; the ring is empty. */
  start(): void {
    if (this.setup === null) return;
    this.#ring = makeDeviceRing(this.setup, this.#owner.driverFeatures, this.#owner.fetch);
    this.#chart.send(START);
    // The driver may have made buffers available before it said DRIVER_OK.
    if (this.#lookAgain) this.#chart.send(LOOK);
  }

  /** Stops at once. Chains handed out are forgotten; completing one later has no effect. */
  stop(): void {
    this.#chart.send(STOP);
  }

  /** Takes no more chains, and has the driver told of those that the device still returns. */
  pause(): void {
    this.#pausing = true;
    this.#chart.send(PAUSE);
  }

  /** Goes on after a pause, with a ring that was set up meanwhile if there is one. */
  resume(): void {
    this.#pausing = false;
    if (this.#chart.matches('stopped')) this.start();
    else this.#chart.send(RESUME);
  }

  /** True when nothing happens on the queue: it is not in use, or all that was under way is over. */
  get quiet(): boolean {
    return ['stopped', 'paused', 'broken'].some((state) => this.#chart.matches(state));
  }

  /** While it is paused: has the device returned all chains but those that it keeps? */
  settle(): void {
    if (!this.#pausing || !this.#chart.matches('draining')) return;
    if (this.#taken === this.#owner.keeps(this)) this.#chart.send(SETTLED);
  }

  /** The driver says that it made buffers available. */
  available(): void {
    this.#lookAgain = true;
    this.#chart.send(LOOK);
  }

  get reads(): QueueReads {
    const [index, entries, descriptors, tables] = this.#ringReads;
    const { count: data } = this.#data;
    return { index, entries, descriptors, tables, data, ringBytes: this.#ringBytes };
  }

  /**
   * Reads the first `bytesMax` readable bytes of a chain, which has some, as soon as the queue has no
   * more such reads under way than it can. The client says `dataRead` when one has ended.
   */
  readData(chain: Chain, client: DmaClient, tag: number, bytesMax = Infinity): void {
    this.#data.read(chain, client, tag, bytesMax);
  }

  /** A read of data has come back, or was refused. */
  dataRead(): void {
    this.#data.ended();
  }

  /**
   * Returns a chain to the driver, after the writes that the device has gathered on its DMA port: one
   * posted burst of data and what the ring needs. Returns false when the burst was refused; then
   * nothing was written and the chain is still the device's.
   */
  complete(chain: Chain, written: number): boolean {
    const { dma } = this.#owner;
    const ring = this.#ring!;
    ring.gatherUsed(dma, chain, written);
    if (!this.#post()) return false;
    this.mark(chain, Milestone.used);
    ring.usedWritten(chain);
    this.#returned(1);
    return true;
  }

  /**
   * Returns the first `count` chains in one posted burst with the gathered writes, so that the driver
   * sees all of them used or none. Returns false when the burst was refused; the queue can't go on then.
   */
  completeTogether(chains: readonly Chain[], written: readonly number[], count: number): boolean {
    const { dma } = this.#owner;
    const ring = this.#ring!;
    for (let i = 0; i < count; i++) {
      this.mark(chains[i], Milestone.used);
      ring.gatherUsed(dma, chains[i], written[i]);
      ring.usedWritten(chains[i]);
    }
    if (!this.#post()) return false;
    this.#returned(count);
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
    const { dma } = this.#owner;
    if (step === STEP_LOOK) {
      this.#lookAgain = false;
      this.#mayTell = this.gate === null || this.gate.open();
      this.#ringReads[this.#ring!.gatherLook(dma)]++;
    } else if (step === STEP_SIGNALS) {
      // Nothing is held back any longer.
      this.gate?.stopped();
      this.#ringReads[this.#ring!.gatherLook(dma)]++;
    } else {
      this.#ringReads[this.#ring!.gatherMore(dma)]++;
    }
    dma.read(this, this.#epoch * STEPS + step);
  }

  readDone(tag: number, bytes: Uint8Array, length: number): void {
    const step = tag % STEPS;
    if (tag - step !== this.#epoch * STEPS) return;
    this.#ringBytes += length;
    const ring = this.#ring!;
    if (step === STEP_LOOK) {
      const found = ring.looked(bytes);
      if (this.#mayTell && ring.takeSignal()) this.#owner.notifyUsed(this.index);
      this.#go(found, NEW);
    } else if (step === STEP_SIGNALS) {
      ring.signalsRead(bytes);
      if (ring.takeSignal()) this.#owner.notifyUsed(this.index);
      this.#chart.send(TOLD);
    } else {
      this.#go(ring.fetched(bytes), MORE);
    }
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
    // A write that is refused at once is the completing device's to handle: it still owns the chain.
    if (!this.#posting) this.#chart.send(BROKEN);
  }

  /** Chains were returned: another look tells whether the driver wants a signal. */
  #returned(count: number): void {
    this.#taken -= count;
    this.gate?.returned();
    this.available();
    if (this.#pausing) this.settle();
  }

  /** Posts the gathered writes. Returns false when they were refused. */
  #post(): boolean {
    this.#posting = true;
    const posted = this.#owner.dma.write(this, this.#epoch * STEPS + STEP_WRITE);
    this.#posting = false;
    return posted;
  }

  /** Tells the chart what came of a read; `more` is what it calls another read. */
  #go(found: Fetch, more: QueueEvent): void {
    if (found === Fetch.bad) {
      const { node, name } = this.#owner;
      const { problem } = this.#ring!;
      node.violations.report('BAD_DESCRIPTOR', `${name} queue ${this.index}: ${problem}`);
      this.#chart.send(BROKEN);
    } else if (found === Fetch.more) this.#chart.send(more);
    else if (found === Fetch.done) this.#chart.send(CHAINS);
    else this.#nothingFound();
  }

  /** Nothing is available: ask to be told, and look once more if that took a write. */
  #nothingFound(): void {
    const { dma } = this.#owner;
    if (this.#ring!.gatherArm(dma)) {
      if (!this.#post()) {
        this.#chart.send(BROKEN);
        return;
      }
      this.#lookAgain = true;
    }
    this.#chart.send(this.#lookAgain ? AGAIN : EMPTY);
  }

  #perform(effect: QueueEffect): void {
    switch (effect.type) {
      case 'look':
        return this.#step(STEP_LOOK);
      case 'readMore':
        return this.#step(STEP_MORE);
      case 'accept':
        return this.#acceptBatch();
      case 'settle':
        return this.settle();
      case 'lookForSignals':
        return this.#step(STEP_SIGNALS);
      case 'quiet':
        return this.#owner.queueQuiet();
      case 'discard':
        this.#epoch++;
        this.#taken = 0;
        this.#pausing = false;
        this.#lookAgain = false;
        this.#ring = null;
        this.#data.forget();
        this.gate?.stopped();
        return;
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

  #acceptBatch(): void {
    const { batch } = this.#ring!;
    this.#taken += batch.length;
    for (let i = 0; i < batch.length; i++) {
      this.mark(batch[i], Milestone.fetched);
      this.#owner.accept(this, batch[i]);
    }
    batch.length = 0;
  }
}
