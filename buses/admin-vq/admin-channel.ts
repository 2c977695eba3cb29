// The driver's end of the administration virtqueue: commands go through it one at a time, in the order in
// which they are asked for. Each is bytes in memory that the device reads, its answer bytes that it writes.
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  type AdminResponse,
  decodeAdminResponse,
  REAP_BROKEN,
  REAP_NONE,
  SplitDriverRing,
  splitRingAreas,
} from '../../platform/virtio/index.ts';
import { type AdminTiming, adminTimingIds } from './timing.ts';

/** Entries of the queue: a command takes two descriptors. */
export const QUEUE_SIZE = 4;
/** Bytes for what the device reads of a command, and for what it writes. */
export const PART_SIZE = 4096;

const BUILT = 0;
const READ = 1;

/** Memory for the queue and one command, page-aligned, in own RAM and as the device sees it. */
export interface ChannelMemory {
  readonly address: number;
  readonly busAddress: number;
}

/** Bytes of it. */
export const CHANNEL_MEMORY_SIZE = 2 * PART_SIZE + splitRingAreas(0, QUEUE_SIZE).length;

export interface AdminChannelOptions {
  readonly node: Node;
  /** Names the device in violations. */
  readonly name: string;
  /** Tells the device of a command. */
  notify(): void;
  /** A command was handed to the device. */
  sent(): void;
  /** A command came back, before whoever sent it is told. */
  answered(): void;
}

interface Pending {
  readonly command: Uint8Array;
  readonly done: (response: AdminResponse) => void;
}

export class AdminChannel implements CpuClient {
  /** Commands that were answered. */
  commands = 0;
  readonly #options: AdminChannelOptions;
  readonly #timing: AdminTiming;
  #memory: ChannelMemory | null = null;
  #ring: SplitDriverRing | null = null;
  /** The first is under way. */
  #line: Pending[] = [];
  /** Work of before the last `begin` carries an older one. */
  #epoch = 0;
  #reading = false;

  constructor(options: AdminChannelOptions) {
    this.#options = options;
    this.#timing = adminTimingIds(options.node.costs);
  }

  /** Begins anew with an empty queue in this memory; what was under way is forgotten. */
  begin(memory: ChannelMemory): void {
    this.#epoch++;
    this.#line = [];
    this.#reading = false;
    this.#memory = memory;
    const start = memory.address + 2 * PART_SIZE;
    this.#ring = new SplitDriverRing(this.#options.node.memory, start, QUEUE_SIZE);
  }

  /** What the device is to be told of the queue: addresses as it sees them. */
  get areas(): { readonly descriptor: number; readonly driver: number; readonly device: number } {
    const { descriptor, driver, device } = this.#ring!.areas;
    const { address, busAddress } = this.#memory!;
    const shift = busAddress - address;
    return { descriptor: descriptor + shift, driver: driver + shift, device: device + shift };
  }

  /** Sends a command, or lets it wait in line; `done` is called on a core. */
  send(command: Uint8Array, done: (response: AdminResponse) => void): void {
    if (this.#line.push({ command, done }) === 1) this.#next();
  }

  /** The device has interrupted for the queue. */
  used(): void {
    if (this.#reading || this.#line.length === 0) return;
    this.#reading = true;
    const { node } = this.#options;
    const cost = node.charge(node.timing.ringReap) + node.charge(this.#timing.read);
    node.cpu.submit(Priority.interrupt, cost, this, READ, this.#epoch);
  }

  deliver(step: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    if (step === BUILT) this.#hand();
    else this.#read();
  }

  #next(): void {
    const { node } = this.#options;
    const cost = node.charge(this.#timing.build) + node.charge(node.timing.ringAdd);
    node.cpu.submit(Priority.task, cost, this, BUILT, this.#epoch);
  }

  #hand(): void {
    const { node, sent, notify } = this.#options;
    const { address, busAddress } = this.#memory!;
    const { command } = this.#line[0];
    node.memory.copyIn(address, command, 0, command.length);
    const ring = this.#ring!;
    ring.addSegment(busAddress, command.length, false);
    ring.addSegment(busAddress + PART_SIZE, PART_SIZE, true);
    ring.commit();
    sent();
    if (ring.takeNotify()) notify();
  }

  #read(): void {
    this.#reading = false;
    const { node, name, answered } = this.#options;
    const head = this.#ring!.reap();
    if (head === REAP_NONE) return;
    if (head === REAP_BROKEN) {
      // Time will tell that no answer comes.
      return node.violations.report('BAD_DESCRIPTOR', `${name}: a used element names no command`);
    }
    const written = new Uint8Array(Math.min(this.#ring!.usedLength, PART_SIZE));
    node.memory.copyOut(this.#memory!.address + PART_SIZE, written, 0, written.length);
    this.commands++;
    answered();
    const { done } = this.#line.shift()!;
    const others = this.#line.length > 0;
    done(decodeAdminResponse(written));
    if (others) this.#next();
  }
}
