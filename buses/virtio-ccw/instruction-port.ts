// How a driver issues I/O instructions and DIAGNOSE: the core that does is held until the device model
// has served it, but not while a channel program runs. One at a time; others wait.
import { type CpuClient, labels, type Node, Priority } from '../../platform/node/index.ts';
import { Instruction } from './commands.ts';
import { INSTRUCTION, NOTIFY } from './packets.ts';
import type { CcwTiming } from './timing.ts';

const ISSUE = 0;
const RETURNED = 1;
const NOTIFIED = 2;

type Done = (condition: number, value: number) => void;

interface Issued {
  readonly device: number;
  readonly instruction: number;
  readonly operand: number;
  /** A notification that the hypervisor takes by itself. */
  readonly eventfd: boolean;
  readonly ticket: number;
  readonly done: Done;
}

export interface InstructionPortOptions {
  readonly node: Node;
  readonly timing: CcwTiming;
  post(kind: number, a: number, b: number, c: number, delay: number): void;
}

const NOTHING: Done = () => {};

export class InstructionPort implements CpuClient {
  /** Instructions that went to the device model, and those that did not. */
  exits = 0;
  kernelExits = 0;
  readonly #options: InstructionPortOptions;
  readonly #queue: Issued[] = [];
  #busy = false;
  #core = -1;
  #condition = 0;
  #value = 0;

  constructor(options: InstructionPortOptions) {
    this.#options = options;
  }

  /** Issues an instruction for a subchannel. */
  issue(device: number, instruction: number, operand: number, done: Done): void {
    this.#push(device, instruction, operand, false, done);
  }

  /** Issues DIAGNOSE 0x500, subcode 3. */
  notify(device: number, data: number, eventfd: boolean): void {
    this.#push(device, Instruction.DIAGNOSE, data, eventfd, NOTHING);
  }

  /** The instruction under way has been served. */
  served(condition: number, value: number): void {
    const { node, timing } = this.#options;
    this.#condition = condition;
    this.#value = value;
    node.cpu.resume(this.#core, node.charge(timing.instruction), this, RETURNED);
  }

  deliver(step: number): void {
    const issued = this.#queue[0];
    if (step === ISSUE) return this.#exit(issued);
    const { node, timing, post } = this.#options;
    if (step === NOTIFIED) {
      post(NOTIFY, issued.device, issued.operand, 0, node.charge(timing.wake));
    }
    this.#queue.shift();
    this.#busy = false;
    issued.done(this.#condition, this.#value);
    if (!this.#busy && this.#queue.length > 0) this.#next();
  }

  #push(device: number, instruction: number, operand: number, eventfd: boolean, done: Done): void {
    const { kernel } = this.#options.node;
    const waits = this.#busy && kernel.causes !== null;
    const ticket = waits ? kernel.causes!.suspend(kernel.currentKey, kernel.now) : -1;
    this.#queue.push({ device, instruction, operand, eventfd, ticket, done });
    if (!this.#busy) this.#next();
  }

  #next(): void {
    this.#busy = true;
    const { node, timing } = this.#options;
    const { ticket, eventfd } = this.#queue[0];
    if (ticket >= 0) node.kernel.causes!.restore(ticket, labels.WAIT_BUS, node.kernel.now);
    const cost = eventfd ? timing.kernelExit : timing.instruction;
    node.cpu.submit(Priority.task, node.charge(cost), this, eventfd ? NOTIFIED : ISSUE);
    if (eventfd) this.kernelExits++;
  }

  #exit({ device, instruction, operand }: Issued): void {
    const { node, timing, post } = this.#options;
    this.exits++;
    this.#core = node.cpu.hold();
    post(INSTRUCTION, device, instruction, operand, node.charge(timing.exit));
  }
}
