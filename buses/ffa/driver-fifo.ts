// The driver's side of the FIFOs: they lie in its own memory, so that it reads and writes them without
// a transaction, but each line it touches comes from the other side's cache.
import {
  type CpuClient,
  InterruptLine,
  labels,
  type Node,
  PAGE_SIZE,
  Priority,
} from '../../platform/node/index.ts';
import { peekSize } from '../../platform/virtio/messages/index.ts';
import { FrameQueue } from '../common/index.ts';
import {
  FIFO,
  FIFO_CAPACITY,
  FIFO_MESSAGE_SIZE,
  FIFO_PAGES,
  FIFO_RING_SIZE,
  fifoCount,
  formatFifo,
  nextIndex,
} from './fifo-layout.ts';
import type { FfaTiming } from './timing.ts';

const SEND = 0;
const LOOK = 1;
const TAKE = 2;
/** Lines of a message of 128 bytes and of its index. */
const LINES_PER_MESSAGE = 3;

export interface DriverFifoOptions {
  readonly node: Node;
  readonly timing: FfaTiming;
  /** Sets a notification for the partition. */
  notify(): void;
  received(bytes: Uint8Array, length: number): void;
}

export class DriverFifo implements CpuClient {
  readonly address: number;
  sent = 0;
  /** Times that a message found the ring full. */
  full = 0;
  readonly #options: DriverFifoOptions;
  readonly #waiting = new FrameQueue(FIFO_MESSAGE_SIZE);
  readonly #line: InterruptLine;
  readonly #frame = new Uint8Array(FIFO_MESSAGE_SIZE);
  #sending = false;
  #taking = false;

  constructor(options: DriverFifoOptions) {
    this.#options = options;
    const { node } = options;
    this.address = node.memory.allocate(FIFO_PAGES * PAGE_SIZE, PAGE_SIZE);
    this.#line = new InterruptLine(node, () => this.#interrupted());
  }

  get pages(): number {
    return FIFO_PAGES;
  }

  get highWater(): number {
    return this.#waiting.highWater;
  }

  get interrupts(): number {
    return this.#line.taken;
  }

  /** Empties both rings; called before the partition is told of them. */
  format(): void {
    formatFifo(this.#options.node.memory, this.address);
    this.#waiting.clear();
    this.#sending = false;
  }

  /** The partition is away: nobody takes what waits. */
  clear(): void {
    this.#waiting.clear();
  }

  send(bytes: Uint8Array, length: number): void {
    const { kernel } = this.#options.node;
    const waits = this.#sending && kernel.causes !== null;
    const ticket = waits ? kernel.causes!.suspend(kernel.currentKey, kernel.now) : -1;
    this.#waiting.push(bytes, length, ticket);
    if (!this.#sending) this.#next();
  }

  /** The partition has set our notification: messages, or room where there was none. */
  notified(): void {
    this.#line.raise();
  }

  deliver(step: number): void {
    if (step === SEND) this.#enqueue();
    else if (step === LOOK) this.#look();
    else this.#take();
  }

  #next(): void {
    if (this.#waiting.length === 0) {
      this.#sending = false;
      return;
    }
    const { node } = this.#options;
    this.#sending = true;
    const ticket = this.#waiting.peek().mark;
    if (ticket >= 0) node.kernel.causes!.restore(ticket, labels.WAIT_BUS, node.kernel.now);
    const cost =
      node.charge(node.timing.messageEncode) +
      node.chargeTimes(node.timing.lineLatency, LINES_PER_MESSAGE);
    node.cpu.submit(Priority.task, cost, this, SEND);
  }

  #enqueue(): void {
    const { node, notify } = this.#options;
    const { memory } = node;
    if (this.#waiting.length === 0) return this.#next();
    const write = memory.readU16(this.address + FIFO.writeIndex);
    const read = memory.readU16(this.address + FIFO.readIndex);
    if (fifoCount(read, write) === FIFO_CAPACITY) {
      // The partition notifies when it drains a ring that was full; then sending goes on.
      this.full++;
      this.#sending = false;
      return;
    }
    const { bytes, length } = this.#waiting.shift();
    const slot = this.address + FIFO.slots + write * FIFO_MESSAGE_SIZE;
    memory.fill(slot, FIFO_MESSAGE_SIZE, 0);
    memory.copyIn(slot, bytes, 0, length);
    memory.writeU16(this.address + FIFO.writeIndex, nextIndex(write));
    this.sent++;
    notify();
    this.#next();
  }

  #interrupted(): void {
    const { node, timing } = this.#options;
    const cost = node.charge(node.timing.workSwitch) + node.charge(timing.notificationGet);
    node.cpu.submit(Priority.task, cost, this, LOOK);
  }

  #look(): void {
    if (this.#waiting.length > 0 && !this.#sending) this.#next();
    if (!this.#taking) this.#takeNext();
  }

  /** Goes on with the next message of the device's ring, if there is one. */
  #takeNext(): void {
    const { node } = this.#options;
    const ring = this.address + FIFO_RING_SIZE;
    const read = node.memory.readU16(ring + FIFO.readIndex);
    this.#taking = read !== node.memory.readU16(ring + FIFO.writeIndex);
    if (!this.#taking) return;
    const cost =
      node.charge(node.timing.messageHandle) +
      node.chargeTimes(node.timing.lineLatency, LINES_PER_MESSAGE);
    node.cpu.submit(Priority.task, cost, this, TAKE);
  }

  #take(): void {
    const { node, notify, received } = this.#options;
    const { memory } = node;
    const ring = this.address + FIFO_RING_SIZE;
    const read = memory.readU16(ring + FIFO.readIndex);
    const write = memory.readU16(ring + FIFO.writeIndex);
    // The rings may have been made anew meanwhile.
    if (read === write) {
      this.#taking = false;
      return;
    }
    const slot = ring + FIFO.slots + read * FIFO_MESSAGE_SIZE;
    memory.copyOut(slot, this.#frame, 0, FIFO_MESSAGE_SIZE);
    memory.writeU16(ring + FIFO.readIndex, nextIndex(read));
    if (fifoCount(read, write) === FIFO_CAPACITY) notify();
    received(this.#frame, Math.min(peekSize(this.#frame), FIFO_MESSAGE_SIZE));
    this.#takeNext();
  }
}
