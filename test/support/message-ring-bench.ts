// Both sides of a message ring over a piece of one node's memory, or of a peer's, with everything that
// comes out of it on record.
import {
  OwnRingMemory,
  PeerRingMemory,
  RegionGuard,
  RegionWindows,
  type RingLayout,
  type RingMemory,
  SharedMemoryPort,
  SharedMemoryTarget,
} from '../../buses/common/index.ts';
import { RingReceiver } from '../../buses/common/ring-receiver.ts';
import { RingSender } from '../../buses/common/ring-sender.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import { testNodes } from './test-nodes.ts';

export const MICROSECOND = 1_000_000;

export interface MessageRingOptions {
  readonly layout: RingLayout;
  /** Bytes that the ring takes. */
  readonly size: number;
  readonly fullRetry?: number;
  readonly budget?: number;
  readonly beyondBudget?: 'continue' | 'wait';
  /** Doorbells that are not heard. */
  readonly deaf?: boolean;
}

/** A ring in the memory of the first node; the receiver lives on the second, across a link. */
export class MessageRing {
  readonly nodes = testNodes();
  readonly base: number;
  readonly frames: string[] = [];
  readonly broken: string[] = [];
  doorbells = 0;
  sender: RingSender;
  receiver: RingReceiver;
  /** Set to have each message handled somehow. */
  onFrame: () => void = () => {};
  readonly #options: MessageRingOptions;
  readonly #port: SharedMemoryPort;
  #made = 0;

  constructor(options: MessageRingOptions) {
    this.#options = options;
    const { linux, storage, topology } = this.nodes;
    this.base = linux.memory.allocate(options.size, 4096);
    const plan = topology.buses[0];
    const region = { address: this.base, length: options.size };
    const target = new SharedMemoryTarget({
      node: linux,
      handles: new RegionGuard([region]),
      borrowerNode: plan.device,
      borrowerPort: plan.devicePort,
      name: 'ring',
    });
    const windows = new RegionWindows([{ address: 0x1000, length: options.size }]);
    this.#port = new SharedMemoryPort({
      node: storage,
      ownerNode: plan.driver,
      ownerPort: plan.driverPort,
      window: (address) => windows.find(address),
      offset: (address) => windows.offset(address),
    });
    const place = (receive: (packet: Packet) => void): Component => ({ deliver() {}, receive });
    const { kernel } = this.nodes;
    const owner = place((packet) => target.receive(packet));
    const borrower = place((packet) => this.#port.receive(packet));
    kernel.bindPort(plan.driverPort, linux.add(owner));
    kernel.bindPort(plan.devicePort, storage.add(borrower));
    this.sender = this.makeSender();
    this.receiver = this.makeReceiver();
  }

  /** A sender on the node that has the ring. */
  makeSender(): RingSender {
    const { linux } = this.nodes;
    const { layout, fullRetry = 10 * MICROSECOND } = this.#options;
    return new RingSender({
      node: linux,
      name: `sender${this.#made++}`,
      layout,
      memory: this.#own(),
      maxMessageSize: 64,
      fullRetry,
      doorbell: linux.timing.submit,
      ringDoorbell: () => {
        this.doorbells++;
        if (this.#options.deaf !== true) this.receiver.rung();
      },
      barrier: () => 0,
      broken: (reason) => this.broken.push(reason),
    });
  }

  /** A receiver on the other node. */
  makeReceiver(): RingReceiver {
    const { storage } = this.nodes;
    const { layout, budget = Infinity, beyondBudget = 'continue' } = this.#options;
    return new RingReceiver({
      node: storage,
      name: `receiver${this.#made++}`,
      layout,
      memory: new PeerRingMemory(storage, this.#port, 0x1000, 64),
      budget,
      beyondBudget,
      frame: (bytes) => {
        this.frames.push(toHex(bytes));
        this.onFrame();
      },
      rest: () => {},
      broken: (reason) => this.broken.push(reason),
    });
  }

  /** Runs for some time. */
  run(ps = 1000 * MICROSECOND): void {
    const { kernel } = this.nodes;
    kernel.runUntil(kernel.now + ps);
  }

  /** A word of the ring's memory. */
  word(offset: number): number {
    return this.nodes.linux.memory.readU32(this.base + offset);
  }

  hex(offset: number, length: number): string {
    const bytes = new Uint8Array(length);
    this.nodes.linux.memory.copyOut(this.base + offset, bytes, 0, length);
    return toHex(bytes);
  }

  #own(): RingMemory {
    const { linux } = this.nodes;
    return new OwnRingMemory(linux, this.base, linux.timing.lineLatency, 64);
  }
}

/** A frame of 8 bytes and more: the header of a bus message with this token. */
export function numbered(token: number, length = 8): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set([2, 3, 0, 0, token & 0xff, token >> 8, length, 0]);
  return bytes;
}

/** Token of a frame in hexadecimal. */
export function tokenOf(hex: string): number {
  return Number.parseInt(hex.slice(10, 12) + hex.slice(8, 10), 16);
}
