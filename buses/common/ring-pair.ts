// Two message rings and their doorbells, as one end of a bus uses them: one to send, one to receive.
import { type CpuClient, InterruptLine, type Node } from '../../platform/node/index.ts';
import { HEADER_SIZE } from '../../platform/virtio/messages/index.ts';
import type { LinkClient } from './message-link.ts';
import type { RingLayout } from './ring-layout.ts';
import type { RingMemory } from './ring-memory.ts';
import { RingReceiver } from './ring-receiver.ts';
import { RingSender } from './ring-sender.ts';

export interface RingPairOptions {
  readonly node: Node;
  /** Unique on the node: bus and side. */
  readonly name: string;
  readonly maxMessageSize: number;
  /** Bytes of a message's header; that of the drafts when left out. */
  readonly headerSize?: number;
  readonly client: LinkClient;
  readonly sending: RingLayout;
  readonly receiving: RingLayout;
  /** Access to the memory of both rings; called once for each reader of it. */
  memory(): RingMemory;
  /** ps before a full ring is looked at again. */
  readonly fullRetry: number;
  /** Timing constant: what the doorbell costs the core that rings it. */
  readonly doorbell: number;
  ringDoorbell(): void;
  /**
   * ps until everything that was written before is visible to the peer, noted as a wait; left out where
   * order keeps itself.
   */
  barrier?(): number;
  /** Messages taken at one waking; all of them by default. */
  readonly budget?: number;
  readonly beyondBudget?: 'continue' | 'wait';
  /** Timing constant: what acknowledging an interrupt costs; without it, an interrupt needs none. */
  readonly acknowledgement?: number;
  /** The interrupt has been acknowledged. */
  acknowledge?(): void;
  /** The receiving thread goes to sleep. */
  rest?(): void;
}

export class RingPair implements CpuClient {
  /** Raised when the peer has rung. */
  readonly line: InterruptLine;
  readonly #options: RingPairOptions;
  readonly #sender: RingSender;
  readonly #receiver: RingReceiver;
  #doorbells = 0;
  #closed = false;

  constructor(options: RingPairOptions) {
    const { node, name, maxMessageSize, client, fullRetry, doorbell } = options;
    const broken = (reason: string) => {
      if (this.#closed) return;
      this.close();
      client.down(reason);
    };
    this.#options = options;
    this.#sender = new RingSender({
      node,
      name: `${name}.send`,
      layout: options.sending,
      memory: options.memory(),
      maxMessageSize,
      headerSize: options.headerSize ?? HEADER_SIZE,
      fullRetry,
      doorbell,
      ringDoorbell: () => {
        this.#doorbells++;
        options.ringDoorbell();
      },
      barrier: options.barrier ?? (() => 0),
      broken,
    });
    this.#receiver = new RingReceiver({
      node,
      name: `${name}.receive`,
      layout: options.receiving,
      memory: options.memory(),
      budget: options.budget ?? Infinity,
      beyondBudget: options.beyondBudget ?? 'continue',
      frame: (bytes, length) => client.frame(bytes, length),
      rest: options.rest ?? (() => {}),
      broken,
    });
    this.line = new InterruptLine(node, () => this.#interrupted());
  }

  /** The rings are there, for the first time or again. */
  open(): void {
    this.#closed = false;
    this.#sender.open();
    this.#receiver.open();
  }

  close(): void {
    this.#closed = true;
    this.#sender.close();
    this.#receiver.close();
  }

  send(bytes: Uint8Array, length: number): void {
    this.#sender.send(bytes, length);
  }

  /** Messages wait to be sent: there is no room, or no time yet. */
  get isWaiting(): boolean {
    return this.#sender.waiting > 0;
  }

  /** Forgets messages that wait to be sent. */
  clear(): void {
    this.#sender.clear();
  }

  /** The peer has rung in a way that needs no interrupt. */
  rung(): void {
    this.#receiver.rung();
  }

  /** The interrupt has been acknowledged. */
  deliver(): void {
    this.#options.acknowledge?.();
    this.#receiver.rung();
  }

  statistics() {
    return {
      ringMessages: this.#sender.sent,
      doorbells: this.#doorbells,
      ringFull: this.#sender.fullWaits,
      merged: this.#sender.merged,
      backlogMax: this.#sender.backlogMax,
      interrupts: this.line.taken,
      interruptsCoalesced: this.line.coalesced,
      wakings: this.#receiver.wakings,
      ringReceived: this.#receiver.received,
    };
  }

  #interrupted(): void {
    const { node, acknowledgement } = this.#options;
    if (acknowledgement === undefined) return this.deliver();
    node.cpu.resume(node.cpu.hold(), node.charge(acknowledgement), this, 0);
  }
}
