// The CPUs of a node, modelled as servers with service times. Work that finds all cores busy waits,
// interrupts ahead of other work. Work may be bound to a core, as the interrupts of a queue are. A core
// can be held past the end of its work: that is how a synchronous call lends the caller's CPU to the
// callee.

import { assert } from '../errors.ts';
import type { Component, ComponentId, Kernel } from '../kernel/index.ts';
import { WAIT_CPU } from './labels.ts';

/** What runs when its work is done; the same shape as a kernel component. */
export interface CpuClient {
  deliver(kind: number, a: number, b: number): void;
}

export const Priority = { interrupt: 0, task: 1 } as const;
export type Priority = (typeof Priority)[keyof typeof Priority];

/** Work that any core may do. */
export const ANY_CORE = -1;

const IDLE = 0;
const RUNNING = 1;
const HELD = 2;

export class CpuSet implements Component {
  /** Core-picoseconds spent working or lent, up to the last completed piece of work. */
  busy = 0;
  /** Core-picoseconds of `busy` in which the core was held by a synchronous call. */
  held = 0;
  readonly count: number;
  readonly #kernel: Kernel;
  readonly #id: ComponentId;
  readonly #state: Int32Array;
  readonly #since: Float64Array;
  readonly #clients: (CpuClient | null)[];
  readonly #kinds: Int32Array;
  readonly #a: Float64Array;
  readonly #b: Float64Array;
  readonly #waiting = workRings();
  /** What waits for one core only; made for the cores that need it. */
  readonly #bound: (WorkRings | undefined)[] = [];
  /** Numbers waiting work in the order of its arrival. */
  #arrivals = 0;
  #current = -1;
  #idle: number;

  constructor(kernel: Kernel, node: number, count: number) {
    this.#kernel = kernel;
    this.count = count;
    this.#idle = count;
    this.#state = new Int32Array(count);
    this.#since = new Float64Array(count);
    this.#clients = new Array<CpuClient | null>(count).fill(null);
    this.#kinds = new Int32Array(count);
    this.#a = new Float64Array(count);
    this.#b = new Float64Array(count);
    this.#id = kernel.add(node, this);
  }

