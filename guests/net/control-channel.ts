// The control queue on the driver's side: one command at a time, each a buffer with class, command and
// data, a byte for the answer, and room for what follows it (virtio 1.4 §5.1.6.5).
import { assert } from '../../platform/errors.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { type DriverRing, NET_OK, REAP_BROKEN, REAP_NONE } from '../../platform/virtio/index.ts';
import type { RingCosts } from '../common/index.ts';

/** Bytes of memory for a command. */
export const COMMAND_BYTES = 1024;
/** Bytes that may follow an answer. */
const RESULT_BYTES = 128;
const ANSWER = COMMAND_BYTES - RESULT_BYTES - 1;
const UNANSWERED = 0xff;

const SUBMIT = 0;
const REAP = 1;

export interface ChannelOwner {
  readonly node: Node;
  /** What the driver's work on rings costs. */
  readonly ringCosts: RingCosts;
  busAddress(address: number): number;
  /** Makes the chain built on a queue's ring available, with a tag. */
  commit(queue: number, tag: number): void;
  tell(queue: number): void;
  broken(): void;
}

/** Is told whether the device has obeyed, and what follows its answer, valid only during the call. */
export type Answered = (ok: boolean, result: Uint8Array) => void;

/** What the driver wants of the device. */
export interface Command {
  readonly type: number;
  readonly command: number;
  readonly data: Uint8Array;
  /** Bytes that the device may return behind its answer; none by default. */
  readonly room?: number;
}

interface Waiting {
  readonly bytes: Uint8Array;
  readonly room: number;
  readonly answered: Answered;
}

export class ControlChannel implements CpuClient {
  /** Commands that the device has answered with an error. */
  refused = 0;
  readonly #owner: ChannelOwner;
  readonly #commands: Waiting[] = [];
  readonly #result = new Uint8Array(RESULT_BYTES);
  #ring: DriverRing | null = null;
  #queue = 0;
  #buffer = 0;
  /** The queue is being reset; and whether a command waits for its end. */
  #paused = false;
  #held = false;
  #epoch = 0;

  constructor(owner: ChannelOwner) {
    this.#owner = owner;
  }

  /** The device is live; `buffer` is COMMAND_BYTES of memory. */
  start(ring: DriverRing, queue: number, buffer: number): void {
    this.#ring = ring;
    this.#paused = false;
    this.#held = false;
    this.#queue = queue;
    this.#buffer = buffer;
  }

  /** The device is lost; commands under way are never answered. */
  stop(): void {
    this.#epoch++;
    this.#ring = null;
    this.#commands.length = 0;
  }

  /** The queue's reset begins. */
  pause(): void {
    this.#paused = true;
  }

  /** The queue has a new ring, with the command that was on the old one. */
  resume(ring: DriverRing): void {
    this.#ring = ring;
    this.#paused = false;
    if (this.#held) this.#add();
  }

  /** The oldest command is over. */
  returned(): void {
    const { memory } = this.#owner.node;
    const ok = memory.readU8(this.#buffer + ANSWER) === NET_OK;
    if (!ok) this.refused++;
    const { room, answered } = this.#commands.shift()!;
    memory.copyOut(this.#buffer + ANSWER + 1, this.#result, 0, room);
    if (this.#commands.length > 0) this.#submit();
    answered(ok, this.#result.subarray(0, room));
  }

  /** Sends a command; `answered` is told whether the device has obeyed. */
  command({ type, command, data, room = 0 }: Command, answered: Answered = () => {}): void {
    if (this.#ring === null) return;
    const bytes = Uint8Array.of(type, command, ...data);
    assert(bytes.length <= ANSWER && room <= RESULT_BYTES, 'a command has room in its buffer');
    this.#commands.push({ bytes, room, answered });
    if (this.#commands.length === 1) this.#submit();
  }

  /** The device has used buffers of the queue. */
  interrupt(): void {
    if (this.#paused || this.#ring?.hasUsed !== true) return;
    const { node, ringCosts } = this.#owner;
    const cost = ringCosts.reap() + node.charge(node.timing.complete);
    node.cpu.submit(Priority.interrupt, cost, this, REAP, this.#epoch);
  }

  deliver(step: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    if (step === SUBMIT) this.#add();
    else this.#reap();
  }

  #submit(): void {
    const { node, ringCosts } = this.#owner;
    const cost = node.charge(node.timing.submit) + ringCosts.add();
    node.cpu.submit(Priority.task, cost, this, SUBMIT, this.#epoch);
  }

  #add(): void {
    this.#held = this.#paused;
    if (this.#paused) return;
    const ring = this.#ring!;
    const { bytes, room } = this.#commands[0];
    const { memory } = this.#owner.node;
    memory.copyIn(this.#buffer, bytes, 0, bytes.length);
    memory.writeU8(this.#buffer + ANSWER, UNANSWERED);
    ring.addSegment(this.#owner.busAddress(this.#buffer), bytes.length, false);
    ring.addSegment(this.#owner.busAddress(this.#buffer + ANSWER), 1 + room, true);
    this.#owner.commit(this.#queue, 0);
    this.#owner.tell(this.#queue);
  }

  #reap(): void {
    if (this.#paused) return;
    const head = this.#ring!.reap();
    if (head === REAP_NONE) return;
    if (head === REAP_BROKEN) return this.#owner.broken();
    this.returned();
  }
}
