// The driver's side of an administration virtqueue (virtio 1.4 §2.13): its ring, the memory for one command
// and its answer, and the first two commands, by which both sides agree on what may follow.
import type { DriverTransport, QueueSetup } from '../../platform/contracts/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  ADMIN_OPCODE,
  ADMIN_STATUS,
  decodeAdminList,
  decodeAdminResponse,
  encodeAdminList,
  encodeAdminRequest,
  F,
  REAP_BROKEN,
  REAP_NONE,
} from '../../platform/virtio/index.ts';
import { type AdminEffect, type AdminEvent, adminChart } from './admin-chart.ts';
import type { RingCosts } from './ring-costs.ts';
import { RingSet } from './ring-set.ts';

const QUEUE_SIZE = 4;
/** The ring's place in its set. */
const RING = 0;
/** Bytes for what the device reads of a command, and for what it writes. */
const PART = 256;
const PARTS = 2;
const RETRIES_MAX = 3;
const SEND = 0;
const REAP = 1;

/** Commands that this driver knows how to use. */
const KNOWN: ReadonlySet<number> = new Set(Object.values(ADMIN_OPCODE));

export interface AdminSessionOptions {
  readonly node: Node;
  readonly name: string;
  readonly transport: DriverTransport;
  readonly costs: RingCosts;
}

export class AdminSession implements CpuClient {
  /** Index of the queue, or null without one. */
  queue: number | null = null;
  /** Opcodes that both sides agreed on; empty until they have. */
  commands: readonly number[] = [];
  readonly #options: AdminSessionOptions;
  readonly #rings: RingSet;
  /** Made when there is such a queue, which most devices do not have. */
  #chart: Chart<unknown, AdminEvent> | null = null;
  #features = 0n;
  #offered: readonly number[] = [];
  #command: Uint8Array = new Uint8Array(0);
  #buffers = 0;
  #reaping = false;
  /** The device is suspended: commands wait. */
  #holding = false;

  constructor(options: AdminSessionOptions) {
    this.#options = options;
    const { node, transport } = options;
    this.#rings = new RingSet({ node, transport, sizeMax: QUEUE_SIZE, segmentsMax: PARTS });
  }

  /** Bytes of ring and buffers; 0 without a queue. */
  get bytes(): number {
    return this.queue === null ? 0 : this.#rings.bytes + PARTS * PART;
  }

  /** Begins anew: the queue with this index, or none, under these features. */
  plan(features: bigint, queue: number | null): void {
    this.#features = features;
    this.queue = queue;
    this.#rings.plan(features);
    if (queue !== null) this.#chart ??= this.#startChart();
  }

  /** The device allows so many entries. */
  sized(sizeMax: number): void {
    this.#rings.add(RING, sizeMax);
  }

  /** Takes `bytes` of memory from this address in own RAM on. */
  place(address: number): void {
    if (this.queue === null) return;
    this.#rings.place(address);
    this.#buffers = address + this.#rings.bytes;
  }

  setup(): QueueSetup {
    return { ...this.#rings.setup(RING), index: this.queue! };
  }

  /** The device is live. */
  begin(): void {
    if (this.queue !== null) this.#chart!.send({ type: 'BEGIN' });
  }

  /** The device is lost, or is being reset. */
  stop(): void {
    if (this.queue === null) return;
    this.commands = [];
    this.#reaping = false;
    this.#holding = false;
    this.#chart!.send({ type: 'STOP' });
  }

  /** The device is to be suspended: commands wait until `release`. */
  hold(): void {
    this.#holding = true;
    this.#rings.hold();
  }

  release(): void {
    this.#holding = false;
    this.#rings.release();
    if (this.queue !== null) this.#notify();
  }

  /** The device has used a buffer of the queue. */
  used(): void {
    if (this.#reaping) return;
    this.#reaping = true;
    const { node, costs } = this.#options;
    const cost = costs.reap() + node.charge(node.timing.complete);
    node.cpu.submit(Priority.interrupt, cost, this, REAP, this.#rings.epochOf(RING));
  }

  deliver(step: number, epoch: number): void {
    if (this.#chart!.matches('stopped') || epoch !== this.#rings.epochOf(RING)) return;
    if (step === SEND) this.#send();
    else this.#reap();
  }

  #startChart(): Chart<unknown, AdminEvent> {
    const { node, name } = this.#options;
    const chart = node.charts.start(adminChart, {
      name: `${name}.admin`,
      input: { retriesMax: RETRIES_MAX },
      perform: (effect: AdminEffect) => this.#perform(effect),
    });
    chart.begin();
    return chart;
  }

  #perform(effect: AdminEffect): void {
    const isQuery = effect.type === 'query';
    this.#command = isQuery
      ? encodeAdminRequest(ADMIN_OPCODE.LIST_QUERY)
      : encodeAdminRequest(ADMIN_OPCODE.LIST_USE, encodeAdminList(this.#offered));
    const { node, costs } = this.#options;
    const cost = node.charge(node.timing.submit) + costs.add();
    node.cpu.submit(Priority.task, cost, this, SEND, this.#rings.epochOf(RING));
  }

  #send(): void {
    const { node, transport } = this.#options;
    const { length } = this.#command;
    node.memory.copyIn(this.#buffers, this.#command, 0, length);
    const ring = this.#rings.rings[RING];
    ring.addSegment(transport.busAddress(this.#buffers), length, false);
    ring.addSegment(transport.busAddress(this.#buffers + PART), PART, true);
    ring.commit();
    ring.enableInterrupts();
    if (!this.#holding) this.#notify();
  }

  #notify(): void {
    const { transport } = this.#options;
    const ring = this.#rings.rings[RING];
    if (!ring.takeNotify()) return;
    const data = (this.#features & F.NOTIFICATION_DATA) !== 0n;
    transport.notify(this.queue!, data ? ring.nextOffset : 0);
  }

  #reap(): void {
    this.#reaping = false;
    const { node, name } = this.#options;
    const ring = this.#rings.rings[RING];
    const head = ring.reap();
    if (head === REAP_NONE) return;
    if (head === REAP_BROKEN) {
      node.violations.report('BAD_DESCRIPTOR', `${name}: a used element names no admin command`);
      return this.#chart!.send({ type: 'FAILED' });
    }
    const written = new Uint8Array(Math.min(ring.usedLength, PART));
    node.memory.copyOut(this.#buffers + PART, written, 0, written.length);
    this.#answered(written);
  }

  #answered(written: Uint8Array): void {
    const { status, commandSpecificResult } = decodeAdminResponse(written);
    if (status === ADMIN_STATUS.EAGAIN) return this.#chart!.send({ type: 'AGAIN' });
    // §2.12.1.2: a status that the driver does not know is one like EINVAL.
    if (status !== ADMIN_STATUS.OK) return this.#chart!.send({ type: 'FAILED' });
    if (this.#chart!.matches('querying')) {
      const offered = decodeAdminList(commandSpecificResult);
      this.#offered = [...offered].filter((opcode) => KNOWN.has(opcode));
    } else {
      this.commands = this.#offered;
    }
    this.#chart!.send({ type: 'OK' });
  }
}
