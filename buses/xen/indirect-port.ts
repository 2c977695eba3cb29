// The guest's driver of a non-blocking virtio-mmio device: registers that it may reach directly cost one
// trap, all others a few, and in between the guest does what it likes.
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { type RegisterPort, registers } from '../virtio-mmio/index.ts';
import { ACCESS, ACCESS_DATA, accessValue, isBusy } from './access-register.ts';
import { type IndirectEffect, type IndirectEvent, indirectChart } from './indirect-chart.ts';
import type { MmioWindow } from './mmio-window.ts';

/** Registers that need no device to answer. */
const DIRECT: ReadonlySet<number> = new Set([
  registers.MagicValue.at,
  registers.Version.at,
  registers.VendorID.at,
  registers.InterruptStatus.at,
  registers.InterruptACK.at,
]);

interface Operation {
  readonly offset: number;
  readonly write: boolean;
  readonly value: number;
  readonly size: number;
  /** Nobody waits for its end. */
  readonly posted: boolean;
  done(value: number): void;
}

const NOTHING = (): void => {};
const WORD = 4;

// What a trap is for.
const DIRECT_ACCESS = 0;
const LOOK = 1;
const PUT_DATA = 2;
const PUT_ACCESS = 3;
const GET_DATA = 4;

const BEGIN: IndirectEvent = { type: 'BEGIN' };
const BUSY: IndirectEvent = { type: 'BUSY' };
const FREE: IndirectEvent = { type: 'FREE' };
const LOAD: IndirectEvent = { type: 'LOAD' };
const STORE: IndirectEvent = { type: 'STORE' };
const POSTED: IndirectEvent = { type: 'POSTED' };
const ENDED: IndirectEvent = { type: 'ENDED' };

export interface IndirectPortOptions {
  readonly node: Node;
  /** Unique on the node. */
  readonly name: string;
  readonly window: MmioWindow;
}

export class IndirectPort implements RegisterPort, CpuClient {
  /** Traps into the hypervisor, and looks that found ACCESS busy. */
  traps = 0;
  busyLooks = 0;
  readonly #options: IndirectPortOptions;
  readonly #chart: Chart<unknown, IndirectEvent>;
  readonly #trap: number;
  readonly #direct: Operation[] = [];
  readonly #queue: Operation[] = [];
  #underWay = false;
  /** The access has been started: ACCESS tells of its end now. */
  #started = false;
  #value = 0;

  constructor(options: IndirectPortOptions) {
    this.#options = options;
    const { node, name } = options;
    this.#trap = node.costs.idOf('xen.mmioTrap');
    this.#chart = node.charts.start(indirectChart, {
      name,
      input: { accessPoll: node.costs.value(node.costs.idOf('xen.accessPoll')) },
      perform: (effect: IndirectEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  read(_device: number, offset: number, done: (value: number) => void, size = WORD): void {
    this.#push({ offset, write: false, value: 0, size, posted: false, done });
  }

  write(_device: number, offset: number, value: number, done: () => void = NOTHING): void {
    this.#push({ offset, write: true, value, size: WORD, posted: false, done });
  }

  writeByte(_device: number, offset: number, value: number, done: () => void): void {
    this.#push({ offset, write: true, value, size: 1, posted: false, done });
  }

  signal(_device: number, offset: number, value: number): void {
    this.#push({ offset, write: true, value, size: WORD, posted: true, done: NOTHING });
  }

  /** A trap has been taken by the hypervisor, which serves it at once. */
  deliver(step: number): void {
    this.traps++;
    if (step === DIRECT_ACCESS) return this.#serveDirect(this.#direct.shift()!);
    const { window } = this.#options;
    const [operation] = this.#queue;
    switch (step) {
      case LOOK:
        return this.#looked(isBusy(window.read(ACCESS)!), operation);
      case PUT_DATA:
        window.write(ACCESS_DATA, operation.value);
        return this.#chart.send(ENDED);
      case PUT_ACCESS:
        // The queue may have become full since the look.
        if (!window.write(ACCESS, accessValue(operation))) return this.#chart.send(BUSY);
        this.#started = true;
        return this.#chart.send(operation.posted ? POSTED : ENDED);
      case GET_DATA:
        this.#value = window.read(ACCESS_DATA)!;
        return this.#chart.send(ENDED);
    }
  }

  #push(operation: Operation): void {
    if (DIRECT.has(operation.offset)) {
      this.#direct.push(operation);
      return this.#trapFor(DIRECT_ACCESS);
    }
    this.#queue.push(operation);
    if (!this.#underWay) this.#next();
  }

  #next(): void {
    this.#underWay = true;
    this.#started = false;
    this.#chart.send(BEGIN);
  }

  #perform(effect: IndirectEffect): void {
    switch (effect.type) {
      case 'look':
        return this.#trapFor(LOOK);
      case 'choose':
        return this.#chart.send(this.#queue[0].write ? STORE : LOAD);
      case 'putData':
        return this.#trapFor(PUT_DATA);
      case 'putAccess':
        return this.#trapFor(PUT_ACCESS);
      case 'getData':
        return this.#trapFor(GET_DATA);
      case 'finish':
        return this.#finish();
    }
  }

  #looked(busy: boolean, operation: Operation): void {
    if (busy) {
      this.busyLooks++;
      return this.#chart.send(BUSY);
    }
    if (!this.#started) return this.#chart.send(FREE);
    this.#chart.send(operation.write ? STORE : LOAD);
  }

  #finish(): void {
    const { done, write } = this.#queue.shift()!;
    this.#underWay = false;
    done(write ? 0 : this.#value);
    if (!this.#underWay && this.#queue.length > 0) this.#next();
  }

  #serveDirect({ offset, write, value, done }: Operation): void {
    const { window } = this.#options;
    if (write) {
      window.write(offset, value);
      return done(0);
    }
    done(window.read(offset)!);
  }

  #trapFor(step: number): void {
    const { node } = this.#options;
    node.cpu.submit(Priority.task, node.charge(this.#trap), this, step);
  }
}
