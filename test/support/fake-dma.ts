// A DMA port straight onto a memory, for device-side tests: every access takes the same time, is
// recorded, and can be refused. Nothing else checks or costs anything.
import type { DmaClient, DmaPort } from '../../platform/contracts/index.ts';
import type { Component, ComponentId, Kernel } from '../../platform/kernel/index.ts';
import type { Memory } from '../../platform/node/index.ts';

export interface DmaAccess {
  readonly address: number;
  readonly length: number;
  readonly write: boolean;
}

interface Transaction {
  readonly client: DmaClient;
  readonly tag: number;
  readonly segments: readonly DmaAccess[];
  readonly bytes: Uint8Array;
}

export interface FakeDmaOptions {
  readonly kernel: Kernel;
  readonly node: number;
  readonly memory: Memory;
  /** ps until a transaction reaches the memory. */
  readonly latency?: number;
  /** Why an access is refused, or null to let it pass. Sees each when it is started. */
  readonly refuse?: (access: DmaAccess) => string | null;
  /** Sees each access when it reaches the memory. */
  readonly watch?: (access: DmaAccess) => void;
}

export class FakeDma implements DmaPort, Component {
  readonly accesses: DmaAccess[] = [];
  readonly #options: FakeDmaOptions;
  readonly #id: ComponentId;
  readonly #pending: Transaction[] = [];
  #segments: DmaAccess[] = [];
  #bytes: number[] = [];

  constructor(options: FakeDmaOptions) {
    this.#options = options;
    this.#id = options.kernel.add(options.node, this);
  }

  readSegment(address: number, length: number): void {
    this.#segments.push({ address, length, write: false });
  }

  writeSegment(address: number, source: Uint8Array, offset: number, length: number): void {
    this.#segments.push({ address, length, write: true });
    for (let i = 0; i < length; i++) this.#bytes.push(source[offset + i]);
  }

  read(client: DmaClient, tag: number): void {
    this.#start(client, tag);
  }

  write(client: DmaClient, tag: number): boolean {
    return this.#start(client, tag);
  }

  /** A transaction reaches the memory; all take the same time, so they come in order. */
  deliver(): void {
    const { memory, watch } = this.#options;
    const { client, tag, segments, bytes } = this.#pending.shift()!;
    let at = 0;
    for (const segment of segments) {
      watch?.(segment);
      const { address, length, write } = segment;
      if (write) memory.copyIn(address, bytes, at, length);
      else memory.copyOut(address, bytes, at, length);
      at += length;
    }
    if (segments.length > 0 && !segments[0].write) client.readDone(tag, bytes, bytes.length);
  }

  #start(client: DmaClient, tag: number): boolean {
    const { kernel, refuse, latency = 1000 } = this.#options;
    const segments = this.#segments;
    const bytes = segments[0]?.write
      ? Uint8Array.from(this.#bytes)
      : new Uint8Array(segments.reduce((sum, { length }) => sum + length, 0));
    this.#segments = [];
    this.#bytes = [];
    for (const segment of segments) {
      this.accesses.push(segment);
      const reason = refuse?.(segment) ?? null;
      if (reason === null) continue;
      client.refused(tag, { ...segment, reason });
      return false;
    }
    this.#pending.push({ client, tag, segments, bytes });
    kernel.schedule(this.#id, latency, 0);
    return true;
  }
}
