// The side of a process that serves devices through a character device: it reads a message, and writes the
// answer or an EVENT_USED. Nothing else is taken from it.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, copyBytes, Priority } from '../../platform/node/index.ts';
import { isEventUsed, peekIsEvent, peekIsResponse } from '../../platform/virtio/messages/index.ts';
import {
  type DeviceLink,
  DMA_DATA,
  DMA_REFUSED,
  type LinkClient,
  MessageBacklog,
  type OrderedLink,
  RegionWindows,
  SharedMemoryPort,
} from '../common/index.ts';
import type { LoopbackOptions } from './options.ts';
import { ANSWER, ATTACH, ATTACHED, READABLE, TAKEN, WRITTEN } from './packets.ts';
import { sendAcross, sendMessageAcross } from './self.ts';

// Work on a core.
const READ = 0;
const WRITE = 1;
const MAP = 2;

export class SpinProcess implements DeviceLink, CpuClient {
  readonly dma: SharedMemoryPort;
  readonly #environment: BusEnvironment<LoopbackOptions>;
  readonly #client: LinkClient;
  readonly #request: Uint8Array;
  readonly #systemCall: number;
  #requestLength = 0;
  /** Number of the transaction that the process has read last. */
  #transaction = 0;
  /** The kernel spins for its answer. */
  #isOpen = false;
  readonly #writes: MessageBacklog;
  /** The pool, once it is mapped. */
  #windows = new RegionWindows([]);
  #writing = false;
  #refused = 0;

  constructor(environment: BusEnvironment<LoopbackOptions>, client: LinkClient) {
    const { node, plan } = environment;
    const { maxMessageSize } = plan.options;
    this.#environment = environment;
    this.#systemCall = node.costs.idOf('loopback.systemCall');
    this.#client = client;
    this.#request = new Uint8Array(maxMessageSize);
    this.#writes = new MessageBacklog(maxMessageSize);
    this.dma = new SharedMemoryPort({
      node,
      ownerNode: plan.driver,
      ownerPort: plan.driverPort,
      window: (address) => this.#windows.find(address),
      offset: (address) => this.#windows.offset(address),
    });
    node.cpu.submit(Priority.task, node.charge(this.#systemCall), this, MAP);
  }

  send(bytes: Uint8Array, length: number): void {
    const { node, plan } = this.#environment;
    const answers = peekIsResponse(bytes);
    if (answers ? !this.#isOpen : !isEventUsed(bytes, length)) {
      this.#refused++;
      const text = `${plan.name}: write() takes an answer that is waited for, or EVENT_USED`;
      return node.violations.report('UNEXPECTED_MESSAGE', text);
    }
    if (answers) this.#isOpen = false;
    if (this.#writes.merges(bytes, length)) return;
    this.#writes.push(bytes, length, -1);
    if (!this.#writing) this.#write();
  }

  get path(): OrderedLink {
    return this.dma.link;
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case DMA_DATA:
      case DMA_REFUSED:
        return this.dma.receive(packet);
      case ATTACHED:
        this.#windows = new RegionWindows([{ address: packet.a, length: packet.b }]);
        return;
      case READABLE:
        return this.#wake(packet);
      default:
        assert(false, `${this.#environment.plan.name}: packet of kind ${packet.kind}`);
    }
  }

  deliver(step: number): void {
    if (step === READ) return this.#read();
    const { node } = this.#environment;
    if (step === MAP) {
      const delay = node.charge(node.timing.lineLatency);
      return sendAcross(this.#environment, 'kernel', ATTACH, delay);
    }
    const { bytes, length } = this.#writes.shift();
    const delay = node.charge(node.timing.lineLatency);
    const kind = peekIsEvent(bytes) ? WRITTEN : ANSWER;
    const number = this.#transaction;
    sendMessageAcross(this.#environment, 'kernel', kind, delay, number, 0, bytes, length);
    this.#writing = false;
    if (this.#writes.length > 0) this.#write();
  }

  statistics(): Statistics {
    return {
      eventsRefused: this.#refused,
      merged: this.#writes.merged,
      ...this.dma.statistics(),
      ...this.dma.link.statistics('device'),
    };
  }

  /** The thread that sleeps in read() is woken. */
  #wake(packet: Packet): void {
    const { node } = this.#environment;
    this.#transaction = packet.a;
    this.#requestLength = packet.length;
    copyBytes(packet.bytes, 0, this.#request, 0, packet.length);
    const cost =
      node.charge(node.timing.workSwitch) +
      node.charge(this.#systemCall) +
      node.charge(node.timing.messageHandle);
    node.cpu.submit(Priority.task, cost, this, READ);
  }

  #read(): void {
    const { node } = this.#environment;
    this.#isOpen = !peekIsEvent(this.#request);
    if (!this.#isOpen) {
      const delay = node.charge(node.timing.lineLatency);
      sendAcross(this.#environment, 'kernel', TAKEN, delay, this.#transaction);
    }
    this.#client.frame(this.#request, this.#requestLength);
  }

  /** A write() copies what was said; it may not overtake what devices have written to memory. */
  #write(): void {
    const { node } = this.#environment;
    this.#writing = true;
    const cost =
      node.charge(node.timing.messageEncode) +
      node.charge(this.#systemCall) +
      this.dma.link.orderingDelay(0);
    node.cpu.submit(Priority.task, cost, this, WRITE);
  }
}