  /**
   * Runs `cost` ps of work, then calls `client.deliver(kind, a, b)`: on the first free core, or on the
   * one that it is bound to.
   */
  submit(
    priority: Priority,
    cost: number,
    client: CpuClient,
    kind: number,
    a = 0,
    b = 0,
    core = ANY_CORE,
  ): void {
    if (core === ANY_CORE && this.#idle > 0) {
      let free = 0;
      while (this.#state[free] !== IDLE) free++;
      return this.#start(free, cost, client, kind, a, b);
    }
    if (core !== ANY_CORE && this.#state[core] === IDLE) {
      return this.#start(core, cost, client, kind, a, b);
    }
    const rings = core === ANY_CORE ? this.#waiting : (this.#bound[core] ??= workRings());
    const ring = rings[priority];
    ring.push(this.#arrivals++, cost, client, kind, a, b);
    const causes = this.#kernel.causes;
    if (causes !== null) ring.pushCause(causes.suspend(this.#kernel.currentKey, this.#kernel.now));
  }

  /** Called from within finished work: keeps its core until `release` or `resume`. */
  hold(): number {
    const core = this.#current;
    assert(core >= 0, 'a core is held only by the work it runs');
    this.#current = -1;
    this.#state[core] = HELD;
    this.#since[core] = this.#kernel.now;
    return core;
  }

  /** Ends a hold; the core takes the next waiting work. */
  release(core: number): void {
    this.#endHold(core);
    this.#next(core);
  }

  /** Ends a hold by more work on the same core, ahead of all that waits. */
  resume(core: number, cost: number, client: CpuClient, kind: number, a = 0, b = 0): void {
    this.#endHold(core);
    this.#idle++;
    this.#state[core] = IDLE;
    this.#start(core, cost, client, kind, a, b);
  }

  deliver(_kind: number, core: number): void {
    const elapsed = this.#kernel.now - this.#since[core];
    this.busy += elapsed;
    const client = this.#clients[core]!;
    this.#current = core;
    client.deliver(this.#kinds[core], this.#a[core], this.#b[core]);
    if (this.#current !== core) return;
    this.#current = -1;
    this.#next(core);
  }

  /** Busy core-ps up to now, counting work and holds still under way. */
  busyUntilNow(): number {
    let total = this.busy;
    for (let core = 0; core < this.count; core++) {
      if (this.#state[core] !== IDLE) total += this.#kernel.now - this.#since[core];
    }
    return total;
  }

  #start(core: number, cost: number, client: CpuClient, kind: number, a: number, b: number): void {
    this.#idle--;
    this.#state[core] = RUNNING;
    this.#since[core] = this.#kernel.now;
    this.#clients[core] = client;
    this.#kinds[core] = kind;
    this.#a[core] = a;
    this.#b[core] = b;
    this.#kernel.schedule(this.#id, cost, 0, core);
  }

  #endHold(core: number): void {
    assert(this.#state[core] === HELD, 'only a held core can be given back');
    const elapsed = this.#kernel.now - this.#since[core];
    this.busy += elapsed;
    this.held += elapsed;
  }

  #next(core: number): void {
    this.#state[core] = IDLE;
    this.#idle++;
    const bound = this.#bound[core];
    const ring =
      bound === undefined
        ? this.#waiting[0].length > 0
          ? this.#waiting[0]
          : this.#waiting[1]
        : earlier(this.#waiting, bound);
    if (ring.length === 0) return;
    const causes = this.#kernel.causes;
    if (causes !== null) causes.restore(ring.shiftCause(), WAIT_CPU, this.#kernel.now);
    const i = ring.shift();
    this.#start(core, ring.cost[i], ring.client[i]!, ring.kind[i], ring.a[i], ring.b[i]);
    ring.client[i] = null;
  }
}

/** Waiting interrupts and tasks. */
type WorkRings = readonly [WorkRing, WorkRing];

function workRings(): WorkRings {
  return [new WorkRing(), new WorkRing()];
}

/** Whose turn it is: interrupts first, then whoever waits longest. */
function earlier(any: WorkRings, bound: WorkRings): WorkRing {
  const priority = any[0].length + bound[0].length > 0 ? 0 : 1;
  return any[priority].firstArrival < bound[priority].firstArrival
    ? any[priority]
    : bound[priority];
}

/** First-in first-out records of waiting work, in arrays that grow but never shrink. */
class WorkRing {
  length = 0;
  arrival = new Float64Array(16);
  cost = new Float64Array(16);
  kind = new Int32Array(16);
  a = new Float64Array(16);
  b = new Float64Array(16);
  client: (CpuClient | null)[] = new Array<CpuClient | null>(16).fill(null);
  /** Where each waiting piece of work came from; filled only while causes are recorded. */
  readonly #causes: number[] = [];
  #head = 0;

  /** Number of the oldest record; Infinity when there is none. */
  get firstArrival(): number {
    return this.length === 0 ? Infinity : this.arrival[this.#head];
  }

  push(arrival: number, cost: number, client: CpuClient, kind: number, a: number, b: number): void {
    if (this.length === this.cost.length) this.#grow();
    const i = (this.#head + this.length++) & (this.cost.length - 1);
    this.arrival[i] = arrival;
    this.cost[i] = cost;
    this.client[i] = client;
    this.kind[i] = kind;
    this.a[i] = a;
    this.b[i] = b;
  }

  /** Removes the first record and returns its index; its fields stay readable until a push. */
  shift(): number {
    const i = this.#head;
    this.#head = (i + 1) & (this.cost.length - 1);
    this.length--;
    return i;
  }

  pushCause(suspended: number): void {
    this.#causes.push(suspended);
  }

  shiftCause(): number {
    return this.#causes.shift()!;
  }

  #grow(): void {
    const old = { ...this, head: this.#head };
    const capacity = this.cost.length * 2;
    this.arrival = new Float64Array(capacity);
    this.cost = new Float64Array(capacity);
    this.kind = new Int32Array(capacity);
    this.a = new Float64Array(capacity);
    this.b = new Float64Array(capacity);
    this.client = new Array<CpuClient | null>(capacity).fill(null);
    for (let n = 0; n < this.length; n++) {
      const from = (old.head + n) & (old.cost.length - 1);
      this.arrival[n] = old.arrival[from];
      this.cost[n] = old.cost[from];
      this.kind[n] = old.kind[from];
      this.a[n] = old.a[from];
      this.b[n] = old.b[from];
      this.client[n] = old.client[from];
    }
    this.#head = 0;
  }
}
