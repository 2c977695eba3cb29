// The memory behind a pmem device: pages of the node's RAM that the driver reaches, in front of the medium that keeps
// them. What was stored since the last flush is in the RAM only, and may be lost with it.
import type { SharedRegion, Statistics } from '../../platform/contracts/index.ts';
import type { RandomStream } from '../../platform/kernel/index.ts';
import { Backing } from '../../platform/memory/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import { PMEM_REGION, SECTOR_SIZE } from '../../platform/virtio/index.ts';

export class HostMemory {
  readonly backing: Backing;
  readonly region: SharedRegion;
  readonly #node: Node;
  readonly #address: number;
  readonly #page = new Uint8Array(PAGE_SIZE);
  /** Sectors that the medium does not have as they are, by their offsets. */
  readonly #dirty = new Set<number>();
  #sectorsLost = 0;

  constructor(node: Node, backing: Backing) {
    this.#node = node;
    this.backing = backing;
    const length = backing.size;
    this.#address = node.memory.allocate(length, PAGE_SIZE);
    this.region = {
      shmid: PMEM_REGION,
      address: this.#address,
      length,
      stored: (offset, bytes) => this.#stored(offset, bytes),
    };
  }

  /** Memory as large as an image, with its bytes, or zeroes. */
  static of(node: Node, image: string | null, size: number): HostMemory {
    if (image === null) return new HostMemory(node, Backing.ofMemory(size));
    const memory = new HostMemory(node, Backing.ofFile(image));
    for (let at = 0; at < memory.backing.size; at += PAGE_SIZE) memory.#load(at, PAGE_SIZE);
    return memory;
  }

  /** Bytes that a flush has to make durable. */
  get dirtyBytes(): number {
    return this.#dirty.size * SECTOR_SIZE;
  }

  /** Everything that was stored is durable. */
  flush(): void {
    const { memory } = this.#node;
    for (const at of this.#dirty) {
      memory.copyOut(this.#address + at, this.#page, 0, SECTOR_SIZE);
      this.backing.write(at, this.#page, 0, SECTOR_SIZE);
    }
    this.#dirty.clear();
  }

  /** Each sector that was not flushed is as the medium has it, unless it got there in time; nobody can tell before. */
  lose(random: RandomStream): void {
    for (const at of this.#dirty) {
      if (random.ratio(1, 2)) continue;
      this.#load(at, SECTOR_SIZE);
      this.#sectorsLost++;
    }
    this.flush();
  }

  statistics(): Statistics {
    return { dirtyBytes: this.dirtyBytes, sectorsLost: this.#sectorsLost };
  }

  #load(at: number, length: number): void {
    this.backing.read(at, this.#page, 0, length);
    this.#node.memory.copyIn(this.#address + at, this.#page, 0, length);
  }

  #stored(offset: number, length: number): void {
    const first = offset - (offset % SECTOR_SIZE);
    for (let at = first; at < offset + length; at += SECTOR_SIZE) this.#dirty.add(at);
  }
}
