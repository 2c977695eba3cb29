// The partition's side of the FIFOs: they lie in the driver's memory, so that it reads them by DMA and
// writes them by posted DMA. Woken by a notification, it reads until the ring is empty.
import type { DmaClient, DmaFault, DmaPort } from '../../platform/contracts/index.ts';
import { type CpuClient, InterruptLine, type Node, Priority } from '../../platform/node/index.ts';
import { peekSize } from '../../platform/virtio/messages/index.ts';
import { readU16, writeU16 } from '../../platform/wire/index.ts';
import { FrameQueue } from '../common/index.ts';
import {
  FIFO,
  FIFO_CAPACITY,
  FIFO_DEPTH,
  FIFO_MESSAGE_SIZE,
  FIFO_RING_SIZE,
  fifoCount,
  nextIndex,
} from './fifo-layout.ts';
import type { FfaTiming } from './timing.ts';

/** Work on a core. */
const LOOK = 0;
const HANDLE = 1;
const SEND = 2;
/** What a read brings. */
const READ_INDEXES = 0;
const READ_SLOTS = 1;
const READ_SPACE = 2;
const WRITE = 3;

export interface DeviceFifoOptions {
  readonly node: Node;
  readonly name: string;
  readonly timing: FfaTiming;
  readonly dma: DmaPort;
  /** Sets a notification for the driver. */
  notify(): void;
  received(bytes: Uint8Array, length: number): void;
}

export class DeviceFifo implements DmaClient, CpuClient {
  sent = 0;
  full = 0;
  readonly #options: DeviceFifoOptions;
  readonly #line: InterruptLine;
  /** Messages read from the driver's ring and not handled yet. */
  readonly #inbox = new FrameQueue(FIFO_MESSAGE_SIZE);
  readonly #outbox = new FrameQueue(FIFO_MESSAGE_SIZE);
  readonly #slot = new Uint8Array(FIFO_MESSAGE_SIZE);
  readonly #index = new Uint8Array(2);
  #configured = false;
  #reading = false;
  #lookAgain = false;
  #sending = false;
  /** Our index in the driver's ring, and both indexes of our own ring as last seen. */
  #driverRead = 0;
  #driverWrite = 0;
  #ownWrite = 0;
  #ownRead = 0;

  constructor(options: DeviceFifoOptions) {
    this.#options = options;
    this.#line = new InterruptLine(options.node, () => this.#interrupted());
  }

  get interrupts(): number {
    return this.#line.taken;
  }

  /** The driver has announced its FIFOs, both empty; they are bus addresses 0 and up. */
  configure(): void {
    this.reset();
    this.#configured = true;
  }

  reset(): void {
    this.#configured = false;
    this.#inbox.clear();
    this.#outbox.clear();
    this.#sending = false;
    this.#reading = false;
    this.#driverRead = 0;
    this.#driverWrite = 0;
    this.#ownWrite = 0;
    this.#ownRead = 0;
  }

  /** The driver has set our notification. */
  notified(): void {
    this.#line.raise();
  }

