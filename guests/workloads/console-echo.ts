// A workload that writes messages to a port of a console, behind which a program sends every byte back,
// and compares what comes with what went.
import { z } from 'zod';
import type { WorkloadEnvironment } from '../../platform/contracts/index.ts';
import { count, size, time } from '../../platform/scenario/fields.ts';
import { CONSOLE_PORTS_MAX } from '../../platform/virtio/index.ts';
import { defineWorkload } from '../common/index.ts';
import type { ConsoleClient, ConsoleDriver } from '../console/index.ts';
import { EchoCheck } from './echo-check.ts';
import { WorkloadBase } from './workload-base.ts';

const consoleEchoOptions = z.strictObject({
  port: count({ max: CONSOLE_PORTS_MAX - 1 })
    .default(0)
    .describe('The port that is written to.'),
  messageSize: size({ min: 1, max: 16384 }).default(64).describe('Bytes of one message.'),
  depth: count({ min: 1, max: 64 }).default(1).describe('Messages under way at the same time.'),
  operations: count({ min: 1 }).default(100).describe('Messages in all.'),
  thinkTime: time({ min: 0 })
    .default(0)
    .describe('Time between the end of a message and the next on its slot.'),
  emergency: z
    .string()
    .regex(/^[\x20-\x7e]*$/)
    .default('')
    .describe('Text for the emergency write, before the first message.'),
});

type ConsoleEchoOptions = z.output<typeof consoleEchoOptions>;

class ConsoleEcho extends WorkloadBase implements ConsoleClient {
  readonly #options: ConsoleEchoOptions;
  readonly #driver: ConsoleDriver;
  readonly #echo: EchoCheck;
  /** What is being sent, and what is being received: a receipt may start the next message. */
  readonly #message: Uint8Array;
  readonly #scratch: Uint8Array;
  /** 1 while the device has not taken what the slot wrote. */
  readonly #unsent: Uint8Array;
  /** 1 while bytes of the slot have not come back. */
  readonly #unanswered: Uint8Array;
  readonly #since: Float64Array;
  readonly #failed: Uint8Array;
  #left: number;
  #emergencyLeft: number;
  #emergencyFailed = false;
  /** The port was ready once. */
  #begun = false;

  constructor(environment: WorkloadEnvironment<ConsoleEchoOptions, ConsoleDriver>) {
    const { node, plan, driver, finished } = environment;
    const { options } = plan;
    const { depth, messageSize, thinkTime } = options;
    super({
      node,
      name: plan.name,
      duration: Infinity,
      depth,
      total: options.operations,
      thinkTime,
      finished,
    });
    this.#options = options;
    this.#driver = driver;
    this.#left = options.operations;
    this.#emergencyLeft = options.emergency.length;
    this.#message = new Uint8Array(messageSize);
    this.#scratch = new Uint8Array(messageSize);
    this.#unsent = new Uint8Array(depth);
    this.#unanswered = new Uint8Array(depth);
    this.#failed = new Uint8Array(depth);
    this.#since = new Float64Array(depth);
    this.firstSlot = driver.reserve(this, options.port, depth, messageSize);
    const random = node.random(`workload/${plan.name}`);
    this.#echo = new EchoCheck(random, (index, intact) => this.#answered(index, intact));
  }

  consoleReady(): void {
    const again = this.#begun;
    this.#begun = true;
    if (again) return this.#goOn();
    if (this.#emergencyLeft === 0) return this.ready();
    if (!this.#driver.canEmergencyWrite) {
      this.#emergencyFailed = true;
      return this.#afterEmergency();
    }
    for (const character of this.#options.emergency) {
      this.#driver.emergencyWrite(this, character.charCodeAt(0));
    }
  }

  consoleEmergency(applied: boolean): void {
    if (!applied) this.#emergencyFailed = true;
    if (--this.#emergencyLeft === 0) this.#afterEmergency();
  }

  consoleDown(reason: string): void {
    this.down(reason);
  }

  consoleSent(slot: number): void {
    this.#unsent[slot - this.firstSlot] = 0;
    this.#finish(slot - this.firstSlot);
  }

  consoleReceived(address: number, length: number): void {
    for (let done = 0; done < length; ) {
      const step = Math.min(length - done, this.#scratch.length);
      this.node.memory.copyOut(address + done, this.#scratch, 0, step);
      const surplus = this.#echo.received(this.#scratch, step);
      if (surplus > 0) this.#wrong(`${surplus} bytes came that nobody wrote`);
      done += step;
    }
  }

  protected override next(slot: number): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    const index = slot - this.firstSlot;
    this.#unsent[index] = 1;
    this.#unanswered[index] = 1;
    this.#failed[index] = 0;
    this.#since[index] = this.node.kernel.now;
    this.#echo.compose(index, this.#message);
    this.node.memory.copyIn(
      this.#driver.dataAddress(slot),
      this.#message,
      0,
      this.#options.messageSize,
    );
    this.#driver.write(slot, this.#options.messageSize);
    return true;
  }

  /** The port is back: messages that the device had taken are lost, and the others come again. */
  #goOn(): void {
    this.#echo.restart((index) => this.#unsent[index] === 1);
    const lost = [...this.#unsent.keys()].filter(
      (index) => this.#unsent[index] === 0 && this.#unanswered[index] === 1,
    );
    for (const index of lost) {
      this.#unanswered[index] = 0;
      this.#failed[index] = 1;
      this.#finish(index);
    }
  }

  #afterEmergency(): void {
    if (this.#emergencyFailed) {
      this.errors++;
      this.#wrong('the device does not take emergency writes');
    }
    this.ready();
  }

  #answered(index: number, intact: boolean): void {
    this.verified++;
    if (!intact) {
      this.#failed[index] = 1;
      this.#wrong('a message came back changed');
    }
    this.#unanswered[index] = 0;
    this.#finish(index);
  }

  /** A message is over when the device has returned its buffer and all its bytes have come back. */
  #finish(index: number): void {
    if (this.#unsent[index] === 1 || this.#unanswered[index] === 1) return;
    const latency = this.node.kernel.now - this.#since[index];
    const failed = this.#failed[index] === 1;
    this.over(this.firstSlot + index, latency, failed, this.#options.messageSize);
  }

  #wrong(text: string): void {
    this.node.violations.report('VERIFY', `${this.name}: ${text}`);
  }
}

export const consoleEcho = defineWorkload({
  type: 'consoleEcho',
  drives: ['console'],
  doc: 'Writes to a console port with an echo behind it, and compares every byte that comes back.',
  spec: 'virtio 1.4 §5.3',
  options: consoleEchoOptions,
  timing: [],
  create: (environment: WorkloadEnvironment<ConsoleEchoOptions, ConsoleDriver>) =>
    new ConsoleEcho(environment),
});
