// A bus for transport tests: both ends on one node, every message delivered after the same time, and a
// script that may lose, delay, repeat or change each one.
import type {
  DeviceBusClient,
  DeviceBusEnd,
  DmaPort,
  DriverBusClient,
  DriverBusEnd,
  Revision,
} from '../../platform/contracts/index.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import { type LooseMessage, peekDevice, revision } from '../../platform/virtio/messages/index.ts';
import { FakeDma, type FakeDmaOptions } from './fake-dma.ts';

/** Bus addresses are memory addresses plus this, so that mixing them up shows. */
export const BUS_OFFSET = 2 ** 48;

export type Direction = 'toDevice' | 'toDriver';

/** A frame on its way. */
export interface Frame {
  readonly at: number;
  readonly direction: Direction;
  readonly bytes: Uint8Array;
}

/** What becomes of a frame: the frames that are delivered instead, each with an extra delay in ps. */
export type Script = (frame: Frame) => readonly { bytes: Uint8Array; delay: number }[];

export interface FakeBusOptions {
  readonly node: Node;
  readonly revision?: Revision;
  readonly maxMessageSize?: number;
  readonly latency?: number;
  readonly requestTimeout?: number;
  readonly statusPollInterval?: number;
  readonly refuse?: FakeDmaOptions['refuse'];
}

const TO_DEVICE = 0;
const TO_DRIVER = 1;
const ALLOCATED = 2;

export class FakeBus implements Component {
  readonly name = 'fake';
  readonly revision: Revision;
  readonly maxMessageSize: number;
  readonly requestTimeout: number;
  readonly statusPollInterval: number;
  readonly frames: Frame[] = [];
  readonly driver: DriverBusEnd;
  readonly device: DeviceBusEnd;
  readonly dma: FakeDma;
  readonly drivers = new Map<number, DriverBusClient>();
  readonly devices = new Map<number, DeviceBusClient>();
  script: Script = (frame) => [{ bytes: frame.bytes, delay: 0 }];
  /** Why allocations fail, or null when they succeed. */
  allocationFailure: string | null = null;
  /** What the device transport returned for the last frame. */
  accepted: boolean | null = null;
  readonly #node: Node;
  readonly #latency: number;
  readonly #id: ComponentId;
  readonly #inFlight: Uint8Array[] = [];

  constructor(options: FakeBusOptions) {
    const { node } = options;
    this.#node = node;
    this.revision = options.revision ?? 'v1';
    this.maxMessageSize = options.maxMessageSize ?? 104;
    this.requestTimeout = options.requestTimeout ?? 1_000_000;
    this.statusPollInterval = options.statusPollInterval ?? 100_000;
    this.#latency = options.latency ?? 1000;
    this.#id = node.add(this);
    const { kernel, memory, index } = node;
    const { refuse } = options;
    const more = refuse === undefined ? {} : { refuse };
    this.dma = new FakeDma({ kernel, node: index, memory, ...more });
    this.driver = this.#driverEnd();
    this.device = this.#deviceEnd();
  }

  /** Frames of one direction, decoded by the bus's revision. */
  messages(direction: Direction): LooseMessage[] {
    const { codec } = revision(this.revision);
    return this.frames
      .filter((frame) => frame.direction === direction)
      .map(({ bytes }) => codec.decode(bytes, bytes.length));
  }

  /** Sends a frame as if from the other side, past the script. */
  inject(direction: Direction, bytes: Uint8Array): void {
    this.#deliver(direction, bytes, 0);
  }

  /** Encodes a message of the bus's revision. */
  encode(message: LooseMessage): Uint8Array {
    const bytes = new Uint8Array(this.maxMessageSize);
    const length = revision(this.revision).codec.encode(message as never, bytes);
    return bytes.slice(0, length);
  }

  deliver(kind: number, a: number, b: number): void {
    if (kind === ALLOCATED) {
      this.drivers.get(b)!.allocated(Math.max(a, 0), a < 0 ? this.allocationFailure : null);
      return;
    }
    const bytes = this.#inFlight[a];
    const number = peekDevice(bytes);
    if (kind === TO_DEVICE) {
      this.accepted = this.devices.get(number)?.message(bytes, bytes.length) ?? null;
    } else {
      this.drivers.get(number)?.message(bytes, bytes.length);
    }
  }

  #carry(direction: Direction, bytes: Uint8Array): void {
    const frame = { at: this.#node.kernel.now, direction, bytes };
    this.frames.push(frame);
    for (const { bytes: sent, delay } of this.script(frame)) this.#deliver(direction, sent, delay);
  }

  #deliver(direction: Direction, bytes: Uint8Array, delay: number): void {
    const index = this.#inFlight.push(bytes) - 1;
    const kind = direction === 'toDevice' ? TO_DEVICE : TO_DRIVER;
    this.#node.kernel.schedule(this.#id, this.#latency + delay, kind, index);
  }

  #parameters() {
    const { name, revision, maxMessageSize, requestTimeout, statusPollInterval } = this;
    return { name, revision, maxMessageSize, requestTimeout, statusPollInterval };
  }

  #driverEnd(): DriverBusEnd {
    return {
      ...this.#parameters(),
      attach: (number, client) => void this.drivers.set(number, client),
      send: (bytes, length) => this.#carry('toDevice', bytes.slice(0, length)),
      allocate: (number, length) => this.#allocate(number, length),
      busAddress: (address) => address + BUS_OFFSET,
      start: () => {
        for (const client of this.drivers.values()) client.online();
      },
    };
  }

  #deviceEnd(): DeviceBusEnd {
    const dma: DmaPort = {
      readSegment: (address, length) => this.dma.readSegment(address - BUS_OFFSET, length),
      read: (client, tag) => this.dma.read(client, tag),
      writeSegment: (address, source, offset, length) =>
        this.dma.writeSegment(address - BUS_OFFSET, source, offset, length),
      write: (client, tag) => this.dma.write(client, tag),
    };
    return {
      ...this.#parameters(),
      dmaOf: () => dma,
      attach: (number, client) => void this.devices.set(number, client),
      send: (bytes, length) => this.#carry('toDriver', bytes.slice(0, length)),
      shareRegion: (_, { address }) => address,
    };
  }

  #allocate(number: number, length: number): void {
    const { kernel, memory } = this.#node;
    const bytes = Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
    const address = this.allocationFailure === null ? memory.allocate(bytes, PAGE_SIZE) : -1;
    kernel.schedule(this.#id, this.#latency, ALLOCATED, address, number);
  }
}
