// The kernel's side of the character device of 2025 (/dev/virtio-msg-N): one transaction at a time, behind
// a mutex, and the core spins for the whole time that the process takes.
import type {
  BusEnvironment,
  DriverBusClient,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, copyBytes, labels, Priority } from '../../platform/node/index.ts';
import { peekIsEvent } from '../../platform/virtio/messages/index.ts';
import {
  DMA_READ,
  DMA_WRITE,
  type DriverLink,
  type LinkClient,
  MessageBacklog,
  NO_COST,
  type OrderedLink,
} from '../common/index.ts';
import { type KernelEffect, type KernelEvent, kernelChart } from './kernel-chart.ts';
import { KernelPool } from './kernel-pool.ts';
import type { LoopbackOptions } from './options.ts';
import { ANSWER, ATTACH, ATTACHED, READABLE, TAKEN, WRITTEN } from './packets.ts';
import { sendAcross, sendMessageAcross } from './self.ts';
import { type SpinEffect, type SpinEvent, spinChart } from './spin-chart.ts';

// Work on a core.
const CALL = 0;
const ANSWERED = 1;
const HEARD = 2;

const WORK: SpinEvent = { type: 'WORK' };
const CALLED: SpinEvent = { type: 'CALLED' };
const OVER: SpinEvent = { type: 'OVER' };
const MORE: SpinEvent = { type: 'MORE' };
const DONE: SpinEvent = { type: 'DONE' };

export class SpinKernel implements DriverLink, CpuClient {
  readonly #environment: BusEnvironment<LoopbackOptions>;
  readonly #client: LinkClient;
  readonly #pool: KernelPool;
  readonly #session: Chart<unknown, KernelEvent>;
  readonly #chart: Chart<unknown, SpinEvent>;
  readonly #backlog: MessageBacklog;
  readonly #events: MessageBacklog;
  readonly #answer: Uint8Array;
  readonly #wakeUp: number;
  #answerLength = 0;
  /** The core that spins, or -1; and the number of its transaction. */
  #core = -1;
  #transaction = 0;
  #calls = 0;
  #givenUp = 0;

