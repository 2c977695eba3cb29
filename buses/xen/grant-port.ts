// The device side's DMA port under Xen: pages that the other domain has granted, mapped at their first use
// and kept, or copied through by the hypervisor each time. A bus address is `reference × 4096 + offset`.
// A transaction that needs a hypercall waits for it, and all that come after it wait too.
import type { DmaClient, DmaPort } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { GRANT_OKAY, grantDenials } from '../../platform/memory/index.ts';
import { type CpuClient, type Node, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import { readU8, writeU32 } from '../../platform/wire/index.ts';
import { type GrantEffect, type GrantEvent, grantChart } from './grant-chart.ts';
import { GrantTransaction } from './grant-transaction.ts';
import { GRANT_MAP } from './packets.ts';

/** A reference has 32 bits. */
const REFERENCES = 2 ** 32;
/** Pages that one hypercall maps at most; a transaction over more is refused. */
const BATCH_MAX = 1024;

const WORK: GrantEvent = { type: 'WORK' };
const CALLED: GrantEvent = { type: 'CALLED' };
const ANSWERED: GrantEvent = { type: 'ANSWERED' };
const READY: GrantEvent = { type: 'READY' };
const MAP: GrantEvent = { type: 'MAP' };
const COPY: GrantEvent = { type: 'COPY' };
const EMPTY: GrantEvent = { type: 'EMPTY' };
const DISCARD: GrantEvent = { type: 'DISCARD' };

export interface GrantPortOptions {
  readonly node: Node;
  /** Unique on the node. */
  readonly name: string;
  readonly mode: 'map' | 'copy';
  /** What moves the bytes, once the pages may be reached. */
  readonly inner: DmaPort;
  /** Sends a packet to the domain that grants, or to the hypervisor on its behalf. */
  send(kind: number, a: number, b: number, packet?: Packet): void;
  /** Nothing waits any more. */
  drained(): void;
}

export class GrantPort implements DmaPort, CpuClient {
  refusals = 0;
  /** Hypercalls made, and pages mapped by them. */
  hypercalls = 0;
  mappings = 0;
  readonly #options: GrantPortOptions;
  readonly #chart: Chart<unknown, GrantEvent>;
  readonly #mapped = new Set<number>();
  readonly #waiting: GrantTransaction[] = [];
  readonly #spare: GrantTransaction[] = [];
  #gathering = new GrantTransaction();
  /** References that the oldest transaction wants mapped. */
  readonly #wanted: number[] = [];
  /** Why the last grant was not mapped (GNTST). */
  #status: number = GRANT_OKAY;
  readonly #grantMap: number;
  readonly #grantCopy: number;

  constructor(options: GrantPortOptions) {
    this.#options = options;
    const { costs } = options.node;
    this.#grantMap = costs.idOf('xen.grantMap');
    this.#grantCopy = costs.idOf('xen.grantCopy');
    this.#chart = options.node.charts.start(grantChart, {
      name: options.name,
      perform: (effect: GrantEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  /** Transactions wait; what is sent now would overtake them. */
  get isBusy(): boolean {
    return this.#waiting.length > 0;
  }

  isMapped(reference: number): boolean {
    return this.#mapped.has(reference);
  }

  readSegment(address: number, length: number): void {
    this.#gathering.add(address, length);
  }

  read(client: DmaClient, tag: number): void {
    this.#start(client, tag, false);
  }

  writeSegment(address: number, source: Uint8Array, offset: number, length: number): void {
    this.#gathering.addBytes(address, source, offset, length);
  }

  write(client: DmaClient, tag: number): boolean {
    return this.#start(client, tag, true);
  }

  /** The hypervisor has looked grants up. */
  answered(packet: Packet): void {
    for (let i = 0; i < this.#wanted.length; i++) {
      const status = -readU8(packet.bytes, i);
      if (status === GRANT_OKAY) this.#mapped.add(this.#wanted[i]);
      else this.#status = status;
    }
    this.mappings += this.#wanted.length;
    this.#chart.send(ANSWERED);
  }

  /** The domain is no more, nor whoever waits here: transactions and mappings are forgotten. */
  discard(): void {
    this.#mapped.clear();
    for (const transaction of this.#waiting) this.#recycle(transaction);
    this.#waiting.length = 0;
    this.#gathering.clear();
    this.#chart.send(DISCARD);
  }

  /** Forgets mappings in a range of references. Returns how many there were. */
  forget(first: number, count: number): number {
    let forgotten = 0;
    for (let i = 0; i < count; i++) if (this.#mapped.delete(first + i)) forgotten++;
    return forgotten;
  }

  /** A hypercall has been made, or a new transaction is to be looked at. */
  deliver(): void {
    this.#chart.send(CALLED);
  }

  #start(client: DmaClient, tag: number, write: boolean): boolean {
    const transaction = this.#gathering;
    this.#gathering = this.#spare.pop() ?? new GrantTransaction();
    transaction.begin(client, tag, write);
    const atOnce = this.#options.mode === 'map' && !this.isBusy;
    if (atOnce && this.#unmapped(transaction) === 0) return this.#move(transaction, false);
    transaction.keepBytes();
    this.#waiting.push(transaction);
    this.#chart.send(WORK);
    return true;
  }

  #perform(effect: GrantEffect): void {
    const { node, mode } = this.#options;
    const [oldest] = this.#waiting;
    switch (effect.type) {
      case 'next': {
        if (oldest === undefined) {
          this.#chart.send(EMPTY);
          return this.#options.drained();
        }
        if (mode === 'copy') return this.#chart.send(COPY);
        const unmapped = this.#unmapped(oldest);
        return this.#chart.send(unmapped === 0 ? READY : MAP);
      }
      case 'callMap':
        return this.#call(node.chargeTimes(this.#grantMap, this.#wanted.length));
      case 'ask':
        return this.#ask();
      case 'callCopy': {
        const pieces = node.chargeTimes(this.#grantCopy, oldest.pieceCount());
        return this.#call(pieces + node.chargeBytes(node.timing.copyRate, oldest.length));
      }
      case 'perform':
        this.#waiting.shift();
        this.#move(oldest, true);
        return this.#chart.send(READY);
    }
  }

  #call(cost: number): void {
    this.hypercalls++;
    this.#options.node.cpu.submit(Priority.task, cost, this, 0);
  }

  #ask(): void {
    const wanted = this.#wanted;
    const packet = this.#options.node.kernel.packets.acquire(wanted.length * 4);
    for (let i = 0; i < wanted.length; i++) writeU32(packet.bytes, i * 4, wanted[i]);
    this.#options.send(GRANT_MAP, wanted.length, 0, packet);
  }

  /** Fills `wanted` with what a transaction needs and is not mapped; returns how many that are. */
  #unmapped(transaction: GrantTransaction): number {
    const wanted = this.#wanted;
    wanted.length = 0;
    for (let i = 0; i < transaction.count; i++) {
      const last = Math.floor((transaction.addresses[i] + transaction.lengths[i] - 1) / PAGE_SIZE);
      for (let page = Math.floor(transaction.addresses[i] / PAGE_SIZE); page <= last; page++) {
        if (wanted.length === BATCH_MAX) return BATCH_MAX;
        if (this.#mapped.has(page) || page >= REFERENCES || wanted.includes(page)) continue;
        wanted.push(page);
      }
    }
    return wanted.length;
  }

  /**
   * Moves the bytes, page by page; refuses what could not be mapped. The client of a write that has
   * waited thinks that it is done; the owner of the pages has reported it.
   */
  #move(transaction: GrantTransaction, hasWaited: boolean): boolean {
    const { inner, mode } = this.#options;
    const { client, tag, write } = transaction;
    for (let i = 0; i < transaction.count; i++) {
      const address = transaction.addresses[i];
      const length = transaction.lengths[i];
      const last = Math.floor((address + length - 1) / PAGE_SIZE);
      for (let page = Math.floor(address / PAGE_SIZE); page <= last; page++) {
        if (page < REFERENCES && (mode === 'copy' || this.#mapped.has(page))) continue;
        this.refusals++;
        this.#recycle(transaction);
        const why = page < REFERENCES ? statusName(this.#status) : 'no reference has so many bits';
        const reason = `page ${page} could not be mapped: ${why}`;
        if (!write || !hasWaited) client.refused(tag, { address, length, write, reason });
        return false;
      }
    }
    transaction.passPieces(inner);
    this.#recycle(transaction);
    if (write) return inner.write(client, tag);
    inner.read(client, tag);
    return true;
  }

  #recycle(transaction: GrantTransaction): void {
    transaction.clear();
    this.#spare.push(transaction);
  }
}

function statusName(status: number): string {
  const row = Object.values(grantDenials).find((each) => each.status === status);
  return row?.name ?? `error ${status}`;
}
