// Runs what driver software does with registers: a script of accesses, one after another on one core. A
// load stalls the core; a store takes the core only the time to issue it.
import { type CpuClient, type Node, Priority } from '../node/index.ts';
import { writeU32 } from '../wire/index.ts';
import type { BusPlace, LoadClient, RegisterPort } from './register-port.ts';
import { pcieTimingIds } from './timing.ts';

/** One access. Values of more than 4 bytes are not needed. */
export type Access =
  | { readonly type: 'load'; readonly address: number; readonly size: 1 | 2 | 4 }
  | {
      readonly type: 'store';
      readonly address: number;
      readonly size: 1 | 2 | 4;
      readonly value: number;
    }
  | ({ readonly type: 'readBus' } & BusPlace)
  | ({ readonly type: 'writeBus'; readonly value: number } & BusPlace)
  | { readonly type: 'readConfig'; readonly offset: number; readonly size: 1 | 2 | 4 }
  | {
      readonly type: 'writeConfig';
      readonly offset: number;
      readonly size: 1 | 2 | 4;
      readonly value: number;
    };

/** Accesses in order; each yields what was read, or 0 for a write. */
export type Script<Result> = Generator<Access, Result, number>;

interface Run {
  readonly functionId: number;
  readonly script: Script<unknown>;
  readonly done: (result: never) => void;
}

const NEXT = 0;

export class AccessRunner implements CpuClient, LoadClient {
  readonly #node: Node;
  readonly #port: RegisterPort;
  readonly #coreAccess: number;
  readonly #runs: Run[] = [];
  readonly #word = new Uint8Array(4);

  constructor(node: Node, port: RegisterPort) {
    this.#node = node;
    this.#port = port;
    this.#coreAccess = pcieTimingIds(node.costs).coreAccess;
  }

  /** Runs a script for a function; `done` is called on its core. Scripts run one after another. */
  run<Result>(functionId: number, script: Script<Result>, done: (result: Result) => void): void {
    this.#runs.push({ functionId, script, done });
    if (this.#runs.length === 1) this.#begin();
  }

  deliver(): void {
    this.#step(0);
  }

  loaded(_tag: number, bytes: Uint8Array, length: number): void {
    let value = 0;
    for (let i = length - 1; i >= 0; i--) value = value * 256 + bytes[i];
    this.#step(value);
  }

  #begin(): void {
    const cost = this.#node.charge(this.#coreAccess);
    this.#node.cpu.submit(Priority.task, cost, this, NEXT);
  }

  #step(value: number): void {
    const { script, done } = this.#runs[0];
    const next = script.next(value);
    if (!next.done) return this.#access(next.value);
    this.#runs.shift();
    const others = this.#runs.length > 0;
    done(next.value as never);
    if (others) this.#begin();
  }

  #access(access: Access): void {
    const { functionId } = this.#runs[0];
    switch (access.type) {
      case 'load':
        return this.#port.load(access.address, access.size, this, 0);
      case 'readConfig':
        return this.#port.readConfig({ functionId, ...access }, this, 0);
      case 'writeConfig':
        return this.#port.writeConfig({ functionId, ...access }, access.value, this, 0);
      case 'readBus':
        return this.#port.readBus(access, this, 0);
      case 'writeBus':
        return this.#port.writeBus(access, access.value, this, 0);
      case 'store':
        return this.#store(access.address, access.size, access.value);
    }
  }

  /** Posted: the core goes on with the script at once, unless the store traps. */
  #store(address: number, size: number, value: number): void {
    writeU32(this.#word, 0, value);
    if (this.#port.way.storesTrap) return this.#port.trapStore(address, this.#word, size, this);
    this.#port.store(address, this.#word, 0, size);
    const { cpu } = this.#node;
    cpu.resume(cpu.hold(), this.#node.charge(this.#coreAccess), this, NEXT);
  }
}