  constructor(environment: BusEnvironment<LoopbackOptions>, client: LinkClient) {
    const { node, plan } = environment;
    const { maxMessageSize } = plan.options;
    this.#environment = environment;
    this.#wakeUp = node.costs.idOf('loopback.wakeUp');
    this.#client = client;
    this.#pool = new KernelPool(environment);
    this.#backlog = new MessageBacklog(maxMessageSize);
    this.#events = new MessageBacklog(maxMessageSize);
    this.#answer = new Uint8Array(maxMessageSize);
    this.#chart = node.charts.start(spinChart, {
      name: `${plan.name}.spin`,
      input: { timeout: node.costs.value(node.costs.idOf('loopback.requestTimeout')) },
      perform: (effect: SpinEffect) => this.#perform(effect),
    });
    this.#chart.begin();
    this.#session = node.charts.start(kernelChart, {
      name: `${plan.name}.kernel`,
      input: { byMessage: false },
      perform: (effect: KernelEffect) => this.#step(effect),
    });
    this.#session.begin();
  }

  /** The process has added its devices by ioctl before it maps the pool. */
  connect(): void {
    this.#session.send({ type: 'CONNECT' });
  }

  send(bytes: Uint8Array, length: number): void {
    if (this.#backlog.merges(bytes, length)) return;
    const { kernel } = this.#environment.node;
    const waits = !this.#chart.matches('idle') && kernel.causes !== null;
    const ticket = waits ? kernel.causes!.suspend(kernel.currentKey, kernel.now) : -1;
    this.#backlog.push(bytes, length, ticket);
    this.#chart.send(WORK);
  }

  clear(): void {
    this.#backlog.clear();
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case DMA_READ:
      case DMA_WRITE:
        return this.#pool.target.receive(packet);
      case ATTACH:
        return this.#session.send({ type: 'ATTACH' });
      case TAKEN:
        return this.#over(packet, NO_COST);
      case ANSWER:
        return this.#over(packet, this.#environment.node.timing.messageHandle);
      case WRITTEN:
        return this.#written(packet);
      default:
        assert(false, `${this.#environment.plan.name}: packet of kind ${packet.kind}`);
    }
  }

  deliver(step: number, transaction: number): void {
    switch (step) {
      case CALL:
        return this.#call();
      case ANSWERED:
        if (this.#answerLength > 0) this.#client.frame(this.#answer, this.#answerLength);
        if (transaction === this.#transaction) this.#chart.send(OVER);
        return;
      case HEARD: {
        const { bytes, length } = this.#events.shift();
        return this.#client.frame(bytes, length);
      }
    }
  }

  get path(): OrderedLink {
    return this.#pool.target.link;
  }

  allocate(deviceNumber: number, client: DriverBusClient, length: number): void {
    this.#pool.allocate(deviceNumber, client, length);
  }

  busAddress(address: number): number {
    return this.#pool.busAddress(address);
  }

  release(deviceNumber: number): void {
    this.#pool.release(deviceNumber);
  }

  statistics(): Statistics {
    return {
      calls: this.#calls,
      callsGivenUp: this.#givenUp,
      backlogMax: this.#backlog.highWater,
      merged: this.#backlog.merged,
      ...this.#pool.target.link.statistics('driver'),
    };
  }

  #step(effect: KernelEffect): void {
    if (effect.type === 'up') return this.#client.up();
    if (effect.type !== 'attach') return;
    const { node } = this.#environment;
    const delay = node.charge(node.timing.lineLatency);
    const { address, length } = this.#pool.range;
    sendAcross(this.#environment, 'process', ATTACHED, delay, address, length);
  }

  #perform(effect: SpinEffect): void {
    switch (effect.type) {
      case 'take':
        return this.#take();
      case 'look':
        return this.#chart.send(this.#backlog.length > 0 ? MORE : DONE);
      case 'giveUp':
        return this.#giveUp();
    }
  }

  #take(): void {
    const { node } = this.#environment;
    const ticket = this.#backlog.length > 0 ? this.#backlog.nextMark : -1;
    if (ticket >= 0) node.kernel.causes!.restore(ticket, labels.WAIT_BUS, node.kernel.now);
    node.cpu.submit(Priority.task, node.charge(node.timing.messageEncode), this, CALL);
  }

  /** The message is where the process reads it; the process is woken, and the core spins. */
  #call(): void {
    const { node } = this.#environment;
    this.#chart.send(CALLED);
    if (this.#backlog.length === 0) return this.#chart.send(OVER);
    const { bytes, length } = this.#backlog.shift();
    this.#calls++;
    this.#transaction++;
    this.#core = node.cpu.hold();
    const delay = node.charge(this.#wakeUp);
    const number = this.#transaction;
    sendMessageAcross(this.#environment, 'process', READABLE, delay, number, 0, bytes, length);
  }

  /** The transaction under way is through; one that was given up is no concern any more. */
  #over(packet: Packet, handling: number): void {
    if (this.#core < 0 || packet.a !== this.#transaction) return;
    const { node } = this.#environment;
    this.#answerLength = packet.length;
    copyBytes(packet.bytes, 0, this.#answer, 0, packet.length);
    const cost = handling < 0 ? 0 : node.charge(handling);
    node.cpu.resume(this.#core, cost, this, ANSWERED, packet.a);
    this.#core = -1;
  }

  #giveUp(): void {
    const { node, plan } = this.#environment;
    if (this.#core < 0) return;
    this.#givenUp++;
    node.violations.report('TIMEOUT', `${plan.name}: the process doesn't answer`);
    node.cpu.release(this.#core);
    this.#core = -1;
  }

  /** The process has written an event, which the kernel handles in the course of the write. */
  #written(packet: Packet): void {
    const { node, plan } = this.#environment;
    if (!peekIsEvent(packet.bytes)) {
      const text = `${plan.name}: a message of the process that answers nothing`;
      return node.violations.report('UNEXPECTED_MESSAGE', text);
    }
    this.#events.push(packet.bytes, packet.length, -1);
    node.cpu.submit(Priority.interrupt, node.charge(node.timing.messageHandle), this, HEARD);
  }
}