  send(bytes: Uint8Array, length: number): void {
    this.#outbox.push(bytes, length);
    if (!this.#sending) this.#sendNext();
  }

  deliver(step: number): void {
    if (!this.#configured) return;
    if (step === LOOK) this.#look();
    else if (step === HANDLE) this.#handle();
    else this.#write();
  }

  readDone(step: number, bytes: Uint8Array): void {
    if (!this.#configured) return;
    if (step === READ_INDEXES) this.#indexesRead(readU16(bytes, 0));
    else if (step === READ_SLOTS) this.#slotsRead(bytes);
    else {
      this.#ownRead = readU16(bytes, 0);
      if (this.#isFull()) {
        // The driver notifies when it has drained the ring; `#look` goes on.
        this.full++;
        this.#sending = false;
      } else this.#sendNext();
    }
  }

  refused(_tag: number, { write, length, reason }: DmaFault): void {
    const { node, name } = this.#options;
    const verb = write ? 'write' : 'read';
    const text = `${name}: FIFO ${verb} of ${length} bytes refused: ${reason}`;
    node.violations.report('DMA_FAULT', text);
    this.#configured = false;
  }

  #interrupted(): void {
    const { node, timing } = this.#options;
    const cost = node.charge(node.timing.workSwitch) + node.charge(timing.notificationGet);
    node.cpu.submit(Priority.task, cost, this, LOOK);
  }

  #look(): void {
    if (this.#outbox.length > 0 && !this.#sending) this.#readSpace();
    if (this.#reading) this.#lookAgain = true;
    else this.#readIndexes();
  }

  #readIndexes(): void {
    this.#reading = true;
    this.#lookAgain = false;
    this.#options.dma.readSegment(FIFO.writeIndex, 2);
    this.#options.dma.read(this, READ_INDEXES);
  }

  #indexesRead(write: number): void {
    const count = fifoCount(this.#driverRead, write % FIFO_DEPTH);
    this.#driverWrite = write % FIFO_DEPTH;
    if (count === 0) {
      this.#reading = false;
      if (this.#lookAgain) this.#readIndexes();
      return;
    }
    const { dma } = this.#options;
    const first = this.#driverRead;
    const untilWrap = Math.min(count, FIFO_DEPTH - first);
    dma.readSegment(FIFO.slots + first * FIFO_MESSAGE_SIZE, untilWrap * FIFO_MESSAGE_SIZE);
    if (count > untilWrap) dma.readSegment(FIFO.slots, (count - untilWrap) * FIFO_MESSAGE_SIZE);
    dma.read(this, READ_SLOTS);
  }

  /** Takes all slots at once and gives them back to the driver in one write. */
  #slotsRead(bytes: Uint8Array): void {
    const count = fifoCount(this.#driverRead, this.#driverWrite);
    for (let i = 0; i < count; i++) {
      const slot = bytes.subarray(i * FIFO_MESSAGE_SIZE, (i + 1) * FIFO_MESSAGE_SIZE);
      this.#inbox.push(slot, FIFO_MESSAGE_SIZE);
    }
    this.#driverRead = this.#driverWrite;
    writeU16(this.#index, 0, this.#driverRead);
    const { node, dma, notify } = this.#options;
    dma.writeSegment(FIFO.readIndex, this.#index, 0, 2);
    dma.write(this, WRITE);
    if (count === FIFO_CAPACITY) notify();
    const cost = node.charge(node.timing.messageHandle);
    node.cpu.submit(Priority.task, cost, this, HANDLE);
  }

  #handle(): void {
    const { node, received } = this.#options;
    const { bytes } = this.#inbox.shift();
    received(bytes, Math.min(peekSize(bytes), FIFO_MESSAGE_SIZE));
    if (this.#inbox.length === 0) return this.#readIndexes();
    node.cpu.submit(Priority.task, node.charge(node.timing.messageHandle), this, HANDLE);
  }

  #sendNext(): void {
    this.#sending = this.#outbox.length > 0;
    if (!this.#sending) return;
    const { node } = this.#options;
    node.cpu.submit(Priority.task, node.charge(node.timing.messageEncode), this, SEND);
  }

  #write(): void {
    if (this.#outbox.length === 0) return this.#sendNext();
    if (this.#isFull()) return this.#readSpace();
    const { dma, notify } = this.#options;
    const { bytes, length } = this.#outbox.shift();
    this.#slot.fill(0);
    this.#slot.set(bytes.subarray(0, length));
    const at = FIFO_RING_SIZE + FIFO.slots + this.#ownWrite * FIFO_MESSAGE_SIZE;
    dma.writeSegment(at, this.#slot, 0, FIFO_MESSAGE_SIZE);
    this.#ownWrite = nextIndex(this.#ownWrite);
    writeU16(this.#index, 0, this.#ownWrite);
    dma.writeSegment(FIFO_RING_SIZE + FIFO.writeIndex, this.#index, 0, 2);
    if (!dma.write(this, WRITE)) return;
    this.sent++;
    notify();
    this.#sendNext();
  }

  /** Full as far as we know; the driver may have read on since. */
  #isFull(): boolean {
    return fifoCount(this.#ownRead, this.#ownWrite) === FIFO_CAPACITY;
  }

  #readSpace(): void {
    this.#sending = true;
    this.#options.dma.readSegment(FIFO_RING_SIZE + FIFO.readIndex, 2);
    this.#options.dma.read(this, READ_SPACE);
  }
}
