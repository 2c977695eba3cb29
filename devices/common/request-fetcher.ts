// Reads the driver's part of requests before a device acts on them: one gathered DMA read a chain,
// then a step of the device's software, chain by chain in the order in which they came.
import type { DmaClient, DmaFault, DmaPort } from '../../platform/contracts/index.ts';
import { type CpuClient, Milestone, type Node, Priority } from '../../platform/node/index.ts';
import type { Chain } from './chain.ts';
import type { QueueEngine } from './queue-engine.ts';

/** More than the largest queue holds. A tag is generation × SLOTS + slot. */
const SLOTS = 65536;

/** A chain and what was read of it. Records are reused; their buffers grow to the largest read. */
export class FetchedRequest {
  readonly slot: number;
  queue: QueueEngine | null = null;
  /** Null once the record is released. */
  chain: Chain | null = null;
  /** The first `length` bytes are those of the chain's readable segments. */
  bytes = new Uint8Array(64);
  length = 0;
  /** The read was refused; the violation is reported, and no bytes are there. */
  refused = false;
  /** Counts the uses of the record, so that a late answer to a forgotten request is known as such. */
  generation = 0;
  fetched = false;

  constructor(slot: number) {
    this.slot = slot;
  }
}

export interface FetcherOptions {
  readonly node: Node;
  /** Name of the device, for violations. */
  readonly name: string;
  /** Readable bytes of a chain that are read at the most; the device never looks at more. */
  readonly bytesMax: number;
  /** Called in the order of `fetch`. The record is the device's until it calls `release`. */
  ready(request: FetchedRequest): void;
}

export class RequestFetcher implements DmaClient, CpuClient {
  readonly #options: FetcherOptions;
  readonly #requests: FetchedRequest[] = [];
  readonly #free: number[] = [];
  readonly #order: FetchedRequest[] = [];
  /** Tag of the request whose step is under way, or -1. */
  #stepping = -1;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  /** Reads a chain; `ready` is called with it after all chains before it. */
  fetch(queue: QueueEngine, chain: Chain): void {
    const slot = this.#free.pop() ?? this.#add();
    const request = this.#requests[slot];
    request.queue = queue;
    request.chain = chain;
    request.length = 0;
    request.refused = false;
    request.fetched = false;
    this.#order.push(request);
    const { bytesMax } = this.#options;
    if (bytesMax === 0 || chain.readableBytes === 0) {
      request.fetched = true;
      return this.#next();
    }
    queue.readData(chain, this, this.#tagOf(request), bytesMax);
  }

  /** Gives a record back; its chain was completed. */
  release(request: FetchedRequest): void {
    request.chain = null;
    request.queue = null;
    request.generation++;
    this.#free.push(request.slot);
  }

  /** Forgets all requests of a queue, records that the device still holds among them. */
  forget(queue: QueueEngine): void {
    for (const request of this.#requests) {
      if (request.chain === null || request.queue !== queue) continue;
      if (this.#tagOf(request) === this.#stepping) this.#stepping = -1;
      const position = this.#order.indexOf(request);
      if (position >= 0) this.#order.splice(position, 1);
      this.release(request);
    }
    this.#next();
  }

  readDone(tag: number, bytes: Uint8Array, length: number): void {
    const request = this.#find(tag);
    if (request === null) return;
    if (request.bytes.length < length) request.bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) request.bytes[i] = bytes[i];
    request.length = length;
    request.fetched = true;
    request.queue!.dataRead();
    this.#next();
  }

  refused(tag: number, fault: DmaFault): void {
    const { node, name } = this.#options;
    node.violations.report(
      'DMA_FAULT',
      `${name}: read of ${fault.length} bytes at bus address 0x${fault.address.toString(16)} ` +
        `refused: ${fault.reason}`,
    );
    const request = this.#find(tag);
    if (request === null) return;
    request.refused = true;
    request.fetched = true;
    request.queue!.dataRead();
    this.#next();
  }

  deliver(_kind: number, tag: number): void {
    if (tag !== this.#stepping) return;
    this.#stepping = -1;
    const request = this.#order.shift()!;
    request.queue!.mark(request.chain!, Milestone.started);
    this.#options.ready(request);
    this.#next();
  }

  /** Starts the software step of the oldest request, once it is read. */
  #next(): void {
    if (this.#stepping >= 0 || this.#order.length === 0 || !this.#order[0].fetched) return;
    this.#stepping = this.#tagOf(this.#order[0]);
    const { node } = this.#options;
    const cost = node.charge(node.timing.deviceStep);
    node.cpu.submit(Priority.task, cost, this, 0, this.#stepping);
  }

  #tagOf({ generation, slot }: FetchedRequest): number {
    return generation * SLOTS + slot;
  }

  #add(): number {
    return this.#requests.push(new FetchedRequest(this.#requests.length)) - 1;
  }

  /** The request that a tag names, or null when it was forgotten meanwhile. */
  #find(tag: number): FetchedRequest | null {
    const request = this.#requests[tag % SLOTS];
    return request.generation === Math.floor(tag / SLOTS) ? request : null;
  }
}

/**
 * Gathers writes of `length` bytes of `source` from `offset` on into the writable part of a chain,
 * from its byte `at` on. Returns how many of them the chain has room for.
 */
export function scatter(
  dma: DmaPort,
  chain: Chain,
  at: number,
  source: Uint8Array,
  offset: number,
  length: number,
): number {
  let skip = at;
  let done = 0;
  for (let i = chain.readableCount; i < chain.count && done < length; i++) {
    const room = chain.lengths[i] - skip;
    if (room <= 0) {
      skip -= chain.lengths[i];
      continue;
    }
    const step = Math.min(room, length - done);
    dma.writeSegment(chain.addresses[i] + skip, source, offset + done, step);
    done += step;
    skip = 0;
  }
  return done;
}
