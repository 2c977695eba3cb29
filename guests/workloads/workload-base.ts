// What workloads share: phases, counting, latencies, and the result.

import type { OperationResult, Workload, WorkloadResult } from '../../platform/contracts/index.ts';
import type { Component } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import type { Node, RestartClient } from '../../platform/node/index.ts';
import { LatencyRecorder } from '../../platform/observe/index.ts';
import type { ArrivalProcess } from './arrivals.ts';
import { type PhaseEffect, type PhaseEvent, phaseChart } from './phase-chart.ts';
import { shareDone } from './progress.ts';

const ARRIVAL = 1;

export interface WorkloadBaseOptions {
  readonly node: Node;
  readonly name: string;
  /** ps that it runs, or Infinity. */
  readonly duration: number;
  /** Requests at the same time. */
  readonly depth: number;
  /** ps between the end of a request and the next on its slot. */
  readonly thinkTime: number;
  /** Requests that the workload consists of; left out when it has no such number. */
  readonly total?: number;
  /** When requests arrive in an open loop; left out or null for a closed loop. */
  readonly arrivals?: ArrivalProcess | null;
  /** It goes on after a restart of its node, with whatever requests are left. */
  readonly survivesRestarts?: boolean;
  /** Kinds of request to tell apart in the result; left out when all are of one kind. */
  readonly operations?: readonly string[];
  finished(): void;
}

/** Figures of one kind of request. */
class OperationRecorder {
  requests = 0;
  errors = 0;
  bytes = 0;
  readonly latency = new LatencyRecorder();

  record(latency: number, failed: boolean, bytes: number): void {
    this.requests++;
    if (failed) this.errors++;
    else this.bytes += bytes;
    this.latency.record(latency);
  }

  result(): OperationResult {
    const { requests, errors, bytes } = this;
    return { requests, errors, bytes, latency: this.latency.summary() };
  }
}

export abstract class WorkloadBase implements Workload, Component, RestartClient {
  done = false;
  protected readonly node: Node;
  protected readonly name: string;
  protected firstSlot = 0;
  protected inFlight = 0;
  protected requests = 0;
  protected errors = 0;
  protected bytes = 0;
  protected verified = 0;
  protected failure: string | null = null;
  readonly #options: WorkloadBaseOptions;
  readonly #latency = new LatencyRecorder();
  readonly #operations: readonly OperationRecorder[];
  readonly #chart: Chart<unknown, PhaseEvent>;
  readonly #id: number;
  readonly #arrivals: ArrivalProcess | null;
  readonly #freeSlots: number[] = [];
  readonly #arrivedAt: Float64Array;
  /** Arrival times of requests that wait for a slot, from `#backlogHead` on. */
  readonly #backlog: number[] = [];
  #backlogHead = 0;
  #started = -1;
  #ended = 0;
  /** The node is down, or its driver not live again. */
  #interrupted = false;
  /** Counts restarts: what was planned before one does not happen. */
  #epoch = 0;

