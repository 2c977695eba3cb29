// In-band data at the driver's end of a bus: the memory that each device's driver has taken for it, and the
// answers to what devices want of it.
import type { DriverBusClient } from '../../../platform/contracts/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import { peekDevice, peekToken } from '../../../platform/virtio/messages/index.ts';
import { DevicePages, pagesOfMemory } from '../device-pages.ts';
import { CopyQueue } from './copy-queue.ts';
import { InBandFormat } from './format.ts';
import { isInBand, Kind, MemoryStatus } from './messages.ts';

/** The last write of a device that anything was heard of. */
interface Write {
  token: number;
  /** The chunk that must come next. */
  next: number;
  status: number;
}

export interface InBandDriverOptions {
  readonly node: Node;
  /** The bus. */
  readonly name: string;
  readonly maxMessageSize: number;
  readonly headerSize: number;
  /** Sends a message; copies its bytes. */
  send(bytes: Uint8Array, length: number): void;
  /** Takes a message that is none of memory. */
  pass(bytes: Uint8Array, length: number): void;
}

export class InBandDriverSide {
  readonly #options: InBandDriverOptions;
  readonly #pages: DevicePages;
  readonly #incoming: CopyQueue;
  readonly #frame: Uint8Array;
  readonly #format: InBandFormat;
  /** By device: its chunks come one write after another. */
  readonly #writes = new Map<number, Write>();

  constructor(options: InBandDriverOptions) {
    const { node, headerSize, maxMessageSize } = options;
    this.#options = options;
    this.#pages = new DevicePages(pagesOfMemory(node.memory));
    this.#frame = new Uint8Array(maxMessageSize);
    this.#format = new InBandFormat(headerSize, maxMessageSize);
    this.#incoming = new CopyQueue({
      node,
      frameSize: maxMessageSize,
      pass: (bytes, length) => this.#handle(bytes, length),
    });
  }

  /** Takes memory for a device: nothing is shared, but the device may ask for it. */
  allocate(deviceNumber: number, client: DriverBusClient, length: number): void {
    // Taken from all of RAM, which throws when nothing is left.
    client.allocated(this.#pages.allocate(deviceNumber, length)!.address, null);
  }

  /** A device names memory as its driver does. */
  busAddress(address: number): number {
    return address;
  }

  release(deviceNumber: number): void {
    this.#writes.delete(deviceNumber);
    this.#pages.release(deviceNumber);
  }

  /** Takes a message with a sound header; it is handled after those before it. */
  take(bytes: Uint8Array, length: number): void {
    if (isInBand(bytes)) return this.#incoming.push(bytes, length, this.#format.length(bytes));
    if (this.#incoming.isBusy) this.#incoming.push(bytes, length, 0);
    else this.#options.pass(bytes, length);
  }

  #handle(bytes: Uint8Array, length: number): void {
    if (!isInBand(bytes)) return this.#options.pass(bytes, length);
    switch (this.#format.kind(bytes)) {
      case Kind.read:
        if (this.#format.length(bytes) <= this.#format.readMax) return this.#read(bytes);
        return this.#malformed();
      case Kind.posted:
        this.#write(bytes);
        return;
      case Kind.write:
        return this.#answeredWrite(bytes);
      default:
        this.#malformed();
    }
  }

  #read(bytes: Uint8Array): void {
    const { node, send } = this.#options;
    const granted = this.#mayReach(bytes, 'MEM_READ');
    const length = granted ? this.#format.length(bytes) : 0;
    const status = granted ? MemoryStatus.OK : MemoryStatus.DENIED;
    const size = this.#format.writeReadAnswer(
      this.#frame,
      this.#deviceOf(bytes),
      peekToken(bytes),
      this.#format.sequence(bytes),
      length,
      status,
    );
    node.memory.copyOut(this.#format.address(bytes), this.#frame, this.#format.readData, length);
    send(this.#frame, size);
  }

  #answeredWrite(bytes: Uint8Array): void {
    const { status } = this.#write(bytes);
    const size = this.#format.writeWriteAnswer(
      this.#frame,
      this.#deviceOf(bytes),
      peekToken(bytes),
      this.#format.sequence(bytes),
      status,
    );
    this.#options.send(this.#frame, size);
  }

  /** Writes a chunk unless one before it is missing or was refused: an answer tells of all so far. */
  #write(bytes: Uint8Array): Write {
    const write = this.#writeOf(bytes);
    if (write.status !== MemoryStatus.OK) return write;
    if (!this.#mayReach(bytes, 'MEM_WRITE')) {
      write.status = MemoryStatus.DENIED;
      return write;
    }
    const { memory } = this.#options.node;
    memory.copyIn(
      this.#format.address(bytes),
      bytes,
      this.#format.writtenData,
      this.#format.length(bytes),
    );
    write.next++;
    return write;
  }

  /** The write that a chunk belongs to: the one under way, if this is the chunk that it waits for. */
  #writeOf(bytes: Uint8Array): Write {
    const device = this.#deviceOf(bytes);
    const token = peekToken(bytes);
    const sequence = this.#format.sequence(bytes);
    let write = this.#writes.get(device);
    if (write === undefined) {
      write = { token, next: 0, status: MemoryStatus.OK };
      this.#writes.set(device, write);
    }
    if (write.token !== token || sequence === 0) {
      write.token = token;
      write.next = 0;
      write.status = MemoryStatus.OK;
    }
    if (write.next !== sequence) write.status ||= MemoryStatus.LOST;
    return write;
  }

  #mayReach(bytes: Uint8Array, access: string): boolean {
    const device = this.#deviceOf(bytes);
    const address = this.#format.address(bytes);
    const length = this.#format.length(bytes);
    if (this.#pages.holds(device, address, length)) return true;
    const { node, name } = this.#options;
    node.violations.report(
      'DMA_FAULT',
      `${name}: ${access} of ${length} bytes at 0x${address.toString(16)} by device ${device} refused: ` +
        'its driver has not taken this memory for it',
    );
    return false;
  }

  #deviceOf(bytes: Uint8Array): number {
    return peekDevice(bytes, 0, this.#options.headerSize);
  }

  #malformed(): void {
    const { node, name } = this.#options;
    node.violations.report('MALFORMED_MESSAGE', `${name}: an access that makes no sense`);
  }
}
