// How a driver reaches registers that trap: the core that touches one is held until the device model
// has served it. One access at a time; others wait, as one thread does them one after another.
import { type CpuClient, labels, type Node, Priority } from '../../platform/node/index.ts';
import type { RegisterPort } from './mmio-driver.ts';
import { ACCESS, NOTIFY } from './packets.ts';
import type { MmioTiming } from './timing.ts';

const ISSUE = 0;
const RETURNED = 1;
const NOTIFIED = 2;

interface Access {
  readonly device: number;
  readonly offset: number;
  readonly value: number;
  /** Bytes of a store; 0 for a load. */
  readonly size: number;
  /** Bytes of a load. */
  readonly loads: number;
  /** A write that the hypervisor takes by itself. */
  readonly eventfd: boolean;
  readonly ticket: number;
  done(value: number): void;
}

export interface TrapPortOptions {
  readonly node: Node;
  readonly timing: MmioTiming;
  post(kind: number, a: number, b: number, c: number, d: number, delay: number): void;
}

const NOTHING = (): void => {};
/** Bytes of a register. */
const WORD = 4;

export class TrapPort implements RegisterPort, CpuClient {
  /** Accesses that went to the device model, and those that did not. */
  exits = 0;
  kernelExits = 0;
  readonly #options: TrapPortOptions;
  readonly #queue: Access[] = [];
  #busy = false;
  #core = -1;
  #value = 0;

  constructor(options: TrapPortOptions) {
    this.#options = options;
  }

  read(device: number, offset: number, done: (value: number) => void, size = WORD): void {
    this.#push({ device, offset, value: 0, size: 0, loads: size, eventfd: false, done });
  }

  /** Bytes of the load that is under way. */
  get loadSize(): number {
    return this.#queue[0].loads;
  }

  /** Stores a register of 4 bytes. */
  write(device: number, offset: number, value: number, done: () => void = NOTHING): void {
    this.#push({ device, offset, value, size: WORD, loads: 0, eventfd: false, done });
  }

  /** Stores one byte, as only configuration space takes it. */
  writeByte(device: number, offset: number, value: number, done: () => void): void {
    this.#push({ device, offset, value, size: 1, loads: 0, eventfd: false, done });
  }

  /** Writes a register that an ioeventfd watches. */
  signal(device: number, offset: number, value: number): void {
    this.#push({ device, offset, value, size: WORD, loads: 0, eventfd: true, done: NOTHING });
  }

  /** The access under way has been served. */
  served(value: number): void {
    const { node, timing } = this.#options;
    this.#value = value;
    node.cpu.resume(this.#core, node.charge(timing.access), this, RETURNED);
  }

  deliver(step: number): void {
    const access = this.#queue[0];
    if (step === ISSUE) return this.#issue(access);
    if (step === NOTIFIED)
      this.#options.post(NOTIFY, access.device, access.value, 0, 0, this.#wake());
    this.#queue.shift();
    this.#busy = false;
    access.done(this.#value);
    if (!this.#busy && this.#queue.length > 0) this.#next();
  }

  #wake(): number {
    const { node, timing } = this.#options;
    return node.charge(timing.wake);
  }

  #push(access: Omit<Access, 'ticket'>): void {
    const { kernel } = this.#options.node;
    const waits = this.#busy && kernel.causes !== null;
    const ticket = waits ? kernel.causes!.suspend(kernel.currentKey, kernel.now) : -1;
    this.#queue.push({ ...access, ticket });
    if (!this.#busy) this.#next();
  }

  #next(): void {
    this.#busy = true;
    const { node, timing } = this.#options;
    const { ticket, eventfd } = this.#queue[0];
    if (ticket >= 0) node.kernel.causes!.restore(ticket, labels.WAIT_BUS, node.kernel.now);
    const cost = eventfd ? timing.kernelExit : timing.access;
    node.cpu.submit(Priority.task, node.charge(cost), this, eventfd ? NOTIFIED : ISSUE);
    if (eventfd) this.kernelExits++;
  }

  #issue({ device, offset, value, size }: Access): void {
    const { node, timing, post } = this.#options;
    this.exits++;
    this.#core = node.cpu.hold();
    post(ACCESS, device, offset, value, size, node.charge(timing.exit));
  }
}