  constructor(options: WorkloadBaseOptions) {
    this.node = options.node;
    this.name = options.name;
    this.#options = options;
    this.#arrivals = options.arrivals ?? null;
    this.#arrivedAt = new Float64Array(options.depth);
    // Of a single kind the figures are those of all requests.
    const { operations = [] } = options;
    this.#operations = operations.length < 2 ? [] : operations.map(() => new OperationRecorder());
    this.#id = options.node.add(this);
    this.#chart = options.node.charts.start(phaseChart, {
      name: `${options.name}.phase`,
      input: { duration: options.duration },
      perform: (effect: PhaseEffect) => this.#perform(effect),
    });
    this.#chart.begin();
    if (options.survivesRestarts) options.node.restarts.subscribe(this);
  }

  /** What was under way is nobody's business any more. */
  stopped(): void {
    if (this.done) return;
    this.#interrupted = true;
    this.#epoch++;
    this.inFlight = 0;
    this.#freeSlots.length = 0;
    this.#backlog.length = 0;
    this.#backlogHead = 0;
    this.#chart.send(STOP);
  }

  started(): void {}

  /** Starts the next request on a slot; returns false when there are no more. */
  protected abstract next(slot: number): boolean;

  /** A thinking slot has thought enough, or a request of an open loop has arrived. */
  deliver(kind: number, slot: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    if (kind === ARRIVAL) return this.#arrived();
    this.goOn(slot);
  }

  progress(): number | null {
    const { total = Infinity, duration } = this.#options;
    const waiting = this.#chart.matches('waiting');
    const elapsed = waiting ? 0 : this.node.kernel.now - this.#started;
    return shareDone({ done: this.requests, total, elapsed, duration });
  }

  result(): WorkloadResult {
    const { requests, errors, bytes } = this;
    const latency = this.#latency.summary();
    const { operations = [] } = this.#options;
    const all = { requests, errors, bytes, latency };
    const entries = operations.map((name, i) => [name, this.#operations[i]?.result() ?? all]);
    return {
      ...(entries.length > 0 ? { operations: Object.fromEntries(entries) } : {}),
      ...all,
      verified: this.verified,
      elapsedPs: this.#ended - Math.max(0, this.#started),
      failure: this.failure,
    };
  }

  protected ready(): void {
    this.#interrupted = false;
    this.#chart.send(READY);
  }

  protected down(reason: string): void {
    // What becomes of the device afterwards is not this workload's failure.
    if (this.done || this.#interrupted) return;
    this.failure = reason;
    this.#chart.send(DOWN);
  }

  /** Counts a finished request, of the kind with this index, and goes on with its slot. */
  protected over(
    slot: number,
    latency: number,
    failed: boolean,
    bytes: number,
    operation = -1,
  ): void {
    if (this.#interrupted) return;
    const { now } = this.node.kernel;
    // The wait for a free slot is part of an open loop's latency.
    const opened = this.#arrivals !== null;
    const total = opened ? now - this.#arrivedAt[slot - this.firstSlot] : latency;
    this.requests++;
    this.#ended = now;
    if (failed) this.errors++;
    else this.bytes += bytes;
    this.#latency.record(total);
    if (operation >= 0 && operation < this.#operations.length) {
      this.#operations[operation].record(total, failed, bytes);
    }
    if (opened) {
      this.inFlight--;
      this.#freeSlots.push(slot);
      return this.#dispatch();
    }
    const { thinkTime } = this.#options;
    if (thinkTime > 0 && this.#chart.matches('running')) {
      this.node.kernel.schedule(this.#id, thinkTime, 0, slot, this.#epoch);
      return;
    }
    this.goOn(slot);
  }

  /** Goes on with a slot whose request, or whatever else it did, is over. */
  protected goOn(slot: number): void {
    this.inFlight--;
    this.#submit(slot);
  }

  #submit(slot: number): void {
    if (this.#chart.matches('running')) {
      this.inFlight++;
      if (this.next(slot)) return;
      this.inFlight--;
      this.#chart.send(ENOUGH);
    }
    if (this.inFlight === 0) this.#chart.send(DRAINED);
  }

  #scheduleArrival(): void {
    const wait = this.#arrivals!.next();
    if (wait === Infinity) return this.#noMoreArrivals();
    this.node.kernel.schedule(this.#id, wait, ARRIVAL, 0, this.#epoch);
  }

  #arrived(): void {
    if (!this.#chart.matches('running')) return this.#noMoreArrivals();
    this.#backlog.push(this.node.kernel.now);
    this.#scheduleArrival();
    this.#dispatch();
  }

  #noMoreArrivals(): void {
    this.#chart.send(ENOUGH);
    this.#dispatch();
  }

  /** Gives waiting requests to free slots. */
  #dispatch(): void {
    while (this.#backlogHead < this.#backlog.length && this.#freeSlots.length > 0) {
      const slot = this.#freeSlots.pop()!;
      this.#arrivedAt[slot - this.firstSlot] = this.#backlog[this.#backlogHead++];
      this.inFlight++;
      if (this.next(slot)) continue;
      this.inFlight--;
      this.#freeSlots.push(slot);
      this.#backlog.length = 0;
      this.#backlogHead = 0;
      this.#chart.send(ENOUGH);
    }
    if (this.#backlogHead === this.#backlog.length) {
      this.#backlog.length = 0;
      this.#backlogHead = 0;
      if (this.inFlight === 0 && !this.#chart.matches('running')) this.#chart.send(DRAINED);
    }
  }

  #perform(effect: PhaseEffect): void {
    if (effect.type === 'begin') {
      if (this.#started < 0) {
        this.#started = this.node.kernel.now;
        this.#ended = this.#started;
      }
      const { depth } = this.#options;
      if (this.#arrivals !== null) {
        for (let i = depth; i > 0; i--) this.#freeSlots.push(this.firstSlot + i - 1);
        return this.#scheduleArrival();
      }
      for (let i = 0; i < depth; i++) this.#submit(this.firstSlot + i);
    } else if (!this.done) {
      this.done = true;
      this.#options.finished();
    }
  }
}

const READY: PhaseEvent = { type: 'READY' };
const STOP: PhaseEvent = { type: 'STOP' };
const DOWN: PhaseEvent = { type: 'DOWN' };
const ENOUGH: PhaseEvent = { type: 'ENOUGH' };
const DRAINED: PhaseEvent = { type: 'DRAINED' };
